"""What ``nbhook.scheduler`` asks the server for."""

from __future__ import annotations

from . import _hooks, _http
from ._results import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._paths import PathLike
    from ._tasks import Task

_PATH = "/v1/schedules"
_COLUMNS = ("path", "cron", "tz", "next", "last_at", "enabled", "problem")


def add(path: PathLike | None, wish: Mapping[str, Any], params: Mapping[str, Any] | None, debug: bool, user: str | None) -> Table:
    if _hooks.skipped("add", "scheduler"):
        return times({})
    from ._deploy import deploy
    from ._to_json import to_json

    target = _hooks.Target(path, debug, user)
    # A webhook that is there is left as it is: deploying it anew would take its params, dependencies and callbacks from it.
    hook = target.find() or deploy(path, None, debug, None, None, user).hook
    body = {name: value for name, value in wish.items() if value is not None}
    body.setdefault("tz", _zone())
    body.update(hook=hook.get("id"), params=to_json(dict(params or {})))
    schedule = _send(target.client, "POST", _PATH, body)
    print(f"{schedule.get('path')} runs at {schedule.get('cron')} ({schedule.get('tz')}):")
    for at in schedule.get("next") or []:
        print(f"  {at}")
    return times(schedule)


def delete(path: PathLike | None, everything: bool, debug: bool, user: str | None) -> None:
    if _hooks.skipped("delete", "scheduler"):
        return
    client, schedule = find(path, debug, user)
    client.json("DELETE", _one(schedule))
    print(f"{schedule.get('path')} does not run by itself any more")
    if everything:
        from . import webhook

        webhook.delete(path, True, debug, user)


def currents(raw: bool, debug: bool, user: str | None) -> list[dict[str, Any]]:
    from . import _settings

    client = _http.Client(_settings.load(), debug)
    owner = user or _hooks.own_name(client)
    rows = [*_hooks.pages(client, _PATH, {"owner": owner})]
    if raw:
        return rows
    return Table([{**row, "next": (row.get("next") or [None])[0]} for row in rows], _COLUMNS, "no schedules")


def find(path: PathLike | None, debug: bool, user: str | None) -> tuple[_http.Client, dict[str, Any]]:
    """The client, and the schedule of a notebook; or NotFound."""
    target = _hooks.Target(path, debug, user)
    hook = target.hook()
    for schedule in _hooks.pages(target.client, _PATH, {"hook": hook.get("id")}):
        return target.client, schedule
    from ._errors import NotFound

    raise NotFound(f"{hook.get('path')} has no schedule: scheduler.add(cron=…) makes one", 404)


def enable(path: PathLike | None, enabled: bool, debug: bool, user: str | None) -> None:
    client, schedule = find(path, debug, user)
    changed = _send(client, "PATCH", _one(schedule), {"enabled": enabled})
    following = (changed.get("next") or [""])[0]
    print(f"{schedule.get('path')} runs next at {following}" if enabled else f"{schedule.get('path')} is paused")


def run(path: PathLike | None, debug: bool, user: str | None) -> Task | None:
    if _hooks.skipped("run", "scheduler"):
        return None
    from ._tasks import task_of

    client, schedule = find(path, debug, user)
    return task_of(client, client.api("POST", f"{_one(schedule)}/run"), client.settings.url)


def times(schedule: Mapping[str, Any]) -> Table:
    return Table([{"next": at} for at in schedule.get("next") or []], ("next",), "it does not run by itself")


def _one(schedule: Mapping[str, Any]) -> str:
    return f"{_PATH}/{_hooks.segment(str(schedule.get('id')))}"


def _send(client: _http.Client, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    import json

    sent = json.dumps(body, allow_nan=False).encode()
    return client.object_of(client.api(method, path, body=sent, content_type="application/json", shown=body))


def _zone() -> str:
    """The time zone of this machine where it can be known without guessing: TZ, or where /etc/localtime leads."""
    import os

    named = os.environ.get("TZ", "").lstrip(":")
    if "/" in named and not named.startswith("/"):
        return named
    if named:
        return "UTC"
    _, found, zone = os.path.realpath("/etc/localtime").partition("/zoneinfo/")
    return zone if found and "/" in zone else "UTC"
