"""Deploy notebooks as URLs, look after their versions and outputs, and answer the callers.

Every function that talks to the server takes ``debug=True`` (prints each request and reply; hook tokens are masked, the API token is
never shown) and ``user="name"`` (admins: whose webhooks are meant). ``path`` is the notebook's file: left out, the notebook this
kernel runs; relative, from the working folder; ``~`` works. A path that is no file here is also tried as a path on the server, as
``currents()`` shows it. ``run=`` is the id of a run, a row of ``runs()``, a ``Task``, or the ``RunFailed`` it ended in.

Inside a run (the server runs the notebook; ``NBHOOK_RUN`` is set) ``add``, ``update``, ``delete``, ``clear``, ``clear_output`` and
``promote`` do nothing and say so in one line, so a notebook may hold its own deploy cell. The reading functions work there as far as
the run has a token; without ``path`` they mean the hook being run.

Errors: see ``nbhook.NbhookError`` and the tree in ``nbhook._errors``.
"""

from __future__ import annotations

from . import _hooks
from ._callback import callback
from ._respond import (
    respond_csv,
    respond_error,
    respond_file,
    respond_html,
    respond_image,
    respond_json,
    respond_markdown,
    respond_notebook,
    respond_svg,
    respond_text,
)
from ._results import HookUrl, Table
from ._runs import cancel, rerun, runs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from ._deploy import Dependencies
    from ._hooks import Histos, Rows
    from ._paths import PathLike

__all__ = [
    "add",
    "callback",
    "cancel",
    "clear",
    "clear_output",
    "currents",
    "delete",
    "find",
    "get",
    "get_output",
    "list",
    "list_output",
    "promote",
    "rerun",
    "respond_csv",
    "respond_error",
    "respond_file",
    "respond_html",
    "respond_image",
    "respond_json",
    "respond_markdown",
    "respond_notebook",
    "respond_svg",
    "respond_text",
    "run",
    "runs",
    "update",
]


def add(
    path: PathLike | None = None,
    params: Mapping[str, Any] | None = None,
    debug: bool = False,
    dependencies: Dependencies | None = None,
    python: str | None = None,
    user: str | None = None,
    callbacks: Mapping[str, Any] | None = None,
) -> HookUrl:
    """Deploy a notebook and return its URL. Deploying the same path again keeps the URL and makes a new version.

    The file is sent as it was last saved; nothing is saved for you. Prints the URL, what the notebook takes (name, type, default and
    description of each parameter) and what is odd about it.

    Args:
        path: the notebook; default the current one. The file must exist.
        params: how the hook behaves: ``notif_down``, ``notif_up`` (e-mail address or list), ``next_url``, ``inline`` (bool),
            ``timeout`` (seconds), ``mode`` (``"sync"`` | ``"async"``), ``retries``, ``on_interrupt`` (``"report"`` | ``"retry"``),
            ``concurrency``, ``queue``, ``workdir`` (``"scratch"`` | ``"persistent"``), ``env`` (dict of str),
            ``python``, ``sensitive`` (list of parameter names), ``strict`` (bool: refuse unknown names), ``signature`` (``{"scheme": "github", "secret": "…"}``), ``raw_body``
            (bool), ``cors`` (list of origins, or ``"*"``).
        dependencies: files and folders the notebook needs, as paths from the notebook's folder. They keep their place relative to
            the notebook; one from outside that folder is found beside it, by its base name.
        python: interpreter that runs the hook; default the one of this kernel (``sys.executable``).
        callbacks: what the hook sends to URLs that its callers name: ``{"paid": {"{$callback_url}/invoices/{$request.body.id}":
            {"summary": "…", "body": schema, "response": schema}}}``, with JSON Schemas; also ``method``, default POST. Sent when a run
            succeeds, or by :func:`callback`; shown in the webhook's OpenAPI document.

    Returns:
        The URL, a ``str`` that shows as a link. Inside a run: an empty one.

    Raises:
        NotebookPathError: the current notebook is not known, or there is no file at ``path``.
        FileNotFoundError: a dependency is missing.
        Invalid: the server refuses the notebook or a param; ``field`` names it, and nothing was changed.
    """
    if _hooks.skipped("add"):
        return HookUrl()
    from ._deploy import deploy

    return deploy(path, params, debug, dependencies, python, user, callbacks)


#: The same as :func:`add`: it makes a new version when the notebook has a webhook already.
update = add


def find(path: PathLike | None = None, debug: bool = False, user: str | None = None) -> HookUrl | None:
    """The URL of a notebook, None when it has none. Inside a run without a token also None, without asking the server."""
    if path is None and _hooks.inside_run():
        from . import _settings

        if not _settings.has_token():
            return None
    hook = _hooks.Target(path, debug, user).find()
    return HookUrl(str(hook.get("url", "")), hook) if hook else None


def list(path: PathLike | None = None, debug: bool = False, user: str | None = None) -> Table:
    """The deployed versions of a notebook, newest first: ``histo``, ``size`` (bytes), ``live``, ``created_at``."""
    rows = _items(path, "versions", debug, user)
    return Table(rows, ("histo", "live", "size", "created_at"), "no versions")


def list_output(path: PathLike | None = None, debug: bool = False, user: str | None = None) -> Table:
    """The executed notebooks that runs left, newest first: ``histo``, ``state``, ``run``, ``size`` (bytes), ``created_at``."""
    rows = _items(path, "outputs", debug, user)
    return Table(rows, ("histo", "state", "run", "size", "created_at"), "no outputs")


def get(path: PathLike | None = None, histo: str | None = None, debug: bool = False, user: str | None = None) -> str:
    """Fetch a deployed version, the live one unless ``histo`` names another, and return the path of the local copy.

    It is written beside the notebook (or into the working folder when that folder is not here) as ``<histo>___<name>.ipynb``. No
    existing file is ever overwritten: the name gets ``-1``, ``-2`` … when it is taken by something else.

    Raises:
        NotFound: no such webhook or version.
    """
    target, wanted = _hooks.Target(path, debug, user), histo and _hooks.check_histo(histo)
    hook = target.hook()
    version = wanted or str(hook.get("histo"))
    return _fetch(target, hook, f"{version}___", "versions", version, "notebook")


def get_output(path: PathLike | None = None, histo: str | None = None, debug: bool = False, user: str | None = None) -> str:
    """Fetch the executed notebook of a run, the newest unless ``histo`` names another, and return the path of the local copy.

    Written like :func:`get`, as ``<histo>___output___<name>.ipynb``.

    Raises:
        NotFound: no such webhook or output, or none yet.
    """
    target, wanted = _hooks.Target(path, debug, user), histo and _hooks.check_histo(histo)
    hook = target.hook()
    if not wanted:
        newest = target.client.json("GET", _hooks.hook_path(hook, "outputs"), {"limit": 1}).get("items")
        if not newest:
            from ._errors import NotFound

            raise NotFound(f"{hook.get('path')} has no output yet: it was not run, or its outputs were cleared", 404)
        wanted = _hooks.check_histo(newest[0].get("histo"))
    return _fetch(target, hook, f"{wanted}___output___", "outputs", wanted)


def clear(path: PathLike | None = None, histo: str | None = None, debug: bool = False, user: str | None = None) -> Histos:
    """Remove previous versions, all of them or the one ``histo`` names; never the live one. Returns the removed histo ids.

    Raises:
        NotFound: no such webhook or version.
        Conflict: ``histo`` is the live version.
    """
    return _clear("clear", "versions", path, histo, debug, user)


def clear_output(path: PathLike | None = None, histo: str | None = None, debug: bool = False, user: str | None = None) -> Histos:
    """Remove outputs, all of them or the one ``histo`` names. Returns the removed histo ids.

    Raises:
        NotFound: no such webhook or output.
    """
    return _clear("clear_output", "outputs", path, histo, debug, user)


def delete(path: PathLike | None = None, all: bool = True, debug: bool = False, user: str | None = None) -> None:
    """Remove a webhook: its URL is gone at once. ``all=False`` keeps its versions and outputs on the server's disk.

    Raises:
        NotFound: no such webhook.
    """
    if _hooks.skipped("delete"):
        return
    target = _hooks.Target(path, debug, user)
    hook = target.hook()
    target.client.json("DELETE", _hooks.hook_path(hook), {"all": "true" if all else "false"})
    kept = "" if all else "; its versions and outputs stay on the server's disk"
    print(f"deleted the webhook of {hook.get('path')}{kept}")


def promote(path: PathLike | None = None, histo: str | None = None, debug: bool = False, user: str | None = None) -> HookUrl:
    """Make the version ``histo`` the live one again (roll back). Returns the URL, which stays the same.

    Raises:
        ValueError: ``histo`` is missing or not a histo id.
        NotFound: no such webhook or version.
    """
    if _hooks.skipped("promote"):
        return HookUrl()
    if histo is None:
        raise ValueError("promote needs histo=, the version to make live; webhook.list() shows them")
    version = _hooks.check_histo(histo)
    target = _hooks.Target(path, debug, user)
    answer = target.client.json("POST", _hooks.hook_path(target.hook(), "versions", version, "promote"))
    print(f"version {version} of {answer.get('path')} is live")
    for lost in answer.get("breaking") or []:
        print(f"warning: {lost}")
    return HookUrl(str(answer.get("url", "")), answer)


def currents(raw: bool = False, debug: bool = False, user: str | None = None) -> Rows:
    """Your webhooks: a list that shows as a table of path, URL, version and time; ``raw=True`` gives the plain list of dicts."""
    from . import _http, _settings

    client = _http.Client(_settings.load(), debug)
    owner = user or _hooks.own_name(client)
    hooks = [*_hooks.pages(client, "/v1/hooks", {"owner": owner})]
    return hooks if raw else Table(hooks, ("path", "url", "histo", "updated_at"), "no webhooks")


def run(
    path: PathLike | None = None,
    params: Mapping[str, Any] | None = None,
    debug: bool = False,
    histo: str | None = None,
    timeout: float | None = None,
    user: str | None = None,
    wait: float | None = None,
    idempotency_key: str | None = None,
) -> Any:
    """Call a webhook and return its answer: GET without ``params``, else POST with them as JSON.

    Args:
        params: values for the notebook's parameters cell.
        histo: call this version instead of the live one.
        timeout: seconds to wait for the server; default the hook's own timeout and a minute more.
        wait: seconds to wait for the answer, up to 600; when it takes longer, the run goes on and its ``Task`` is returned. 0 returns
            the ``Task`` at once.
        idempotency_key: names this call, so that doing it again gives the first one's answer and does not run the notebook twice (POST).

    Returns:
        JSON as its value, text, HTML, CSV, Markdown and SVG as ``str``, all else as ``bytes``; for a hook with ``next_url`` the
        address it sends callers to. A ``Task`` for a run that nobody waits for: with ``wait``, or of a hook whose ``mode`` is
        ``"async"``. None when a run calls its own notebook, which is not done.

    Raises:
        RunFailed: the notebook answered with an error status (its body is in ``answer``).
        NotFound, Invalid, TooManyRequests, Unavailable: the call was refused before a run.
        Conflict: a call with this key is still running; ``retry_after`` says when to try again.
        ServerUnreachable: no answer in time; the run goes on.
    """
    from ._call import call

    return call(path, params, histo, timeout, debug, user, wait, idempotency_key)


def _items(path: PathLike | None, kind: str, debug: bool, user: str | None) -> Iterator[dict[str, Any]]:
    target = _hooks.Target(path, debug, user)
    return _hooks.pages(target.client, _hooks.hook_path(target.hook(), kind))


def _fetch(target: _hooks.Target, hook: _hooks.Hook, prefix: str, *resource: str) -> str:
    import posixpath

    from ._files import write_new

    content = target.client.api("GET", _hooks.hook_path(hook, *resource)).body
    # The name comes from the server: only its last part may become a file name here.
    name = posixpath.basename(str(hook.get("path", "")).replace("\\", "/")) or "notebook.ipynb"
    saved = write_new(target.folder(), prefix + name, content)
    print(f"saved {saved}")
    return saved


def _clear(function: str, kind: str, path: PathLike | None, histo: str | None, debug: bool, user: str | None) -> Histos:
    if _hooks.skipped(function):
        return []
    # "all" is how naas itself spells "every one".
    one = () if histo in (None, "all") else (_hooks.check_histo(histo),)
    target = _hooks.Target(path, debug, user)
    hook = target.hook()
    reply = target.client.json("DELETE", _hooks.hook_path(hook, kind, *one))
    removed = [str(entry) for entry in reply.get("removed", one)]
    what = "previous version" if kind == "versions" else "output"
    print(f"removed {len(removed)} {what}{'' if len(removed) == 1 else 's'} of {hook.get('path')}")
    return removed
