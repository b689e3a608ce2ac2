"""Schedules: what scheduler's functions ask for and print."""

from __future__ import annotations

import json

import pytest

import nbhook
from conftest import page
from nbhook import _schedules, scheduler

PATH = "/v1/schedules"
ID = "0198c5f0-0000-7000-8000-000000000002"
HOOK = {"id": "h1", "path": "report.ipynb", "url": "http://h/hooks/t", "histo": "20261122120000000001", "params": {}}
NEXT = ["2026-01-02T09:00:00+01:00", "2026-01-03T09:00:00+01:00"]


def schedule(**more):
    about = {"cron": "0 9 * * *", "tz": "Europe/Berlin", "enabled": True, "problem": None, "last_at": None}
    return {"id": ID, "hook": "h1", "path": "report.ipynb", "next": NEXT, **about, **more}


@pytest.fixture
def notebook(server, tmp_path, monkeypatch):
    file = tmp_path / "report.ipynb"
    file.write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    server.on("GET", "/v1/users/me", {"name": "alice"})
    server.on("GET", "/v1/hooks", lambda request: page(request, []))
    server.on("POST", "/v1/hooks", HOOK, 201)
    server.on("POST", PATH, schedule(), 201)
    monkeypatch.setattr(_schedules, "_zone", lambda: "Asia/Kolkata")
    return file


def test_add_deploys_what_is_not_deployed_and_schedules_it(server, notebook, capsys):
    times = scheduler.add(notebook, "0 9 * * *", {"n": 5}, tz="Europe/Berlin")
    assert [row["next"] for row in times] == NEXT
    assert server.only("POST", PATH).json == {
        "cron": "0 9 * * *",
        "tz": "Europe/Berlin",
        "overlap": "skip",
        "missed": "run_once",
        "hook": "h1",
        "params": {"n": 5},
    }
    printed = capsys.readouterr().out
    assert "report.ipynb runs at 0 9 * * * (Europe/Berlin):\n  2026-01-02T09:00:00+01:00\n" in printed


def test_add_leaves_a_webhook_that_is_there_as_it_is(server, notebook):
    server.on("GET", "/v1/hooks", lambda request: page(request, [{**HOOK, "path": request.query["path"]}]))
    scheduler.add(notebook, cron="@daily")
    assert not [request for request in server.requests if request.path == "/v1/hooks" and request.method == "POST"]
    assert server.only("POST", PATH).json["tz"] == "Asia/Kolkata"


def test_add_needs_a_time(server, notebook):
    with pytest.raises(ValueError, match="cron="):
        scheduler.add(notebook)
    assert server.requests == []


def test_a_schedule_is_found_by_its_notebook(server, notebook, capsys):
    server.on("GET", "/v1/hooks", lambda request: page(request, [{**HOOK, "path": request.query["path"]}]))
    server.on("GET", PATH, lambda request: page(request, [schedule()]))
    assert scheduler.status(notebook)["cron"] == "0 9 * * *"
    assert [row["next"] for row in scheduler.next(notebook)] == NEXT
    server.on("PATCH", f"{PATH}/{ID}", schedule(enabled=False, next=[]))
    scheduler.pause(notebook)
    assert server.only("PATCH", f"{PATH}/{ID}").json == {"enabled": False}
    server.on("DELETE", f"{PATH}/{ID}", {"success": True})
    scheduler.delete(notebook)
    assert server.only("DELETE", f"{PATH}/{ID}")
    assert "report.ipynb is paused" in capsys.readouterr().out
    assert scheduler.currents(raw=True) == [schedule()]
    shown = scheduler.currents()
    assert shown[0]["next"] == NEXT[0]
    assert "Europe/Berlin" in repr(shown)


def test_who_has_no_schedule_is_told_how_to_get_one(server, notebook):
    server.on("GET", "/v1/hooks", lambda request: page(request, [{**HOOK, "path": request.query["path"]}]))
    server.on("GET", PATH, lambda request: page(request, []))
    with pytest.raises(nbhook.NotFound, match="scheduler.add"):
        scheduler.status(notebook)


def test_inside_a_run_nothing_is_scheduled(server, notebook, monkeypatch, capsys):
    monkeypatch.setenv("NBHOOK_RUN", "r1")
    assert scheduler.add(notebook, cron="@daily") == []
    scheduler.delete(notebook)
    assert scheduler.run(notebook) is None
    assert server.requests == []
    assert "scheduler.add() does nothing here" in capsys.readouterr().out


@pytest.mark.parametrize(("named", "zone"), [("Europe/Berlin", "Europe/Berlin"), (":Asia/Tokyo", "Asia/Tokyo"), ("CET-1CEST", "UTC"), ("UTC", "UTC")])
def test_the_zone_of_this_machine_is_not_guessed(named, zone, monkeypatch):
    monkeypatch.setenv("TZ", named)
    assert _schedules._zone() == zone
