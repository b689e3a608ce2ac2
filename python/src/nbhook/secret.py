"""Secrets: what notebooks need and nobody may read in them, such as passwords and API keys.

    from nbhook import secret

    secret.add("warehouse", "…")       # once, where nobody else sees it
    password = secret.get("warehouse") # also while the server runs the notebook

The server keeps them encrypted. It tells them to you and the runs of your notebooks only, and what a run has read is masked in its output,
its errors and its mails. ``add`` and ``delete`` do nothing inside a run.

Every function takes ``debug=True``, which prints each request and its reply, without values. Errors: see ``nbhook.NbhookError``.
"""

from __future__ import annotations

from . import _secrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._results import Table

__all__ = ["add", "delete", "get", "list"]


def add(name: str, secret: str, debug: bool = False) -> None:
    """Keep a secret, in the place of the one that has its name, if there is one.

    Args:
        name: letters, digits and ``_.-``, beginning with a letter or ``_``.
        secret: text of at least four characters (less could not be masked) and at most 64 KiB.

    Raises:
        Invalid: the name or the value cannot be taken; ``field`` says which.
        Forbidden: you keep too many already.
    """
    _secrets.add(name, secret, debug)


def get(name: str, default_value: Any = None, debug: bool = False) -> Any:
    """The value of a secret; ``default_value`` if there is none of this name.

    Raises:
        Conflict: it was encrypted with another key than the server has now; add it again.
    """
    return _secrets.get(name, default_value, debug)


def list(debug: bool = False) -> Table:
    """The names of your secrets, with ``created_at`` and ``updated_at``; never their values."""
    return _secrets.listing(debug)


def delete(name: str, debug: bool = False) -> None:
    """Remove a secret.

    Raises:
        NotFound: there is none of this name.
    """
    _secrets.delete(name, debug)
