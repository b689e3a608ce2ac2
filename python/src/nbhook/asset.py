"""Files with a public URL: whoever has it may read the file.

Works as well while the server runs the notebook, without an API token: a file that the run has made in its folder is an asset beside
the notebook, so ``chart.html`` of ``reports/sales.ipynb`` has one URL, whoever adds it.
"""

from __future__ import annotations

from . import _stored
from ._results import HookUrl, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._paths import PathLike

__all__ = ["add", "clear", "currents", "delete", "find", "get", "list"]

_COLUMNS = ("path", "url", "histo", "size", "updated_at")


def _kind(debug: bool = False) -> _stored.Kind:
    return _stored.Kind("assets", "asset", debug)


def add(
    path: PathLike | None = None,
    params: Mapping[str, Any] = {},  # noqa: B006: naas's signature; never changed
    debug: bool = False,
    force: bool = False,
    force_image: bool = False,
) -> HookUrl:
    """Publish a file (default: this notebook) and return its URL, the same one when it is added again as a new version.

    Args:
        params: ``{"inline": True}`` lets browsers show the file and not save it.
        force: a new URL; the one before ends.
        force_image: ignored (naas).
    """
    if _stored.skipped("asset", "add", for_runs=True):
        return HookUrl()
    more = {"params": dict(params or {}), "force": force}
    stored = _kind(debug).add(_stored.place(path)[0], more, folders=False)
    url = HookUrl(str(stored.get("url", "")), stored)
    print(f"added the asset {stored.get('path')}: {url}")
    return url


def find(path: PathLike | None = None, debug: bool = False) -> HookUrl | None:
    """The URL of an asset, None when the file is none."""
    stored = _kind(debug).find(_stored.place(path)[0] if path is None else path)
    return HookUrl(str(stored.get("url", "")), stored) if stored else None


def delete(path: PathLike | None = None, debug: bool = False) -> None:
    """Delete an asset with its versions: its URL is gone at once."""
    if not _stored.skipped("asset", "delete", for_runs=True):
        _kind(debug).delete(_stored.place(path)[0] if path is None else path)


def list(path: PathLike, debug: bool = False) -> Table:
    """The versions of an asset, newest first."""
    return _kind(debug).versions(path)


def get(path: PathLike, histo: str | None = None, debug: bool = False) -> str:
    """Fetch a version, the live one unless ``histo`` names another; returns the path of the copy."""
    return _kind(debug).fetch(path, histo)


def clear(path: PathLike, histo: str | None = None, debug: bool = False) -> list[str]:  # type: ignore[valid-type]
    """Remove previous versions, all of them or one; never the live one."""
    return [] if _stored.skipped("asset", "clear", for_runs=True) else _kind(debug).clear(path, histo)


def currents(raw: bool = False, debug: bool = False) -> Any:
    """Your assets."""
    rows = [*_kind(debug).all()]
    return rows if raw else Table(rows, _COLUMNS, "no assets")
