"""nbhook.progress: what may be told, and how often it is sent. In a real kernel: test_kernel.py."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import pytest

import nbhook
from nbhook import _progress


@pytest.fixture
def sent(monkeypatch):
    """What is sent, in a shell whose ``execution_count`` and time are in the hand of the test."""
    shell = SimpleNamespace(execution_count=1, now=0.0, sent=[])
    monkeypatch.setattr(_progress, "ipython_shell", lambda: shell)
    monkeypatch.setattr(_progress, "_publish", lambda bundle, display_id, update: shell.sent.append((bundle, display_id, update)))
    monkeypatch.setattr(_progress, "_reporter", _progress.Reporter(lambda: shell.now))
    return shell


def texts(shell):
    return [bundle["text/plain"] for bundle, _, _ in shell.sent]


def test_plain_python_gets_nothing(capsys):
    assert nbhook.progress(3, 9, "loading") is None
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "told", "text"),
    [
        ((3, 9, "loading"), {"done": 3, "total": 9, "message": "loading"}, "3/9 loading"),
        ((0,), {"done": 0, "total": None, "message": None}, "0"),
        ((2.0, 4.5), {"done": 2, "total": 4.5, "message": None}, "2/4.5"),
        ((10, 9, " two\nlines "), {"done": 10, "total": 9, "message": "two lines"}, "10/9 two lines"),
        ((0.1 + 0.2, 1, ""), {"done": 0.1 + 0.2, "total": 1, "message": ""}, "0.3/1"),
        ((Decimal("1.5"), Fraction(4, 2)), {"done": 1.5, "total": 2, "message": None}, "1.5/2"),
        ((1, None, "x" * 201), {"done": 1, "total": None, "message": "x" * 199 + "…"}, "1 " + "x" * 199 + "…"),
        ((1, None, "half \ud83d"), {"done": 1, "total": None, "message": "half ?"}, "1 half ?"),
    ],
)
def test_what_is_sent(sent, arguments, told, text):
    nbhook.progress(*arguments)
    bundle = {"application/vnd.nbhook.progress+json": told, "text/plain": text}
    assert sent.sent == [(bundle, "nbhook-progress-1", False)]


def test_numbers_of_numpy(sent):
    numpy = pytest.importorskip("numpy")
    nbhook.progress(numpy.int64(3), numpy.float32(9))
    told = sent.sent[0][0]["application/vnd.nbhook.progress+json"]
    assert (told["done"], told["total"]) == (3, 9)
    assert {type(told["done"]), type(told["total"])} == {int}


@pytest.mark.parametrize("arguments", [("3",), (None,), (True,), (3, "9"), (3, [9]), (3, 9, 5), (3, 9, b"x"), (b"3",), (1j,)])
def test_wrong_types(sent, arguments):
    with pytest.raises(TypeError, match="must be a"):
        nbhook.progress(*arguments)
    assert sent.sent == []


@pytest.mark.parametrize("arguments", [(-1,), (float("nan"),), (float("inf"),), (1, -1), (1, float("inf")), (10**400,)])
def test_impossible_numbers(sent, arguments):
    with pytest.raises(ValueError, match="number|large"):
        nbhook.progress(*arguments)
    assert sent.sent == []


def test_wrong_arguments_are_wrong_outside_a_notebook_too():
    with pytest.raises(TypeError, match="done must be a number, not str"):
        nbhook.progress("3")


def test_no_more_than_ten_a_second_but_always_the_last(sent):
    for done in range(1001):
        nbhook.progress(done, 1000)
        sent.now += 1 / 1024
    assert len(sent.sent) == 11
    assert texts(sent)[0] == "0/1000"
    assert texts(sent)[-1] == "1000/1000"
    nbhook.progress(1000, 1000)
    assert len(sent.sent) == 11, "what was said is not said again"
    sent.now += 5
    nbhook.progress(1000, 1000, "saving")
    assert texts(sent)[-1] == "1000/1000 saving"
    assert [update for _, _, update in sent.sent] == [False] + [True] * 11


def test_without_a_total_it_is_thinned_out_as_well(sent):
    for done in range(100):
        nbhook.progress(done)
    sent.now += 0.2
    nbhook.progress(100)
    assert texts(sent) == ["0", "100"]


def test_each_cell_has_a_line_of_its_own(sent):
    nbhook.progress(1, 9)
    sent.execution_count = 2
    nbhook.progress(1, 9)
    nbhook.progress(9, 9)
    assert [(display_id, update) for _, display_id, update in sent.sent] == [
        ("nbhook-progress-1", False),
        ("nbhook-progress-2", False),
        ("nbhook-progress-2", True),
    ]
