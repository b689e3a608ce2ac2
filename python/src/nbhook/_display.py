"""Marking a display output as the notebook's answer.

The mark is ``metadata["nbhook"] = {"response": {"kind": …, …}}`` on one ``display_data`` message whose MIME bundle is the answer itself,
so the author sees in the notebook what a caller gets. The server takes the first marked output of a run.
"""

from __future__ import annotations

from ._paths import ipython_shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Bundle = dict[str, Any]

# Written by the server, for the message it really sends.
_NOT_YOURS = {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
_TOKEN = set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")  # RFC 9110, 5.6.2


def answer(kind: str, bundle: Bundle, status: Any, headers: Mapping[str, Any] | None, early: Any = False, **more: Any) -> None:
    """Display ``bundle`` marked as the answer. Entries of ``more`` that are None are left out of the mark."""
    if not isinstance(early, bool):
        raise TypeError(f"early must be True or False, not {type(early).__name__}")
    response: dict[str, Any] = {"kind": kind}
    if early:
        response["early"] = True
    response.update({key: value for key, value in more.items() if value is not None})
    if status is not None:
        response["status"] = check_status(status)
    if headers is not None:
        response["headers"] = check_headers(headers)
    if ipython_shell() is None:
        print(f"response set: {kind} (status {response.get('status', 200)}); outside a notebook nobody receives it")
        return
    from IPython.display import publish_display_data

    publish_display_data(data=bundle, metadata={"nbhook": {"response": response}})


def check_status(status: Any, lowest: int = 200) -> int:
    """An HTTP status that can end a call, or ValueError."""
    if isinstance(status, bool) or not isinstance(status, int) or not lowest <= status <= 599:
        raise ValueError(f"status must be an int from {lowest} to 599, not {status!r}")
    return int(status)


def check_headers(headers: Any) -> dict[str, str]:
    """Header names and values as RFC 9110 allows them. Errors name the header, never its value."""
    if not callable(getattr(headers, "items", None)):
        raise TypeError(f'headers must be a dict such as {{"Cache-Control": "no-store"}}, not {type(headers).__name__}')
    checked: dict[str, str] = {}
    for name, value in headers.items():
        if not isinstance(name, str) or not name or not set(name) <= _TOKEN:
            raise ValueError(f"{name!r} is not a header name")
        if name.lower() in _NOT_YOURS:
            raise ValueError(f"the header {name} is set by the server itself")
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise TypeError(f"the value of the header {name} must be a str, not {type(value).__name__}")
        text = str(value).strip(" \t")
        if not all(char == "\t" or (char.isprintable() and ord(char) < 256) for char in text):
            raise ValueError(f"the value of the header {name} holds characters a header cannot carry")
        checked[name] = text
    return checked
