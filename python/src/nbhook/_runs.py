"""What became of runs, ending one that goes on, and repeating one."""

from __future__ import annotations

from . import _errors, _hooks, _http, _settings, _tasks
from ._results import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._errors import RunFailed
    from ._paths import PathLike
    from ._tasks import Task

    AnyRun = Task | RunFailed | Mapping[str, Any] | str


def runs(
    path: PathLike | None = None,
    state: str | None = None,
    limit: int = 100,
    debug: bool = False,
    user: str | None = None,
) -> Table:
    """The runs of a notebook, newest first, at most ``limit``: ``id``, ``state``, ``mode``, ``created_at``, ``duration_ms`` …

    Args:
        state: only those that are ``queued``, ``running``, ``succeeded``, ``failed``, ``timed_out``, ``cancelled`` or ``interrupted``.
    """
    from itertools import islice

    target = _hooks.Target(path, debug, user)
    rows = _hooks.pages(target.client, "/v1/runs", {"hook": target.hook().get("id"), "state": state})
    return Table(islice(rows, limit), ("id", "state", "mode", "attempts", "created_at", "duration_ms"), "no runs")


def cancel(run: AnyRun, debug: bool = False) -> None:
    """End a run now, or take it out of the queue. Whoever waits for its answer is told so.

    Raises:
        NotFound: no such run.
        Conflict: it has ended already.
    """
    client = _http.Client(_settings.load(), debug)
    told = client.object_of(_tasks.act(client, _run_id(run), "cancel"))
    print(f"run {told.get('id')} is {told.get('state')}")


def rerun(run: AnyRun, debug: bool = False) -> Task:
    """Run a notebook again, with the parameters of an earlier run. Returns its ``Task``; ``.result()`` waits for the answer.

    Raises:
        NotFound: no such run.
        Conflict: it cannot be repeated: it had sensitive parameters or files, which are not kept.
    """
    client = _http.Client(_settings.load(), debug)
    answer = _tasks.act(client, _run_id(run), "rerun")
    task = _tasks.task_of(client, answer, client.settings.url)
    if task is None:
        raise _errors.ApiError("the server did not say which run it started; is it of this version?", answer.status)
    return task


def _run_id(run: Any) -> str:
    given = run.get("id") if isinstance(run, dict) else run.id if isinstance(run, _tasks.Task) else getattr(run, "run", run)
    if not isinstance(given, str) or not given:
        raise TypeError(f"run must be the id of a run, a row of webhook.runs() or a Task, not {type(run).__name__}")
    return given
