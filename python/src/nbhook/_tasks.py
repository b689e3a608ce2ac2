"""A run that its caller does not wait for: asking how it is, waiting for its answer, and cancelling it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._http import Answer, Client

_MEDIA_TYPE = "application/hal+json"
#: Seconds to the next question when the server does not say.
_PAUSE = 2.0
#: A failed task is told as a problem; these kinds of it are states of their own.
_STATES = {"timeout": "timed_out", "cancelled": "cancelled", "interrupted": "interrupted"}


class Task:
    """A run that goes on by itself, as ``webhook.run(wait=0)`` and ``webhook.rerun`` give it.

    ``id``: the run's id.
    ``url``: where the server tells of it; whoever knows it may ask, so keep it like a password.
    ``state``: ``queued``, ``running``, ``succeeded``, ``failed``, ``timed_out``, ``cancelled`` or ``interrupted``, as of the last
    :meth:`refresh`.
    ``progress``: ``{"done": …, "total": …, "message": …}``, or None.
    """

    def __init__(self, client: Client, url: str, told: Mapping[str, Any]) -> None:
        self._client = client
        self._result = ""
        self._problem: dict[str, Any] = {}
        self._pause = _PAUSE
        self.url = url
        self.id = str(told.get("UUID", ""))
        self.state = ""
        self.progress: dict[str, Any] | None = None
        self._learn(told)

    @property
    def done(self) -> bool:
        """Whether the run has ended."""
        return self.state not in ("queued", "running")

    def refresh(self) -> Task:
        """Ask the server how the run is. Returns the task itself.

        Raises:
            NotFound: the server has no such task, or no longer.
        """
        answer = self._client.send("GET", self.url)
        if answer.status == 303:
            from urllib.parse import urljoin

            self.state, self._result = "succeeded", urljoin(self.url, answer.location())
        elif answer.status == 200 and answer.media_type == "application/problem+json":
            self._problem = answer.problem()
            self.state = _state_of(self._problem)
        else:
            self._learn(self._client.object_of(_checked(answer)))
        return self

    def result(self, timeout: float | None = None) -> Any:
        """Wait until the run has ended and return its answer, as ``webhook.run`` does.

        Args:
            timeout: seconds to wait; default as long as it takes.

        Raises:
            TimeoutError: the run has not ended in time; it goes on.
            RunFailed: it failed, took too long, was cancelled or interrupted, or answered with an error status.
            NotFound: its answer is not kept any longer.
        """
        end = None if timeout is None else _now() + timeout
        while not self.refresh().done:
            left = None if end is None else end - _now()
            if left is not None and left <= 0:
                raise TimeoutError(f"the run {self.id} is {self.state} after {timeout:g} seconds; it goes on")
            _sleep(self._pause if left is None else min(self._pause, left))
        from . import _call

        if self._result:
            return _call.result_of(self._client.send("GET", self._result))
        status = self._problem.get("status")
        raise _call.failure(self._problem, status if isinstance(status, int) else 500, self.id, self._problem)

    def cancel(self) -> None:
        """End the run now. Needs the token of its owner.

        Raises:
            Conflict: it has ended already.
        """
        self._learn(self._client.object_of(act(self._client, self.id, "cancel")))

    def _learn(self, told: Mapping[str, Any]) -> None:
        self.state = str(told.get("state", self.state))
        progress = told.get("progress")
        if isinstance(progress, dict):
            self.progress = progress
        pause = told.get("retryAfter")
        if isinstance(pause, (int, float)) and not isinstance(pause, bool) and pause > 0:
            self._pause = float(pause)

    def __repr__(self) -> str:
        return f"<Task {self.id} {self.state}{_shown(self.progress)}>"


def task_of(client: Client, answer: Answer, asked: str) -> Task | None:
    """The task that a request to ``asked`` was answered with, None if it was answered with something else."""
    if answer.status != 202 or answer.media_type != _MEDIA_TYPE or "/v1/tasks/" not in answer.location():
        return None
    from urllib.parse import urljoin

    return Task(client, urljoin(asked, answer.location()), client.object_of(answer))


def act(client: Client, run: str, what: str) -> Answer:
    """Do something to a run: ``cancel`` or ``rerun`` it."""
    from urllib.parse import quote

    return client.api("POST", f"/v1/runs/{quote(run, safe='')}/{what}")


def _checked(answer: Answer) -> Answer:
    if answer.status == 200:
        return answer
    from . import _errors

    problem = answer.problem()
    raise _errors.error_class(answer.status)(_errors.describe(answer.status, problem), answer.status, problem)


def _state_of(problem: Mapping[str, Any]) -> str:
    state = problem.get("state")
    return state if isinstance(state, str) else _STATES.get(str(problem.get("type", "")).rpartition(":")[2], "failed")


def _shown(progress: Mapping[str, Any] | None) -> str:
    if not progress:
        return ""
    counts = "/".join(str(progress[key]) for key in ("done", "total") if progress.get(key) is not None)
    return " ".join(["", counts, *([str(progress["message"])] if progress.get("message") else [])])


def _now() -> float:
    from time import monotonic

    return monotonic()


def _sleep(seconds: float) -> None:
    from time import sleep

    sleep(seconds)
