"""One HTTP request at a time, by urllib: no redirects followed, every wait with an end, errors as nbhook's own exceptions."""

from __future__ import annotations

from . import _errors, _masking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message
    from typing import Any
    from urllib.request import OpenerDirector

    from ._settings import Settings

#: Seconds without a byte before an API request is given up.
TIMEOUT = 60.0


class Answer:
    """What the server sent back, whatever its status."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Message, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def media_type(self) -> str:
        return self.headers.get_content_type() if self.headers.get("Content-Type") else ""

    def decoded(self) -> Any:
        """The body by its media type: JSON as its value, text as str, all else (and broken JSON) as bytes."""
        import json

        kind = self.media_type
        if not self.body:
            return None if kind in ("", "application/json") else ("" if kind.startswith("text/") else b"")
        if kind == "application/json" or kind.endswith("+json"):
            try:
                return json.loads(self.body)
            except ValueError:
                return self.body
        if kind.startswith("text/") or kind == "image/svg+xml":
            return self.body.decode(_charset(self.headers), errors="replace")
        return self.body

    def problem(self) -> dict[str, Any]:
        """The problem details of the body (RFC 9457), ``{}`` when there are none."""
        value = self.decoded() if self.media_type.endswith("json") else None
        return value if isinstance(value, dict) else {}

    def location(self) -> str:
        return str(self.headers.get("Location", ""))


class Client:
    """The API of one server as one user."""

    def __init__(self, settings: Settings, debug: bool = False) -> None:
        self.settings = settings
        self.debug = debug

    def json(self, method: str, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """An API request without body whose answer is a JSON object."""
        return self.object_of(self.api(method, path, query))

    def api(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        content_type: str | None = None,
        shown: Any = None,
    ) -> Answer:
        """A request under ``/v1``. ``shown`` stands for the body in debug output. Raises ApiError for anything but 2xx."""
        url = self.settings.url + path + _query(query)
        answer = self.send(method, url, body, content_type, shown=shown)
        if 200 <= answer.status < 300:
            return answer
        if 300 <= answer.status < 400:
            target = _masking.mask_url(answer.location())
            message = f"the server redirects API requests to {target}: use the address it redirects to as NBHOOK_URL"
            raise _errors.ApiError(message, answer.status)
        problem = answer.problem()
        raise _errors.error_class(answer.status)(
            _errors.describe(answer.status, problem),
            answer.status,
            problem,
            _errors.retry_seconds(answer.headers.get("Retry-After")),
        )

    def object_of(self, answer: Answer) -> dict[str, Any]:
        value = answer.decoded()
        if not isinstance(value, dict):
            message = f"the answer is not a JSON object; is {self.settings.url} an nbhook server?"
            raise _errors.ApiError(message, answer.status)
        return value

    def send(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        content_type: str | None = None,
        timeout: float = TIMEOUT,
        shown: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Any request; any status is an answer. The API token goes along only to the configured server."""
        from urllib.request import Request

        if not url.startswith(("http://", "https://")):  # urllib would also open file: and ftp:
            raise _errors.ServerUnreachable("the address the server gave is not an HTTP URL")
        sent = {"Accept": "*/*", "User-Agent": "nbhook-python", **(headers or {})}
        if content_type:
            sent["Content-Type"] = content_type
        request = Request(url, data=body, headers=sent, method=method)
        if _origin(url) == _origin(self.settings.url):
            request.add_unredirected_header("Authorization", f"Bearer {self.settings.token}")
        self._show(f"--> {method} {_masking.mask_url(url)}", shown)
        answer = _exchange(request, timeout)
        self._show(f"<-- {answer.status} {answer.media_type}".rstrip(), _summary(answer))
        return answer

    def _show(self, line: str, value: Any) -> None:
        if not self.debug:
            return
        token = self.settings.token
        print(_masking.render(line, token))
        if value is not None:
            print(_masking.render(value, token))


def _exchange(request: Any, timeout: float) -> Answer:
    import http.client
    from urllib.error import HTTPError, URLError

    try:
        try:
            with _opener(request.full_url).open(request, timeout=timeout) as reply:
                return Answer(reply.status, reply.headers, reply.read())
        except HTTPError as reply:
            with reply:
                return Answer(reply.code, reply.headers, reply.read())
    except (URLError, http.client.HTTPException, OSError, ValueError) as error:
        raise _errors.ServerUnreachable(_why(request.full_url, error, timeout)) from None


def _why(url: str, error: BaseException, timeout: float) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError) or "timed out" in str(reason):
        return f"failed to get an answer from {_origin(url)}: nothing for {timeout:g} seconds"
    words = getattr(reason, "strerror", None) or type(reason).__name__
    return f"failed to reach the nbhook server at {_origin(url)}: {words}; is it running? (`nbhook serve`, NBHOOK_URL, nbhook.login)"


def _opener(url: str) -> OpenerDirector:
    import os
    from urllib.parse import urlsplit
    from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

    class NoRedirect(HTTPRedirectHandler):
        def redirect_request(self, *args: Any, **kwargs: Any) -> None:
            return None

    # A proxy from the environment is for the outside world; asking it for this machine's loopback would reach its own.
    loopback = (urlsplit(url).hostname or "") in ("localhost", "127.0.0.1", "::1")
    own = os.environ.get("NBHOOK_RUN_URL", "")  # of the server that runs the notebook, on this machine too
    direct = loopback or bool(own and _origin(url) == _origin(own))
    return build_opener(NoRedirect, *([ProxyHandler({})] if direct else []))


def _origin(url: str) -> str:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname or ""
    return f"{parts.scheme}://{'[' + host + ']' if ':' in host else host}:{port}"


def _query(query: Mapping[str, Any] | None) -> str:
    from urllib.parse import urlencode

    given = {key: value for key, value in (query or {}).items() if value is not None}
    return "?" + urlencode(given) if given else ""


def _charset(headers: Message) -> str:
    import codecs

    name = headers.get_content_charset() or "utf-8"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "utf-8"


def _summary(answer: Answer) -> Any:
    value = answer.decoded()
    return f"{len(value)} bytes" if isinstance(value, bytes) else value
