"""Whether rules for Prometheus look at metrics that a server has, with labels and values that they have."""

from __future__ import annotations

import re
from typing import Any

import yaml

#: What has samples only once it has happened, and need not: statuses of requests.
_ONCE_IT_HAPPENS = {("nbhook_http_requests_total", "status")}
_SELECTOR = re.compile(r"\b(nbhook_\w+)(?:\{((?:[^\"}]|\"[^\"]*\")*)\})?")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? \S+$", re.MULTILINE)


def samples(text: str) -> dict[str, list[dict[str, str]]]:
    """The labels of each sample of a metric."""
    found: dict[str, list[dict[str, str]]] = {}
    for name, labels in _SAMPLE.findall(text):
        found.setdefault(name, []).append(dict(re.findall(r'(\w+)="([^"]*)"', labels)))
    return found


def problems(rules: str, metrics: str) -> list[str]:
    known = samples(metrics)
    found = []
    for rule in _rules(yaml.safe_load(rules)):
        if not rule.get("annotations", {}).get("summary"):
            found.append(f"{rule['alert']} does not say what it means")
        if not re.search(r"\b(nbhook_\w+|up)\b", rule["expr"]):
            found.append(f"{rule['alert']} looks at no metric of nbhook")
        for name, matchers in _SELECTOR.findall(rule["expr"]):
            found += [f"{rule['alert']}: {problem}" for problem in _unknown(name, matchers, known)]
    return found


def _rules(document: dict[str, Any]) -> list[dict[str, Any]]:
    rules = [rule for group in document["groups"] for rule in group["rules"]]
    assert rules, "there is no rule"
    return rules


def _unknown(name: str, matchers: str, known: dict[str, list[dict[str, str]]]) -> list[str]:
    if name not in known:
        return [f"there is no {name}"]
    found = []
    for label, how, value in _MATCHER.findall(matchers):
        there = {sample[label] for sample in known[name] if label in sample}
        wanted = value.split("|") if "~" in how else [value]
        missing = [one for one in wanted if not any(re.fullmatch(one, other) for other in there)]
        if not there:
            found.append(f"{name} has no label {label}")
        elif not how.startswith("!") and (name, label) not in _ONCE_IT_HAPPENS and missing:
            found.append(f"{label} of {name} is never {missing}")
    return found
