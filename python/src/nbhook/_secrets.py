"""What ``nbhook.secret`` asks the server for."""

from __future__ import annotations

from . import _errors, _hooks, _http, _settings
from ._results import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PATH = "/v1/secrets"


class _Client(_http.Client):
    """Shows no value of a secret when it shows what it does."""

    def _show(self, line: str, value: Any) -> None:
        super()._show(line, {**value, "value": "…"} if isinstance(value, dict) and "value" in value else value)


def add(name: str, value: str, debug: bool) -> None:
    import json

    path = _path(name)
    if not isinstance(value, str):
        raise TypeError(f"secret must be text, not {type(value).__name__}")
    if _skipped("add"):
        return
    client = _Client(_settings.load(), debug)
    client.api("PUT", path, body=json.dumps({"value": value}).encode(), content_type="application/json", shown={"value": "…"})
    print(f"kept the secret {name}")


def get(name: str, default: Any, debug: bool) -> Any:
    client = _Client(_settings.load_in_run(), debug)
    try:
        return client.json("GET", _path(name)).get("value")
    except _errors.NotFound:
        return default


def listing(debug: bool) -> Table:
    client = _Client(_settings.load_in_run(), debug)
    return Table(_hooks.pages(client, _PATH), ("name", "created_at", "updated_at"), "no secrets")


def delete(name: str, debug: bool) -> None:
    path = _path(name)
    if _skipped("delete"):
        return
    _Client(_settings.load(), debug).json("DELETE", path)
    print(f"deleted the secret {name}")


def _skipped(function: str) -> bool:
    """A notebook that is deployed has its cells that set something up run again and again."""
    if not _hooks.inside_run():
        return False
    print(f"secret.{function}() does nothing here: the notebook is being run by nbhook")
    return True


def _path(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise TypeError(f"name must be the name of a secret, not {type(name).__name__}")
    return f"{_PATH}/{_hooks.segment(name)}"
