"""The public surface: exactly these names, cheap to import, and nothing else loaded or done by importing."""

from __future__ import annotations

import inspect
import os
import pathlib
import re
import subprocess
import sys

import pytest

import nbhook
from conftest import ALIAS, SOURCE
from nbhook import asset, callback, dependency, notification, scheduler, secret, webhook

NAMES = [
    "ApiError",
    "ConfigurationError",
    "Conflict",
    "Forbidden",
    "Invalid",
    "NbhookError",
    "NotFound",
    "NotebookPathError",
    "RunFailed",
    "ServerUnreachable",
    "Task",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "__version__",
    "asset",
    "callback",
    "dependency",
    "login",
    "notification",
    "progress",
    "scheduler",
    "secret",
    "webhook",
]

SIGNATURES = {
    "add": "path=None, params=None, debug=False, dependencies=None, python=None, user=None, callbacks=None",
    "update": "path=None, params=None, debug=False, dependencies=None, python=None, user=None, callbacks=None",
    "callback": "name, body",
    "find": "path=None, debug=False, user=None",
    "list": "path=None, debug=False, user=None",
    "list_output": "path=None, debug=False, user=None",
    "get": "path=None, histo=None, debug=False, user=None",
    "get_output": "path=None, histo=None, debug=False, user=None",
    "clear": "path=None, histo=None, debug=False, user=None",
    "clear_output": "path=None, histo=None, debug=False, user=None",
    "delete": "path=None, all=True, debug=False, user=None",
    "promote": "path=None, histo=None, debug=False, user=None",
    "currents": "raw=False, debug=False, user=None",
    "run": "path=None, params=None, debug=False, histo=None, timeout=None, user=None, wait=None, idempotency_key=None",
    "runs": "path=None, state=None, limit=100, debug=False, user=None",
    "cancel": "run, debug=False",
    "rerun": "run, debug=False",
    "respond_html": "data, status=None, headers=None, early=False",
    "respond_json": "data, status=None, headers=None, early=False",
    "respond_image": "data=None, filename=None, status=None, headers=None, early=False",
    "respond_svg": "data, status=None, headers=None, early=False",
    "respond_text": "data, status=None, headers=None, early=False",
    "respond_markdown": "data, status=None, headers=None, early=False",
    "respond_csv": "data, status=None, headers=None, early=False",
    "respond_file": "path, name=None, media_type=None, status=None, headers=None, early=False",
    "respond_notebook": "format=None, status=None, headers=None",
    "respond_error": "status, detail, failed=True, headers=None, early=False",
}


def test_no_file_has_the_name_of_a_module_of_python():
    # Kernels begin as scripts of this folder, which is then the first place to look for modules.
    names = {path.stem for path in pathlib.Path(nbhook.__file__).parent.glob("*.py")}
    known = getattr(sys, "stdlib_module_names", ())  # since Python 3.10
    assert names & set(known) == set()


def test_exported_names():
    assert sorted(nbhook.__all__) == sorted(NAMES)
    public = {name for name in vars(nbhook) if not name.startswith("_")}
    assert public - set(NAMES) == {"annotations"}


def test_webhook_names_and_signatures():
    assert sorted(webhook.__all__) == sorted(SIGNATURES)
    for name, expected in SIGNATURES.items():
        parameters = inspect.signature(getattr(webhook, name)).parameters.values()
        found = ", ".join(str(parameter.replace(annotation=inspect.Parameter.empty)) for parameter in parameters)
        assert found == expected, name
        assert getattr(webhook, name).__doc__


CALLBACK_SIGNATURES = {
    "add": "response=None, user=None, uuid=None, response_headers=None, auto_delete=True, default_result=None, no_override=False, debug=False",
    "get": "uuid, wait_until_data=False, timeout=3000, raw=False, user=None, debug=False",
    "list": "user=None, debug=False",
    "delete": "uuid, user=None, debug=False",
    "list_all": "debug=False",
}


def test_callback_names_and_signatures():
    assert sorted(callback.__all__) == sorted(CALLBACK_SIGNATURES)
    for name, expected in CALLBACK_SIGNATURES.items():
        parameters = inspect.signature(getattr(callback, name)).parameters.values()
        found = ", ".join(str(parameter.replace(annotation=inspect.Parameter.empty)) for parameter in parameters)
        assert found == expected, name
        assert getattr(callback, name).__doc__


SECRET_SIGNATURES = {
    "add": "name, secret, debug=False",
    "get": "name, default_value=None, debug=False",
    "list": "debug=False",
    "delete": "name, debug=False",
}

NOTIFICATION_SIGNATURES = {
    "send": "email_to, subject, html=None, files=(), email_from=None, text=None, debug=False",
    "get": "id, debug=False",
    "list": "state=None, debug=False",
}


@pytest.mark.parametrize(("module", "signatures"), [(secret, SECRET_SIGNATURES), (notification, NOTIFICATION_SIGNATURES)])
def test_names_and_signatures_of_what_users_keep_and_send(module, signatures):
    assert sorted(module.__all__) == sorted(signatures)
    for name, expected in signatures.items():
        parameters = inspect.signature(getattr(module, name)).parameters.values()
        found = ", ".join(str(parameter.replace(annotation=inspect.Parameter.empty)) for parameter in parameters)
        assert found == expected, name
        assert getattr(module, name).__doc__


def test_the_other_signatures():
    found = [str(parameter).split(":")[0] for parameter in inspect.signature(nbhook.progress).parameters.values()]
    assert found == ["done", "total", "message"]
    public = {name for name in vars(nbhook.Task) if not name.startswith("_")}
    assert public == {"done", "refresh", "result", "cancel"}


def test_exception_tree_is_as_drawn():
    api = ["Invalid", "Unauthorized", "Forbidden", "NotFound", "Conflict", "TooManyRequests", "Unavailable", "RunFailed"]
    assert all(getattr(nbhook, name).__bases__ == (nbhook.ApiError,) for name in api)
    rest = ["ConfigurationError", "NotebookPathError", "ServerUnreachable", "ApiError"]
    assert all(getattr(nbhook, name).__bases__ == (nbhook.NbhookError,) for name in rest)
    drawing = sys.modules["nbhook._errors"].__doc__
    assert [name for name in NAMES if name[0].isupper() and name not in [*drawing.split(), "Task"]] == []


def test_version_is_the_project_version():
    project = (SOURCE.parents[1] / "pyproject.toml").read_text()
    assert re.search(r'^version = "(.+)"$', project, re.MULTILINE).group(1) == nbhook.__version__


def python(code, *options, **env):
    """Run code in a fresh interpreter that sees nothing but the standard library and the package."""
    base = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    path = os.pathsep.join([str(SOURCE), str(ALIAS)])
    command = [sys.executable, "-S", *options, "-c", code]
    return subprocess.run(command, env={**base, "PYTHONPATH": path, **env}, capture_output=True, text=True, check=True)


def test_import_is_small_beside_one_of_the_standard_library(tmp_path):
    """1.5 ms where asyncio takes 20; compared in one process, as a time of its own depends on the machine."""

    def ratio():
        log = python("import asyncio, nbhook", "-X", "importtime", PYTHONPYCACHEPREFIX=str(tmp_path)).stderr
        cost = {name: int(re.search(rf"\|\s+(\d+) \| {name}$", log, re.MULTILINE).group(1)) for name in ("asyncio", "nbhook")}
        return cost["nbhook"] / cost["asyncio"]

    ratio()  # writes the .pyc files
    assert min(ratio() for _ in range(5)) < 0.25


def test_import_loads_nothing_big(tmp_path):
    code = "import os, sys; before = set(sys.modules); import naas, nbhook; print(*(set(sys.modules) - before))"
    loaded = set(python(code, PYTHONPYCACHEPREFIX=str(tmp_path)).stdout.split())
    ours = {name for name in loaded if name.split(".")[0] in ("nbhook", "naas")}
    assert loaded - ours <= {"__future__", "math"}


#: Imported by the server's template alone, which is an ipykernel.
OF_THE_TEMPLATE = {"_direct", "_forked", "_output"}


def test_every_module_is_standard_library_only(tmp_path):
    modules = [f"nbhook.{path.stem}" for path in (SOURCE / "nbhook").glob("*.py") if path.stem not in OF_THE_TEMPLATE]
    code = f"import importlib; [importlib.import_module(name) for name in {modules!r}]"
    python(code, PYTHONPYCACHEPREFIX=str(tmp_path))  # -S: no site-packages to find anything else in


def test_importing_does_nothing(tmp_path):
    (tmp_path / "home").mkdir()
    code = """
import sys
def audit(event, args):
    if event.startswith("socket.") or (event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")):
        raise SystemExit(f"import did {event} {args}")
sys.addaudithook(audit)
import nbhook, naas
"""
    done = python(code, "-B", HOME=str(tmp_path / "home"))
    assert done.stdout == done.stderr == ""
    assert list((tmp_path / "home").iterdir()) == []


def test_naas_alias_has_what_naas_has_and_says_so(monkeypatch):
    monkeypatch.syspath_prepend(str(ALIAS))
    import naas

    assert naas.webhook is naas.api is webhook
    assert naas.asset is naas.assets is asset
    assert (naas.callback, naas.dependency, naas.notification) == (callback, dependency, notification)
    assert (naas.scheduler, naas.secret) == (scheduler, secret)
    assert not hasattr(naas, "nonsense")
    with pytest.raises(AttributeError, match="naas.scheduler"):
        naas.pipeline  # noqa: B018


def test_the_wheel_source_holds_no_naas():
    assert [path.name for path in SOURCE.iterdir() if path.is_dir()] == ["nbhook"]
    assert (SOURCE / "nbhook" / "py.typed").exists()
