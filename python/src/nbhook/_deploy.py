"""Sending a notebook and the files it needs to the server."""

from __future__ import annotations

import os
import sys

from . import _http, _multipart, _paths, _settings
from ._errors import NotebookPathError
from ._results import HookUrl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Union

    Dependencies = Union[_paths.PathLike, Iterable[_paths.PathLike]]

_LEFT_OUT = {"__pycache__", ".ipynb_checkpoints", ".git"}


def deploy(
    path: _paths.PathLike | None,
    params: Mapping[str, Any] | None,
    debug: bool,
    dependencies: Dependencies | None,
    python: str | None,
    user: str | None,
    callbacks: Mapping[str, Any] | None = None,
) -> HookUrl:
    """Deploy and say so; see ``webhook.add``."""
    import json

    notebook = _paths.notebook(path)
    content, saved_at = _read(notebook)
    meta = _meta(notebook, params, python, user)
    if callbacks is not None:
        meta["callbacks"] = _object("callbacks", callbacks, '{"paid": {"{$callback_url}/paid": {}}}')
    files = list(_dependencies(dependencies, os.path.dirname(notebook.local)))
    parts = [
        _multipart.Part("meta", json.dumps(meta, allow_nan=False).encode("utf-8"), "application/json"),
        _multipart.Part("notebook", content, "application/x-ipynb+json", os.path.basename(notebook.local)),
    ]
    parts += [_multipart.Part("dependency", data, "application/octet-stream", name) for name, data in files]
    body, content_type = _multipart.encode(parts)
    shown = {"meta": meta, "notebook": f"{len(content)} bytes", "dependency": [f"{name}, {len(data)} bytes" for name, data in files]}
    client = _http.Client(_settings.load(), debug)
    answer = client.api("POST", "/v1/hooks", body=body, content_type=content_type, shown=shown)
    hook = client.object_of(answer)
    url = HookUrl(str(hook.get("url", "")), hook)
    _say(hook, url, answer.status == 201, saved_at)
    return url


def _say(hook: dict[str, Any], url: str, new: bool, saved_at: float) -> None:
    import time

    from ._contract import table

    what = "deployed" if new else "deployed a new version of"
    saved = time.strftime("%H:%M:%S", time.localtime(saved_at))
    print(f"{what} {hook.get('path')} as saved at {saved}: {url}")
    contract = table(hook)
    if contract:
        print(contract)
    for warning in hook.get("warnings") or []:
        print(f"warning: {warning}")


def _meta(notebook: _paths.Notebook, params: Mapping[str, Any] | None, python: str | None, user: str | None) -> dict[str, Any]:
    plain = _object("params", params if params is not None else {}, '{"inline": True}')
    meta: dict[str, Any] = {"path": notebook.remote, "params": plain}
    interpreter = python or sys.executable
    if interpreter:  # an embedded interpreter may have none
        meta["python"] = interpreter
    if user:
        meta["owner"] = user
    return meta


def _object(name: str, value: Any, example: str) -> dict[str, Any]:
    from ._to_json import to_json

    plain = to_json(value)
    if not isinstance(plain, dict):
        raise TypeError(f"{name} must be a dict such as {example}, not {type(value).__name__}")
    return plain


def _read(notebook: _paths.Notebook) -> tuple[bytes, float]:
    try:
        with open(notebook.local, "rb") as file:
            return file.read(), os.fstat(file.fileno()).st_mtime
    except OSError as error:
        raise NotebookPathError(f"failed to read the notebook {notebook.local}: {error.strerror}") from None


def _dependencies(given: Dependencies | None, folder: str) -> Iterator[tuple[str, bytes]]:
    """Name (relative to the notebook's folder) and content of each file; folders are gone through."""
    if given is None:
        return
    entries = [given] if isinstance(given, (str, os.PathLike)) else list(given)
    seen: dict[str, str] = {}
    for entry in entries:
        for path, name in _expand(os.fspath(entry), folder):
            if seen.get(name, path) != path:
                raise ValueError(f"two dependencies would both be {name!r} beside the notebook: {seen[name]} and {path}; rename one")
            if name in seen:
                continue
            seen[name] = path
            with open(path, "rb") as file:
                yield name, file.read()


def _expand(entry: str, folder: str) -> list[tuple[str, str]]:
    if not isinstance(entry, str) or not entry:
        raise TypeError("a dependency must be the path of a file or folder")
    path = os.path.normpath(os.path.join(folder, os.path.expanduser(entry)))
    if os.path.isfile(path):
        return [(path, _name(path, path, folder))]
    if os.path.isdir(path):
        return [(file, _name(file, path, folder)) for file in _walk(path)]
    raise FileNotFoundError(f"dependency {entry!r} not found: no file or folder at {path} (paths start at the notebook's folder)")


def _walk(folder: str) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - _LEFT_OUT)
        for file in sorted(files):
            path = os.path.join(parent, file)
            if os.path.isfile(path):
                yield path


def _name(path: str, entry: str, folder: str) -> str:
    """The path relative to the notebook's folder; outside of it, from the entry's own base name on, with a line that says so."""
    relative = os.path.relpath(path, folder) if os.path.splitdrive(path)[0] == os.path.splitdrive(folder)[0] else ".."
    if relative.split(os.sep)[0] == "..":
        relative = os.path.relpath(path, os.path.dirname(entry))
        print(f"note: {path} is outside the notebook's folder; the run finds it as {relative.replace(os.sep, '/')}")
    return relative.replace(os.sep, "/")
