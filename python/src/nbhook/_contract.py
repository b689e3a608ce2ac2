"""What a notebook takes, as a table for people. No I/O."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_COLUMNS = ("parameter", "type", "default", "description")
_MOST_VALUES = 20
_LONGEST = 60
_DATES = {"date": "date (YYYY-MM-DD)", "date-time": "date-time (RFC 3339, as 2024-01-31T12:00:00Z)"}
# Among a hook's sensitive names these mean every parameter.
_ALL = {"params", "body"}
_HIDDEN = "(hidden)"


def table(hook: dict[str, Any]) -> str:
    """A line for each parameter of a deployed hook below a line of headings; empty when there are none, or when they are not known.

    Defaults of sensitive parameters are left out: the table is kept in the notebook, which may be given to others.
    """
    from ._results import Table

    contract = without_secrets(hook).get("contract")
    properties = contract.get("properties") if isinstance(contract, dict) else None
    if not isinstance(contract, dict) or not isinstance(properties, dict):
        return ""
    required = contract.get("required") or ()
    return repr(Table([_row(name, schema, name in required) for name, schema in properties.items()], _COLUMNS, ""))


def without_secrets(hook: dict[str, Any]) -> dict[str, Any]:
    """The hook without the defaults of its sensitive parameters; any other object of the API as it is."""
    contract, params = hook.get("contract"), hook.get("params")
    properties = contract.get("properties") if isinstance(contract, dict) else None
    names = params.get("sensitive") if isinstance(params, dict) else None
    if not isinstance(contract, dict) or not isinstance(properties, dict) or not names:
        return hook
    sensitive = {str(name).lower() for name in names}
    everything = bool(sensitive & _ALL)
    shown = {
        name: {**schema, "default": _HIDDEN} if "default" in schema and (everything or name.lower() in sensitive) else schema
        for name, schema in properties.items()
    }
    return {**hook, "contract": {**contract, "properties": shown}}


def _row(name: str, schema: dict[str, Any], required: bool) -> dict[str, str]:
    if required:
        default = "(required)"
    elif "default" not in schema:
        default = "(computed)"
    else:
        default = _HIDDEN if schema["default"] is _HIDDEN else _cut(_json(schema["default"]))
    return dict(zip(_COLUMNS, (name, _cut(describe(schema)), default, str(schema.get("description") or ""))))


def describe(schema: dict[str, Any]) -> str:
    """What fits a schema: ``integer``, ``list of number or null``, ``one of "a", "b"``; the words of the server's own errors."""
    if "anyOf" in schema:
        return " or ".join(map(describe, schema["anyOf"]))
    if "enum" in schema:
        values = [_json(value) for value in schema["enum"]]
        if len(values) == 1:
            return values[0]
        more = len(values) - _MOST_VALUES
        return "one of " + ", ".join(values[:_MOST_VALUES] + ([f"{more} others"] if more > 0 else []))
    kind = schema.get("type")
    if kind == "string":
        return _DATES.get(str(schema.get("format")), "string")
    if kind in ("array", "object"):
        inner = describe(schema.get("items" if kind == "array" else "additionalProperties") or {})
        name = "list" if kind == "array" else "object"
        return name if inner == "anything" else f"{name} of {inner}"
    return str(kind or "anything")


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
