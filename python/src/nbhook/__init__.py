"""nbhook: turn the notebook in front of you into a URL.

    from nbhook import asset, callback, dependency, notification, scheduler, secret, webhook

    webhook.add()                       # deploys this notebook, gives its URL
    webhook.respond_json({"ok": True})  # what a caller of the URL receives
    nbhook.progress(3, 9, "loading")    # how far the run is
    url, uuid = callback.add()          # a URL that keeps what is sent to it
    scheduler.add(cron="0 9 * * *")     # it also runs by itself
    asset.add("logo.png")               # a file with a public URL
    dependency.add("regions.csv")       # a file that runs of your notebooks beside it find
    secret.get("warehouse")             # what you gave the server to keep
    notification.send(to, subject, html)

The package is the client of an nbhook server. It uses the standard library only, because it lives in other people's kernels, and
importing it reads no file, opens no connection and changes nothing.

Which server, and as whom (see :func:`login`): ``NBHOOK_URL`` and ``NBHOOK_TOKEN`` in the environment, else what ``login`` saved in
``~/.config/nbhook/credentials.json``, else ``http://127.0.0.1:8000``.

Everything public is named in ``__all__``; modules with a leading underscore are private.
"""

from __future__ import annotations

from . import asset, callback, dependency, notification, scheduler, secret, webhook
from ._errors import (
    ApiError,
    ConfigurationError,
    Conflict,
    Forbidden,
    Invalid,
    NbhookError,
    NotebookPathError,
    NotFound,
    RunFailed,
    ServerUnreachable,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from ._progress import progress
from ._settings import login
from ._tasks import Task

__version__ = "0.1.0"

__all__ = [
    "ApiError",
    "ConfigurationError",
    "Conflict",
    "Forbidden",
    "Invalid",
    "NbhookError",
    "NotFound",
    "NotebookPathError",
    "RunFailed",
    "ServerUnreachable",
    "Task",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "__version__",
    "asset",
    "callback",
    "dependency",
    "login",
    "notification",
    "progress",
    "scheduler",
    "secret",
    "webhook",
]
