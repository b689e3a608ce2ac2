"""webhook.run: the call it makes, the answer decoded, failures told apart."""

from __future__ import annotations

import datetime

import pytest

import nbhook
from conftest import HOOK_TOKEN, OLDER, TOKEN
from nbhook import _call, webhook

PATH = f"/hooks/{HOOK_TOKEN}"
RUN = {"X-Nbhook-Run": "0190-run"}


@pytest.fixture
def hooked(server):
    server.has(server.hook("work/report.ipynb", params={"timeout": 30}))
    return server


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (b'{"a": [1, null]}', "application/json", {"a": [1, None]}),
        (b"null", "application/json; charset=utf-8", None),
        (b"0", "application/json", 0),
        (b'{"nbformat": 4}', "application/x-ipynb+json", {"nbformat": 4}),
        ("é".encode(), "text/plain; charset=utf-8", "é"),
        ("é".encode("latin-1"), "text/plain; charset=latin-1", "é"),
        (b"caf\xc3\xa9", "text/html; charset=nonsense", "café"),
        (b"a,b\r\n1,2\r\n", "text/csv", "a,b\r\n1,2\r\n"),
        (b"<svg/>", "image/svg+xml", "<svg/>"),
        (b"\x89PNG\r\n\x1a\n\x00", "image/png", b"\x89PNG\r\n\x1a\n\x00"),
        (b"", "text/plain", ""),
        (b"", "application/zip", b""),
        (b"{broken", "application/json", b"{broken"),
    ],
)
def test_answers_are_decoded_by_media_type(hooked, content, kind, expected):
    hooked.on("GET", PATH, content, 200, RUN, kind)
    assert webhook.run("report.ipynb") == expected


def test_params_go_as_json(hooked):
    hooked.on("POST", PATH, {"ok": True})
    assert webhook.run("report.ipynb", {"day": datetime.date(2026, 1, 2), "n": float("nan")}) == {"ok": True}
    request = hooked.only("POST", PATH)
    assert request.json == {"day": "2026-01-02", "n": None}
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"


def test_empty_params_are_a_post_too(hooked):
    hooked.on("POST", PATH, 1)
    assert webhook.run("report.ipynb", {}) == 1
    with pytest.raises(TypeError, match="params must be a dict"):
        webhook.run("report.ipynb", [1])


def test_a_pinned_version(hooked):
    hooked.on("GET", f"{PATH}/versions/{OLDER}", b"old", content_type="text/plain")
    assert webhook.run("report.ipynb", histo=OLDER) == "old"


def test_next_url_is_given_back_not_followed(hooked):
    hooked.on("GET", PATH, b"", 303, {"Location": "https://example.org/thanks", **RUN})
    assert webhook.run("report.ipynb") == "https://example.org/thanks"


def test_a_failing_cell(hooked):
    problem = {
        "type": "urn:nbhook:problem:cell-error",
        "title": "a cell failed",
        "status": 500,
        "detail": "cell 3 failed",
        "cell": 2,
        "ename": "KeyError",
        "evalue": "'price'",
    }
    hooked.on("GET", PATH, problem, 500, RUN, "application/problem+json")
    with pytest.raises(nbhook.RunFailed, match="KeyError: 'price' in cell 3") as caught:
        webhook.run("report.ipynb")
    error = caught.value
    assert (error.status, error.run, error.cell, error.ename, error.evalue) == (500, "0190-run", 2, "KeyError", "'price'")
    assert error.answer == problem


def test_an_error_the_notebook_answers_by_itself(hooked):
    hooked.on("GET", PATH, {"why": "no such customer"}, 404, RUN)
    with pytest.raises(nbhook.RunFailed) as caught:
        webhook.run("report.ipynb")
    assert (caught.value.status, caught.value.answer) == (404, {"why": "no such customer"})


def test_a_call_refused_before_a_run(hooked):
    problem = {"title": "queue full", "status": 429, "detail": "the queue is full"}
    hooked.on("GET", PATH, problem, 429, {"Retry-After": "3"}, "application/problem+json")
    with pytest.raises(nbhook.TooManyRequests, match="queue is full") as caught:
        webhook.run("report.ipynb")
    assert caught.value.retry_after == 3.0


def test_it_waits_as_long_as_the_hook_may_take(hooked, monkeypatch):
    assert _call._patience({"timeout": 30}) == 90
    assert _call._patience({}) == 660
    assert _call._patience({"timeout": True}) == 660
    assert _call._patience(None) == 660
    waits = []
    send = nbhook._http.Client.send
    monkeypatch.setattr(
        nbhook._http.Client, "send", lambda self, *a, timeout=0, **k: waits.append(timeout) or send(self, *a, timeout=timeout or 5, **k)
    )
    hooked.on("GET", PATH, b"x")
    webhook.run("report.ipynb")
    webhook.run("report.ipynb", timeout=7)
    assert [wait for wait in waits if wait] == [90, 7]


def test_a_run_does_not_call_itself_but_may_call_others(hooked, monkeypatch, capsys):
    monkeypatch.setenv("NBHOOK_RUN", "0190-run")
    monkeypatch.setenv("NBHOOK_HOOK", "0190-id")
    assert webhook.run("report.ipynb") is None
    assert "would never end" in capsys.readouterr().out
    assert [request.path for request in hooked.requests if request.path.startswith("/hooks/")] == []
    monkeypatch.setenv("NBHOOK_HOOK", "another")
    hooked.on("GET", PATH, b"hi", content_type="text/plain")
    assert webhook.run("report.ipynb") == "hi"
