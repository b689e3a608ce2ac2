"""Secrets and notifications: what their functions ask for and give, as a user and inside a run."""

from __future__ import annotations

import pytest

import nbhook
from conftest import TOKEN, page
from nbhook import _settings, notification, secret

RUN_TOKEN = "nbr_run-token-SECRET"
VALUE = "hush-hush 4711"


@pytest.fixture
def run(server, monkeypatch):
    """The notebook is being run, by a server that kernels reach under another address than users do, and without an API token."""
    monkeypatch.setenv("NBHOOK_RUN", "0190-run")
    monkeypatch.setenv("NBHOOK_RUN_URL", server.url)
    monkeypatch.setenv("NBHOOK_RUN_TOKEN", RUN_TOKEN)
    monkeypatch.setenv("NBHOOK_URL", "http://nobody.invalid")
    monkeypatch.delenv("NBHOOK_TOKEN")
    return server


def test_a_secret_is_kept_read_listed_and_deleted(server, capsys):
    info = {"name": "a.b", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    server.on("PUT", "/v1/secrets/a.b", info, status=201)
    server.on("GET", "/v1/secrets/a.b", {**info, "value": VALUE})
    server.on("GET", "/v1/secrets", lambda request: page(request, [info]))
    server.on("DELETE", "/v1/secrets/a.b", {"success": True})
    assert secret.add("a.b", VALUE, debug=True) is None
    assert server.only("PUT", "/v1/secrets/a.b").json == {"value": VALUE}
    assert secret.get("a.b", debug=True) == VALUE
    assert [row["name"] for row in secret.list(debug=True)] == ["a.b"]
    secret.delete("a.b")
    printed = capsys.readouterr().out
    assert "kept the secret a.b" in printed and "deleted the secret a.b" in printed and "/v1/secrets/a.b" in printed
    assert VALUE not in printed and TOKEN not in printed


def test_what_is_not_there_has_a_default(server):
    assert secret.get("none") is None
    assert secret.get("none", "else") == "else"
    with pytest.raises(nbhook.NotFound):
        secret.delete("none")
    server.on("GET", "/v1/secrets/lost", {"detail": "add it again"}, status=409, content_type="application/problem+json")
    with pytest.raises(nbhook.Conflict, match="add it again"):
        secret.get("lost", "else")


def test_wrong_arguments_do_not_repeat_the_value(server):
    for call in (lambda: secret.add("", VALUE), lambda: secret.add("a", 4711), lambda: secret.get(None)):
        with pytest.raises(TypeError) as error:
            call()
        assert VALUE not in str(error.value) and "4711" not in str(error.value)
    assert server.requests == []


def test_a_run_reads_as_itself_and_changes_nothing(run, capsys):
    run.on("GET", "/v1/secrets/a", {"name": "a", "value": VALUE})
    assert secret.get("a", debug=True) == VALUE
    assert run.only("GET", "/v1/secrets/a").headers["Authorization"] == f"Bearer {RUN_TOKEN}"
    secret.add("a", VALUE)
    secret.delete("a")
    printed = capsys.readouterr().out
    assert "secret.add() does nothing here" in printed and "secret.delete() does nothing here" in printed
    assert RUN_TOKEN not in printed and VALUE not in printed and len(run.requests) == 1
    assert RUN_TOKEN not in repr(_settings.load_in_run())


def test_a_mail_is_sent_with_its_files(server, home):
    (home / "work" / "a b.csv").write_bytes(b"1,2\n")
    server.on("POST", "/v1/notifications", {"id": "n1", "state": "queued"}, status=202)
    sent = notification.send(["a@b.c", "d@e.f"], "May", "<p>hi</p>", files=["a b.csv"], email_from="me@b.c")
    assert sent["state"] == "queued"
    meta, file = server.only("POST", "/v1/notifications").parts()
    assert nbhook_json(meta[3]) == {"email_to": ["a@b.c", "d@e.f"], "subject": "May", "html": "<p>hi</p>", "email_from": "me@b.c"}
    assert file[:2] == ("file", "a b.csv") and file[3] == b"1,2\n"
    with pytest.raises(FileNotFoundError):
        notification.send("a@b.c", "s", "h", files=["none.csv"])


def test_a_run_sends_as_itself_and_others_look_at_what_came_of_it(run, monkeypatch):
    run.on("POST", "/v1/notifications", {"id": "n1", "state": "queued"}, status=202)
    notification.send("a@b.c", "May", text="hi")
    request = run.only("POST", "/v1/notifications")
    assert request.headers["Authorization"] == f"Bearer {RUN_TOKEN}"
    assert request.json == {"email_to": "a@b.c", "subject": "May", "text": "hi"}
    monkeypatch.setenv("NBHOOK_URL", run.url)
    monkeypatch.setenv("NBHOOK_TOKEN", TOKEN)
    run.on("GET", "/v1/notifications/n1", {"id": "n1", "state": "sent"})
    run.on("GET", "/v1/notifications", lambda request: page(request, [{"id": "n1", "state": request.query["state"]}]))
    assert notification.get("n1")["state"] == "sent"
    assert [mail["state"] for mail in notification.list(state="sent")] == ["sent"]


def nbhook_json(content):
    import json

    return json.loads(content)
