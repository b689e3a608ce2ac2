"""Draws where the time of a call goes, from the log of a server, as docs/performance-waterfall.svg."""

import json
import statistics
import time
from datetime import datetime
from pathlib import Path
from xml.sax.saxutils import escape

from contenders import Nbhook

PICTURE = Path(__file__).parent.parent / "docs" / "performance-waterfall.svg"
CALLS = 40
#: What the log says at the end of each step, and what the step is.
STEPS = {
    "the call is here": None,
    "the call is prepared": "parameters, scratch directory, notebook",
    "the run is on record": "run on record (SQLite, one fsync)",
    "the kernel has its job": "a waiting kernel takes its job",
    "the cell has run 0": "cell: the notebook's parameters",
    "the cell has run 1": "cell: injected parameters",
    "the cell has run 2": "cell: the notebook's own",
    "the answer is ready": "answer, from the outputs",
    "run ended": "output on disk (fsync)",
    "the output is saved": "run's end on record (fsync)",
    "the kernel has ended": "kernel ends: exit functions, files",
}
ANSWERED = "the answer is ready"


def steps(log):
    """For each step the median of its end, in milliseconds from the arrival of the call."""
    runs = {}
    for line in log.read_text().splitlines():
        event = json.loads(line)
        run = (event.get("span") or {}).get("run")
        if run:
            fields = event["fields"]
            name = " ".join([fields["message"], *([str(fields["cell"])] if "cell" in fields else [])])
            runs.setdefault(run, {})[name] = datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00")).timestamp()
    whole = [run for run in runs.values() if STEPS.keys() <= run.keys()][CALLS // 4 :]
    return {name: statistics.median((run[name] - run["the call is here"]) * 1000 for run in whole) for name in STEPS}


def svg(ends):
    left, width, row = 300, 520, 26
    last = max(ends.values())
    answered = left + ends[ANSWERED] / last * width
    height = row * len(STEPS) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 90} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="100%" height="100%" fill="#fff"/><line x1="{answered:.1f}" x2="{answered:.1f}" y1="8" y2="{height - 26}" stroke="#888" '
        f'stroke-dasharray="4 3"/><text x="{answered:.1f}" y="{height - 10}" text-anchor="middle" fill="#444">the caller has the answer: '
        f"{ends[ANSWERED]:.1f} ms</text>",
    ]
    begin = 0.0
    for number, (name, what) in enumerate((name, what) for name, what in STEPS.items() if what):
        end = ends[name]
        x, wide, y = left + begin / last * width, max(1.0, (end - begin) / last * width), 12 + number * row
        colour = "#b0b7c3" if ends[name] > ends[ANSWERED] else "#3b7dd8"
        parts.append(
            f'<text x="{left - 10}" y="{y + 13}" text-anchor="end" fill="#222">{escape(what)}</text>'
            f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="18" rx="2" fill="{colour}"/>'
            f'<text x="{x + wide + 6:.1f}" y="{y + 13}" fill="#444">{end - begin:.1f} ms</text>'
        )
        begin = end
    return "\n".join([*parts, "</svg>", ""])


def draw(binary):
    server = Nbhook(binary)
    server.filter = "warn,nbhook=debug"
    server.start("hello")
    try:
        call = server.connection()
        server.url += "?name=you"
        call = server.connection()
        for _ in range(CALLS):
            call()
            time.sleep(0.2)  # one call alone
        server.log.flush()
        time.sleep(0.5)
        PICTURE.write_text(svg(steps(Path(server.log.name))))
    finally:
        server.stop()
