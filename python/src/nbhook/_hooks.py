"""Finding a hook by its notebook, and reading the server's paged lists."""

from __future__ import annotations

import os

from . import _http, _paths, _settings
from ._errors import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    Histos = list[str]
    Rows = list[dict[str, Any]]
    Hook = dict[str, Any]

_PAGE = 250
# Names already asked for, by a hash of server and token: they do not change while a kernel lives.
_own_names: dict[int, str] = {}


class Target:
    """A notebook argument, worked out: the client to ask with, the notebook (None inside a run), and the owner."""

    def __init__(self, path: _paths.PathLike | None, debug: bool, user: str | None) -> None:
        self.run_hook = os.environ.get("NBHOOK_HOOK", "") if path is None and inside_run() else ""
        self.notebook = None if self.run_hook else _paths.notebook(path)
        self.client = _http.Client(_settings.load(), debug)
        self.user = user

    def find(self) -> Hook | None:
        """The hook, or None. Inside a run without ``path`` it is the hook being run."""
        if self.notebook is None:
            return self.client.json("GET", f"/v1/hooks/{segment(self.run_hook)}")
        owner = self.user or own_name(self.client)
        for path in self._paths():
            for hook in pages(self.client, "/v1/hooks", {"path": path, "owner": owner}):
                if _same_path(hook.get("path"), path):
                    return hook
        return None

    def hook(self) -> Hook:
        """The hook, or NotFound."""
        found = self.find()
        if found is None:
            where = self.notebook.remote if self.notebook else "this run"
            raise NotFound(
                f"no webhook at {where}: deploy it with webhook.add(), or see webhook.currents() for the paths that have one", 404
            )
        return found

    def folder(self) -> str:
        """Where files fetched for this notebook go: beside it when its folder is on this machine, else the working folder."""
        beside = os.path.dirname(self.notebook.local) if self.notebook else ""
        return beside if beside and os.path.isdir(beside) else os.getcwd()

    def _paths(self) -> Iterator[str]:
        assert self.notebook is not None
        yield self.notebook.remote
        typed = self.notebook.typed
        # A path as currents() shows it names a hook, not a file here: taken at its word when no such file is here.
        if typed and typed != self.notebook.remote and not os.path.isabs(typed) and not os.path.exists(self.notebook.local):
            yield typed.replace(os.sep, "/")


def inside_run() -> bool:
    """Whether the server is running this notebook."""
    return bool(os.environ.get("NBHOOK_RUN"))


def skipped(function: str, module: str = "webhook") -> bool:
    """True inside a run, after saying that ``function`` does nothing there."""
    if not inside_run():
        return False
    print(f"{module}.{function}() does nothing here: the notebook is being run by nbhook")
    return True


def own_name(client: _http.Client) -> str:
    """The name of the user the token belongs to. An admin sees every hook, so "mine" has to be said by name."""
    key = hash((client.settings.url, client.settings.token))
    if key not in _own_names:
        _own_names[key] = str(client.json("GET", "/v1/users/me").get("name", ""))
    return _own_names[key]


def pages(client: _http.Client, path: str, query: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """Every item of a list, page after page."""
    offset = 0
    while True:
        reply = client.json("GET", path, {**(query or {}), "limit": _PAGE, "offset": offset})
        items = reply.get("items")
        items = items if isinstance(items, list) else []
        yield from items
        offset += len(items)
        if len(items) < _PAGE:
            return


def hook_path(hook: Hook, *rest: str) -> str:
    """``/v1/hooks/{id}/…``"""
    return "/".join(["/v1/hooks", segment(str(hook.get("id", ""))), *map(segment, rest)])


def check_histo(histo: Any) -> str:
    """A version or output id: 20 digits, as ``list()`` and ``list_output()`` show them."""
    text = str(histo)
    if isinstance(histo, bool) or len(text) != 20 or not (text.isascii() and text.isdigit()):
        raise ValueError(f"{histo!r} is not a histo id: it has 20 digits, as webhook.list() shows")
    return text


def _same_path(theirs: Any, ours: str) -> bool:
    """Checked here too: a hook that is about to be deleted must be the one that was named. Accents have two spellings (NFC, NFD)."""
    import unicodedata

    return unicodedata.normalize("NFC", str(theirs)) == unicodedata.normalize("NFC", ours)


def segment(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
