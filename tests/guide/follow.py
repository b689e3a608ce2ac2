"""Follows pages of the guide block by block, with a real server and real kernels, and says where a page is wrong.

    follow.py --nbhook target/debug/nbhook [PAGE …]

Blocks of a page share their state, as for somebody who reads it from top to bottom. Without pages: README.md and all of docs/.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import time
import traceback
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import alerts
from blocks import ANSWERS, SHELL, Block, blocks
from compare import answer_matches
from reader import PATIENCE, REPOSITORY, Failed, Reader

#: Blocks of the whole guide that may be left out.
MOST_NOT_RUN = 3
AT_ONCE = 3

_RESULT = re.compile(r"(?:#|//) → ?(.*)$", re.MULTILINE)


def follow(page: Path, options: argparse.Namespace) -> tuple[list[str], list[str]]:
    """The failures of a page, and its blocks that are not run."""
    found = blocks(page, str(page.relative_to(REPOSITORY)) if page.is_relative_to(REPOSITORY) else page.name)
    failures = [f"{block.where()}: {problem}" for block in found if (problem := block.problem())]
    not_run = [f"{block.where()}: {why}" for block in found if (why := block.told("not run: "))]
    followed = [block for block in found if block.language not in ("json", "toml") and not block.left_out()]
    if failures or not followed:
        failures += [failure for block in found if (failure := parsed(block))]
        return failures, not_run
    mails = any(block.told("mail") is not None for block in found)
    reader = Reader(options.nbhook, options.python, own_server=followed[0].told("goes on") is not None, mails=mails)
    try:
        printed = ""
        for block in found:
            try:
                printed = step(reader, block, printed)
            except Failed as failed:
                failures.append(f"{block.where()}: {failed}")
                break
    finally:
        reader.close()
    return failures, not_run


def parsed(block: Block) -> str | None:
    if block.language == "json" and block.told("not run: ") is None:
        try:
            json.loads(block.text)
        except ValueError as error:
            return f"{block.where()}: no JSON: {error}"
    return None


def step(reader: Reader, block: Block, printed: str) -> str:
    """Does what a block says; gives what it printed, or what was printed before it."""
    if block.left_out():
        return printed
    for command in block.all_told("given: "):
        reader.sh(command)
    if path := block.told("file: "):
        reader.file(path, block.text)
        return printed
    if failure := parsed(block):
        raise Failed(failure)
    if block.told("alerts") is not None:
        with urllib.request.urlopen(f"{reader.server}/metrics") as answer:
            if wrong := alerts.problems(block.text, answer.read().decode()):
                raise Failed("\n".join(wrong))
        return printed
    for mark, there in (("mail", reader.mail_server), ("received", reader.receiver)):
        if block.told(mark) is not None and there:
            expect("http", block.text, reader.told(there.received(PATIENCE)))
            return printed
    if block.language in ANSWERS or block.told("answer") is not None:
        expect(block.language, block.text, printed)
        return printed
    if block.language in ("json", "toml"):
        return printed
    printed = run(reader, block)
    if results := _RESULT.findall(block.text):
        expect("text", "\n".join(results), printed)
    return printed


def run(reader: Reader, block: Block) -> str:
    fails = block.told("fails") is not None
    if block.told("goes on") is not None:
        return reader.goes_on(block.text)
    if block.language == "console":
        return typed(reader, block.text)
    notebook, _, tag = (block.told("cell of ") or "").partition(", tagged ")
    if block.language in SHELL:
        return reader.bash_cell(block.text, notebook, tag) if notebook else reader.sh(block.text, fails)
    if block.language == "javascript":
        return reader.javascript(block.text) if shutil.which("node") else ""
    return reader.cell(block.text, notebook, tag, fails)


def typed(reader: Reader, text: str) -> str:
    """Commands after `$ `, with what each prints below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        expect("text", expected, reader.sh(command))
    return ""


def expect(language: str, expected: str, printed: str) -> None:
    if not answer_matches(language, expected, printed):
        raise Failed(f"the page says\n{expected.strip()}\nbut it was\n{printed.strip()}")


def guide() -> list[Path]:
    """All pages but the command line's reference: a test of its own holds that against the commands, examples included."""
    return [page for page in (REPOSITORY / "docs").glob("*.md") if page.name != "cli.md"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nbhook", required=True, help="the binary")
    parser.add_argument("--python", default=sys.executable, help="of kernels")
    parser.add_argument("pages", nargs="*", type=Path)
    options = parser.parse_args()
    pages = [page.resolve() for page in options.pages] or [REPOSITORY / "README.md", *sorted(guide())]

    def one(page: Path) -> tuple[list[str], list[str]]:
        started = time.monotonic()
        try:
            return follow(page, options)
        except Exception:  # noqa: BLE001  (told as a failure of the page)
            return [f"{page.name}: {traceback.format_exc()}"], []
        finally:
            print(f"{page.name}: {time.monotonic() - started:.1f} s", file=sys.stderr)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        done = list(threads.map(one, pages))
    failures = [failure for failed, _ in done for failure in failed]
    not_run = [block for _, left_out in done for block in left_out]
    print(*(f"not run: {block}" for block in not_run), sep="\n")
    if len(not_run) > MOST_NOT_RUN:
        failures.append(f"{len(not_run)} blocks are not run, more than {MOST_NOT_RUN}")
    print(*(f"wrong: {failure}" for failure in failures), sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
