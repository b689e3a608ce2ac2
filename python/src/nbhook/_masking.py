"""What ``debug=True`` may show: everything but secrets. Pure functions."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SECRET_KEYS = {"token", "secret", "password", "authorization", "cookie", "api_key", "apikey"}
_LONGEST = 4000


def mask_url(text: str) -> str:
    """Replace the token in every ``…/hooks/<token>`` and the key of a task; ``/v1/hooks/<id>`` holds an id and stays."""
    import re

    text = re.sub(r"(/v1/(?:tasks|runs)/[^?#\s\"'<>]*\?key=)[^&#\s\"'<>]+", r"\1…", text)
    return re.sub(r"(?<!/v1)/hooks/[^/?#\s\"'<>]+", "/hooks/…", text)


def mask_values(value: Any) -> Any:
    """A copy of a JSON value with secrets replaced: keys that name one, every value of an ``env`` object, and of a hook's contract the
    defaults of sensitive parameters."""
    if isinstance(value, dict):
        from ._contract import without_secrets

        return {key: _masked(key, entry) for key, entry in without_secrets(value).items()}
    if isinstance(value, (list, tuple)):
        return [mask_values(entry) for entry in value]
    return mask_url(value) if isinstance(value, str) else value


def render(value: Any, token: str) -> str:
    """A JSON value as masked, indented text of bounded length; ``token`` is removed wherever it stands."""
    import json

    text = value if isinstance(value, str) else json.dumps(mask_values(value), indent=2, ensure_ascii=False, default=str)
    text = mask_url(text).replace(token, "…") if token else mask_url(text)
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]} … ({len(text)} characters)"
    return text


def _masked(key: Any, value: Any) -> Any:
    name = str(key).lower()
    if name == "env" and isinstance(value, dict):
        return {entry: "…" for entry in value}
    if name in _SECRET_KEYS and value is not None:
        return "…"
    return mask_values(value)
