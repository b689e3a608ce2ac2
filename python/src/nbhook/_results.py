"""What the functions return: lists that print as a table, and a URL that shows as a link. No I/O."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any


class Table(list["dict[str, Any]"]):
    """A list of dicts that shows itself as a table of some of their keys.

    It is a plain list otherwise: index it, loop over it, or give it to ``pandas.DataFrame``.
    """

    def __init__(self, rows: Iterable[dict[str, Any]], columns: Sequence[str], empty: str) -> None:
        super().__init__(rows)
        self.columns = tuple(columns)
        self._empty = empty

    def __repr__(self) -> str:
        if not self:
            return self._empty
        lines = [list(self.columns), *([_shown(row.get(key)) for key in self.columns] for row in self)]
        widths = [max(map(len, column)) for column in zip(*lines)]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)

    def _repr_html_(self) -> str:
        if not self:
            return f"<p>{_escape(self._empty)}</p>"
        head = "".join(f"<th>{_escape(key)}</th>" for key in self.columns)
        body = "".join("<tr>" + "".join(f"<td>{_cell(key, row.get(key))}</td>" for key in self.columns) + "</tr>" for row in self)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


class HookUrl(str):
    """The URL of a webhook: a str, with what the server said about the hook in ``hook``.

    Empty (and false) when nothing was deployed because the notebook is being run by the server.
    """

    hook: dict[str, Any]

    def __new__(cls, url: str = "", hook: Any = None) -> HookUrl:  # noqa: PYI034  (Self is not in the standard library of 3.9)
        self = super().__new__(cls, url)
        self.hook = dict(hook or {})
        return self

    def __getnewargs__(self) -> Any:
        return (str(self), self.hook)

    def _repr_html_(self) -> str:
        return _link(self) if self else "<em>no URL inside a run</em>"


def _cell(key: str, value: Any) -> str:
    text = _shown(value)
    return _link(text) if key == "url" else _escape(text)


def _link(url: str) -> str:
    text = _escape(url)
    if not url.startswith(("http://", "https://")):
        return text  # a javascript: address from a hostile server must not become a link
    return f'<a href="{text}" target="_blank" rel="noopener noreferrer">{text}</a>'


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    return " ".join(str(value).split())


def _escape(text: str) -> str:
    import html

    return html.escape(str(text))
