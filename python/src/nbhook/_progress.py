"""Telling how far a run is: the server learns it, and the notebook shows one line of text that is updated in place.

It is a display whose MIME bundle has the numbers in a type of nbhook's own, with an id, so that each call takes the place of the last.
"""

from __future__ import annotations

from ._paths import ipython_shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    Number = float | int
    Clock = Callable[[], float]

_MEDIA_TYPE = "application/vnd.nbhook.progress+json"
#: Seconds between two updates that are sent; a person sees no more, and each is a message to the server.
_INTERVAL = 0.1
#: Longest message that is sent, in characters.
_LONGEST = 200


def progress(done: Number, total: Number | None = None, message: str | None = None) -> None:
    """Tell how far the notebook is: ``nbhook.progress(3, 9, "loading")``.

    Inside a run whoever watches it sees this; in a notebook it is one line below the cell. Cheap: call it in every turn of a loop.
    At most ten updates a second are sent, the last one (``done == total``) always. Outside IPython it does nothing.

    Args:
        done: how much is done, from 0.
        total: of how much, if that is known.
        message: what is being done.

    Raises:
        TypeError: an argument is not a number, or the message not a str.
        ValueError: a number is negative or not finite.
    """
    told = {"done": _number("done", done), "total": None if total is None else _number("total", total), "message": _line(message)}
    _reporter.tell(told)


class Reporter:
    """Sends what is new, and not too often."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock
        self._cell: Any = None
        self._sent: dict[str, Any] | None = None
        self._at = 0.0

    def tell(self, told: dict[str, Any]) -> None:
        shell = ipython_shell()
        if shell is None:
            return
        # Below each cell that tells of progress there is a line of its own.
        cell = shell.execution_count
        fresh = self._sent is None or cell != self._cell
        now = self._now()
        if not fresh and (told == self._sent or (told["done"] != told["total"] and now - self._at < _INTERVAL)):
            return
        self._cell, self._sent, self._at = cell, told, now
        _publish({_MEDIA_TYPE: told, "text/plain": _text(told)}, f"nbhook-progress-{cell}", update=not fresh)

    def _now(self) -> float:
        if self._clock is None:
            from time import monotonic

            self._clock = monotonic
        return self._clock()


_reporter = Reporter()


def _publish(bundle: dict[str, Any], display_id: str, update: bool) -> None:
    from IPython.display import publish_display_data

    publish_display_data(data=bundle, metadata={}, transient={"display_id": display_id}, update=update)


def _number(name: str, value: Any) -> float | int:
    wrong = f"{name} must be a number, not {type(value).__name__}"
    if isinstance(value, (bool, str, bytes, bytearray)):
        raise TypeError(wrong)
    try:
        plain = float(value)  # numpy's numbers, Decimal and Fraction too
    except (TypeError, ValueError):
        raise TypeError(wrong) from None
    except OverflowError:
        raise ValueError(f"{name} is too large to be counted up to") from None
    if not 0 <= plain < float("inf"):  # NaN is neither
        raise ValueError(f"{name} must be a number from 0, not {value}")
    return int(plain) if plain.is_integer() else plain


def _line(message: Any) -> str | None:
    if message is None:
        return None
    if not isinstance(message, str):
        raise TypeError(f"message must be a str, not {type(message).__name__}")
    # One line; half a character (a lone surrogate) cannot be sent.
    text = " ".join(message.split()).encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _text(told: dict[str, Any]) -> str:
    shown = [f"{value:g}" if isinstance(value, float) else str(value) for value in (told["done"], told["total"]) if value is not None]
    return " ".join(["/".join(shown), *([told["message"]] if told["message"] else [])])
