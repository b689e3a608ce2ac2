"""Somebody who follows one page: a home folder, a terminal, notebooks with their kernels, and a server."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from elsewhere import MailServer, Receiver

PATIENCE = 60.0
REPOSITORY = Path(__file__).resolve().parents[2]
#: What pages call the server, the reader's home folder, and a machine of theirs that takes what is sent to it.
SERVER, HOME, RECEIVER = "http://127.0.0.1:8000", "/home/ada", "https://example.org"
SENDER = "nbhook <nbhook@example.org>"
PYTHON = {"name": "python3", "language": "python", "display_name": "Python 3"}
BASH = {"name": "bash", "language": "bash", "display_name": "Bash"}

_SERVES = re.compile(r"^nbhook serves (\S+)$", re.MULTILINE)
_PUBLIC = re.compile(r"https?://[^\s\"'<>]+?/(hooks|inbox|assets|v1/tasks)/[\w-]{20,}(?:\?key=[\w-]+)?")


class Failed(Exception):
    """A block did not do what the page says; the text is what it printed."""


class Reader:
    def __init__(self, nbhook: str, python: str, own_server: bool, mails: bool) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="nbhook-guide-"))
        self.receiver, self.python = Receiver(), python
        self.mail_server = MailServer(python) if mails else None
        #: The last public URL of each kind that was printed.
        self.server, self.urls = SERVER, {}
        self.kernels: dict[str, Any] = {}
        self.started, self.server_process = 0, 0
        self.environment = self._environment(nbhook)
        self.shell: subprocess.Popen[str] | None = None
        self._steps = self.home / ".steps"
        self._steps.mkdir()
        # No progress bar, as there is none in a terminal for what is short.
        (self.home / ".curlrc").write_text("silent\nshow-error\n")
        self._open_shell()
        if not own_server:
            self._serve()

    def _environment(self, nbhook: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("NBHOOK_", "JPY_", "PYTHON"))}
        return {
            **kept,
            "HOME": str(self.home),
            "PATH": os.pathsep.join([str(Path(nbhook).resolve().parent), str(Path(self.python).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(REPOSITORY / "python/src"),
            "NBHOOK_REPOSITORY": str(REPOSITORY),
            "NBHOOK_LISTEN": "127.0.0.1:0",
            "NBHOOK_KERNEL__PYTHON": self.python,
            "NBHOOK_OUTBOUND__ALLOW": "127.0.0.1",
            "NBHOOK_OUTBOUND__ALLOW_HTTP": "true",
            **({"NBHOOK_SMTP__URL": self.mail_server.url, "NBHOOK_SMTP__FROM": SENDER} if self.mail_server else {}),
            "LANG": "C.UTF-8",
            "NO_COLOR": "1",
            "no_proxy": "*",
        }

    def _open_shell(self) -> None:
        self.shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        self._tell("set -o pipefail; failed() { echo \"$BASH_COMMAND\" >>\"$HOME/.steps/failed\"; }; trap failed ERR")

    def _tell(self, command: str) -> None:
        assert self.shell and self.shell.stdin
        self.shell.stdin.write(command + "\n")
        self.shell.stdin.flush()

    def _serve(self) -> None:
        self.goes_on("nbhook serve\n")
        token = (self.home / "production/admin.token").read_text().strip()
        self.environment.update(NBHOOK_URL=self.server, NBHOOK_TOKEN=token)
        self._tell(f"export NBHOOK_URL={self.server} NBHOOK_TOKEN={token}")

    def real(self, source: str) -> str:
        """A page's text as it is meant here: with this server, this hook, this receiver."""
        for kind, url in self.urls.items():
            source = source.replace(f"{SERVER}/{kind}/…", url)
        return source.replace(SERVER, self.server).replace(HOME, str(self.home)).replace(RECEIVER, self.receiver.url)

    def told(self, output: str) -> str:
        """What was printed, as a page has it."""
        self.urls.update({found[1]: found[0] for found in _PUBLIC.finditer(output)})
        output = output.replace(self.server, SERVER).replace(self.server.removeprefix("http://"), SERVER.removeprefix("http://"))
        return output.replace(str(self.home), HOME).replace(self.receiver.url, RECEIVER)

    def sh(self, source: str, fails: bool = False) -> str:
        """Types commands into the terminal: none of them may fail, or one has to."""
        step, failed = self._step(source), self._steps / "failed"
        failed.unlink(missing_ok=True)
        self._tell(f". {step} >{step}.out 2>&1 </dev/null; printf %s \"$URL\" >{step}.url; echo >{step}.end")
        self._wait(lambda: Path(f"{step}.end").exists(), f"{step}.out")
        output = Path(f"{step}.out").read_text(errors="replace")
        self.told(Path(f"{step}.url").read_text())
        if failed.exists() != fails:
            reason = f"this failed: {failed.read_text()}" if failed.exists() else "nothing failed\n"
            raise Failed(reason + self.told(output))
        return self.told(output)

    def goes_on(self, source: str) -> str:
        """Starts the server in a terminal of its own, in place of the one before, and waits until it is ready."""
        step = self._step(source)
        self._stop_server()
        # exec: its process id is that of the server.
        step.write_text(re.sub(r"^nbhook ", "exec nbhook ", step.read_text(), flags=re.MULTILINE))
        self._tell(f". {step} >{step}.out 2>&1 </dev/null & echo $! >{step}.pid")
        log = Path(f"{step}.out")
        self._wait(lambda: log.exists() and _SERVES.search(log.read_text(errors="replace")), str(log))
        self.server_process = int(Path(f"{step}.pid").read_text())
        output = log.read_text()
        self.server = self._local(output)
        return self.told("\n".join(line for line in output.splitlines() if not re.match(r"^20\d\d-", line)))

    def _stop_server(self) -> None:
        """As Ctrl-C does; the next one has its address."""
        if not self.server_process:
            return
        os.kill(self.server_process, signal.SIGTERM)
        self._ends()
        self._tell(f"wait {self.server_process}; export NBHOOK_LISTEN={self.server.removeprefix('http://')}")

    @staticmethod
    def _local(output: str) -> str:
        login = re.search(r"nbhook login (\S+)", output)
        return login[1] if login else _SERVES.findall(output)[-1]

    def _step(self, source: str) -> Path:
        self.started += 1
        step = self._steps / f"{self.started}.sh"
        step.write_text(self.real(source))
        return step

    def _wait(self, is_so: Any, log: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            if time.monotonic() > deadline or (self.shell and self.shell.poll() is not None):
                raise Failed("it does not end, or ended the shell:\n" + Path(log).read_text(errors="replace"))
            time.sleep(0.01)

    def cell(self, source: str, notebook: str = "", tag: str = "", fails: bool = False) -> str:
        """Adds a cell to a notebook (none: a console), saves it, and runs the cell in the notebook's kernel."""
        source = self.real(source).rstrip("\n")
        if notebook:
            self._add_cell(self.home / notebook, source, tag, PYTHON)
        output, raised = self._kernel(notebook).run(source)
        if raised != fails:
            raise Failed(("it raised an exception\n" if raised else "it raised nothing\n") + self.told(output))
        return self.told(output)

    def bash_cell(self, source: str, notebook: str, tag: str) -> str:
        """Adds a cell to a notebook for bash, which is run by the server only."""
        self._add_cell(self.home / notebook, self.real(source).rstrip("\n"), tag, BASH)
        return ""

    @staticmethod
    def _add_cell(path: Path, source: str, tag: str, kernel: dict[str, str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        document = json.loads(path.read_text()) if path.exists() else {"cells": [], "metadata": {"kernelspec": kernel}}
        document.update(nbformat=4, nbformat_minor=4)
        metadata = {"tags": [tag]} if tag else {}
        cell = {"cell_type": "code", "execution_count": None, "metadata": metadata, "outputs": [], "source": source}
        document["cells"].append(cell)
        path.write_text(json.dumps(document))

    def _kernel(self, notebook: str) -> Kernel:
        if notebook not in self.kernels:
            folder = (self.home / notebook).parent if notebook else self.home
            session = {"JPY_SESSION_NAME": str(self.home / notebook)} if notebook else {}
            self.kernels[notebook] = Kernel({**self.environment, **session}, folder)
        return self.kernels[notebook]

    def javascript(self, source: str) -> str:
        command = ["node", "--input-type=module", "-e", self.real(source)]
        done = subprocess.run(command, env=self.environment, cwd=self.home, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if done.returncode:
            raise Failed(self.told(done.stdout + done.stderr))
        return self.told(done.stdout)

    def file(self, path: str, text: str) -> None:
        target = self.home / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self.real(text))

    def close(self) -> None:
        for kernel in self.kernels.values():
            kernel.close()
        assert self.shell
        for name in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.shell.pid, name)
                self.shell.wait(5)
                self._ends()
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
        self.receiver.close()
        if self.mail_server:
            self.mail_server.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def _ends(self) -> None:
        """Waits until the server, which is told to end, does not answer any more."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.server}/healthz", timeout=1).close()
            except OSError:
                return
            time.sleep(0.02)


class Kernel:
    """A Jupyter kernel, as JupyterLab starts it for a notebook."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        from jupyter_client.manager import KernelManager

        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(env=environment, cwd=str(folder))
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def run(self, source: str) -> tuple[str, bool]:
        """What a cell prints and shows as text, and whether it raised an exception."""
        printed: list[str] = []

        def collect(message: dict[str, Any]) -> None:
            kind, content = message["header"]["msg_type"], message["content"]
            if kind == "stream":
                printed.append(content["text"])
            elif kind in ("execute_result", "display_data"):
                printed.append(content["data"].get("text/plain", "") + "\n")
            elif kind == "error":
                printed.append(f"{content['ename']}: {content['evalue']}\n")

        reply = self.client.execute_interactive(source, timeout=PATIENCE, output_hook=collect, allow_stdin=False)
        return "".join(printed), reply["content"]["status"] == "error"

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
