"""find, list, get, clear, promote, delete, currents: the requests they make and what they give back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import nbhook
from conftest import HISTO, HOOK_TOKEN, OLDER, page
from nbhook import webhook

BASE = "/v1/hooks/0190-id"


@pytest.fixture
def hooked(server, notebook):
    server.has(server.hook("work/report.ipynb"))
    return server


def listing(items):
    return lambda request: page(request, items)


def test_find(hooked):
    url = webhook.find("report.ipynb")
    assert url == hooked.hook_url
    assert url.hook["id"] == "0190-id"
    assert hooked.only("GET", "/v1/hooks").query == {"path": "work/report.ipynb", "owner": "alice", "limit": "250", "offset": "0"}


def test_find_gives_none_for_what_is_not_there(hooked):
    assert webhook.find("other.ipynb") is None


def test_user_is_the_owner_asked_for(hooked):
    assert webhook.find("report.ipynb", user="bob") is None
    assert hooked.only("GET", "/v1/hooks").query["owner"] == "bob"


def test_a_hook_of_another_path_is_never_taken(server, notebook):
    # A server that answered by prefix, or ignored the filter, must not make delete() remove the wrong hook.
    server.on("GET", "/v1/hooks", {"items": [server.hook("work/report.ipynb.bak")]})
    with pytest.raises(nbhook.NotFound):
        webhook.delete("report.ipynb")
    assert [request.method for request in server.requests if request.method != "GET"] == []


def test_a_path_as_currents_shows_it(server, home, monkeypatch):
    server.has(server.hook("reports/é.ipynb"))
    shown = webhook.currents(raw=True)[0]["path"]
    assert webhook.find(shown) == server.hook_url  # from ~/work, where no such file is
    assert webhook.find("./reports/../reports/é.ipynb") is None
    (home / "work" / "reports").mkdir()
    (home / "work" / "reports" / "é.ipynb").write_text("{}")
    assert webhook.find(shown) is None  # now it names the file here, which has no hook


def test_missing_things_raise_not_found_with_a_reason(hooked):
    for call in (webhook.list, webhook.list_output, webhook.get, webhook.get_output, webhook.clear, webhook.delete, webhook.run):
        with pytest.raises(nbhook.NotFound, match=r"no webhook at work/gone\.ipynb"):
            call("gone.ipynb")
    with pytest.raises(nbhook.NotFound, match=f"nothing at {BASE}/versions/{OLDER}/notebook"):
        webhook.get("report.ipynb", OLDER)


def test_list_shows_a_table(hooked):
    rows = [
        {"histo": HISTO, "size": 1200, "live": True, "created_at": "2026-11-22T12:00:00Z"},
        {"histo": OLDER, "size": 90, "live": False, "created_at": "<b>"},
    ]
    hooked.on("GET", f"{BASE}/versions", listing(rows))
    versions = webhook.list("report.ipynb")
    assert versions == rows
    assert repr(versions).splitlines() == [
        "histo                 live  size  created_at",
        f"{HISTO}  yes   1200  2026-11-22T12:00:00Z",
        f"{OLDER}        90    <b>",
    ]
    assert "<td>&lt;b&gt;</td>" in versions._repr_html_()
    assert "<b>" not in versions._repr_html_()


def test_long_lists_are_read_to_the_end(hooked):
    rows = [{"histo": f"{number:020d}", "state": "succeeded"} for number in range(612)]
    hooked.on("GET", f"{BASE}/outputs", listing(rows))
    assert webhook.list_output("report.ipynb") == rows
    offsets = [request.query["offset"] for request in hooked.requests if request.path.endswith("/outputs")]
    assert offsets == ["0", "250", "500"]


def test_empty_lists_say_so(hooked):
    hooked.on("GET", f"{BASE}/outputs", listing([]))
    assert repr(webhook.list_output("report.ipynb")) == "no outputs"


def test_get_writes_beside_the_notebook_and_overwrites_nothing(hooked, home, notebook, monkeypatch, capsys):
    deployed = b'{"deployed": true}\n'
    hooked.on("GET", f"{BASE}/versions/{HISTO}/notebook", deployed, content_type="application/x-ipynb+json")
    (home / "elsewhere").mkdir()
    monkeypatch.chdir(home / "elsewhere")
    before = notebook.read_bytes()
    first = webhook.get(notebook)
    assert first == str(home / "work" / f"{HISTO}___report.ipynb")
    assert Path(first).read_bytes() == deployed
    assert f"saved {first}" in capsys.readouterr().out
    assert webhook.get(notebook) == first  # the same content is not written twice
    Path(first).write_text("my edits")
    second = webhook.get(notebook)
    assert second == str(home / "work" / f"{HISTO}___report-1.ipynb")
    assert Path(first).read_text() == "my edits"
    assert notebook.read_bytes() == before
    assert set(os.listdir(home / "work")) == {os.path.basename(first), os.path.basename(second), "report.ipynb"}


def test_get_without_hard_links(hooked, home, notebook, monkeypatch):
    def refuse(*_):
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    hooked.on("GET", f"{BASE}/versions/{HISTO}/notebook", b"one")
    first = webhook.get(notebook)
    hooked.on("GET", f"{BASE}/versions/{HISTO}/notebook", b"two")
    second = webhook.get(notebook)
    assert first != second
    assert (Path(first).read_bytes(), Path(second).read_bytes()) == (b"one", b"two")
    assert not [name for name in os.listdir(home / "work") if name.startswith(".nbhook")]


def test_get_of_a_notebook_from_elsewhere_goes_to_the_working_folder(server, home):
    server.has(server.hook("far/away/r.ipynb"))
    server.on("GET", f"{BASE}/versions/{OLDER}/notebook", b"{}")
    assert webhook.get("far/away/r.ipynb", histo=OLDER) == str(home / "work" / f"{OLDER}___r.ipynb")


def test_a_hostile_path_stays_in_the_folder(server, home, monkeypatch):
    monkeypatch.setenv("NBHOOK_RUN", "r")
    monkeypatch.setenv("NBHOOK_HOOK", "0190-id")
    server.on("GET", BASE, server.hook("../../..\\..\\evil.ipynb"))
    server.on("GET", f"{BASE}/versions/{HISTO}/notebook", b"{}")
    assert webhook.get() == str(home / "work" / f"{HISTO}___evil.ipynb")


def test_get_output_newest_and_named(hooked, home, capsys):
    hooked.on("GET", f"{BASE}/outputs", listing([{"histo": HISTO}, {"histo": OLDER}]))
    hooked.on("GET", f"{BASE}/outputs/{HISTO}", b"new")
    hooked.on("GET", f"{BASE}/outputs/{OLDER}", b"old")
    newest, older = webhook.get_output("report.ipynb"), webhook.get_output("report.ipynb", OLDER)
    assert newest == str(home / "work" / f"{HISTO}___output___report.ipynb")
    assert (Path(newest).read_bytes(), Path(older).read_bytes()) == (b"new", b"old")


def test_get_output_when_there_is_none(hooked):
    hooked.on("GET", f"{BASE}/outputs", listing([]))
    with pytest.raises(nbhook.NotFound, match="has no output yet"):
        webhook.get_output("report.ipynb")


@pytest.mark.parametrize(("function", "kind"), [("clear", "versions"), ("clear_output", "outputs")])
def test_clear_all_and_one(hooked, function, kind, capsys):
    hooked.on("DELETE", f"{BASE}/{kind}", {"removed": [OLDER, "20261120120000000001"]})
    hooked.on("DELETE", f"{BASE}/{kind}/{OLDER}", {"removed": [OLDER]})
    clear = getattr(webhook, function)
    assert clear("report.ipynb") == [OLDER, "20261120120000000001"]
    assert "removed 2 " in capsys.readouterr().out
    assert clear("report.ipynb", OLDER) == [OLDER]
    assert clear("report.ipynb", "all") == [OLDER, "20261120120000000001"]


def test_clear_of_the_live_version_is_a_conflict(hooked):
    problem = {"title": "Conflict", "status": 409, "detail": "the live version cannot be cleared"}
    hooked.on("DELETE", f"{BASE}/versions/{HISTO}", problem, 409, content_type="application/problem+json")
    with pytest.raises(nbhook.Conflict, match="live version cannot"):
        webhook.clear("report.ipynb", HISTO)


@pytest.mark.parametrize("histo", ["2026", "../../../etc", "\u0661" * 20, "2026112212000000000x", True, 5])
def test_bad_histo_ids_are_refused_before_any_change(hooked, histo):
    for function in (webhook.clear, webhook.clear_output, webhook.promote, webhook.get, webhook.get_output):
        with pytest.raises(ValueError, match="20 digits"):
            function("report.ipynb", histo)
    assert [request for request in hooked.requests if request.method != "GET"] == []


def test_promote(hooked, capsys):
    hooked.on("POST", f"{BASE}/versions/{OLDER}/promote", hooked.hook("work/report.ipynb", histo=OLDER, breaking=["n is gone"]))
    url = webhook.promote("report.ipynb", int(OLDER))
    assert (url, url.hook["histo"]) == (hooked.hook_url, OLDER)
    said = capsys.readouterr().out.splitlines()
    assert said == [f"version {OLDER} of work/report.ipynb is live", "warning: n is gone"]
    with pytest.raises(ValueError, match="needs histo="):
        webhook.promote("report.ipynb")


@pytest.mark.parametrize("keep", [True, False])
def test_delete(hooked, keep, capsys):
    hooked.on("DELETE", BASE, {"success": True})
    webhook.delete("report.ipynb", all=not keep)
    assert hooked.only("DELETE", BASE).query == {"all": "false" if keep else "true"}
    output = capsys.readouterr().out
    assert "deleted the webhook of work/report.ipynb" in output
    assert ("stay" in output) == keep


def test_currents(server):
    server.on("GET", "/v1/users/me", {"name": "root", "role": "admin"})
    mine = [server.hook(f"a{number}.ipynb", owner="root") for number in range(300)]
    server.has(*mine, server.hook("theirs.ipynb", owner="bob"))
    table = webhook.currents()
    assert table == mine
    assert repr(table).splitlines()[0].split() == ["path", "url", "histo", "updated_at"]
    assert f'<a href="{server.url}/hooks/{HOOK_TOKEN}"' in table._repr_html_()
    raw = webhook.currents(raw=True)
    assert type(raw) is list
    assert raw == mine
    assert [hook["path"] for hook in webhook.currents(raw=True, user="bob")] == ["theirs.ipynb"]


def test_a_hostile_url_is_no_link(server):
    server.has(server.hook("a.ipynb", url="javascript:alert(1)"), server.hook("b.ipynb", url='http://x/"onmouseover="alert(1)'))
    page_html = webhook.currents()._repr_html_()
    assert 'href="javascript' not in page_html
    assert '"onmouseover="' not in page_html


def test_reading_inside_a_run_means_the_hook_being_run(server, monkeypatch):
    monkeypatch.setenv("NBHOOK_RUN", "r")
    monkeypatch.setenv("NBHOOK_HOOK", "0190-id")
    server.on("GET", BASE, server.hook("work/report.ipynb"))
    server.on("GET", f"{BASE}/versions", listing([{"histo": HISTO}]))
    assert webhook.find() == server.hook_url
    assert webhook.list() == [{"histo": HISTO}]
    server.requests.clear()
    monkeypatch.delenv("NBHOOK_TOKEN")
    assert webhook.find() is None
    assert server.requests == []


def test_the_table_is_a_plain_list_for_json(hooked):
    hooked.on("GET", f"{BASE}/versions", listing([{"histo": HISTO}]))
    assert json.dumps(webhook.list("report.ipynb")) == json.dumps([{"histo": HISTO}])
