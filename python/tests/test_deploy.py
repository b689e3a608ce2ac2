"""What add() sends, byte by byte, and what it says."""

from __future__ import annotations

import datetime
import json
import pickle
import sys

import pytest

import nbhook
from conftest import TOKEN
from nbhook import webhook


@pytest.fixture
def accepting(server, notebook):
    server.on("POST", "/v1/hooks", server.hook("work/report.ipynb"), 201)
    return server


def sent(server):
    """meta, notebook and dependencies of the deploy."""
    parts = server.only("POST", "/v1/hooks").parts()
    assert [name for name, *_ in parts[:2]] == ["meta", "notebook"]
    assert all(name == "dependency" for name, *_ in parts[2:])
    return json.loads(parts[0][3]), parts[1], {filename: content for _, filename, _, content in parts[2:]}


def test_the_request(accepting, notebook, capsys):
    url = webhook.add("report.ipynb", {"inline": True, "since": datetime.date(2026, 1, 2)})
    meta, (_, filename, kind, content), dependencies = sent(accepting)
    params = {"inline": True, "since": "2026-01-02"}
    assert meta == {"path": "work/report.ipynb", "params": params, "python": sys.executable}
    assert (filename, kind, content) == ("report.ipynb", "application/x-ipynb+json", notebook.read_bytes())
    assert dependencies == {}
    assert accepting.requests[-1].headers["Authorization"] == f"Bearer {TOKEN}"
    assert url == accepting.hook_url
    line = capsys.readouterr().out.strip()
    assert line.startswith("deployed work/report.ipynb as saved at ")
    assert line.endswith(accepting.hook_url)


def test_the_url_is_a_str_that_shows_as_a_link(accepting):
    url = webhook.add("report.ipynb")
    assert isinstance(url, str)
    assert json.dumps({"u": url}) == json.dumps({"u": accepting.hook_url})
    assert url._repr_html_().startswith(f'<a href="{accepting.hook_url}"')
    assert url.hook["histo"] == "20261122120000000001"
    copy = pickle.loads(pickle.dumps(url))
    assert (copy, copy.hook) == (url, url.hook)


def test_a_new_version_and_warnings_are_said(server, notebook, capsys):
    server.on("POST", "/v1/hooks", server.hook("work/report.ipynb", warnings=["pandas is missing", "second"]), 200)
    webhook.update(path=notebook)
    output = capsys.readouterr().out.splitlines()
    assert output[0].startswith("deployed a new version of work/report.ipynb")
    assert output[1:] == ["warning: pandas is missing", "warning: second"]


def test_callbacks_are_sent_as_they_are_declared(accepting):
    declared = {"paid": {"{$callback_url}/{$request.body#/id}": {"summary": "Paid", "body": {"type": "object"}}}}
    webhook.add("report.ipynb", callbacks=declared)
    assert sent(accepting)[0]["callbacks"] == declared
    with pytest.raises(TypeError, match="callbacks must be a dict such as"):
        webhook.add("report.ipynb", callbacks=["paid"])


def test_the_contract_is_a_table_without_secrets(server, notebook, capsys):
    properties = {
        "day": {"type": "string", "format": "date", "description": "Day of\n the  orders"},
        "most": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        "prices": {"type": "object", "additionalProperties": {"type": "number"}, "default": {"é": 1.5}},
        "skus": {"type": "array", "items": {}},
        "kind": {"enum": ["a", 1], "default": "a"},
        "Pin": {"type": "string", "default": "hush-hush"},
        "any": {"default": "x" * 100},
    }
    contract = {"type": "object", "required": ["day"], "properties": properties}
    hook = server.hook("work/report.ipynb", contract=contract, params={"sensitive": ["pIN"]}, warnings=["odd"])
    server.on("POST", "/v1/hooks", hook, 201)
    webhook.add("report.ipynb")
    assert capsys.readouterr().out.splitlines()[1:] == [
        "parameter  type               default                                                       description",
        "day        date (YYYY-MM-DD)  (required)                                                    Day of the orders",
        "most       integer or null    null",
        'prices     object of number   {"é":1.5}',
        "skus       list               (computed)",
        'kind       one of "a", 1      "a"',
        "Pin        string             (hidden)",
        f'any        anything           "{"x" * 58}…',
        "warning: odd",
    ]
    webhook.add("report.ipynb", debug=True)
    said = capsys.readouterr().out
    assert "(hidden)" in said and "hush" not in said
    for contract in (None, {}, {"properties": {}, "required": []}):
        server.on("POST", "/v1/hooks", server.hook("work/report.ipynb", contract=contract), 201)
        webhook.add("report.ipynb")
        assert len(capsys.readouterr().out.splitlines()) == 1


def test_python_and_user(accepting):
    webhook.add("report.ipynb", python="/opt/py/bin/python", user="bob")
    assert sent(accepting)[0] == {"path": "work/report.ipynb", "params": {}, "python": "/opt/py/bin/python", "owner": "bob"}


def test_dependencies_keep_their_place_beside_the_notebook(accepting, home, notebook, capsys):
    work = home / "work"
    (work / "data" / "deep").mkdir(parents=True)
    (work / "data" / "__pycache__").mkdir()
    (work / "a.bin").write_bytes(bytes(range(256)) + b"\r\n--nbhook\r\n")
    (work / "data" / "b é & c.csv").write_text("1")
    (work / "data" / "deep" / 'q"uo\\te.txt').write_text("2")
    (work / "data" / "__pycache__" / "x.pyc").write_text("no")
    (home / "outside.py").write_text("3")
    (home / "lib").mkdir()
    (home / "lib" / "m.py").write_text("4")
    webhook.add("report.ipynb", dependencies=["a.bin", "data", "./a.bin", "../outside.py", str(home / "lib")])
    assert sent(accepting)[2] == {
        "a.bin": bytes(range(256)) + b"\r\n--nbhook\r\n",
        "data/b é & c.csv": b"1",
        'data/deep/q"uo\\te.txt': b"2",
        "outside.py": b"3",
        "lib/m.py": b"4",
    }
    output = capsys.readouterr().out
    assert f"{home}/outside.py is outside the notebook's folder; the run finds it as outside.py" in output
    assert "the run finds it as lib/m.py" in output
    assert "data/" not in output


def test_dependencies_start_at_the_notebook_not_at_the_working_folder(server, home, monkeypatch):
    (home / "nb").mkdir()
    (home / "nb" / "r.ipynb").write_text("{}")
    (home / "nb" / "x.csv").write_text("x")
    server.on("POST", "/v1/hooks", server.hook("nb/r.ipynb"), 201)
    webhook.add("~/nb/r.ipynb", dependencies="x.csv")
    assert sent(server)[2] == {"x.csv": b"x"}


def test_bad_dependencies_are_named_and_nothing_is_sent(accepting, home):
    (home / "x.csv").write_text("1")
    (home / "work" / "x.csv").write_text("2")
    with pytest.raises(FileNotFoundError, match="'missing.csv' not found"):
        webhook.add("report.ipynb", dependencies=["missing.csv"])
    with pytest.raises(ValueError, match="two dependencies would both be 'x.csv'"):
        webhook.add("report.ipynb", dependencies=["x.csv", "../x.csv"])
    (home / "work" / "line\nbreak").write_text("3")
    with pytest.raises(ValueError, match="cannot be sent"):
        webhook.add("report.ipynb", dependencies=["line\nbreak"])
    assert accepting.requests == []


def test_bad_arguments(accepting):
    with pytest.raises(nbhook.NotebookPathError, match=r"failed to read the notebook .*/work/nope\.ipynb: No such file"):
        webhook.add("nope.ipynb")
    with pytest.raises(TypeError, match="params must be a dict"):
        webhook.add("report.ipynb", params=["inline"])
    with pytest.raises(TypeError, match=r"at \$\.env\.x"):
        webhook.add("report.ipynb", params={"env": {"x": object()}})
    with pytest.raises(ValueError, match="path is empty"):
        webhook.add("")
    assert accepting.requests == []


def test_a_refused_param_is_named(server, notebook):
    problem = {"type": "x", "title": "t", "status": 422, "detail": "unknown param", "field": "params.tiemout"}
    server.on("POST", "/v1/hooks", problem, 422, content_type="application/problem+json")
    with pytest.raises(nbhook.Invalid, match="params.tiemout: unknown param") as caught:
        webhook.add("report.ipynb", params={"tiemout": 1})
    assert caught.value.field == "params.tiemout"


@pytest.mark.parametrize(
    ("call", "result"),
    [
        (lambda: webhook.add(), ""),
        (lambda: webhook.update(params={"inline": True}), ""),
        (lambda: webhook.delete(), None),
        (lambda: webhook.clear(), []),
        (lambda: webhook.clear(histo="20261122120000000001"), []),
        (lambda: webhook.clear_output("x.ipynb"), []),
        (lambda: webhook.promote(histo="20261122120000000001"), ""),
        (lambda: webhook.run(), None),
    ],
)
def test_inside_a_run_nothing_is_changed_and_one_line_says_so(server, monkeypatch, capsys, call, result):
    monkeypatch.setenv("NBHOOK_RUN", "0190-run")
    monkeypatch.setenv("NBHOOK_HOOK", "0190-id")
    answer = call()
    assert answer == result
    assert server.requests == []
    output = capsys.readouterr().out
    assert output.count("\n") == 1
    assert "does nothing here" in output
    if isinstance(answer, str):
        assert answer + "?x=1" == "?x=1"
        assert "href" not in answer._repr_html_()
