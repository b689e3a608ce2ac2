"""What is compared: each contender runs the same notebooks with the same Python, and answers calls over HTTP or in its own process."""

import concurrent.futures
import http.client
import http.server
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil

NOTEBOOKS = Path(__file__).parent / "notebooks"
PATIENCE = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, condition):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise TimeoutError(what)


def cpu_seconds(process):
    """CPU time of a process and everything below it, including what has ended and was waited for."""
    total = 0.0
    for each in [process, *process.children(recursive=True)]:
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


class HttpContender:
    """A server in a process of its own."""

    fresh_kernel = True
    concurrent = True

    def start(self, notebook):
        self.folder = tempfile.TemporaryDirectory(prefix="nbhook-bench-")
        self.log = open(Path(self.folder.name) / "log", "w")
        self.url = self.launch(notebook)
        self.process = psutil.Process(self.child.pid)
        until(f"{self.name} answers", self._answers)

    def spawn(self, command, **more):
        self.child = subprocess.Popen(command, stdout=self.log, stderr=self.log, cwd=self.folder.name, **more)

    def _answers(self):
        try:
            self.connection()()
            return True
        except (OSError, http.client.HTTPException, AssertionError):
            return False

    def connection(self):
        """A function that makes one call on a connection of its own, kept alive."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.netloc, timeout=PATIENCE)

        def call():
            connection.request("GET", address.path)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, (self.name, answer.status, body[:300])

        return call

    def cpu(self):
        return cpu_seconds(self.process)

    def stop(self):
        self.child.terminate()
        self.child.wait(PATIENCE)
        self.log.close()
        self.folder.cleanup()


class Nbhook(HttpContender):
    name = "nbhook"

    def __init__(self, binary):
        self.binary = binary

    def serve(self, port):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("NBHOOK_")}
        self.spawn(
            [self.binary, "serve", "--data", "data", "--python", sys.executable, "--listen", f"127.0.0.1:{port}"],
            env=clean | {"NBHOOK_LOG__FILTER": getattr(self, "filter", "warn"), "NBHOOK_LOG__FORMAT": "json"},
        )

    def launch(self, notebook):
        port = free_port()
        self.serve(port)
        token = Path(self.folder.name) / "data" / "admin.token"
        content = json.loads((NOTEBOOKS / f"{notebook}.ipynb").read_text())
        self.hook = until("nbhook takes a deploy", lambda: self._deploy(port, token, f"{notebook}.ipynb", content))
        headers = {"Authorization": f"Bearer {token.read_text().strip()}"}

        def warm():
            connection = http.client.HTTPConnection(f"127.0.0.1:{port}")
            connection.request("GET", f"/v1/hooks/{self.hook['id']}", headers=headers)
            found = json.loads(connection.getresponse().read())["warm"]
            self.warmth = json.dumps(found)
            return found["state"] != "preparing"

        until("the imports are warm", warm)
        assert notebook != "pandas" or json.loads(self.warmth)["modules"] == ["pandas"], self.warmth
        self.idle(4)
        return self.hook["url"]

    def _deploy(self, port, token, path, content):
        try:
            connection = http.client.HTTPConnection(f"127.0.0.1:{port}")
            body = json.dumps({"path": path, "notebook": content})
            headers = {"Authorization": f"Bearer {token.read_text().strip()}", "Content-Type": "application/json"}
            connection.request("POST", "/v1/hooks", body, headers)
            answer = connection.getresponse()
            return json.loads(answer.read()) if answer.status < 300 else None
        except (OSError, http.client.HTTPException):
            return None

    def idle(self, number):
        """The kernels that wait, as soon as there are so many."""
        parent = psutil.Process(self.child.pid)

        def waiting():
            templates = [each for each in parent.children() if "_forkserver.py" in " ".join(each.cmdline())]
            kernels = [kernel for template in templates for kernel in template.children()]
            return kernels if len(kernels) >= number else None

        return until("kernels wait", waiting)


class KernelGateway(HttpContender):
    name = "kernel gateway (shared kernel)"
    fresh_kernel = False

    def launch(self, notebook):
        port = free_port()
        gateway = [sys.executable, "-m", "kernel_gateway", "--KernelGatewayApp.api=kernel_gateway.notebook_http"]
        seed = f"--KernelGatewayApp.seed_uri={NOTEBOOKS / notebook}.ipynb"
        self.spawn([*gateway, seed, f"--KernelGatewayApp.port={port}", "--KernelGatewayApp.ip=127.0.0.1", "--KernelGatewayApp.port_retries=0"])
        return f"http://127.0.0.1:{port}/{notebook}"


class PapermillPool(HttpContender):
    name = "papermill, 2 workers behind HTTP"

    def launch(self, notebook):
        port = free_port()
        self.spawn([sys.executable, __file__, "papermill-pool", str(port), notebook])
        return f"http://127.0.0.1:{port}/"


class InProcess(HttpContender):
    """A process that runs the notebook when it reads a line, and writes one when it has."""

    concurrent = False

    def __init__(self, library):
        self.library = library
        self.name = f"{library} in process"

    def launch(self, notebook):
        self.child = subprocess.Popen(
            [sys.executable, __file__, "in-process", self.library, notebook],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, cwd=self.folder.name, text=True,
        )
        return None

    def connection(self):
        def call():
            self.child.stdin.write("run\n")
            self.child.stdin.flush()
            assert self.child.stdout.readline() == "done\n"

        return call


def run_with(library, notebook):
    path = NOTEBOOKS / f"{notebook}.ipynb"
    if library == "papermill":
        import papermill

        papermill.execute_notebook(str(path), "output.ipynb", progress_bar=False, execution_timeout=15)
    else:
        import nbclient
        import nbformat

        nbclient.execute(nbformat.read(path, as_version=4))


def serve_in_process(library, notebook):
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the library prints is no answer
    for _ in sys.stdin:
        run_with(library, notebook)
        answers.write("done\n")
        answers.flush()


def serve_papermill_pool(port, notebook):
    pool = concurrent.futures.ProcessPoolExecutor(2)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            for tries_left in reversed(range(3)):
                try:
                    pool.submit(run_in_own_folder, notebook).result()
                    break
                # Two kernels that start together may choose the same ports: one of them dies, or its cell never ends.
                except (RuntimeError, TimeoutError):
                    if not tries_left:
                        raise
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.current_thread().name = "server"
    server.serve_forever()


def run_in_own_folder(notebook):
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            run_with("papermill", notebook)
        except TimeoutError as error:  # nbclient's own cannot be sent to another process
            raise TimeoutError(str(error)) from None
        finally:
            os.chdir("/")


if __name__ == "__main__":
    kind, *arguments = sys.argv[1:]
    if kind == "in-process":
        serve_in_process(*arguments)
    else:
        serve_papermill_pool(int(arguments[0]), arguments[1])
