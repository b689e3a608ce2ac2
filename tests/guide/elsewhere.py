"""What stands at the other end of what a page sends: somebody's HTTP server, and a mail server."""

from __future__ import annotations

import base64
import http.server
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

SMTP_SERVER = Path(__file__).resolve().parents[2] / "src/mail/smtp_server.py"


class Receiver:
    """Takes whatever is sent to it, and remembers it; below ``/gone`` it refuses all but a callback's first test."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        taken = self.taken

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if body != b'{"test":1}':
                    head = "".join(f"{name}: {value}\n" for name, value in self.headers.items())
                    taken.append(f"{self.command} {self.path} HTTP/1.1\n{head}\n{body.decode(errors='replace')}")
                refused = self.path.startswith("/gone") and body != b'{"test":1}'
                answer = b'{"ok":true}'
                self.send_response(403 if refused else 200)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler

    def received(self, patience: float) -> str:
        """The last request, once there is one that nobody has asked for yet."""
        return _newest(self.taken, patience)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class MailServer:
    """The SMTP server of the tests."""

    def __init__(self, python: str = sys.executable) -> None:
        command = [python, str(SMTP_SERVER)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.url = f"smtp://127.0.0.1:{self._process.stdout.readline().strip()}"
        self.taken: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.taken.append(readable(json.loads(line)))

    def received(self, patience: float) -> str:
        return _newest(self.taken, patience)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def readable(mail: dict[str, Any]) -> str:
    """A mail as its reader sees it: who, to whom, about what, the HTML of it, and what is attached."""
    headers = {name.lower(): value for name, value in mail["headers"]}
    shown = [f"{name}: {headers[name.lower()]}" for name in ("From", "To", "Reply-To", "Subject") if name.lower() in headers]
    bodies = dict(mail["parts"])
    body = bodies.get("text/html") or bodies.get("text/plain", "")
    attached = [f"Attached: {name} ({kind}, {len(base64.b64decode(data))} bytes)" for name, kind, data in mail["files"]]
    return "\n".join([*shown, "", body.strip(), "", *attached])


def _newest(taken: list[str], patience: float) -> str:
    deadline = time.monotonic() + patience
    while not taken:
        if time.monotonic() > deadline:
            return "(nothing came)"
        time.sleep(0.01)
    newest = taken[-1]
    taken.clear()
    return newest
