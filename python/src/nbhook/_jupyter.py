"""What the Jupyter server that started this kernel knows of its notebook.

A notebook that is renamed after its kernel started has another name than the kernel was told, as every new one has that is called
``Untitled.ipynb`` until it is first saved. The server on this machine knows: it leaves its address and token beside the kernel's
connection file, readable by the same user only. Nothing is asked of anybody else, and whatever goes wrong means that it is not known.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Seconds for an answer of this machine.
_PATIENCE = 2.0


def notebook() -> str | None:
    """Where the notebook of this kernel is now, None where no Jupyter server can be asked."""
    connection = _connection_file()
    folder, name = os.path.split(connection or "")
    if not name.startswith("kernel-") or not name.endswith(".json"):
        return None
    try:
        server = _server(folder)
        sessions = _sessions(server) if server else []
        for session in sessions:
            if session["kernel"]["id"] == name[len("kernel-") : -len(".json")] and session["type"] == "notebook":
                return os.path.join(os.path.expanduser(server["root_dir"]), *session["path"].split("/"))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        pass
    return None


def _connection_file() -> str | None:
    app = getattr(sys.modules.get("ipykernel.kernelapp"), "IPKernelApp", None)
    if app is None or not app.initialized():
        return None
    return getattr(app.instance(), "abs_connection_file", None)


def _server(folder: str) -> dict[str, Any]:
    """What the process that started this one has written about itself."""
    import json

    for pid in (os.environ.get("JPY_PARENT_PID", ""), str(os.getppid())):
        path = os.path.join(folder, f"jpserver-{pid}.json")
        if pid.isdigit() and os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                return json.load(file)
    return {}


def _sessions(server: dict[str, Any]) -> list[dict[str, Any]]:
    import json
    from urllib.request import ProxyHandler, Request, build_opener

    address = f"{server['url'].rstrip('/')}/api/sessions"
    request = Request(address, headers={"Authorization": f"token {server.get('token', '')}"})
    with build_opener(ProxyHandler({})).open(request, timeout=_PATIENCE) as answer:
        return json.load(answer)
