"""Whether what was printed is what a page says is printed. Ids, tokens and times need only look alike."""

from __future__ import annotations

import json
import re
from typing import Any

#: In what a page expects: anything in a line; alone in a line: any lines; as a JSON value: any; as a JSON key: more keys.
ANY = "…"

_ALIKE = [
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"(?<=/hooks/)[\w-]{20,}"), "<token>"),
    (re.compile(r"(?<=[?&]key=)[\w-]{20,}"), "<key>"),
    (re.compile(r"\bwhsec_[\w+/=]+"), "<secret>"),
    (re.compile(r"\bnbh_\w{10,}"), "<api token>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"\b\d{14,}(_\d+)?\b"), "<histo>"),
    (re.compile(r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?"), "<time>"),
]


def alike(text: str) -> str:
    for pattern, name in _ALIKE:
        text = pattern.sub(name, text)
    return text


def _line_matches(expected: str, actual: str) -> bool:
    words = [" ".join(alike(text).split()) for text in (expected, actual)]
    pattern = ".*?".join(re.escape(part.strip()) for part in words[0].split(ANY))
    return re.fullmatch(pattern, words[1]) is not None or re.fullmatch(pattern.replace(".*?", r"\s*.*?\s*"), words[1]) is not None


def _lines_match(expected: list[str], actual: list[str]) -> bool:
    if not expected:
        return not actual
    if expected[0].strip() == ANY:
        return any(_lines_match(expected[1:], actual[skipped:]) for skipped in range(len(actual) + 1))
    return bool(actual) and _line_matches(expected[0], actual[0]) and _lines_match(expected[1:], actual[1:])


def text_matches(expected: str, actual: str) -> bool:
    return _lines_match(*([line for line in text.splitlines() if line.strip()] for text in (expected, actual)))


def json_matches(expected: Any, actual: Any) -> bool:
    if isinstance(expected, dict) and isinstance(actual, dict):
        wanted = {key: value for key, value in expected.items() if key != ANY}
        if not wanted.keys() <= actual.keys() or (ANY not in expected and wanted.keys() != actual.keys()):
            return False
        return all(json_matches(value, actual[key]) for key, value in wanted.items())
    if isinstance(expected, list) and isinstance(actual, list):
        if expected and expected[-1] == ANY:
            expected, actual = expected[:-1], actual[: len(expected) - 1]
        return len(expected) == len(actual) and all(map(json_matches, expected, actual))
    if isinstance(expected, str):
        return expected == ANY or (isinstance(actual, str) and _line_matches(expected, actual))
    return type(expected) is type(actual) and expected == actual


def http_matches(expected: str, actual: str) -> bool:
    """The status line and headers that are expected are there, among others, and the body is the same."""
    head, _, body = expected.replace("\r", "").partition("\n\n")
    actual_head, _, actual_body = actual.replace("\r", "").partition("\n\n")
    there = actual_head.splitlines()
    lines = head.strip().splitlines()
    if not there or not all(any(_line_matches(line.lower(), other.lower()) for other in there) for line in lines):
        return False
    return answer_matches("", body, actual_body)


def answer_matches(language: str, expected: str, actual: str) -> bool:
    if language == "http":
        return http_matches(expected, actual)
    try:
        wanted = json.loads(expected)
    except ValueError:
        return text_matches(expected, actual)
    try:
        return json_matches(wanted, json.loads(actual))
    except ValueError:
        return text_matches(expected, actual)
