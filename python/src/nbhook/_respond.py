"""The ``respond_*`` functions: what the caller of the notebook's URL receives.

Each shows its answer in the notebook and marks it; the first marked output of a run is the answer. They return None, and do the same in
a run and while the notebook is written. All take ``status=`` (int, 200 to 599; default 200) and ``headers=`` (dict of str).

All but :func:`respond_notebook` take ``early=True``: the caller is answered at once, and the notebook runs on. What fails after it makes
the run a failed one, but the caller has the answer.
"""

from __future__ import annotations

import os

from . import _display

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Optional

    from ._paths import PathLike

    Headers = Optional[Mapping[str, str]]
    Status = Optional[int]

_PREVIEW_LINES = 10
_PREVIEW_CHARACTERS = 2000


def respond_html(data: str, status: Status = None, headers: Headers = None, early: bool = False) -> None:
    """Answer with HTML (``text/html; charset=utf-8``)."""
    text = _text("respond_html", data, "for a DataFrame use data.to_html()")
    _display.answer("html", {"text/html": text, "text/plain": _note("HTML", text)}, status, headers, early)


def respond_json(data: Any, status: Status = None, headers: Headers = None, early: bool = False) -> None:
    """Answer with JSON (``application/json``). Any value is an answer, ``None``, ``0``, ``[]`` and ``{}`` too.

    Takes what JSON knows and DataFrame (one object per row, no index), Series and numpy arrays (arrays), numpy scalars, datetime,
    date, time (ISO 8601), timedelta (seconds), Decimal (number), UUID, paths, sets, enums, dataclasses and pydantic models. NaN and
    the infinities are null at any depth.

    Raises:
        TypeError: something in it has no JSON form; the message says where.
    """
    import json

    from ._to_json import to_json

    value = to_json(data)
    text = _text("respond_json", json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False), "")
    _display.answer("json", {"application/json": value, "text/plain": _shortened(text)}, status, headers, early)


def respond_image(
    data: Any = None,
    filename: PathLike | None = None,
    status: Status = None,
    headers: Headers = None,
    early: bool = False,
) -> None:
    """Answer with a PNG, JPEG, GIF or WebP image; which one is told by its first bytes.

    Args:
        data: the bytes of the image, a file name, a PIL image (sent as PNG), or a matplotlib figure, axes or ``pyplot`` (the current
            figure).
        filename: a file name, instead of ``data``.
    """
    import base64

    from ._images import image_bytes

    if (data is None) == (filename is None):
        raise TypeError("respond_image takes either data or filename")
    content, media_type = image_bytes(filename if data is None else data)
    bundle = {media_type: base64.b64encode(content).decode("ascii"), "text/plain": f"{media_type} response, {len(content)} bytes"}
    _display.answer("image", bundle, status, headers, early)


def respond_svg(data: str, status: Status = None, headers: Headers = None, early: bool = False) -> None:
    """Answer with an SVG drawing (``image/svg+xml``), given as its markup."""
    text = _text("respond_svg", data, "pass the markup")
    if "<svg" not in text and ":svg" not in text:
        raise ValueError("respond_svg takes SVG markup, and there is no <svg> element in it; read a file first")
    _display.answer("svg", {"image/svg+xml": text, "text/plain": _note("SVG", text)}, status, headers, early)


def respond_text(data: str, status: Status = None, headers: Headers = None, early: bool = False) -> None:
    """Answer with plain text (``text/plain; charset=utf-8``)."""
    _display.answer("text", {"text/plain": _text("respond_text", data, "use str(data)")}, status, headers, early)


def respond_markdown(data: str, status: Status = None, headers: Headers = None, early: bool = False) -> None:
    """Answer with Markdown (``text/markdown``); callers who prefer HTML get it rendered."""
    text = _text("respond_markdown", data, "use str(data)")
    _display.answer("markdown", {"text/markdown": text, "text/plain": text}, status, headers, early)


def respond_csv(data: Any, status: Status = None, headers: Headers = None, early: bool = False) -> None:
    """Answer with CSV (``text/csv; charset=utf-8``): a str as it is, or all of a DataFrame without its index.

    For large tables write a file and use :func:`respond_file`: it is not kept in the notebook's output.
    """
    if callable(getattr(data, "to_csv", None)):  # pandas
        data = data.to_csv(index=False)
    elif callable(getattr(data, "write_csv", None)):  # polars
        data = data.write_csv()
    text = _text("respond_csv", data, "pass CSV text or a DataFrame, for example pandas.DataFrame(rows)")
    _display.answer("csv", {"text/csv": text, "text/plain": _first_lines(text)}, status, headers, early)


def _as_it_is(path: str) -> str:
    """The path of a copy, in a run: the server opens it while the notebook runs on and may change the file."""
    from ._hooks import inside_run

    if not inside_run():
        return path
    import atexit
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix=".early-", dir=os.path.dirname(path))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return shutil.copyfile(path, os.path.join(folder, os.path.basename(path)))


def respond_file(
    path: PathLike,
    name: str | None = None,
    media_type: str | None = None,
    status: Status = None,
    headers: Headers = None,
    early: bool = False,
) -> None:
    """Answer with a file, streamed to the caller and not kept in the notebook.

    The file may be one the run wrote, or a dependency of the notebook.

    Args:
        path: the file; where it lies is settled now, so a later ``os.chdir`` does not matter.
        name: the name the caller sees; default the file's own.
        media_type: such as ``application/pdf``; default by the ending of the name.
        early: answer at once, with the file as it is now: the server sends a copy, which is removed at the kernel's end.

    Raises:
        FileNotFoundError: there is no such file now.
        ValueError: it is not a regular file, or ``name`` or ``media_type`` cannot be right.
    """
    full = os.path.abspath(os.path.expanduser(os.fspath(path)))
    if not os.path.exists(full):
        raise FileNotFoundError(f"no file {full}: write it before respond_file, or add it with webhook.add(dependencies=[…])")
    if not os.path.isfile(full):
        raise ValueError(f"{full} is not a regular file; make a ZIP of a folder")
    if name is not None and (not name or not name.isprintable() or "/" in name or "\\" in name):
        raise ValueError(f"name must be a bare file name, not {name!r}")
    if media_type is not None and not _is_media_type(media_type):
        raise ValueError(f"{media_type!r} is not a media type such as application/pdf")
    if early:
        full = _as_it_is(full)
    note = f"file response: {name or os.path.basename(full)} ({os.path.getsize(full)} bytes)"
    bundle = {"text/html": f"<p>{_escape(note)}</p>", "text/plain": note}
    _display.answer("file", bundle, status, headers, early, path=full, name=name, media_type=media_type)


def respond_notebook(format: str | None = None, status: Status = None, headers: Headers = None) -> None:
    """Answer with the executed notebook itself: ``format="html"`` or ``"ipynb"``; default HTML, or what the caller's ``Accept`` asks."""
    if format not in (None, "html", "ipynb"):
        raise ValueError(f'format must be "html" or "ipynb", not {format!r}')
    note = "notebook response: the caller receives this notebook as it stands after the run"
    _display.answer("notebook", {"text/plain": note}, status, headers, format=format)


def respond_error(status: int, detail: str, failed: bool = True, headers: Headers = None, early: bool = False) -> None:
    """Answer with an error (problem details, RFC 9457). The notebook goes on; end it by yourself if it should stop here.

    Args:
        status: HTTP status, 400 to 599.
        detail: what went wrong, for the caller to read.
        failed: whether the run counts as failed (and mails ``notif_down``), or the caller is only told no.
    """
    checked = _display.check_status(status, lowest=400)
    text = _text("respond_error", detail, "detail is the text for the caller")
    if not text.strip():
        raise ValueError("detail is empty: say what went wrong")
    if not isinstance(failed, bool):
        raise TypeError(f"failed must be True or False, not {failed!r}")
    note = f"error response {checked}: {text}" + ("" if failed else " (the run does not count as failed)")
    _display.answer("error", {"text/plain": note}, checked, headers, early, detail=text, failed=failed)


def _text(function: str, data: Any, hint: str) -> str:
    if isinstance(data, (bytes, bytearray)):
        hint = "decode it, for example data.decode()"
    if not isinstance(data, str):
        raise TypeError(f"{function} takes a str, not {type(data).__name__}: {hint}")
    try:
        data.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"{function}: the text holds half a character (a lone surrogate) and cannot be sent") from None
    return str.__str__(data)


def _is_media_type(text: Any) -> bool:
    import re

    return isinstance(text, str) and re.fullmatch(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(\s*;\s*[\w-]+=[^;\s]+)*", text, re.ASCII) is not None


def _note(what: str, text: str) -> str:
    return f"{what} response, {len(text)} characters"


def _shortened(text: str) -> str:
    return text if len(text) <= _PREVIEW_CHARACTERS else f"{text[:_PREVIEW_CHARACTERS]}\n… ({len(text)} characters)"


def _first_lines(text: str) -> str:
    lines = text.splitlines()
    shown = _shortened("\n".join(lines[:_PREVIEW_LINES]))
    more = len(lines) - _PREVIEW_LINES
    return shown + (f"\n… ({more} more lines)" if more > 0 else "")


def _escape(text: str) -> str:
    import html

    return html.escape(text)
