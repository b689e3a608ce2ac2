"""Errors, debug output, redirects, and where the token goes."""

from __future__ import annotations

import socket

import pytest

import nbhook
from conftest import HOOK_TOKEN, TOKEN
from nbhook import _http, _settings, webhook


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, nbhook.Invalid),
        (401, nbhook.Unauthorized),
        (403, nbhook.Forbidden),
        (404, nbhook.NotFound),
        (409, nbhook.Conflict),
        (422, nbhook.Invalid),
        (429, nbhook.TooManyRequests),
        (503, nbhook.Unavailable),
        (500, nbhook.ApiError),
        (418, nbhook.ApiError),
    ],
)
def test_each_status_is_its_exception_with_the_servers_words(server, status, kind):
    problem = {"type": "about:blank", "title": "A title", "status": status, "detail": "the server's words", "field": "params.timeout"}
    server.on("GET", "/v1/hooks", problem, status, {"Retry-After": "7"}, "application/problem+json")
    with pytest.raises(nbhook.ApiError) as caught:
        webhook.currents()
    error = caught.value
    assert type(error) is kind
    assert "the server's words" in str(error)
    assert "params.timeout" in str(error)
    assert (error.status, error.problem, error.field, error.retry_after) == (status, problem, "params.timeout", 7.0)


def test_an_error_that_is_not_problem_json(server):
    server.on("GET", "/v1/hooks", b"<h1>Bad Gateway</h1>", 502, content_type="text/html")
    with pytest.raises(nbhook.ApiError, match="502") as caught:
        webhook.currents()
    assert (caught.value.problem, caught.value.field) == ({}, None)


def test_a_page_instead_of_json(server):
    server.on("GET", "/v1/hooks", b"<h1>Log in</h1>", 200, content_type="text/html")
    with pytest.raises(nbhook.ApiError, match="is .* an nbhook server"):
        webhook.currents()


def test_redirects_are_not_followed(server):
    server.on("GET", "/v1/hooks", b"", 302, {"Location": f"{server.url}/elsewhere"})
    with pytest.raises(nbhook.ApiError, match="redirects"):
        webhook.currents()
    assert "/elsewhere" not in [request.path for request in server.requests]


def test_nobody_there(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("NBHOOK_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("NBHOOK_TOKEN", TOKEN)
    with pytest.raises(nbhook.ServerUnreachable, match="is it running") as caught:
        webhook.currents()
    assert TOKEN not in str(caught.value)


def test_a_server_that_never_answers():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(nbhook.ServerUnreachable, match="nothing for 0.2 seconds"):
            _http.Client(_settings.Settings(url, TOKEN)).send("GET", url + "/", timeout=0.2)


def test_not_http_at_all(monkeypatch):
    client = _http.Client(_settings.Settings("http://127.0.0.1:8000", TOKEN))
    with pytest.raises(nbhook.ServerUnreachable, match="not an HTTP URL"):
        client.send("GET", "file:///etc/passwd")


def test_a_proxy_is_not_asked_for_loopback(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server.has(server.hook("a.ipynb"))
    assert [hook["path"] for hook in webhook.currents()] == ["a.ipynb"]


def test_the_token_goes_to_the_configured_server_only(server, home):
    other = type(server)()
    try:
        server.has(server.hook("work/x.ipynb", url=f"{other.url}/hooks/{HOOK_TOKEN}"))
        other.on("GET", f"/hooks/{HOOK_TOKEN}", b"hi", content_type="text/plain")
        assert webhook.run("x.ipynb") == "hi"
        assert "Authorization" not in other.requests[0].headers
        assert all(request.headers["Authorization"] == f"Bearer {TOKEN}" for request in server.requests)
    finally:
        other.close()


def test_debug_prints_requests_and_replies_without_secrets(server, notebook, capsys):
    hook = server.hook("work/report.ipynb", warnings=["no module pandas"])
    server.on("POST", "/v1/hooks", hook, 201)
    params = {"timeout": 5, "env": {"DB_PASSWORD": "swordfish"}, "next_url": f"{server.url}/hooks/{HOOK_TOKEN}"}
    webhook.add("report.ipynb", params, debug=True)
    output = capsys.readouterr().out
    lines = output.splitlines()
    assert f"--> POST {server.url}/v1/hooks" in lines
    assert "<-- 201 application/json" in lines
    assert '"timeout": 5' in output
    assert '"url": "' + server.url + '/hooks/…"' in output
    assert "DB_PASSWORD" in output
    assert TOKEN not in output
    assert "swordfish" not in output
    # add() itself prints the URL once: that is its purpose. Debug output adds no second place.
    assert output.count(HOOK_TOKEN) == 1


def test_debug_masks_the_hook_token_of_a_call(server, capsys):
    server.has(server.hook("work/x.ipynb"))
    server.on("POST", f"/hooks/{HOOK_TOKEN}", {"token": "t0p", "n": 1})
    webhook.run("x.ipynb", {"password": "hunter2", "n": 1}, debug=True)
    output = capsys.readouterr().out
    assert f"--> POST {server.url}/hooks/…" in output
    assert '"n": 1' in output
    assert not [secret for secret in (HOOK_TOKEN, TOKEN, "hunter2", "t0p") if secret in output]


def test_without_debug_nothing_is_printed(server, capsys):
    server.has()
    webhook.currents()
    assert capsys.readouterr().out == ""
