"""Inboxes: public URLs that keep what is sent to them, for OAuth redirects and whoever calls back once.

    from nbhook import callback

    url, uuid = callback.add()                # give the URL to whoever is to call back
    data, headers = callback.get(uuid, True)  # waits until something is sent

What was sent is an object: a JSON object or the fields of a form as they are, anything else as ``{"data": …}`` (what is no text as
base64, with its ``media_type``), and without a body the fields of the query.

Every function takes ``debug=True``, which prints each request and its reply, and most take ``user="name"`` (admins: whose inboxes are
meant). Errors: see ``nbhook.NbhookError``.
"""

from __future__ import annotations

from . import _inboxes
from ._inboxes import Callback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._results import Table

__all__ = ["add", "delete", "get", "list", "list_all"]


def add(
    response: Any = None,
    user: str | None = None,
    uuid: str | None = None,
    response_headers: Mapping[str, Any] | None = None,
    auto_delete: bool = True,
    default_result: Any = None,
    no_override: bool = False,
    debug: bool = False,
) -> Callback:
    """Make an inbox. Returns ``(url, uuid)``, with the same names.

    Args:
        response: what senders are answered, as JSON; default ``{"status": "ok"}``.
        user: whose it is to be (admins).
        uuid: its uuid (admins); default a random one.
        response_headers: further headers of that answer.
        auto_delete: it goes once what was sent to it was read.
        default_result: what ``get`` gives until something is sent.
        no_override: what is sent first stays; else what is sent last.

    Raises:
        Forbidden: only admins may set ``user`` and ``uuid``, or there are too many inboxes already.
        Invalid: a header cannot be sent; ``field`` names it.
    """
    return _inboxes.add(
        {
            "response": response,
            "user": user,
            "uuid": uuid,
            "response_headers": None if response_headers is None else dict(response_headers),
            "auto_delete": auto_delete,
            "default_result": default_result,
            "no_override": no_override,
        },
        debug,
    )


def get(
    uuid: str,
    wait_until_data: bool = False,
    timeout: float = 3000,
    raw: bool = False,
    user: str | None = None,
    debug: bool = False,
) -> Any:
    """What was sent to an inbox: ``(data, headers)``, or ``(None, None)`` (or the default) as long as nothing was.

    If it was made with ``auto_delete``, this is the one time that gives it, and the inbox is gone then.

    Args:
        wait_until_data: wait until something is sent.
        timeout: for so many seconds at most.
        raw: return the whole inbox instead, a dict with ``result``, ``result_query``, ``result_headers``, ``received`` …

    Raises:
        NotFound: there is no such inbox, or it was read already.
    """
    inbox = _inboxes.read(uuid, timeout if wait_until_data else 0, user, debug)
    return inbox if raw else (inbox.get("result"), inbox.get("result_headers"))


def list(user: str | None = None, debug: bool = False) -> Table:
    """Your inboxes, newest first, without what was sent: ``uuid``, ``url``, ``received``, ``received_at``, ``created_at`` …"""
    return _inboxes.listing(user, debug)


def delete(uuid: str, user: str | None = None, debug: bool = False) -> None:
    """Remove an inbox, with what was sent to it.

    Raises:
        NotFound: there is no such inbox.
    """
    _inboxes.delete(uuid, user, debug)


def list_all(debug: bool = False) -> Table:
    """The inboxes of all users (admins), newest first, with their ``user``.

    Raises:
        Forbidden: you are no admin.
    """
    return _inboxes.everyones(debug)
