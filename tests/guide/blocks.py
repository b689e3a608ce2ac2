"""Markdown pages as a reader meets them: fenced blocks, with what the comments before them say.

What a comment right before a block may say:

- ``not run: why``      it cannot be run here
- ``file: path``        it is the content of this file
- ``cell of path``      (Python) the next cell of this notebook; ``, tagged parameters`` tags it
- ``answer``            it is what the block before it printed
- ``fails``             its commands end with an error, or its cell raises one
- ``goes on``           it does not end by itself: the server, in a terminal of its own
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

SHELL = ("bash", "sh", "console")
#: What is run, or parsed.
CODE = (*SHELL, "python", "javascript", "json", "toml")
#: What the block before it printed, whatever its comments say.
ANSWERS = ("text", "http")
KNOWN = ("not run: ", "file: ", "cell of ", "answer", "fails", "goes on")

_FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})\s*(\S*).*$")
_COMMENT = re.compile(r"^\s*<!--\s*(.*?)\s*-->\s*$")


@dataclass
class Block:
    page: str
    line: int
    language: str
    text: str
    says: list[str] = field(default_factory=list)

    def told(self, prefix: str) -> str | None:
        """What follows ``prefix`` in the comments before the block; empty if nothing does, None without the comment."""
        return next((said[len(prefix) :].strip() for said in self.says if said.startswith(prefix)), None)

    def where(self) -> str:
        return f"{self.page}:{self.line}"

    def problem(self) -> str | None:
        """What makes it a block that nobody checks."""
        for said in self.says:
            if not said.startswith(KNOWN):
                return f"a comment that means nothing here: {said!r}"
        if self.told("not run: ") == "":
            return "does not say why it is not run"
        if not self.language:
            return "a block without a language"
        checked = self.language in (*CODE, *ANSWERS) or any(self.told(mark) is not None for mark in ("not run: ", "file: ", "answer"))
        return None if checked else f"nothing checks a block of {self.language!r}"


def blocks(page: Path, name: str) -> list[Block]:
    found: list[Block] = []
    comments: list[str] = []
    fence, language, start, inside = "", "", 0, []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        opening = _FENCE.match(line)
        if fence:
            if opening and opening[2].startswith(fence) and not opening[3]:
                found.append(Block(name, start, language, textwrap.dedent("\n".join(inside)) + "\n", comments))
                fence, comments = "", []
            else:
                inside.append(line)
        elif opening:
            fence, language, start, inside = opening[2], opening[3], number, []
        elif comment := _COMMENT.match(line):
            comments = [*comments, comment[1]]
        elif line.strip():
            comments = []
    if fence:
        raise SystemExit(f"{name}:{start}: a block without an end")
    return found
