"""Inboxes: what callback's functions ask for and give."""

from __future__ import annotations

import pytest

import nbhook
from conftest import page
from nbhook import _inboxes, callback

PATH = "/v1/inboxes"
UUID = "5f0c0000-0000-4000-8000-000000000001"


def inbox(**more):
    empty = {"received": 0, "result": None, "result_query": None, "result_headers": None}
    return {"uuid": UUID, "url": f"http://h/inbox/{UUID}", "user": "alice", **empty, **more}


HIT = inbox(received=1, result={"code": "4/x"}, result_headers={"authorization": "Bearer s"})


def answers(server, *each):
    """Serve the inbox: each read gets the next of these, at the end again and again the last."""
    rest = list(each)
    server.on("GET", f"{PATH}/{UUID}", lambda _: rest.pop(0) if len(rest) > 1 else rest[0])


def waits(server):
    return [request.query.get("wait") for request in server.requests if request.path == f"{PATH}/{UUID}"]


def test_add_gives_a_url_and_a_uuid(server):
    server.on("POST", PATH, inbox(), 201)
    url, uuid = made = callback.add()
    assert (made.url, made.uuid) == (url, uuid) == (f"http://h/inbox/{UUID}", UUID)
    assert server.only("POST", PATH).json == {"auto_delete": True, "no_override": False}


def test_add_says_what_is_wished_for_falsy_values_too(server):
    server.on("POST", PATH, inbox(), 201)
    callback.add({"toto": "tata"}, "bob", "test", {"x": "y"}, False, 0, True)
    callback.add(response=[], default_result=False, response_headers={})
    first, second = (request.json for request in server.requests)
    assert first == {
        "response": {"toto": "tata"},
        "user": "bob",
        "uuid": "test",
        "response_headers": {"x": "y"},
        "auto_delete": False,
        "default_result": 0,
        "no_override": True,
    }
    assert (second["response"], second["default_result"], second["response_headers"]) == ([], False, {})


def test_get_gives_data_and_headers_or_the_whole(server):
    answers(server, inbox(), HIT, HIT)
    assert callback.get(UUID) == (None, None)
    assert callback.get(UUID) == ({"code": "4/x"}, {"authorization": "Bearer s"})
    assert callback.get(UUID, raw=True, user="bob") == HIT
    assert server.requests[-1].query == {"user": "bob"}
    assert waits(server) == [None, None, None]


def test_a_default_is_data_without_headers(server):
    answers(server, inbox(result=0))
    assert callback.get(UUID) == (0, None)


@pytest.fixture
def time(monkeypatch):
    """A clock that only moves when somebody sleeps or the server waits."""
    import time

    class Clock:
        now = 100.0
        slept = []  # noqa: RUF012

    def sleep(seconds):
        Clock.slept.append(seconds)
        Clock.now += seconds

    Clock.slept.clear()
    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    monkeypatch.setattr(time, "sleep", sleep)
    return Clock


def test_waiting_is_the_servers_business(server, time):
    reads = []

    def reply(request):
        reads.append(request.query["wait"])
        time.now += int(request.query["wait"])
        return HIT if len(reads) == 3 else inbox()

    server.on("GET", f"{PATH}/{UUID}", reply)
    assert callback.get(UUID, True)[0] == {"code": "4/x"}
    assert reads == ["30", "30", "30"]
    assert sum(time.slept) == 0


def test_after_the_timeout_there_is_nothing(server, time):
    def reply(request):
        time.now += int(request.query.get("wait", 0))
        return inbox()

    server.on("GET", f"{PATH}/{UUID}", reply)
    assert callback.get(UUID, True, 40) == (None, None)
    assert waits(server) == ["30", "10"]
    assert callback.get(UUID, True, 0.5) == (None, None)
    assert waits(server) == ["30", "10", "1"]
    assert callback.get(UUID, True, 0) == (None, None)
    assert waits(server) == ["30", "10", "1", None]


def test_a_wait_that_ends_early_is_not_repeated_in_a_rush(server, time):
    answers(server, inbox(), inbox(), HIT)
    assert callback.get(UUID, True, 100)[0] == {"code": "4/x"}
    assert time.slept == [1.0, 1.0]


def test_an_inbox_that_is_gone(server):
    with pytest.raises(nbhook.NotFound):
        callback.get(UUID, True)
    with pytest.raises(nbhook.NotFound):
        callback.delete(UUID)
    for uuid in (None, "", 3):
        with pytest.raises(TypeError, match="uuid of an inbox"):
            callback.get(uuid)


def test_lists_are_ones_own_anothers_and_all(server):
    server.on("GET", PATH, lambda request: page(request, [inbox(user=request.query.get("user", "everyone"))]))
    assert callback.list()[0]["user"] == "alice"
    assert UUID in repr(callback.list(user="bob"))
    assert server.requests[-1].query["user"] == "bob"
    with pytest.raises(nbhook.Forbidden):
        callback.list_all()
    server.on("GET", "/v1/users/me", {"name": "admin", "role": "admin"})
    assert callback.list_all()[0]["user"] == "everyone"


def test_delete(server, capsys):
    server.on("DELETE", f"{PATH}/{UUID}", {"success": True})
    callback.delete(UUID, user="bob")
    assert server.only("DELETE", f"{PATH}/{UUID}").query == {"user": "bob"}
    assert capsys.readouterr().out == f"deleted the inbox {UUID}\n"


def test_a_uuid_is_one_segment_of_the_path(server):
    with pytest.raises(nbhook.NotFound):
        callback.delete("../tokens/1")
    assert server.requests[-1].path == f"{PATH}/..%2Ftokens%2F1"


def test_the_tuple_is_named_and_can_be_copied():
    import copy
    import pickle

    made = _inboxes.Callback("u", "v")
    assert (repr(made), made._fields, made == ("u", "v")) == ("Callback(url='u', uuid='v')", ("url", "uuid"), True)
    for same in (copy.copy(made), pickle.loads(pickle.dumps(made))):
        assert (same.url, same.uuid) == ("u", "v")
