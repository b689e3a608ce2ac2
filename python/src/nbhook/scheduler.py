"""Let notebooks run by themselves.

    from nbhook import scheduler

    scheduler.add(cron="0 9 * * mon-fri", tz="Europe/Berlin")   # this notebook
    scheduler.currents()

A scheduled notebook is a webhook that is also run by the server, so its versions and outputs are those of ``nbhook.webhook``. ``path``,
``debug`` and ``user`` are as there; inside a run ``add``, ``delete`` and ``run`` do nothing and say so.

Errors: see ``nbhook.NbhookError``.
"""

from __future__ import annotations

from . import _schedules
from .webhook import clear, clear_output, get, get_output, list, list_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._hooks import Rows
    from ._paths import PathLike
    from ._results import Table
    from ._tasks import Task

__all__ = [
    "add",
    "clear",
    "clear_output",
    "currents",
    "delete",
    "get",
    "get_output",
    "list",
    "list_output",
    "next",
    "pause",
    "resume",
    "run",
    "status",
]


def add(
    path: PathLike | None = None,
    recurrence: str | None = None,
    params: Mapping[str, Any] | None = None,
    debug: bool = False,
    cron: str | None = None,
    tz: str | None = None,
    overlap: str = "skip",
    missed: str = "run_once",
    user: str | None = None,
) -> Table:
    """Let a notebook run by itself. Returns its next five times, which are printed too.

    A notebook without a webhook is deployed first, as it was last saved. One that has a webhook runs as it was deployed: a newer version
    is made with ``webhook.add()``. Its schedule, if it has one, is replaced.

    Args:
        cron: crontab's five fields, ``"minute hour day-of-month month day-of-week"``, e.g. ``"*/15 8-18 * * mon-fri"``; or ``@hourly``,
            ``@daily``, ``@weekly``, ``@monthly``, ``@yearly``. naas calls it ``recurrence``.
        tz: the time zone that it is meant in, e.g. ``"Europe/Berlin"``; default the one of this machine if it says so, else UTC. What
            has a time of day runs once a day, also when clocks are turned.
        params: values for the notebook's parameters cell.
        overlap: when it is time and the run before has not ended: ``"skip"`` or ``"allow"``.
        missed: times at which no server was running: ``"run_once"`` for all of them, or ``"skip"``.

    Raises:
        Invalid: the server refuses something; ``field`` names it.
        ValueError: ``cron`` is missing.
    """
    wished = cron or recurrence
    if not wished:
        raise ValueError('scheduler.add needs cron=, e.g. cron="0 9 * * *" for nine o\'clock every day')
    return _schedules.add(path, {"cron": wished, "tz": tz, "overlap": overlap, "missed": missed}, params, debug, user)


def delete(path: PathLike | None = None, all: bool = False, debug: bool = False, user: str | None = None) -> None:
    """Let a notebook run by itself no more. Its webhook stays, unless ``all=True``.

    Raises:
        NotFound: it has no schedule.
    """
    _schedules.delete(path, all, debug, user)


def currents(raw: bool = False, debug: bool = False, user: str | None = None) -> Rows:
    """Your schedules: a list that shows as a table; ``raw=True`` gives the plain list of dicts."""
    return _schedules.currents(raw, debug, user)


def next(path: PathLike | None = None, debug: bool = False, user: str | None = None) -> Rows:
    """The next five times of a notebook's schedule, in the time of its zone.

    Raises:
        NotFound: it has no schedule.
    """
    return _schedules.times(_schedules.find(path, debug, user)[1])


def status(path: PathLike | None = None, debug: bool = False, user: str | None = None) -> dict[str, Any]:
    """A notebook's schedule: ``enabled``, ``next``, ``last_at``, ``last_run``, ``problem`` (why it did not run the last time) …

    Raises:
        NotFound: it has no schedule.
    """
    return _schedules.find(path, debug, user)[1]


def pause(path: PathLike | None = None, debug: bool = False, user: str | None = None) -> None:
    """Let it not run until :func:`resume`."""
    _schedules.enable(path, False, debug, user)


def resume(path: PathLike | None = None, debug: bool = False, user: str | None = None) -> None:
    """Let it run again at its times."""
    _schedules.enable(path, True, debug, user)


def run(path: PathLike | None = None, debug: bool = False, user: str | None = None) -> Task | None:
    """Run it now with the schedule's params, and return the ``Task`` that stands for the run. None inside a run."""
    return _schedules.run(path, debug, user)
