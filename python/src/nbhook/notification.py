"""Notifications: mails, sent through the server's mail server.

    from nbhook import notification

    notification.send("ann@example.org", "May is ready", "<h1>Sales of May</h1>", files=["sales.xlsx"])

Works as well while the server runs the notebook; secrets that the run has read are masked in what is sent then. Every function takes
``debug=True``, which prints each request and its reply. Errors: see ``nbhook.NbhookError``.
"""

from __future__ import annotations

from . import _notifications

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from typing import Any

    from ._results import Table

__all__ = ["get", "list", "send"]


def send(
    email_to: str | Iterable[str],
    subject: str,
    html: str | None = None,
    files: Iterable[str | os.PathLike[str]] = (),
    email_from: str | None = None,
    text: str | None = None,
    debug: bool = False,
) -> dict[str, Any]:
    """Send a mail. The server queues it and tries again for half a day if its mail server does not take it at once.

    Args:
        email_to: an address or several (they see one another), 50 at most.
        subject: one line.
        html: what it says.
        files: paths of files that go with it.
        email_from: whom answers go to; the sender is always the server's own address.
        text: the same as plain text, for those who read mail so; default made of ``html``. One of the two there must be.

    Returns:
        ``{"id": …, "state": "queued", …}``; see ``get`` for what came of it.

    Raises:
        Invalid: something cannot be sent (``field`` names it), or is more than 20 MiB altogether.
        TooManyRequests: you send more than 100 an hour; ``retry_after`` says when to go on.
        FileNotFoundError: one of the files is not there.
    """
    return _notifications.send(email_to, subject, html, files, email_from, text, debug)


def get(id: str, debug: bool = False) -> dict[str, Any]:
    """What came of a mail: its ``state`` is ``queued``, ``sent`` or ``failed`` (``error`` says why)."""
    return _notifications.get(id, debug)


def list(state: str | None = None, debug: bool = False) -> Table:
    """The mails of the last 30 days, newest first, without what they said."""
    return _notifications.listing(state, debug)
