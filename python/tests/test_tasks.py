"""Runs that nobody waits for: what run() asks for, the Task it gives, and runs(), cancel() and rerun()."""

from __future__ import annotations

import pytest

import nbhook
from conftest import HOOK_TOKEN, TOKEN, page
from nbhook import _tasks, webhook

PATH = f"/hooks/{HOOK_TOKEN}"
RUN = "0190-run"
TASK = f"/v1/tasks/{RUN}"
KEY = "capability-SECRET"
HAL = "application/hal+json"


def body(state="queued", progress=None, pause=2):
    link = {"self": {"href": f"{TASK}?key={KEY}"}}
    return {"_links": link, "UUID": RUN, "state": state, "message": "…", "progress": progress, "retryAfter": pause}


def accepted(server, method="GET", path=PATH):
    headers = {"Location": f"{TASK}?key={KEY}", "Retry-After": "2", "Preference-Applied": "respond-async"}
    server.on(method, path, body(), 202, headers, HAL)


def polls(server, *answers):
    """Serve the task: each request gets the next of the answers, at the end again and again the last."""
    rest, original = list(answers), server.answer

    def answer(request):
        if (request.method, request.path) == ("GET", TASK):
            status, headers, content, kind = rest.pop(0) if len(rest) > 1 else rest[0]
            server.on("GET", TASK, content, status, headers, kind)
        return original(request)

    server.answer = answer


def still(state="running", progress=None, pause=2):
    return 200, {}, body(state, progress, pause), HAL


DONE = (303, {"Location": f"/v1/runs/{RUN}/result?key={KEY}"}, b"", "text/plain")


def failed(kind, **more):
    problem = {"type": f"urn:nbhook:problem:{kind}", "title": kind, "status": 500, "detail": "it went wrong", **more}
    return 200, {}, problem, "application/problem+json"


@pytest.fixture
def hooked(server):
    server.has(server.hook("work/report.ipynb", params={"timeout": 30}))
    return server


@pytest.fixture
def time(monkeypatch):
    """A clock that goes on only by what is slept."""
    slept = []
    monkeypatch.setattr(_tasks, "_sleep", slept.append)
    monkeypatch.setattr(_tasks, "_now", lambda: sum(slept))
    return slept


def test_no_wait_gives_the_task(hooked):
    accepted(hooked)
    task = webhook.run("report.ipynb", wait=0)
    assert isinstance(task, nbhook.Task)
    assert (task.id, task.state, task.progress, task.done) == (RUN, "queued", None, False)
    assert task.url == f"{hooked.url}{TASK}?key={KEY}"
    assert hooked.only("GET", PATH).headers["Prefer"] == "respond-async"
    assert repr(task) == f"<Task {RUN} queued>"
    assert KEY not in repr(task)


@pytest.mark.parametrize(("wait", "prefer"), [(5, "wait=5"), (0.1, "wait=1"), (2.0, "wait=2"), (600, "wait=600")])
def test_a_wait_is_whole_seconds(hooked, wait, prefer):
    hooked.on("POST", PATH, {"ok": True}, headers={"X-Nbhook-Run": RUN, "Preference-Applied": prefer})
    assert webhook.run("report.ipynb", {}, wait=wait) == {"ok": True}
    assert hooked.only("POST", PATH).headers["Prefer"] == prefer
    accepted(hooked, "POST")
    assert webhook.run("report.ipynb", {}, wait=wait).state == "queued"


def test_without_a_wait_the_hook_decides(hooked):
    accepted(hooked)
    assert webhook.run("report.ipynb").id == RUN
    assert hooked.only("GET", PATH).headers["Prefer"] is None


def test_a_notebook_that_answers_202_is_no_task(hooked):
    hooked.on("GET", PATH, {"UUID": 1}, 202, {"X-Nbhook-Run": RUN, "Location": "/elsewhere"}, HAL)
    assert webhook.run("report.ipynb", wait=5) == {"UUID": 1}


def test_bad_waits_and_keys(hooked):
    for wait in ("5", True, [5]):
        with pytest.raises(TypeError, match="wait must be a number of seconds"):
            webhook.run("report.ipynb", wait=wait)
    for wait in (-1, 601, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="from 0 to 600"):
            webhook.run("report.ipynb", wait=wait)
    for key in ("", "é", "\t", "a\r\nb: c", "x" * 256):
        with pytest.raises(ValueError, match="idempotency_key must be"):
            webhook.run("report.ipynb", idempotency_key=key)
    with pytest.raises(TypeError, match="must be a str, not int"):
        webhook.run("report.ipynb", idempotency_key=5)
    assert hooked.requests == []


def test_a_key_goes_with_a_post(hooked):
    hooked.on("POST", PATH, {"ok": True})
    assert webhook.run("report.ipynb", idempotency_key="order-1") == {"ok": True}
    request = hooked.only("POST", PATH)
    assert (request.headers["Idempotency-Key"], request.json) == ("order-1", {})
    # What HTTP or the server would take away goes in quotes.
    for key, sent in (("two words", "two words"), (" edge", '" edge"'), ('"q"', '""q""'), ('a"b', 'a"b')):
        webhook.run("report.ipynb", idempotency_key=key)
        assert hooked.requests[-1].headers["Idempotency-Key"] == sent
    problem = {"title": "idempotency in progress", "status": 409, "detail": "it is still running"}
    hooked.on("POST", PATH, problem, 409, {"Retry-After": "2"}, "application/problem+json")
    with pytest.raises(nbhook.Conflict, match="still running") as caught:
        webhook.run("report.ipynb", {"a": 1}, idempotency_key="order-1")
    assert caught.value.retry_after == 2


def test_refresh_learns_state_and_progress(hooked):
    accepted(hooked)
    task = webhook.run("report.ipynb", wait=0)
    polls(hooked, still("running", {"done": 3, "total": 9, "message": "loading"}), still("running"), DONE)
    assert task.refresh() is task
    assert repr(task) == f"<Task {RUN} running 3/9 loading>"
    request = hooked.only("GET", TASK)
    assert (request.query, request.headers["Authorization"]) == ({"key": KEY}, f"Bearer {TOKEN}")
    assert task.refresh().progress == {"done": 3, "total": 9, "message": "loading"}
    assert (task.refresh().state, task.done) == ("succeeded", True)


def test_the_result_is_the_answer(hooked, time):
    accepted(hooked)
    task = webhook.run("report.ipynb", wait=0)
    polls(hooked, still("queued"), still("running", pause=7), DONE)
    hooked.on("GET", f"/v1/runs/{RUN}/result", b"a,b\n", 200, {"X-Nbhook-Run": RUN}, "text/csv; charset=utf-8")
    assert task.result() == "a,b\n"
    assert time == [2, 7]
    assert hooked.only("GET", f"/v1/runs/{RUN}/result").query == {"key": KEY}
    assert task.result() == "a,b\n"


def test_a_result_may_be_an_error_a_redirect_or_gone(hooked, time):
    accepted(hooked)
    task = webhook.run("report.ipynb", wait=0)
    polls(hooked, DONE)
    result = f"/v1/runs/{RUN}/result"
    hooked.on("GET", result, {"why": "no such customer"}, 404, {"X-Nbhook-Run": RUN})
    with pytest.raises(nbhook.RunFailed) as caught:
        task.result()
    assert (caught.value.status, caught.value.answer) == (404, {"why": "no such customer"})
    hooked.on("GET", result, b"", 303, {"Location": "https://example.org/thanks", "X-Nbhook-Run": RUN})
    assert task.result() == "https://example.org/thanks"
    hooked.on("GET", result, {"title": "not found", "status": 404, "detail": "result not found"}, 404, {}, "application/problem+json")
    with pytest.raises(nbhook.NotFound, match="result not found"):
        task.result()


@pytest.mark.parametrize(
    ("kind", "more", "state"),
    [
        ("cell-error", {"ename": "KeyError", "evalue": "'a'", "cell": 2}, "failed"),
        ("timeout", {"status": 504}, "timed_out"),
        ("cancelled", {"status": 409}, "cancelled"),
        ("interrupted", {"status": 503}, "interrupted"),
        ("cell-error", {"state": "interrupted"}, "interrupted"),
        ("memory", {"status": "many"}, "failed"),
    ],
)
def test_a_failed_task(hooked, time, kind, more, state):
    accepted(hooked)
    task = webhook.run("report.ipynb", wait=0)
    polls(hooked, still(), failed(kind, **more))
    with pytest.raises(nbhook.RunFailed) as caught:
        task.result()
    assert (task.state, task.done, caught.value.run) == (state, True, RUN)
    assert ("KeyError: 'a' in cell 3" if "ename" in more else "it went wrong") in str(caught.value)


def test_a_result_that_takes_too_long(hooked, time):
    accepted(hooked)
    task = webhook.run("report.ipynb", wait=0)
    polls(hooked, still())
    with pytest.raises(TimeoutError, match=r"is running after 5 seconds; it goes on") as caught:
        task.result(timeout=5)
    assert time == [2, 2, 1]
    assert KEY not in str(caught.value)
    with pytest.raises(TimeoutError):
        task.result(timeout=0)


def test_a_task_that_is_gone(hooked):
    accepted(hooked)
    task = webhook.run("report.ipynb", wait=0)
    with pytest.raises(nbhook.NotFound, match="nothing at"):
        task.refresh()


def test_cancelling(hooked, capsys):
    accepted(hooked)
    task = webhook.run("report.ipynb", wait=0)
    hooked.on("POST", f"/v1/runs/{RUN}/cancel", {"id": RUN, "state": "cancelled"})
    task.cancel()
    assert (task.state, task.done) == ("cancelled", True)
    failure = nbhook.RunFailed("x", 500, {"run": RUN})
    for run in (RUN, {"id": RUN}, task, failure):
        webhook.cancel(run)
    assert capsys.readouterr().out == f"run {RUN} is cancelled\n" * 4
    for run in (None, 5, "", {}, nbhook.RunFailed("x", 500)):
        with pytest.raises(TypeError, match="run must be the id of a run"):
            webhook.cancel(run)
    problem = {"title": "conflict", "status": 409, "detail": "the run has ended"}
    hooked.on("POST", f"/v1/runs/{RUN}/cancel", problem, 409, {}, "application/problem+json")
    with pytest.raises(nbhook.Conflict, match="has ended"):
        task.cancel()


def test_an_id_is_one_segment_of_the_path(server):
    with pytest.raises(nbhook.NotFound):
        webhook.cancel("../../v1/users")
    assert [request.path for request in server.requests] == ["/v1/runs/..%2F..%2Fv1%2Fusers/cancel"]


def test_rerunning(server):
    accepted(server, "POST", f"/v1/runs/{RUN}/rerun")
    task = webhook.rerun(RUN)
    assert (task.id, task.url) == (RUN, f"{server.url}{TASK}?key={KEY}")
    server.on("POST", f"/v1/runs/{RUN}/rerun", {"id": RUN}, 200)
    with pytest.raises(nbhook.ApiError, match="of this version"):
        webhook.rerun(RUN)


def test_runs(hooked):
    rows = [{"id": f"r{number}", "state": "failed", "mode": "async", "attempts": 2, "duration_ms": None} for number in range(300)]
    hooked.on("GET", "/v1/runs", lambda request: page(request, rows))
    shown = webhook.runs("report.ipynb", state="failed")
    assert shown == rows[:100]
    assert repr(shown).splitlines()[1].split() == ["r0", "failed", "async", "2"]
    assert hooked.only("GET", "/v1/runs").query == {"hook": "0190-id", "state": "failed", "limit": "250", "offset": "0"}
    assert len(webhook.runs("report.ipynb", limit=280)) == 280
    hooked.on("GET", "/v1/runs", lambda request: page(request, []))
    assert repr(webhook.runs("report.ipynb")) == "no runs"


def test_debug_shows_no_key(hooked, capsys):
    accepted(hooked)
    webhook.run("report.ipynb", wait=0, debug=True)
    polls(hooked, DONE)
    output = capsys.readouterr().out
    assert "<-- 202" in output
    assert TASK in output
    assert KEY not in output
    assert TOKEN not in output
