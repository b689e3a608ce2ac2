"""Calling a hook's URL from Python and giving back what it answered, or the task that will."""

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
_LONGEST_WAIT = 600
_LONGEST_KEY = 255


def call(
    path: PathLike | None,
    params: Mapping[str, Any] | None,
    histo: Any,
    timeout: float | None,
    debug: bool,
    user: str | None,
    wait: float | None,
    idempotency_key: str | None,
) -> Any:
    """See ``webhook.run``."""
    import json

    from ._to_json import to_json
    from ._tasks import task_of

    headers = _headers(wait, idempotency_key)
    if path is None and inside_run():
        return _endless()
    target = Target(path, debug, user)
    hook = target.hook()
    if inside_run() and hook.get("id") == os.environ.get("NBHOOK_HOOK"):
        return _endless()
    url = str(hook.get("url", ""))
    if histo is not None:
        url += f"/versions/{check_histo(histo)}"
    patience = timeout if timeout is not None else _patience(hook.get("params"), wait)
    if params is None and idempotency_key is None:
        answer = target.client.send("GET", url, timeout=patience, headers=headers)
    else:
        plain = to_json({} if params is None else params)
        if not isinstance(plain, dict):
            raise TypeError(f"params must be a dict, not {type(params).__name__}")
        body = json.dumps(plain, allow_nan=False).encode("utf-8")
        answer = target.client.send("POST", url, body, "application/json", timeout=patience, shown=plain, headers=headers)
    return task_of(target.client, answer, url) or result_of(answer)


def _headers(wait: Any, idempotency_key: Any) -> dict[str, str]:
    """What the two arguments say in HTTP."""
    headers: dict[str, str] = {}
    if wait is not None:
        if isinstance(wait, bool) or not isinstance(wait, (int, float)):
            raise TypeError(f"wait must be a number of seconds, not {type(wait).__name__}")
        if not 0 <= wait <= _LONGEST_WAIT:
            raise ValueError(f"wait must be from 0 to {_LONGEST_WAIT} seconds, not {wait}")
        # Whole seconds only, and a part of one is not "at once".
        headers["Prefer"] = "respond-async" if wait == 0 else f"wait={-int(-wait // 1)}"
    if idempotency_key is not None:
        if not isinstance(idempotency_key, str):
            raise TypeError(f"idempotency_key must be a str, not {type(idempotency_key).__name__}")
        printable = all(" " <= char <= "~" for char in idempotency_key)
        if not printable or not 1 <= len(idempotency_key) <= _LONGEST_KEY:
            raise ValueError(f"idempotency_key must be 1 to {_LONGEST_KEY} letters, digits, signs or spaces of ASCII")
        # In quotes it comes as it is: HTTP drops spaces around a value, and the server quotes.
        quotes = idempotency_key[0] in ' "' or idempotency_key[-1] in ' "'
        headers["Idempotency-Key"] = f'"{idempotency_key}"' if quotes else idempotency_key
    return headers


def result_of(answer: Answer) -> Any:
    """The answer of a notebook as a value.

    Raises:
        RunFailed: it has an error status.
        ApiError: there was no run.
    """
    if 300 <= answer.status < 400:
        return answer.location()
    if answer.status < 400:
        return answer.decoded()
    problem = answer.problem()
    run = answer.headers.get("X-Nbhook-Run")
    retry = _errors.retry_seconds(answer.headers.get("Retry-After"))
    if run is None:  # refused before a run was made
        raise _errors.error_class(answer.status)(_errors.describe(answer.status, problem), answer.status, problem, retry)
    raise failure(problem, answer.status, run, answer.decoded(), retry)


def failure(problem: Mapping[str, Any], status: int, run: str, answer: Any, retry: float | None = None) -> _errors.RunFailed:
    """What is raised for a run that failed."""
    message = _errors.describe(status, problem)
    if problem.get("ename"):
        message = f"{problem.get('ename')}: {problem.get('evalue')}{_place(problem)} (status {status})"
    failed = _errors.RunFailed(message, status, {"run": run, **problem}, retry)
    failed.answer = answer
    return failed


def _place(problem: Mapping[str, Any]) -> str:
    """The failed cell as people count, from one. The parameters that the server puts in have no number."""
    cell = problem.get("cell")
    return f" in cell {cell + 1}" if isinstance(cell, int) else " in the parameters of the call"


def _patience(params: Any, wait: float | None = None) -> float:
    """How long to wait for the answer: as long as the server was told to, or the hook's own timeout; and some time to queue and start."""
    if wait is not None:
        return wait + _MARGIN_SECONDS
    seconds = params.get("timeout") if isinstance(params, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        seconds = _DEFAULT_RUN_SECONDS
    return float(seconds) + _MARGIN_SECONDS


def _endless() -> None:
    print("webhook.run() does nothing here: a run that calls its own notebook would never end")
