"""What ``nbhook.notification`` asks the server for."""

from __future__ import annotations

import os

from . import _hooks, _http, _settings
from ._multipart import Part, encode
from ._results import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_PATH = "/v1/notifications"
_COLUMNS = ("id", "state", "email_to", "subject", "created_at", "error")


def send(
    email_to: str | Iterable[str],
    subject: str,
    html: str | None,
    files: Iterable[str | os.PathLike[str]],
    email_from: str | None,
    text: str | None,
    debug: bool,
) -> dict[str, Any]:
    import json

    to = email_to if isinstance(email_to, str) else list(email_to)
    meta = {"email_to": to, "subject": subject, "html": html, "text": text, "email_from": email_from}
    meta = {name: value for name, value in meta.items() if value is not None}
    if isinstance(files, (str, os.PathLike)):
        files = [files]
    parts = [Part("file", *_read(path)) for path in files]
    body = json.dumps(meta, allow_nan=False).encode()
    client = _http.Client(_settings.load_in_run(), debug)
    if not parts:
        return client.object_of(client.api("POST", _PATH, body=body, content_type="application/json", shown=meta))
    form, content_type = encode([Part("meta", body, "application/json"), *parts])
    shown = {**meta, "files": [part.filename for part in parts]}
    return client.object_of(client.api("POST", _PATH, body=form, content_type=content_type, shown=shown))


def get(id: str, debug: bool) -> dict[str, Any]:
    if not isinstance(id, str) or not id:
        raise TypeError(f"id must be the id of a mail, as send() and list() give it, not {type(id).__name__}")
    return _http.Client(_settings.load(), debug).json("GET", f"{_PATH}/{_hooks.segment(id)}")


def listing(state: str | None, debug: bool) -> Table:
    client = _http.Client(_settings.load(), debug)
    query = {"state": state, "user": _hooks.own_name(client)}
    return Table(_hooks.pages(client, _PATH, query), _COLUMNS, "no mails")


def _read(path: str | os.PathLike[str]) -> tuple[bytes, str, str]:
    """A file, what kind it is (the server looks at its name), and its name."""
    with open(path, "rb") as file:
        return file.read(), "application/octet-stream", os.path.basename(os.fspath(path))
