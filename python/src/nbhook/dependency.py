"""Files and folders that every run of your notebooks in their folder (or above it) finds at the same place.

A dependency ``reports/data/regions.csv`` is ``data/regions.csv`` for ``reports/sales.ipynb``. What a webhook brings itself
(``webhook.add(dependencies=…)``) wins at the same path. Adding again makes a new version, which new runs take; nothing has to be
deployed again.

A run may read them (``list``, ``get``, ``currents``); ``add``, ``delete`` and ``clear`` do nothing there without an API token, as a run
that began before the last version would set it back.
"""

from __future__ import annotations

from . import _stored
from ._results import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._paths import PathLike

__all__ = ["add", "clear", "currents", "delete", "get", "list"]

_COLUMNS = ("path", "histo", "size", "files", "updated_at")


def _kind(debug: bool = False, as_run: bool = True) -> _stored.Kind:
    return _stored.Kind("dependencies", "dependency", debug, as_run)


def add(path: PathLike | None = None, print_result: bool = True, debug: bool = False) -> str | None:
    """Give a file or folder to all runs in its folder; returns its path on the server.

    Of a folder, hidden files and ``__pycache__`` are left out; a link that leaves it is a ValueError.
    """
    if _stored.skipped("dependency", "add", for_runs=False):
        return None
    if path is None:
        raise ValueError("add needs path=, the file or folder that runs are to find")
    stored = _kind(debug, as_run=False).add(path, {}, folders=True)
    if print_result:
        print(f"added the dependency {stored.get('path')}, {stored.get('files')} file(s), {stored.get('size')} bytes")
    return str(stored.get("path"))


def delete(path: PathLike | None = None, all: bool = False, debug: bool = False) -> None:
    """Delete a dependency with its versions; ``all=True`` without a path deletes every one of yours."""
    if _stored.skipped("dependency", "delete", for_runs=False):
        return
    kind = _kind(debug, as_run=False)
    if path is None:
        if not all:
            raise ValueError("delete needs path=, or all=True for all of your dependencies")
        for stored in [*kind.all()]:
            kind.client.json("DELETE", kind.at(stored))
            print(f"deleted the dependency {stored.get('path')}")
        return
    kind.delete(path)


def list(path: PathLike, debug: bool = False) -> Table:
    """The versions of a dependency, newest first."""
    return _kind(debug).versions(path)


def get(path: PathLike, histo: str | None = None, debug: bool = False) -> str:
    """Fetch a version (a file, no folder), the live one unless ``histo`` names another; returns the path of the copy."""
    return _kind(debug).fetch(path, histo)


def clear(path: PathLike, histo: str | None = None, debug: bool = False) -> list[str]:  # type: ignore[valid-type]
    """Remove previous versions, all of them or one; never the live one."""
    return [] if _stored.skipped("dependency", "clear", for_runs=False) else _kind(debug, as_run=False).clear(path, histo)


def currents(raw: bool = False, debug: bool = False) -> Any:
    """Your dependencies."""
    rows = [*_kind(debug).all()]
    return rows if raw else Table(rows, _COLUMNS, "no dependencies")
