"""What `contract.py` needs to write JSON Schemas: of types, of values, and of what is said of them in comments.

It goes in front of `contract.py`, in the same process. The syntax is old-fashioned because an old Python has to get as far as
saying that it is too old.
"""
import datetime
import io
import json
import tokenize

TEXT, INT, FLOAT, BOOL, NULL = ({"type": name} for name in ("string", "integer", "number", "boolean", "null"))
DATE, DATETIME = ({"type": "string", "format": name} for name in ("date", "date-time"))
MOST_DEPTH = 32


class Unreadable(Exception):
    """A value that only running the cell would give."""


def join(schemas):
    """The schema of a value that fits one of these; {} fits anything."""
    parts = []
    for schema in schemas:
        parts += [part for part in schema.get("anyOf", [schema]) if part not in parts]
    if {} in parts:
        return {}
    return parts[0] if len(parts) == 1 else {"anyOf": parts}


def with_null(schema):
    return join([schema, NULL]) if schema else {}


def array(items, made_by=None):
    schema = {"type": "array"}
    if items:
        schema["items"] = items
    if made_by:
        schema["x-nbhook-python"] = made_by
    return schema


def plain(value, depth=0):
    """The value as JSON has it.

    Raises Unreadable for what JSON cannot hold, and for what is too long to be shown.
    """
    if depth > MOST_DEPTH:
        raise Unreadable
    if isinstance(value, Member):
        return value.value
    if isinstance(value, float) and value - value != 0:  # infinite or not a number
        raise Unreadable
    if isinstance(value, int) and not -(10**100) < value < 10**100:
        raise Unreadable
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeError:
            raise Unreadable
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, set):
        return sorted((plain(item, depth + 1) for item in value), key=json.dumps)
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return dict((plain(key), plain(each, depth + 1)) for key, each in value.items())
    if hasattr(value, "isoformat"):
        text = value.isoformat()
        naive = getattr(value, "tzinfo", "") is None
        return text + "Z" if naive else text
    raise Unreadable


def type_of(value):
    """The schema that a default stands for, where there is no annotation."""
    if value is None:
        return {}
    if isinstance(value, Member):
        return value.enum
    for kind, schema in ((bool, BOOL), (int, INT), (float, FLOAT), (str, TEXT), (datetime.datetime, DATETIME), (datetime.date, DATE)):
        if isinstance(value, kind):
            return schema
    if isinstance(value, (list, tuple, set)):
        kinds = [type_of(item) for item in value]
        if kinds and all(kind in (INT, FLOAT) for kind in kinds) and FLOAT in kinds:
            kinds = [FLOAT]
        same = kinds and all(kind == kinds[0] and kind.get("type") != "array" for kind in kinds)
        return array(kinds[0] if same else {}, None if isinstance(value, list) else type(value).__name__)
    return {"type": "object"} if isinstance(value, dict) else {}


class Member:
    """A member of an Enum class of the cell."""

    def __init__(self, value, enum):
        self.value = value
        self.enum = enum


def is_naive(value):
    return isinstance(value, datetime.datetime) and value.tzinfo is None


def naive(schema):
    """The schema with its date-times arriving without a time zone, as the notebook's default has none."""
    if "anyOf" in schema:
        return dict(schema, anyOf=[naive(part) for part in schema["anyOf"]])
    return dict(schema, **{"x-nbhook-naive": True}) if schema.get("format") == "date-time" else schema


def comments(text):
    """The comments behind code and those on lines of their own, by line, without their number signs."""
    trailing, own_line = {}, {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token[0] == tokenize.COMMENT:
                row, column = token[2]
                alone = not token[4][:column].strip()
                said = "".join(c for c in token[1].lstrip("#").strip() if c.isprintable())
                (own_line if alone else trailing)[row] = said.strip(" -=#*") if alone else said
    except (tokenize.TokenError, SyntaxError, IndexError):
        pass
    return trailing, own_line
