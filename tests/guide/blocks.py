"""Markdown pages as a reader meets them: fenced blocks, with what the comments before them say.

What a comment right before a block may say:

- ``not run: why``      it cannot be run here
- ``file: path``        it is the content of this file
- ``cell of path``      the next cell of this notebook, for Python or bash; ``, tagged parameters`` tags it
- ``answer``            it is what the block before it printed
- ``fails``             its commands end with an error, or its cell raises one
- ``goes on``           it does not end by itself: the server, in a terminal of its own, in place of the one before
- ``given: command``    what the reader is taken to have: run in the terminal before the block
- ``mail``              it is the last mail that was sent, as its reader sees it
- ``received``          it is the last request that https://example.org was sent
- ``alerts``            (YAML) rules of Prometheus, whose metrics the server has
- ``tested by: file``   that file below tests/ reads this block out of the page and tries it out
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
KNOWN = ("not run: ", "file: ", "cell of ", "answer", "fails", "goes on", "given: ", "mail", "received", "alerts", "tested by: ")
#: What makes a block of any language one that is checked.
CHECKED = ("not run: ", "file: ", "answer", "mail", "received", "alerts", "tested by: ")
TESTS = Path(__file__).resolve().parents[1]

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

    def left_out(self) -> bool:
        """Whether it is not for whoever follows the page: not run, or tried out by another test."""
        return self.told("not run: ") is not None or self.told("tested by: ") is not None

    def all_told(self, prefix: str) -> list[str]:
        return [said[len(prefix) :].strip() for said in self.says if said.startswith(prefix)]

    def where(self) -> str:
        return f"{self.page}:{self.line}"

    def _is_tested(self, test: Path) -> bool:
        """Whether a test reads this page, and is itself one that runs."""
        suite = (TESTS / "guide.rs").read_text(encoding="utf-8")
        return Path(self.page).name in test.read_text(encoding="utf-8") and (test.suffix == ".rs" or f'"{test.name}"' in suite)

    def problem(self) -> str | None:
        """What makes it a block that nobody checks."""
        for said in self.says:
            if not said.startswith(KNOWN):
                return f"a comment that means nothing here: {said!r}"
        if self.told("not run: ") == "":
            return "does not say why it is not run"
        if not self.language:
            return "a block without a language"
        if (test := self.told("tested by: ")) is not None and not self._is_tested(TESTS / test):
            return f"{test} does not test it"
        checked = self.language in (*CODE, *ANSWERS) or any(self.told(mark) is not None for mark in CHECKED)
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
