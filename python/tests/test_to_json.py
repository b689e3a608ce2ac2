"""Python values to JSON: each type in its documented form, at any depth, or a clear refusal."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import json
import math
import pathlib
import types
import uuid

import pytest

from nbhook._to_json import to_json


class Colour(enum.Enum):
    RED = "r"


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Point:
    x: float
    inner: object = None


class Model:
    def model_dump(self):
        return {"when": dt.date(2026, 1, 2), "n": float("inf")}


class Polars:
    def to_dicts(self):
        return [{"a": float("nan")}]


UTC = dt.timezone.utc
CASES = [
    (None, None),
    (True, True),
    (0, 0),
    (2**70, 2**70),
    ("é\n", "é\n"),
    ([], []),
    ({}, {}),
    (1.5, 1.5),
    (math.nan, None),
    (-math.inf, None),
    ({"a": [{"b": (math.nan, 1)}]}, {"a": [{"b": [None, 1]}]}),
    (decimal.Decimal("19.99"), 19.99),
    (decimal.Decimal(3), 3),
    (decimal.Decimal("1E+3"), 1000),
    (decimal.Decimal("NaN"), None),
    (decimal.Decimal("1E+999999"), None),
    (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
    (dt.date(2026, 1, 2), "2026-01-02"),
    (dt.time(3, 4), "03:04:00"),
    (dt.timedelta(minutes=1, milliseconds=500), 60.5),
    (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    (pathlib.PurePosixPath("a/b"), "a/b"),
    (Colour.RED, "r"),
    (Level.HIGH, 3),
    ({3, 1, 2}, [1, 2, 3]),
    (frozenset(["b"]), ["b"]),
    (collections.deque([1, 2]), [1, 2]),
    (range(3), [0, 1, 2]),
    ((n for n in "ab"), ["a", "b"]),
    ({"a": 1}.keys(), ["a"]),
    (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    (types.MappingProxyType({"k": 1}), {"k": 1}),
    (Point(math.inf, Point(1.0)), {"x": None, "inner": {"x": 1.0, "inner": None}}),
    (Model(), {"when": "2026-01-02", "n": None}),
    (Polars(), [{"a": None}]),
    ({1: "a", None: "b", False: "c"}, {"1": "a", "null": "b", "false": "c"}),
    ({dt.date(2026, 1, 2): "d", Colour.RED: "e", 1.5: "f"}, {"2026-01-02": "d", "r": "e", "1.5": "f"}),
    ({("a", "b"): 1}, {"a.b": 1}),
]


@pytest.mark.parametrize(("value", "expected"), CASES, ids=lambda value: repr(value)[:30])
def test_builtin_types(value, expected):
    found = to_json(value)
    assert found == expected
    assert type(found) is type(expected)
    json.dumps(found, allow_nan=False)


def test_numpy():
    numpy = pytest.importorskip("numpy")
    cases = [
        (numpy.int64(3), 3),
        (numpy.float32(0.5), 0.5),
        (numpy.float64("nan"), None),
        (numpy.longdouble(0.5), 0.5),
        (numpy.bool_(True), True),
        (numpy.str_("x"), "x"),
        (numpy.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (numpy.array([1.0, numpy.nan, numpy.inf]), [1.0, None, None]),
        (numpy.array(7), 7),
        (numpy.array([]), []),
        (numpy.datetime64("2026-01-02T03:04:05"), "2026-01-02T03:04:05"),
        (numpy.datetime64("NaT"), None),
        (numpy.timedelta64(1500, "ms"), 1.5),
        (numpy.array(["2026-01-02", "NaT"], dtype="datetime64[ns]"), ["2026-01-02T00:00:00.000000000", None]),
        (numpy.array([1, "NaT"], dtype="timedelta64[s]"), [1.0, None]),
        ({numpy.int64(1): numpy.array([numpy.nan])}, {"1": [None]}),
    ]
    for value, expected in cases:
        found = to_json(value)
        assert found == expected, value
        assert type(found) is type(expected), value
        json.dumps(found, allow_nan=False)
    with pytest.raises(TypeError, match="complex"):
        to_json({"z": numpy.complex128(1j)})


def test_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "n": [1, 2],
            "x": [0.5, None],
            "when": pandas.to_datetime(["2026-01-02 03:04:05", None]),
            "took": pandas.to_timedelta(["90s", None]),
            "int": pandas.array([1, None], dtype="Int64"),
            "cat": pandas.Categorical(["a", None]),
            "object": [{"deep": math.nan}, decimal.Decimal("1.5")],
        },
        index=["first", "second"],
    )
    assert to_json(frame) == [
        {"n": 1, "x": 0.5, "when": "2026-01-02T03:04:05", "took": 90.0, "int": 1, "cat": "a", "object": {"deep": None}},
        {"n": 2, "x": None, "when": None, "took": None, "int": None, "cat": None, "object": 1.5},
    ]
    assert to_json(frame["x"]) == [0.5, None]
    assert to_json(frame["when"]) == ["2026-01-02T03:04:05", None]
    assert to_json(frame.index) == ["first", "second"]
    assert to_json(pandas.DataFrame()) == []
    assert to_json({"rows": frame.head(1)[["n"]], "t": pandas.Timestamp("2026-01-02", tz="UTC")}) == {
        "rows": [{"n": 1}],
        "t": "2026-01-02T00:00:00+00:00",
    }
    assert to_json([pandas.NA, pandas.NaT, pandas.Period("2026-01")]) == [None, None, "2026-01"]
    columns = pandas.MultiIndex.from_tuples([("a", "min"), ("a", "max"), ("b", "")])
    assert to_json(pandas.DataFrame([[1, 2, 3]], columns=columns)) == [{"a.min": 1, "a.max": 2, "b": 3}]
    with pytest.raises(ValueError, match="two columns of one name"):
        to_json(pandas.DataFrame([[1, 2]], columns=["a", "a"]))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"rows": [1, {"f": object()}]}, r"builtins\.object at \$\.rows\[1\]\.f"),
        ([b"x"], r"bytes at \$\[0\].*base64"),
        (bytearray(b"x"), r"bytes at \$ "),
        (1j, r"complex at \$ "),
        (Model, r"type at \$"),
        (dict, r"type at \$"),
        ({"a": {object(): 1}}, r"key of the object at \$\.a is a object"),
        (open, r"at \$"),
    ],
)
def test_what_has_no_json_form_is_named_with_its_place(value, words):
    with pytest.raises(TypeError, match=words):
        to_json(value)


def test_a_value_that_contains_itself():
    ring = {"a": []}
    ring["a"].append(ring)
    with pytest.raises(ValueError, match=r"\$\.a\[0\] contains itself"):
        to_json(ring)
    shared = [1]
    assert to_json([shared, shared]) == [[1], [1]]


def test_a_value_nested_too_deeply():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="too deeply"):
        to_json(deep)
    while deep:
        deep = deep.pop()  # taken apart by hand: freeing it at once would recurse as deep
