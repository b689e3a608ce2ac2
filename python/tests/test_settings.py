"""Which server and which token, and what login writes."""

from __future__ import annotations

import json
import os
import stat

import pytest

import nbhook
from conftest import TOKEN
from nbhook import _settings


@pytest.fixture
def saved(home):
    folder = home / ".config" / "nbhook"
    folder.mkdir(parents=True)
    return folder / "credentials.json"


def test_without_anything_the_error_says_what_to_do():
    with pytest.raises(nbhook.ConfigurationError) as caught:
        nbhook.webhook.currents()
    text = str(caught.value)
    assert "http://127.0.0.1:8000" in text
    assert "NBHOOK_TOKEN" in text
    assert "nbhook.login(" in text


def test_environment_over_file_over_default(saved, monkeypatch):
    saved.write_text(json.dumps({"url": "http://saved:1", "token": "saved-token"}))
    settings = _settings.load()
    assert (settings.url, settings.token) == ("http://saved:1", "saved-token")
    monkeypatch.setenv("NBHOOK_TOKEN", "env-token")
    settings = _settings.load()
    assert (settings.url, settings.token) == ("http://saved:1", "env-token")
    monkeypatch.setenv("NBHOOK_URL", "http://env:2/base/")
    settings = _settings.load()
    assert (settings.url, settings.token) == ("http://env:2/base", "env-token")
    saved.unlink()
    monkeypatch.delenv("NBHOOK_URL")
    assert _settings.load().url == "http://127.0.0.1:8000"


def test_a_saved_token_is_not_sent_to_another_server(saved, monkeypatch, server):
    saved.write_text(json.dumps({"url": "http://saved:1", "token": "saved-token"}))
    monkeypatch.delenv("NBHOOK_TOKEN")
    with pytest.raises(nbhook.ConfigurationError, match="is for http://saved:1") as caught:
        nbhook.webhook.currents()
    assert server.requests == []
    assert "saved-token" not in str(caught.value)


@pytest.mark.parametrize("content", ["{", "[]", '{"url": "http://x"}', '{"url": 1, "token": "t"}'])
def test_broken_credentials_are_named_and_login_repairs_them(saved, content, server, monkeypatch):
    saved.write_text(content)
    monkeypatch.delenv("NBHOOK_TOKEN")
    with pytest.raises(nbhook.ConfigurationError, match=r"credentials\.json"):
        _settings.load()
    nbhook.login(token=TOKEN)
    assert _settings.load().token == TOKEN


def test_login_checks_the_token_and_saves_it_for_the_owner_only(server, home, monkeypatch, capsys):
    monkeypatch.delenv("NBHOOK_URL")
    monkeypatch.delenv("NBHOOK_TOKEN")
    assert nbhook.login(server.url + "/", TOKEN, debug=True) == {"name": "alice", "role": "member"}
    request = server.only("GET", "/v1/users/me")
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    path = home / ".config" / "nbhook" / "credentials.json"
    assert json.loads(path.read_text()) == {"url": server.url, "token": TOKEN}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == ["credentials.json"]
    output = capsys.readouterr().out
    assert "alice (member)" in output
    assert TOKEN not in output
    assert repr(_settings.load()) == f"Settings(url={server.url!r}, token=…)"


def test_login_saves_nothing_when_the_server_refuses(server, home):
    server.on("GET", "/v1/users/me", {"title": "Unauthorized", "status": 401}, 401, content_type="application/problem+json")
    with pytest.raises(nbhook.Unauthorized, match="NBHOOK_TOKEN"):
        nbhook.login(server.url, "wrong")
    assert not (home / ".config").exists()


def test_login_asks_for_the_token(server, monkeypatch):
    prompts = []
    monkeypatch.setattr("getpass.getpass", lambda prompt: prompts.append(prompt) or TOKEN)
    nbhook.login(server.url)
    assert prompts == [f"API token for {server.url}: "]


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://x", "http://", "http://u:p@host", "http://host/?token=1", "http://host:port", "http://[::1"]
)
def test_bad_server_urls(url):
    with pytest.raises(nbhook.ConfigurationError, match="URL"):
        nbhook.login(url, TOKEN)


@pytest.mark.parametrize("token", ["", "  ", "two words", "line\nbreak", "naïve"])
def test_bad_tokens_are_refused_without_being_repeated(token):
    with pytest.raises(nbhook.ConfigurationError) as caught:
        nbhook.login("http://127.0.0.1:9", token)
    assert not token.strip() or token not in str(caught.value)
