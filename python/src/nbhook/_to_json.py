"""Python values as plain JSON values. Pure; pandas and numpy are looked at only when the notebook has imported them.

| value | JSON |
|---|---|
| None, bool, int, str | themselves |
| float | number; NaN and the infinities are null, at any depth |
| Decimal | number (an integer when it is one); not finite: null |
| datetime, date, time, pandas Timestamp, numpy datetime64 | ISO 8601 text; NaT: null |
| timedelta, pandas Timedelta, numpy timedelta64 | seconds, a number; NaT: null |
| UUID, path, pandas Period | text |
| Enum | its value |
| dict and other mappings | object; keys become text the way their values would |
| list, tuple, set, deque, range, dict views, generators | array (a set in sorted order where it can be sorted) |
| dataclass, pydantic model (``model_dump``) | object |
| pandas DataFrame, polars DataFrame | array of objects, one per row, without the index |
| pandas Series, Index; numpy arrays | array of values |
| bytes | refused: say how they are meant, for example ``base64.b64encode(data).decode()`` |
"""

from __future__ import annotations

import math
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_MISSING = object()


def to_json(value: Any) -> Any:
    """The JSON value of ``value``: only None, bool, int, finite float, str, list and dict with str keys.

    Raises:
        TypeError: something in it has no JSON form; the message says what and where (``$.rows[3].when``).
        ValueError: it contains itself, or is nested too deeply.
    """
    try:
        return _convert(value, None, ())
    except RecursionError:
        raise ValueError("the value is nested too deeply to be JSON") from None


def _convert(value: Any, where: Any, above: tuple[int, ...]) -> Any:
    scalar = _scalar(value)
    if scalar is not _MISSING:
        return scalar
    if id(value) in above:
        raise ValueError(f"the value at {_words(where)} contains itself, which JSON cannot say")
    inside = (*above, id(value))
    mapping = _mapping(value, where)
    if mapping is not None:
        return {_key(key, where): _convert(entry, (where, key), inside) for key, entry in mapping.items()}
    items = _items(value)
    if items is not None:
        return [_convert(entry, (where, number), inside) for number, entry in enumerate(items)]
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, (bytes, bytearray, memoryview)):
        hint = "decode them if they are text, or send base64.b64encode(data).decode()"
        raise TypeError(f"the bytes at {_words(where)} have no JSON form: {hint}")
    raise TypeError(f"the {name} at {_words(where)} has no JSON form: convert it to a dict, list, str or number first")


def _words(where: Any) -> str:
    """A place as ``$.rows[3].when``. Places are (container's place, key or index) and None for the top: cheap until an error needs them."""
    parts = []
    while where is not None:
        where, step = where
        parts.append(f"[{step}]" if isinstance(step, int) else f".{step}")
    return "$" + "".join(reversed(parts))


def _scalar(value: Any) -> Any:
    """The value as a JSON scalar, ``_MISSING`` when it is not one."""
    kind = type(value)
    if value is None or kind is str or kind is int or kind is bool:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if isinstance(value, (int, float, str)):
        return _builtin(value)
    if type(value).__name__ in ("NaTType", "NAType") and type(value).__module__.startswith("pandas"):
        return None  # NaT passes for a datetime, NA for nothing
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray) and value.ndim == 0:
        value = value[()]
    if numpy is not None and isinstance(value, numpy.generic):
        return _numpy_scalar(numpy, value)
    return _library_scalar(value)


def _builtin(value: Any) -> Any:
    import enum

    if isinstance(value, enum.Enum):
        return _convert(value.value, None, ())
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else None


def _library_scalar(value: Any) -> Any:
    import datetime
    import decimal
    import enum
    import os
    import uuid

    if isinstance(value, enum.Enum):
        return _convert(value.value, None, ())
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal):
        return _decimal(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, os.PathLike) and isinstance(os.fspath(value), str):
        return os.fspath(value)
    if type(value).__name__ == "Period" and type(value).__module__.startswith("pandas"):
        return str(value)
    return _MISSING


def _decimal(value: Any) -> Any:
    if not value.is_finite():
        return None
    exponent = value.as_tuple().exponent
    # 1E+999999 is a whole number too, of a million digits: only those that fit 64 bits are written out.
    if isinstance(exponent, int) and exponent >= 0 and value.adjusted() <= 18:
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else None


def _numpy_scalar(numpy: Any, value: Any) -> Any:
    if isinstance(value, (numpy.datetime64, numpy.timedelta64)):
        return _numpy_times(numpy, numpy.asarray(value))
    plain = value.item()
    # longdouble gives itself back; void and bytes_ give things that are not scalars.
    return _builtin(float(value)) if isinstance(plain, numpy.floating) else _scalar(plain)


def _numpy_times(numpy: Any, array: Any) -> Any:
    """ISO 8601 text or seconds; ``tolist`` would give bare nanoseconds."""
    missing = numpy.isnat(array)
    if array.dtype.kind == "m":
        seconds = array / numpy.timedelta64(1, "s")
        return numpy.where(missing, None, seconds.astype(object)).tolist()
    return numpy.where(missing, None, array.astype(str).astype(object)).tolist()


def _mapping(value: Any, where: Any) -> Mapping[Any, Any] | None:
    import collections.abc
    import dataclasses

    if isinstance(value, collections.abc.Mapping):
        return value
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        dumped = dump()
        if isinstance(dumped, collections.abc.Mapping):
            return dumped
        raise TypeError(f"model_dump() of the {type(value).__name__} at {_words(where)} gave no dict")
    return None


def _items(value: Any) -> Any:
    """The elements of an array-like value, None when it has none in JSON's sense."""
    import collections.abc
    import types

    if isinstance(value, (type, bytes, bytearray, memoryview)):
        return None
    frame = _frame_rows(value)
    if frame is not None:
        return frame
    if isinstance(value, (set, frozenset)):
        return _sorted(value)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray) and value.dtype.kind in "mM":
        return _numpy_times(numpy, value)
    tolist = getattr(value, "tolist", None)
    if callable(tolist):
        elements = tolist()
        return elements if isinstance(elements, list) else None
    if isinstance(value, (collections.abc.Collection, types.GeneratorType)):
        return value
    return None


def _frame_rows(value: Any) -> list[dict[Any, Any]] | None:
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, getattr(pandas, "DataFrame", ())):
        frame: Any = value
        if not frame.columns.is_unique:
            raise ValueError("the DataFrame has two columns of one name, and a JSON object cannot: rename one")
        rows: list[dict[Any, Any]] = frame.to_dict(orient="records")
        return rows
    to_dicts = getattr(value, "to_dicts", None)  # polars
    return list(to_dicts()) if callable(to_dicts) else None


def _sorted(value: Any) -> Any:
    try:
        return sorted(value)
    except TypeError:
        return value


def _key(key: Any, where: Any) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, tuple):  # columns of a pandas MultiIndex
        return ".".join(str(part) for part in key if str(part))
    plain = _scalar(key)
    if plain is _MISSING:
        raise TypeError(f"a key of the object at {_words(where)} is a {type(key).__name__}, which has no JSON form")
    if isinstance(plain, str):
        return plain
    if plain is None or isinstance(plain, bool):
        return {None: "null", True: "true", False: "false"}[plain]
    return str(plain)
