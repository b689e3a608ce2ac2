"""Dependencies and assets on the server: what both have in common."""

from __future__ import annotations

import os

from . import _hooks, _http, _multipart, _paths, _settings
from ._errors import NotFound
from ._results import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

_LEFT_OUT = {"__pycache__"}


class Kind:
    """``assets`` or ``dependencies`` of one server; inside a run, with ``as_run``, as that run."""

    def __init__(self, name: str, one: str, debug: bool, as_run: bool = True) -> None:
        self.name = name
        self.one = one
        self.as_run = as_run and _settings.is_run()
        self.client = _http.Client(_settings.load_in_run() if as_run else _settings.load(), debug)

    def add(self, path: _paths.PathLike, more: Mapping[str, Any], folders: bool) -> dict[str, Any]:
        import json

        local, remote = place(path)
        files = list(contents(local, folders))
        meta = {"path": remote, **more}
        parts = [_multipart.Part("meta", json.dumps(meta, allow_nan=False).encode(), "application/json")]
        parts += [_multipart.Part("file", data, "application/octet-stream", name) for name, data in files]
        body, content_type = _multipart.encode(parts)
        shown = {"meta": meta, "file": [f"{name}, {len(data)} bytes" for name, data in files]}
        answer = self.client.api("POST", f"/v1/{self.name}", body=body, content_type=content_type, shown=shown)
        return self.client.object_of(answer)

    def all(self, **query: str) -> Iterator[dict[str, Any]]:
        # A run sees its owner's only, whoever that is.
        own = {} if self.as_run else {"owner": _hooks.own_name(self.client)}
        return _hooks.pages(self.client, f"/v1/{self.name}", {**own, **query})

    def find(self, path: _paths.PathLike) -> dict[str, Any] | None:
        typed = os.fspath(path).replace(os.sep, "/")
        # As for notebooks: a path as currents() shows it is taken at its word when no such file is here.
        for remote in (place(path)[1], *([] if os.path.isabs(typed) or os.path.exists(typed) else [typed])):
            for stored in self.all(path=remote):
                return stored
        return None

    def get(self, path: _paths.PathLike) -> dict[str, Any]:
        found = self.find(path)
        if found is None:
            raise NotFound(f"no {self.one} at {place(path)[1]}: currents() shows those that there are", 404)
        return found

    def at(self, stored: Mapping[str, Any], *rest: str) -> str:
        return "/".join([f"/v1/{self.name}", *map(_hooks.segment, (str(stored.get("id", "")), *rest))])

    def versions(self, path: _paths.PathLike) -> Table:
        rows = _hooks.pages(self.client, self.at(self.get(path), "versions"))
        return Table(rows, ("histo", "live", "size", "files", "created_at"), "no versions")

    def fetch(self, path: _paths.PathLike, histo: str | None) -> str:
        import posixpath

        from ._files import write_new

        stored = self.get(path)
        version = _hooks.check_histo(histo or stored.get("histo"))
        content = self.client.api("GET", self.at(stored, "versions", version, "content")).body
        beside = os.path.dirname(place(path)[0])
        folder = beside if os.path.isdir(beside) else os.getcwd()
        # The name comes from the server: only its last part may become a file name here.
        name = posixpath.basename(str(stored.get("path", "")).replace("\\", "/")) or "file"
        saved = write_new(folder, f"{version}___{name}", content)
        print(f"saved {saved}")
        return saved

    def clear(self, path: _paths.PathLike, histo: str | None) -> list[str]:
        one = () if histo in (None, "all") else (_hooks.check_histo(histo),)
        stored = self.get(path)
        removed = [str(entry) for entry in self.client.json("DELETE", self.at(stored, "versions", *one)).get("removed", one)]
        print(f"removed {len(removed)} previous version{'' if len(removed) == 1 else 's'} of {stored.get('path')}")
        return removed

    def delete(self, path: _paths.PathLike) -> None:
        stored = self.get(path)
        self.client.json("DELETE", self.at(stored))
        print(f"deleted the {self.one} {stored.get('path')}")


def place(path: _paths.PathLike | None) -> tuple[str, str]:
    """The absolute path here and the path on the server."""
    if path is None:
        if _hooks.inside_run():
            raise ValueError("name the file with path=: the notebook itself is being run by nbhook, and is no file here")
        local = _paths.current_notebook()
    else:
        typed = os.fspath(path)
        if not isinstance(typed, str) or not typed.strip():
            raise ValueError("path must be the path of a file or folder")
        local = os.path.abspath(os.path.expanduser(typed))
    return local, _beside_hook(local) or _paths.server_path(local)


def _beside_hook(local: str) -> str | None:
    """The server's path of a file that a run made in its own folder: as if it lay beside the notebook."""
    hook, folder = os.environ.get("NBHOOK_RUN_PATH", ""), os.environ.get("NBHOOK_RUN_FOLDER", "")
    if not (_hooks.inside_run() and hook and folder):
        return None
    inner = _paths.below(local, folder) or _paths.below(os.path.realpath(local), os.path.realpath(folder))
    return "/".join([*hook.split("/")[:-1], inner.replace(os.sep, "/")]) if inner else None


def contents(local: str, folders: bool) -> Iterator[tuple[str, bytes]]:
    """The file, or those of a folder by their paths in it: without hidden ones, and without links that leave the folder."""
    if os.path.isfile(local):
        with open(local, "rb") as file:
            yield os.path.basename(local), file.read()
        return
    if not os.path.isdir(local):
        raise FileNotFoundError(f"no file or folder at {local}")
    if not folders:
        raise IsADirectoryError(f"{local} is a folder: an asset is one file")
    root, found = os.path.realpath(local), False
    for parent, inner, names in os.walk(local):
        for name in inner:
            path = os.path.join(parent, name)
            if os.path.islink(path) and not _hidden(name):
                raise ValueError(f"{path} is a link to a folder: add that folder itself")
        inner[:] = sorted(name for name in inner if not _hidden(name))
        for name in sorted(names):
            path = os.path.join(parent, name)
            if _hidden(name) or not os.path.isfile(path):
                continue
            if os.path.commonpath([root, os.path.realpath(path)]) != root:
                raise ValueError(f"{path} is a link that leaves the folder")
            found = True
            with open(path, "rb") as file:
                yield "./" + os.path.relpath(path, local).replace(os.sep, "/"), file.read()
    if not found:
        raise FileNotFoundError(f"there is no file in {local}")


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in _LEFT_OUT


def skipped(module: str, function: str, for_runs: bool) -> bool:
    """True inside a run that cannot do it, after saying that ``function`` does nothing there."""
    if not _hooks.inside_run() or (for_runs and _settings.is_run()) or _settings.has_token():
        return False
    print(f"{module}.{function}() does nothing here: the notebook is being run by nbhook, and this run has no API token")
    return True
