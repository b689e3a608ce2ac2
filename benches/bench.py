"""Measures nbhook beside its peers and writes the tables into docs/performance.md. Run it by ``benches/run``."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

import psutil
import waterfall
from contenders import InProcess, KernelGateway, Nbhook, PapermillPool, until

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


#: Between the calls of a lone caller, in seconds. Without it the calls would measure throughput: what a contender does after its
#: answer would delay the next one.
PAUSE = 0.1


def hammer(contender, calls, concurrency):
    """Times of calls in seconds, made by so many callers one after another each, and the time of all."""
    left, lock, times = [calls], threading.Lock(), []

    def caller():
        call = contender.connection()
        while True:
            with lock:
                if left[0] == 0:
                    return
                left[0] -= 1
            started = time.perf_counter()
            call()
            times.append(time.perf_counter() - started)
            if concurrency == 1:
                time.sleep(PAUSE)

    callers = [threading.Thread(target=caller) for _ in range(concurrency)]
    started = time.perf_counter()
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    assert len(times) == calls, f"{contender.name}: a caller failed"
    return times, time.perf_counter() - started


def measure(contenders, notebook, rounds, calls, loaded):
    """Rounds in turn, so that whatever else the machine does hits all of them; the callers' own CPU time counts for nobody."""
    result = {each.name: {"times": [], "cpu": [], "runs": 0, "loaded": [], "throughput": []} for each in contenders}
    for each in contenders:
        each.start(notebook)
    try:
        for each in contenders:
            hammer(each, 2, 1)
        for _ in range(rounds):
            for each in contenders:
                of = result[each.name]
                before = each.cpu()
                of["times"] += hammer(each, calls(each), 1)[0]
                time.sleep(0.5)  # what is left to do after the last answer belongs to it
                of["cpu"].append((each.cpu() - before) / calls(each))
                if each.concurrent:
                    times, elapsed = hammer(each, loaded(each), 8)
                    of["loaded"] += times
                    of["throughput"].append(loaded(each) / elapsed)
    finally:
        for each in contenders:
            each.stop()
    return {name: summary(of) for name, of in result.items()}


def summary(of):
    found = {"calls": len(of["times"]), "cpu": statistics.median(of["cpu"])}
    for kind, times in (("", of["times"]), ("loaded_", of["loaded"])):
        if times:
            found[f"{kind}p50"] = statistics.median(times)
            found |= {f"{kind}p{part}": percentile(times, part / 100) for part in (95, 99)}
    if of["loaded"]:
        found["throughput"] = statistics.median(of["throughput"])
    return found


def idle(binary):
    """Memory of what waits, and the time from the start of a server with a hook to its first answer."""
    server = Nbhook(binary)
    server.start("hello")
    try:
        server.idle(4)
        time.sleep(3)
        kernels = server.idle(4)
        uss = statistics.median(kernel.memory_full_info().uss for kernel in kernels)
        rss = psutil.Process(server.child.pid).memory_info().rss
        address = server.url
        server.child.terminate()
        server.child.wait()
        port = int(address.split(":")[2].split("/")[0])
        started = time.perf_counter()
        server.serve(port)
        until("the first answer", server._answers)
        first = time.perf_counter() - started
    finally:
        server.stop()
    return {"uss": uss, "rss": rss, "first_answer": first}


def table(found):
    lines = [
        "| | calls | p50 | p95 | p99 | p50, 8 callers | p95 | p99 | runs/s, 8 callers | CPU per run |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, of in found.items():
        cells = [f"{of[key] * 1000:.0f} ms" if key in of else "" for key in ("p50", "p95", "p99", "loaded_p50", "loaded_p95", "loaded_p99")]
        cells.append(f"{of['throughput']:.1f}" if "throughput" in of else "")
        lines.append(f"| {name} | {of['calls']} | " + " | ".join([*cells, f"{of['cpu'] * 1000:.0f} ms"]) + " |")
    return lines


def targets(hello, pandas, waiting):
    ours, papermill = hello["nbhook"], hello["papermill in process"]
    pool, gateway = hello[PapermillPool.name], hello[KernelGateway.name]
    warm = pandas["papermill in process"]["p50"] / pandas["nbhook"]["p50"]
    rows = [
        ("hello, lone caller: papermill's p50 : nbhook's", f"{papermill['p50'] / ours['p50']:.1f}", "≥ 40", papermill["p50"] / ours["p50"] >= 40),
        ("pandas, lone caller: papermill's p50 : nbhook's", f"{warm:.1f}", "≥ 20", warm >= 20),
        ("runs/s, nbhook : papermill with 2 workers", f"{ours['throughput'] / pool['throughput']:.1f}", "≥ 15",
         ours["throughput"] / pool["throughput"] >= 15),
        ("runs/s, nbhook : kernel gateway's shared kernel", f"{ours['throughput'] / gateway['throughput']:.2f}", "≥ 1",
         ours["throughput"] >= gateway["throughput"]),
        ("CPU of a hello run", f"{ours['cpu'] * 1000:.0f} ms", "≤ 30 ms", ours["cpu"] <= 0.03),
        ("memory of a waiting kernel (USS)", f"{waiting['uss'] / 1e6:.1f} MB", "≤ 10 MB", waiting["uss"] <= 10e6),
        ("memory of the server, just started (RSS)", f"{waiting['rss'] / 1e6:.1f} MB", "≤ 40 MB", waiting["rss"] <= 40e6),
        ("from `serve` to the first answer", f"{waiting['first_answer'] * 1000:.0f} ms", "", None),
    ]
    lines = ["| | measured | target | |", "|---|--:|--:|---|"]
    return lines + [f"| {name} | {value} | {target} | {'' if met is None else 'met' if met else 'missed'} |" for name, value, target, met in rows]


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    packages = ", ".join(f"{name} {version(name)}" for name in ("ipykernel", "papermill", "nbclient", "jupyter_kernel_gateway", "pandas"))
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{date.today()}, commit {commit}; {os.cpu_count()} × {model}, {memory:.0f} GiB, Linux {platform.release().split('-')[0]}; "
        f"Python {platform.python_version()}, {packages}."
    )


def insert(lines):
    """Between the markers of the page; what stands there was written by the last run."""
    begin, end = "<!-- begin: written by benches/run -->", "<!-- end -->"
    head, _, rest = PAGE.read_text().partition(begin)
    PAGE.write_text("\n".join([head + begin, "", *lines, "", end + rest.partition(end)[2]]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nbhook", required=True, type=Path, help="the release binary")
    parser.add_argument("--quick", action="store_true", help="fewer calls, and do not touch the page")
    parser.add_argument("--rounds", type=int, default=3, help="how often each contender has its turn")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    given = parser.parse_args()
    binary = given.nbhook.resolve()
    rounds = 1 if given.quick else given.rounds

    def contenders():
        return [Nbhook(binary), KernelGateway(), InProcess("papermill"), InProcess("nbclient"), PapermillPool()]

    def slow(each):
        return isinstance(each, (InProcess, PapermillPool))

    found = {}
    for notebook in ("hello", "pandas"):
        found[notebook] = measure(contenders(), notebook, rounds, lambda each: 4 if slow(each) else 40, lambda each: 16 if slow(each) else 160)
    found["waiting"] = idle(binary)
    lines = [
        machine(), "",
        "The targets:", "", *targets(found["hello"], found["pandas"], found["waiting"]), "",
        "`hello.ipynb`:", "", *table(found["hello"]), "",
        "`pandas.ipynb`:", "", *table(found["pandas"]),
    ]  # fmt: skip
    print("\n".join(lines))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))
    if not given.quick:
        insert(lines)
        waterfall.draw(binary)


if __name__ == "__main__":
    sys.exit(main())
