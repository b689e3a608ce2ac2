"""Which server, and with which token: environment, credentials file, default. Also writes that file (``login``).

A saved token is only ever sent to the server it was saved for: when ``NBHOOK_URL`` names another one, ``NBHOOK_TOKEN`` must be set.
"""

from __future__ import annotations

import os

from ._errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULT_URL = "http://127.0.0.1:8000"


class Settings:
    """A server's base URL and an API token. Its repr never shows the token."""

    __slots__ = ("token", "url")

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token

    def __repr__(self) -> str:
        return f"Settings(url={self.url!r}, token=…)"


def credentials_path() -> str:
    """Where ``login`` keeps the URL and token of the server."""
    return os.path.join(os.path.expanduser("~"), ".config", "nbhook", "credentials.json")


def has_token() -> bool:
    """Whether a request could be made at all, found out without one."""
    try:
        load()
    except ConfigurationError:
        return False
    return True


def load() -> Settings:
    """The settings in force now. Raises ConfigurationError that says what to do."""
    chosen, token = os.environ.get("NBHOOK_URL", ""), os.environ.get("NBHOOK_TOKEN", "").strip()
    saved = {} if chosen and token else _read_credentials()
    url = check_url(chosen or saved.get("url") or DEFAULT_URL)
    if token:
        return Settings(url, check_token(token))
    if not saved:
        raise ConfigurationError(
            f"no API token for the nbhook server at {url}: set NBHOOK_TOKEN, or call nbhook.login(url, token) once "
            "(the server writes its first token to <data>/admin.token; `nbhook token create` makes more)"
        )
    if check_url(saved["url"]) != url:
        raise ConfigurationError(
            f"the saved API token is for {saved['url']}, but NBHOOK_URL is {url}: set NBHOOK_TOKEN too, or call nbhook.login({url!r})"
        )
    return Settings(url, check_token(saved["token"]))


def load_in_run() -> Settings:
    """As ``load``, but inside a run as that run, which may do some things for its owner without an API token."""
    if not is_run():
        return load()
    return Settings(check_url(os.environ["NBHOOK_RUN_URL"]), check_token(os.environ["NBHOOK_RUN_TOKEN"]))


def is_run() -> bool:
    """Whether ``load_in_run`` would act as a run."""
    return bool(os.environ.get("NBHOOK_RUN_URL") and os.environ.get("NBHOOK_RUN_TOKEN"))


def login(url: str | None = None, token: str | None = None, debug: bool = False) -> dict[str, Any]:
    """Check a token with the server and remember both in ``~/.config/nbhook/credentials.json`` (mode 0600).

    Args:
        url: base URL of the server, such as ``http://127.0.0.1:8000``; default ``NBHOOK_URL``, the saved one, else that address.
        token: the API token; left out, it is asked for without being shown, so that it is not saved with the notebook.
        debug: print the request and its reply (never the token).

    Returns:
        The user the token belongs to: ``{"name": …, "role": "admin" | "member"}``.

    Raises:
        Unauthorized: the server does not know the token; nothing is saved.
        ServerUnreachable, ConfigurationError: no such server; a URL or token that cannot be right.
    """
    from . import _http

    url = check_url(url or os.environ.get("NBHOOK_URL") or _saved_url() or DEFAULT_URL)
    if token is None:
        import getpass

        token = getpass.getpass(f"API token for {url}: ")
    settings = Settings(url, check_token(token))
    user = _http.Client(settings, debug).json("GET", "/v1/users/me")
    _write_credentials(settings)
    print(f"logged in to {url} as {user.get('name')} ({user.get('role')})")
    return dict(user)


def check_url(url: str) -> str:
    """A base URL without its trailing slash, or ConfigurationError."""
    from urllib.parse import urlsplit

    clean = url.strip().rstrip("/")
    try:
        parts = urlsplit(clean)
        parts.port  # noqa: B018  (reading it is the check)
    except ValueError:
        raise ConfigurationError("the server URL is not a URL; it looks like http://127.0.0.1:8000") from None
    if parts.username or parts.password:
        raise ConfigurationError("the server URL must not hold a user name or password; use an API token")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationError(f"{url!r} is not a server URL; it looks like {DEFAULT_URL}")
    return clean


def check_token(token: str) -> str:
    """A token that can stand in a header, or ConfigurationError (which does not repeat it)."""
    clean = token.strip()
    if not clean or not clean.isascii() or not clean.isprintable() or " " in clean:
        raise ConfigurationError("the API token is empty or holds characters no token has")
    return clean


def _read_credentials() -> dict[str, str]:
    import json

    path = credentials_path()
    try:
        with open(path, encoding="utf-8") as file:
            saved = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"failed to read {path} ({type(error).__name__}): repair or remove it, then call nbhook.login(url, token)"
        ) from None
    if not isinstance(saved, dict) or not all(isinstance(saved.get(key), str) for key in ("url", "token")):
        raise ConfigurationError(f"{path} lacks url or token: remove it, then call nbhook.login(url, token)")
    return {"url": saved["url"], "token": saved["token"]}


def _saved_url() -> str | None:
    """The URL of the last login; a credentials file that cannot be read must not stand in the way of a new one."""
    try:
        return _read_credentials().get("url")
    except ConfigurationError:
        return None


def _write_credentials(settings: Settings) -> None:
    import json

    from ._files import write_atomic

    path = credentials_path()
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    text = json.dumps({"url": settings.url, "token": settings.token}, indent=2) + "\n"
    write_atomic(path, text.encode("utf-8"))
