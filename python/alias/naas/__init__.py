"""``import naas`` for notebooks written for naas, answered by nbhook.

Thin on purpose: it names what nbhook has of naas. The server puts this folder last on a kernel's path, so an installed naas is found first;
the nbhook wheel does not install it. Importing it has no effect but importing nbhook.
"""

from __future__ import annotations

from nbhook import asset, callback, dependency, notification, scheduler, secret, webhook

#: naas's former names.
api = webhook
assets = asset

__all__ = ["api", "asset", "assets", "callback", "dependency", "notification", "scheduler", "secret", "webhook"]


def __getattr__(name: str) -> object:
    has = ", ".join(f"naas.{known}" for known in __all__ if known not in ("api", "assets"))
    raise AttributeError(f"nbhook's stand-in for naas has no {name!r}: of naas it has {has}")
