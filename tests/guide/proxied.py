"""The server behind the reverse proxies of docs/operations.md, as they stand there but for ports, paths and the certificate.

    proxied.py --nbhook target/debug/nbhook nginx|caddy
"""

from __future__ import annotations

import argparse
import http.client
import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

from blocks import blocks

REPOSITORY = Path(__file__).resolve().parents[2]
HOST = "hooks.example.org"
PATIENCE = 60.0
#: To nginx: to answer with something else, slowly, in pieces, as another charset.
ORDERS = {"X-Accel-Redirect": "/elsewhere", "X-Accel-Limit-Rate": "1", "X-Accel-Buffering": "yes", "X-Accel-Charset": "koi8-r", "X-Accel-Expires": "99"}
#: With the form around it more than the 100 MiB that calls may have by default, and less than what assets may.
LARGE = 100 * 1024 * 1024


def block(language: str) -> str:
    return next(found.text for found in blocks(REPOSITORY / "docs/operations.md", "operations.md") if found.language == language)


def with_changes(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in text, f"there is no {old!r} any more in\n{text}"
        text = text.replace(old, new)
    return text


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def waited(is_so: object, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.05)


class Site:
    """A server and a proxy in front of it, in a folder of their own."""

    def __init__(self, nbhook: str, python: str, program: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nbhook-proxied-"))
        os.chmod(self.folder, 0o755)  # nginx' workers are another user
        self.started: list[subprocess.Popen[bytes]] = []
        self.beside: int | None = None
        self._certify()
        upstream = self._serve(nbhook, python)
        self.port, self.plain = free_port(), free_port()
        self.may_answer_too_large = {"nginx": (), "caddy": (0, 100, 413, 502)}[program]
        getattr(self, f"_{program}")(upstream)
        waited(self._answers, program)
        self.token = (self.folder / "production/admin.token").read_text().strip()

    def _start(self, name: str, command: list[str], **more: str) -> Path:
        log = self.folder / f"{name}.log"
        environment = {**os.environ, "HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder), **more}
        environment.pop("NBHOOK_TOKEN", None)
        self.started.append(subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log.open("wb"), stderr=subprocess.STDOUT))
        return log

    def _certify(self) -> None:
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-keyout", "hooks.key", "-out", "hooks.pem"]
        subprocess.run([*command, *names], cwd=self.folder, check=True, capture_output=True)

    def _serve(self, nbhook: str, python: str) -> str:
        settings = with_changes(block("toml"), ('"127.0.0.1:8000"', '"127.0.0.1:0"'))
        (self.folder / "nbhook.toml").write_text(settings)
        log = self._start("nbhook", [str(Path(nbhook).resolve()), "serve"], NBHOOK_KERNEL__PYTHON=python)
        waited(lambda: "nbhook login " in log.read_text(), "the server")
        return log.read_text().split("nbhook login http://")[1].split()[0]

    def _nginx(self, upstream: str) -> None:
        servers = self._nginx_servers(self.port, self.plain, upstream)
        self.beside = free_port()
        servers += self._nginx_servers(self.beside, free_port(), self._gives_orders())
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{kind}_temp_path {self.folder}/{kind};\n" for kind in kinds)
        around = f"daemon off;\npid {self.folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}"
        (self.folder / "nginx.conf").write_text(f"{around}{servers}}}\n")
        self._start("proxy", ["nginx", "-e", "stderr", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")])

    def _nginx_servers(self, port: int, plain: int, upstream: str) -> str:
        return with_changes(
            block("nginx"),
            ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
            ("listen 80;", f"listen 127.0.0.1:{plain};"),
            ("/etc/ssl/", f"{self.folder}/"),
            ("127.0.0.1:8000", upstream),
        )

    def _gives_orders(self) -> str:
        """A server that sends what nbhook lets no notebook send."""

        class Answer(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:  # noqa: N802
                self.send_response(200)
                body = self.path.encode()
                for name, value in {**ORDERS, "Content-Length": str(len(body)), "Content-Type": "text/plain"}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"127.0.0.1:{server.server_address[1]}"

    def _caddy(self, upstream: str) -> None:
        site = f"https://{HOST}:{self.port} {{\n    tls {self.folder}/hooks.pem {self.folder}/hooks.key\n"
        sites = with_changes(block("caddyfile"), (f"{HOST} {{\n", site), ("127.0.0.1:8000", upstream))
        (self.folder / "Caddyfile").write_text(f"{{\n    admin off\n    http_port {self.plain}\n}}\n{sites}")
        self._start("proxy", ["caddy", "run", "--adapter", "caddyfile", "--config", str(self.folder / "Caddyfile")])

    def _answers(self) -> bool:
        ended = [process.args for process in self.started if process.poll() is not None]
        assert not ended, f"{ended} ended:\n{self.logs()}"
        try:
            return self.send("GET", "/healthz")[0] == 200
        except OSError:
            return False

    def connect(self, port: int | None = None) -> http.client.HTTPConnection:
        """To the proxy, whose certificate has to be that of the host."""
        port = port or self.port
        context = ssl.create_default_context(cafile=str(self.folder / "hooks.pem"))
        connection = http.client.HTTPSConnection(HOST, port, timeout=PATIENCE, context=context)
        plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        connection.sock = context.wrap_socket(plain, server_hostname=HOST)
        return connection

    def send(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = self.connect()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body, headers=named)  # type: ignore[arg-type]
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def api(self, method: str, path: str, value: object = None) -> dict:
        body = None if value is None else json.dumps(value)
        status, _, answer = self.send(method, path, body, Authorization=f"Bearer {self.token}", Content_Type="application/json")
        assert status < 300, answer
        return json.loads(answer)

    def deploy(self, path: str, *cells: str) -> str:
        """The path of the hook's URL."""
        made = [{"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": cell} for cell in cells]
        kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
        notebook = {"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 4}
        url = self.api("POST", "/v1/hooks", {"path": path, "notebook": notebook})["url"]
        assert url.startswith(f"https://{HOST}/hooks/"), url
        return url.removeprefix(f"https://{HOST}")

    def logs(self) -> str:
        return "\n".join(f"{log.name}:\n{log.read_text(errors='replace')}" for log in self.folder.glob("*.log"))

    def close(self) -> None:
        for process in reversed(self.started):
            process.send_signal(signal.SIGTERM)
        for process in self.started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def plain_http_leads_to_tls(site: Site) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.plain, timeout=PATIENCE)
    connection.request("GET", "/docs?a=1", headers={"Host": HOST})
    answer = connection.getresponse()
    target = answer.headers["location"]
    # Caddy names a port that is not the usual one, as here.
    assert answer.status in (301, 308) and target.replace(f":{site.port}", "") == f"https://{HOST}/docs?a=1", target


def metrics_are_for_the_machine_alone(site: Site) -> None:
    assert site.send("GET", "/metrics")[0] == 404
    assert site.send("GET", "/healthz")[0] == 200


def notebooks_see_who_calls(site: Site) -> None:
    hook = site.deploy("seen.ipynb", "from nbhook import webhook\nwebhook.respond_json({n: headers.get(n) for n in "
                       "('host', 'x-forwarded-for', 'x-forwarded-proto')})")
    status, _, body = site.send("GET", hook, None, X_Forwarded_For="203.0.113.9", X_Forwarded_Proto="gopher")
    seen = {"host": f"{HOST}:{site.port}", "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https"}
    assert (status, json.loads(body)) == (200, seen), body


def the_cookie_is_secure(site: Site) -> None:
    form = urlencode({"token": site.token, "next": ""})
    here = {"Content_Type": "application/x-www-form-urlencoded", "Origin": f"https://{HOST}:{site.port}"}
    status, headers, body = site.send("POST", "/manager/login", form, **here)
    cookie = headers["set-cookie"] or ""
    assert status == 303 and headers["location"] == "/manager", (status, body)
    assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/manager")), cookie
    status, _, page = site.send("GET", "/manager/hooks", None, Cookie=cookie.partition(";")[0])
    assert status == 200 and b"seen.ipynb" in page, page[:500]
    status, _, _ = site.send("POST", "/manager/login", form, **{**here, "Origin": "https://elsewhere.example.org"})
    assert status == 403, status


def no_answer_gives_nginx_orders(site: Site) -> None:
    if site.beside is None:
        return
    connection = site.connect(site.beside)
    connection.request("GET", "/asked")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"/asked"), "nginx went elsewhere"
    assert "koi8" not in answer.headers["content-type"], answer.headers


def events_come_as_they_happen(site: Site) -> None:
    """The run waits for a file that is made when its first event has come, so a proxy that holds events back is found out."""
    flag = site.folder / "go-on"
    wait = f"import os, time\nfor _ in range(600):\n    if os.path.exists({str(flag)!r}): break\n    time.sleep(0.05)\nelse: raise SystemExit('nobody')"
    hook = site.deploy("waits.ipynb", "import nbhook\nnbhook.progress(1, 2, 'half of it')", wait, "nbhook.progress(2, 2)")
    status, headers, body = site.send("GET", hook, None, Prefer="respond-async")
    assert status == 202 and headers["location"].startswith("/v1/tasks/"), (headers["location"], body)
    run = json.loads(body)["UUID"]
    connection = site.connect()
    accepted = {"Authorization": f"Bearer {site.token}", "Accept-Encoding": "gzip, br"}
    connection.request("GET", f"/v1/runs/{run}/events", headers=accepted)
    answer = connection.getresponse()
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/event-stream")
    seen = b""
    while b'"running"' not in seen:
        seen += answer.read1()
    flag.touch()
    while b'"succeeded"' not in seen:
        more = answer.read1()
        assert more, seen
        seen += more


def what_is_too_large_is_refused_by_nbhook(site: Site) -> None:
    hook = site.deploy("size.ipynb", "import os\nfrom nbhook import webhook\nwebhook.respond_text(str(os.path.getsize(file)))")
    large, meta = site.folder / "large.bin", site.folder / "meta.json"
    meta.write_text('{"path": "large.bin"}')

    def upload(path: str, size: int, *more: str) -> tuple[int, str]:
        """With curl, which hears of it when it is refused before all of it was sent."""
        with large.open("wb") as file:
            file.truncate(size)
        address = ["--cacert", str(site.folder / "hooks.pem"), "--resolve", f"{HOST}:{site.port}:127.0.0.1", f"https://{HOST}:{site.port}{path}"]
        told = ["--write-out", "\n%{http_code} %{content_type}", "--max-time", str(PATIENCE)]
        command = ["curl", "--silent", "--http1.1", "--form", f"file=@{large}", *more, *told, *address]
        out = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return int(out.rsplit("\n", 1)[1].split()[0]), out

    almost = LARGE - 1000  # the form is some bytes, too
    status, said = upload(hook, almost)
    assert status == 200 and said.startswith(str(almost)), said
    status, said = upload(hook, LARGE)
    # Caddy goes on reading when nbhook has refused, and may end the connection before it passes the answer on.
    assert status == 413 and said.endswith("application/problem+json") or status in site.may_answer_too_large, said
    status, said = upload("/v1/assets", LARGE, "--form", f"meta=<{meta}", "--header", f"Authorization: Bearer {site.token}")
    assert status == 201, said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nbhook", required=True)
    parser.add_argument("program", choices=["nginx", "caddy"])
    options = parser.parse_args()
    fetched = REPOSITORY / "target/proxies/usr"  # by ./test, which names it in PATH if the target folder is another one
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], str(fetched / "sbin"), str(fetched / "bin"), "/usr/sbin"])
    if not shutil.which(options.program):
        if shutil.which("apt-get"):
            print(f"{options.program} is missing: ./test fetches it")
            return 1
        print(f"skipped: {options.program} is not installed, and ./test cannot fetch it here")
        return 0
    site = Site(options.nbhook, sys.executable, options.program)
    try:
        for check in (plain_http_leads_to_tls, metrics_are_for_the_machine_alone, notebooks_see_who_calls, the_cookie_is_secure, no_answer_gives_nginx_orders, events_come_as_they_happen,
                      what_is_too_large_is_refused_by_nbhook):
            started = time.monotonic()
            check(site)
            print(f"{options.program}: {check.__name__}: {time.monotonic() - started:.1f} s")
    except Exception:
        print(site.logs())
        raise
    finally:
        site.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
