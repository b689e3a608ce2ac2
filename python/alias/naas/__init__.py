"""``import naas`` for notebooks written for naas, answered by nbhook.

Thin on purpose: it names what nbhook has today and says clearly what it has not. The server puts this folder last on a kernel's path,
so an installed naas is found first; the nbhook wheel does not install it. Importing it has no effect but importing nbhook.
"""

from __future__ import annotations

from nbhook import callback, scheduler, webhook
from nbhook import callback, notification, secret, webhook
from nbhook import asset, callback, dependency, webhook

#: naas's former name of ``webhook``.
api = webhook

__all__ = ["api", "callback", "scheduler", "webhook"]
__all__ = ["api", "callback", "notification", "secret", "webhook"]
#: naas's former name of ``asset``.
assets = asset

__all__ = ["api", "asset", "assets", "callback", "dependency", "webhook"]

_NOT_YET = {
    "notification",
    "secret",
    "scheduler",
}

_HAS = "naas.callback, naas.notification, naas.secret and naas.webhook"


def __getattr__(name: str) -> object:
    if name in _NOT_YET:
        hint = "; give files to naas.webhook.add(dependencies=[…])" if name == "dependency" else ""
        raise AttributeError(f"naas.{name} is not in nbhook yet: of naas it has naas.callback, naas.scheduler and naas.webhook so far{hint}")
    raise AttributeError(f"nbhook's stand-in for naas has no {name!r}: of naas it has naas.callback, naas.scheduler and naas.webhook so far")
        raise AttributeError(f"naas.{name} is not in nbhook yet: of naas it has {_HAS} so far{hint}")
    raise AttributeError(f"nbhook's stand-in for naas has no {name!r}: of naas it has {_HAS} so far")
        raise AttributeError(f"naas.{name} is not in nbhook yet: of naas it has {', '.join(__all__)} so far")
    raise AttributeError(f"nbhook's stand-in for naas has no {name!r}: of naas it has {', '.join(__all__)} so far")
