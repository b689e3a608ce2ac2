"""What every test gets: a home folder of its own, no settings from outside, and a real HTTP server that keeps what it was sent."""

from __future__ import annotations

import json
import threading
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from nbhook import _hooks

TOKEN = "api-token-SECRET"
HOOK_TOKEN = "hooktokenSECRET9"
HISTO = "20261122120000000001"
OLDER = "20261121120000000001"


class Recorded:
    """One request as it came over the wire."""

    def __init__(self, method, target, headers, body):
        parts = urlsplit(target)
        self.method, self.path, self.headers, self.body = method, parts.path, headers, body
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))

    @property
    def json(self):
        return json.loads(self.body)

    def parts(self):
        """The fields of a multipart body, read by the standard library's parser: [(name, filename, media type, content)]."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        message = message_from_bytes(head + self.body, policy=policy.HTTP)
        return [
            (
                part.get_param("name", header="content-disposition"),
                part.get_filename(),
                part.get_content_type(),
                part.get_payload(decode=True),
            )
            for part in message.iter_parts()
        ]

    def __repr__(self):
        return f"{self.method} {self.path}"


class Server:
    """Answers what it was told to, 404 otherwise."""

    def __init__(self):
        self.requests = []
        self.replies = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = Recorded(self.command, self.path, self.headers, body)
                outer.requests.append(request)
                status, headers, content = outer.answer(request)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.hook_url = f"{self.url}/hooks/{HOOK_TOKEN}"
        self.on("GET", "/v1/users/me", {"name": "alice", "role": "member"})

    def on(self, method, path, reply=None, status=200, headers=None, content_type=None):
        """Answer ``method path`` with ``reply``: bytes as they are, a function of the request, else JSON."""
        self.replies[method, path] = (reply, status, headers or {}, content_type)

    def answer(self, request):
        problem = {"type": "about:blank", "title": "Not Found", "status": 404, "detail": f"nothing at {request.path}"}
        default = (problem, 404, {}, "application/problem+json")
        reply, status, headers, content_type = self.replies.get((request.method, request.path), default)
        if callable(reply):
            reply = reply(request)
        content = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        kind = content_type or ("application/octet-stream" if isinstance(reply, bytes) else "application/json")
        return status, {"Content-Type": kind, **headers}, content

    def hook(self, path, **more):
        return {
            "id": "0190-id",
            "path": path,
            "url": self.hook_url,
            "histo": HISTO,
            "owner": "alice",
            "params": {},
            "python": None,
            "warnings": [],
            "created_at": "2026-11-22T12:00:00Z",
            "updated_at": "2026-11-22T12:00:00Z",
            **more,
        }

    def has(self, *hooks):
        """Serve these hooks as ``GET /v1/hooks`` does: by exact path and owner, in pages."""

        def listing(request):
            found = [
                hook
                for hook in hooks
                if request.query.get("path", hook["path"]) == hook["path"] and request.query.get("owner", hook["owner"]) == hook["owner"]
            ]
            return page(request, found)

        self.on("GET", "/v1/hooks", listing)

    def only(self, method, path):
        """The one request of this kind."""
        found = [request for request in self.requests if (request.method, request.path) == (method, path)]
        assert len(found) == 1, self.requests
        return found[0]

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def page(request, items):
    """The list envelope of the API."""
    limit, offset = int(request.query.get("limit", 25)), int(request.query.get("offset", 0))
    return {"filters": {}, "sort": "-created_at", "limit": limit, "offset": offset, "items": items[offset : offset + limit]}


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """A home folder of its own, the working folder in it, and no setting from outside."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    for name in (
        "NBHOOK_URL",
        "NBHOOK_TOKEN",
        "NBHOOK_RUN",
        "NBHOOK_RUN_URL",
        "NBHOOK_RUN_TOKEN",
        "NBHOOK_RUN_PATH",
        "NBHOOK_RUN_FOLDER",
        "NBHOOK_HOOK",
        "JPY_SESSION_NAME",
        "http_proxy",
        "HTTP_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    work = folder / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    _hooks._own_names.clear()
    return folder


@pytest.fixture
def server(monkeypatch):
    running = Server()
    monkeypatch.setenv("NBHOOK_URL", running.url)
    monkeypatch.setenv("NBHOOK_TOKEN", TOKEN)
    yield running
    running.close()


@pytest.fixture
def notebook(home):
    """A saved notebook in the working folder; its path on the server is ``work/report.ipynb``."""
    path = home / "work" / "report.ipynb"
    path.write_bytes(b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    return path


SOURCE = Path(__file__).resolve().parents[1] / "src"
ALIAS = Path(__file__).resolve().parents[1] / "alias"
