"""Every exception nbhook raises for a reason outside the caller's own arguments.

::

    NbhookError
    ├── ConfigurationError     no token, a bad URL, an unreadable credentials file
    ├── NotebookPathError      the current notebook is not known, or the file is not there
    ├── ServerUnreachable      no answer: refused, timed out, broken off, not HTTP
    └── ApiError               an answer with an error status: .status, .problem, .field
        ├── Invalid            400, 413, 415, 422   something sent is wrong; .field names it
        ├── Unauthorized       401                  no token, or one the server does not know
        ├── Forbidden          403                  a known token that may not do this
        ├── NotFound           404                  not there, or not yours
        ├── Conflict           409                  not possible in the present state
        ├── TooManyRequests    429                  the queue is full; .retry_after
        ├── Unavailable        503                  the server is starting or stopping; .retry_after
        └── RunFailed          any                  webhook.run() reached the notebook and it answered an error; .run, .cell …

A wrong argument is a plain ``TypeError`` or ``ValueError``, a missing dependency or answer file a ``FileNotFoundError``.
No message ever holds an API token or a header value.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs more than the whole package
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class NbhookError(Exception):
    """Base of every exception nbhook raises itself."""


class ConfigurationError(NbhookError):
    """The client does not know which server to talk to, or as whom."""


class NotebookPathError(NbhookError):
    """The path of the notebook could not be found out, or nothing is there."""


class ServerUnreachable(NbhookError):
    """The server gave no HTTP answer in time."""


class ApiError(NbhookError):
    """The server answered with an error status.

    ``status``: the HTTP status code.
    ``problem``: the problem details of the answer (RFC 9457: type, title, status, detail, …), ``{}`` when it had none.
    """

    def __init__(
        self,
        message: str,
        status: int,
        problem: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.problem: Mapping[str, Any] = problem or {}
        #: Seconds the server asks to wait before the next try, when it says so.
        self.retry_after = retry_after

    @property
    def field(self) -> str | None:
        """The field the server names as wrong, if any (``path``, ``params.timeout``, …)."""
        value = self.problem.get("field")
        return value if isinstance(value, str) else None


class Invalid(ApiError):
    """400, 413, 415, 422: what was sent is not acceptable; ``field`` names the part."""


class Unauthorized(ApiError):
    """401: no API token was sent, or the server does not know it."""


class Forbidden(ApiError):
    """403: this token may not do this."""


class NotFound(ApiError):
    """404: it does not exist, or belongs to somebody else."""


class Conflict(ApiError):
    """409: not possible in the present state, such as clearing the live version."""


class TooManyRequests(ApiError):
    """429: too many runs are waiting; ``retry_after`` says when to try again."""


class Unavailable(ApiError):
    """503: the server takes no work now; ``retry_after`` says when to try again."""


class RunFailed(ApiError):
    """The notebook was run and its answer is an error.

    ``answer``: the decoded body of the answer (``dict``, ``str`` or ``bytes``).
    """

    answer: Any = None

    @property
    def run(self) -> str | None:
        """Id of the run, to look it up on the server."""
        return self._text("run")

    @property
    def cell(self) -> int | None:
        """Index of the failing cell, counted from 0, when a cell failed."""
        value = self.problem.get("cell")
        return value if isinstance(value, int) else None

    @property
    def ename(self) -> str | None:
        """Name of the exception in the notebook."""
        return self._text("ename")

    @property
    def evalue(self) -> str | None:
        """Message of the exception in the notebook."""
        return self._text("evalue")

    def _text(self, key: str) -> str | None:
        value = self.problem.get(key)
        return value if isinstance(value, str) else None


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: TooManyRequests,
    503: Unavailable,
}

_HINTS = {
    401: "set NBHOOK_TOKEN or call nbhook.login(url, token)",
    403: "user= is for admins",
}


def error_class(status: int) -> type[ApiError]:
    """The exception type of a status code."""
    return _BY_STATUS.get(status, ApiError)


def describe(status: int, problem: Mapping[str, Any]) -> str:
    """One line for a failed answer: the server's own words, the field, and what to do next."""
    title, detail = problem.get("title"), problem.get("detail")
    text = str(detail or title or "the server gave no reason")
    field = problem.get("field")
    if isinstance(field, str) and field not in text:
        text = f"{field}: {text}"
    hint = _HINTS.get(status)
    return f"{text} (status {status}{'; ' + hint if hint else ''})"


def retry_seconds(value: str | None) -> float | None:
    """``Retry-After`` as seconds; its date form is not used by nbhook and gives None."""
    if value is None or not value.strip().isdigit():
        return None
    return float(value)
