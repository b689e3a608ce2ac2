"""What ``nbhook.callback`` asks the server for."""

from __future__ import annotations

from . import _errors, _hooks, _http, _settings
from ._results import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Callback(tuple):  # type: ignore[type-arg]  (3.9 could not write it in other ways without loading typing)
    """The public URL of an inbox, and its uuid: a named tuple, without the modules that making one loads."""

    __slots__ = ()
    _fields = ("url", "uuid")

    def __new__(cls, url: str, uuid: str) -> Callback:  # noqa: PYI034  (Self is not in the standard library of 3.9)
        return super().__new__(cls, (url, uuid))

    def __getnewargs__(self) -> Any:
        return (self.url, self.uuid)

    @property
    def url(self) -> str:
        return str(self[0])

    @property
    def uuid(self) -> str:
        return str(self[1])

    def __repr__(self) -> str:
        return f"Callback(url={self.url!r}, uuid={self.uuid!r})"


_PATH = "/v1/inboxes"
#: Seconds that the server is asked to wait at once; less than a request may be silent.
_AT_ONCE = 30
_COLUMNS = ("uuid", "url", "received", "received_at", "created_at")


def add(wish: Mapping[str, Any], debug: bool) -> Callback:
    import json

    client = _client(debug)
    given = {name: value for name, value in wish.items() if value is not None}
    body = json.dumps(given, allow_nan=False).encode()
    inbox = client.object_of(client.api("POST", _PATH, body=body, content_type="application/json", shown=given))
    return Callback(str(inbox.get("url", "")), str(inbox.get("uuid", "")))


def read(uuid: str, timeout: float, user: str | None, debug: bool) -> dict[str, Any]:
    """The inbox when something was sent, or as it is after ``timeout`` seconds. The server waits, not we."""
    import math
    import time

    client, path = _client(debug), _path(uuid)
    end = time.monotonic() + timeout
    while True:
        asked = time.monotonic()
        wait = max(0, min(_AT_ONCE, math.ceil(end - asked)))
        inbox = client.json("GET", path, {"user": user, "wait": wait or None})
        now = time.monotonic()
        if inbox.get("received") or now >= end or not wait:
            return inbox
        # A server that shuts down ends the wait early; the next one is asked again, but not in a rush.
        time.sleep(max(0.0, min(1.0, wait, end - now) - (now - asked)))


def listing(user: str | None, debug: bool) -> Table:
    client = _client(debug)
    rows = _hooks.pages(client, _PATH, {"user": user or _hooks.own_name(client)})
    return Table(rows, _COLUMNS, "no inboxes")


def everyones(debug: bool) -> Table:
    client = _client(debug)
    if client.json("GET", "/v1/users/me").get("role") != "admin":
        raise _errors.Forbidden("only an admin may list the inboxes of all users", 403)
    return Table(_hooks.pages(client, _PATH), ("user", *_COLUMNS), "no inboxes")


def delete(uuid: str, user: str | None, debug: bool) -> None:
    _client(debug).json("DELETE", _path(uuid), {"user": user})
    print(f"deleted the inbox {uuid}")


def _client(debug: bool) -> _http.Client:
    return _http.Client(_settings.load(), debug)


def _path(uuid: Any) -> str:
    if not isinstance(uuid, str) or not uuid:
        raise TypeError(f"uuid must be the uuid of an inbox, as add() and list() give it, not {type(uuid).__name__}")
    return f"{_PATH}/{_hooks.segment(uuid)}"
