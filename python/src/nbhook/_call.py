"""Calling a hook's URL from Python and giving back what it answered."""

from __future__ import annotations

import os

from . import _errors
from ._hooks import Target, check_histo, inside_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._http import Answer
    from ._paths import PathLike

_DEFAULT_RUN_SECONDS = 600.0
_MARGIN_SECONDS = 60.0


def call(
    path: PathLike | None,
    params: Mapping[str, Any] | None,
    histo: Any,
    timeout: float | None,
    debug: bool,
    user: str | None,
) -> Any:
    """See ``webhook.run``."""
    import json

    from ._json import to_json

    if path is None and inside_run():
        return _endless()
    target = Target(path, debug, user)
    hook = target.hook()
    if inside_run() and hook.get("id") == os.environ.get("NBHOOK_HOOK"):
        return _endless()
    url = str(hook.get("url", ""))
    if histo is not None:
        url += f"/versions/{check_histo(histo)}"
    wait = timeout if timeout is not None else _patience(hook.get("params"))
    if params is None:
        answer = target.client.send("GET", url, timeout=wait)
    else:
        plain = to_json(params)
        if not isinstance(plain, dict):
            raise TypeError(f"params must be a dict, not {type(params).__name__}")
        body = json.dumps(plain, allow_nan=False).encode("utf-8")
        answer = target.client.send("POST", url, body, "application/json", timeout=wait, shown=plain)
    return _result(answer)


def _result(answer: Answer) -> Any:
    if 300 <= answer.status < 400:
        return answer.location()
    if answer.status < 400:
        return answer.decoded()
    problem = answer.problem()
    run = answer.headers.get("X-Nbhook-Run")
    message = _errors.describe(answer.status, problem)
    retry = _errors.retry_seconds(answer.headers.get("Retry-After"))
    if run is None:  # refused before a run was made
        raise _errors.error_class(answer.status)(message, answer.status, problem, retry)
    if problem.get("ename"):
        message = f"{problem.get('ename')}: {problem.get('evalue')}{_place(problem)} (status {answer.status})"
    failed = _errors.RunFailed(message, answer.status, {"run": run, **problem}, retry)
    failed.answer = answer.decoded()
    raise failed


def _place(problem: Mapping[str, Any]) -> str:
    """The failed cell as people count, from one. The parameters that the server puts in have no number."""
    cell = problem.get("cell")
    return f" in cell {cell + 1}" if isinstance(cell, int) else " in the parameters of the call"


def _patience(params: Any) -> float:
    """How long to wait for the answer: the hook's own timeout and some time to queue and start."""
    seconds = params.get("timeout") if isinstance(params, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        seconds = _DEFAULT_RUN_SECONDS
    return float(seconds) + _MARGIN_SECONDS


def _endless() -> None:
    print("webhook.run() does nothing here: a run that calls its own notebook would never end")
