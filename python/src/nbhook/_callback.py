"""Sending one of the callbacks that the notebook's webhook declares (``webhook.add(..., callbacks={…})``), from inside a run.

It is a display marked ``metadata["nbhook"] = {"callback": {"name": …}}`` whose JSON is the body. The server knows where it goes.
"""

from __future__ import annotations

from ._paths import ipython_shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LONGEST_PREVIEW = 2000


def callback(name: str, body: Any) -> None:
    """Send the declared callback ``name`` with ``body`` to the URL that the caller of this run gave for it; at once, if its URL does
    not depend on the answer. A caller that gave none gets none. If the notebook does not call this, the answer is sent at the end.

    ``body`` is any value that :func:`respond_json` takes. Outside a run nothing is sent, and it shows what would be.

    Raises:
        TypeError: ``name`` is not a str, or something in ``body`` has no JSON form; the message says where.
    """
    import json

    from ._hooks import inside_run
    from ._to_json import to_json

    if not isinstance(name, str) or not name:
        raise TypeError(f"name must be the name of a declared callback, not {name!r}")
    value = to_json(body)
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    if len(text) > _LONGEST_PREVIEW:
        text = f"{text[:_LONGEST_PREVIEW]}\n… ({len(text)} characters)"
    note = f"callback {name}" if inside_run() else f"callback {name}; outside a run it is not sent"
    if ipython_shell() is None:
        print(f"{note}:\n{text}")
        return
    from IPython.display import publish_display_data

    bundle = {"application/json": value, "text/plain": f"{note}:\n{text}"}
    publish_display_data(data=bundle, metadata={"nbhook": {"callback": {"name": name}}})
