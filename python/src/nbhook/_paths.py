"""Where the current notebook is, and which path the server knows a notebook by.

The server's path is relative and has forward slashes. It is the same whether a notebook is named by itself, from its own folder or
from another one: relative to the home folder when the file is under it, else relative to the working folder when under that, else
the absolute path without its leading slash (and drive).
"""

from __future__ import annotations

import os
import sys

from ._errors import NotebookPathError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Union

    PathLike = Union[str, "os.PathLike[str]"]


class Notebook:
    """One notebook: ``local`` (absolute path on this machine, may be missing there), ``remote`` (path on the server) and ``typed``
    (the path as the caller wrote it, None for the current notebook)."""

    __slots__ = ("local", "remote", "typed")

    def __init__(self, local: str, typed: str | None = None) -> None:
        self.local = local
        self.remote = server_path(local)
        self.typed = typed


def notebook(path: PathLike | None) -> Notebook:
    """The notebook meant by a ``path=`` argument. ``~`` is the home folder, a relative path starts at the working folder.

    Raises:
        NotebookPathError: no path given and the current notebook is not known.
    """
    if path is None:
        return Notebook(current_notebook())
    typed = os.fspath(path)
    if not isinstance(typed, str):
        raise TypeError("path must be a str or a path object")
    if not typed.strip():
        raise ValueError("path is empty")
    return Notebook(os.path.abspath(os.path.expanduser(typed)), typed)


def server_path(local: str) -> str:
    """The server's path of an absolute local path: from the home folder, or whole for a notebook outside of it.

    Never from the working folder: kernels start in the folder of their notebook, so two notebooks of one name would meet.
    """
    home = os.path.expanduser("~")
    relative = below(local, home) or below(os.path.realpath(local), os.path.realpath(home))
    if relative:
        return relative.replace(os.sep, "/")
    bare = os.path.splitdrive(local)[1]
    return bare.replace(os.sep, "/").lstrip("/")


def current_notebook() -> str:
    """Absolute path of the notebook this kernel runs.

    From the Jupyter server that started it, which knows of notebooks that were renamed since; else from ``JPY_SESSION_NAME`` (set by
    Jupyter Server for JupyterLab and Notebook 7; an absolute path, or one relative to the server's root), else from VS Code's
    ``__vsc_ipynb_file__``. A name counts only when a notebook file is there: a console has a session name too.
    """
    tried = []
    for name in _session_names():
        found = _existing(name)
        if found:
            return found
        tried.append(name)
    if not tried:
        raise NotebookPathError('the path of the current notebook is not known here: pass path="…/name.ipynb"')
    raise NotebookPathError(
        f'no notebook file at {tried[0]!r}, which is what this kernel was started for: if it is a console pass path="…/name.ipynb", '
        "if the notebook was renamed since, pass path= or restart the kernel"
    )


def _session_names() -> Iterator[str]:
    from . import _jupyter

    known = _jupyter.notebook()
    if known and os.path.isfile(known):
        yield known
    session = os.environ.get("JPY_SESSION_NAME", "")
    # VS Code connected to a Jupyter server names the session itself, after a file that is not there.
    if session and "-jvsc-" not in session:
        yield session
    vscode = _user_namespace().get("__vsc_ipynb_file__")
    if isinstance(vscode, str) and vscode:
        yield vscode


def _existing(name: str) -> str | None:
    if not name.endswith(".ipynb"):
        return None
    for candidate in [name] if os.path.isabs(name) else _candidates(name):
        if os.path.isfile(candidate):
            return os.path.abspath(candidate)
    return None


def _candidates(name: str) -> Iterator[str]:
    """Where a name relative to the (unknown) server root may be: a kernel starts in its notebook's folder, below that root."""
    parts = name.replace("\\", "/").split("/")
    for start in _start_folders():
        folder = start
        for _ in range(len(parts) - 1):
            folder = os.path.dirname(folder)
        yield os.path.join(folder, *parts)  # the folder is where the name says
        yield os.path.join(start, *parts)  # the kernel was started in the server root
        yield os.path.join(start, parts[-1])  # the root is not above the folder at all (links, per-kernel roots)


def _start_folders() -> list[str]:
    """The folder the kernel was started in, as IPython remembers it, and the present one (``os.chdir`` may have come between)."""
    history = _user_namespace().get("_dh")
    first = [str(history[0])] if isinstance(history, list) and history else []
    return first + [os.getcwd()]


def _user_namespace() -> dict[str, Any]:
    shell = ipython_shell()
    namespace = getattr(shell, "user_ns", None)
    return namespace if isinstance(namespace, dict) else {}


def ipython_shell() -> Any:
    """The running IPython shell, None outside IPython. Never imports it: where it runs, it is imported."""
    module = sys.modules.get("IPython")
    get_ipython = getattr(module, "get_ipython", None)
    return get_ipython() if get_ipython is not None else None


def below(path: str, base: str) -> str | None:
    """``path`` relative to ``base`` when it lies under it."""
    prefix = base.rstrip(os.sep) + os.sep
    return path[len(prefix) :] if path.startswith(prefix) and prefix != os.sep else None
