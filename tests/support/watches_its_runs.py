# %% A person's notebook that starts runs of another one, watches them, ends them and repeats them.
import os
import pathlib

import nbformat
import nbhook
from cell_helpers import quietly, raises
from nbhook import Conflict, NotFound, RunFailed, webhook

SIGNS = pathlib.Path("signs").absolute()
SIGNS.mkdir()


def save(name, *cells):
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    made.cells[0].metadata["tags"] = ["parameters"]
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(made, name)
    return name


WAITS = """import os, time, nbhook
nbhook.progress(3, 9, 'waiting')
while not os.path.exists(gate): time.sleep(0.01)"""
ANSWERS = """from nbhook import webhook
with open(effects, 'a') as file: file.write('ran\\n')
webhook.respond_json({'n': n, 'effects': len(open(effects).readlines())}, status=201)"""
NAME = save("waits.ipynb", "n = 0", WAITS, ANSWERS)
webhook.add(NAME)
gate, effects = SIGNS / "gate", SIGNS / "effects"
params = {"n": 5, "gate": str(gate), "effects": str(effects)}

# %% A task: state, progress, result
task = webhook.run(NAME, params, wait=0)
assert isinstance(task, nbhook.Task) and not task.done, task
while task.progress is None:
    task.refresh()
assert task.progress == {"done": 3, "total": 9, "message": "waiting"} and task.state == "running"
assert repr(task) == f"<Task {task.id} running 3/9 waiting>"
raises(TimeoutError, task.result, timeout=0)
assert not webhook.run(NAME, params, wait=0.5).done
gate.touch()
assert task.result() == {"n": 5, "effects": 1} or task.result() == {"n": 5, "effects": 2}
assert task.done and task.state == "succeeded" and task.result() == task.result()

# %% A key: carried out once
first = webhook.run(NAME, params, idempotency_key="order-1")
lines = effects.read_text()
assert webhook.run(NAME, params, idempotency_key="order-1") == first and effects.read_text() == lines
assert webhook.run(NAME, params, idempotency_key=" order 2") == webhook.run(NAME, params, idempotency_key=" order 2") != first
assert webhook.run(NAME, params, wait=60) != first, "without the key it runs again"

# %% runs, cancel, rerun
gate.unlink()
task = webhook.run(NAME, params, wait=0)
newest = webhook.runs(NAME, limit=1)
assert newest[0]["id"] == task.id and newest[0]["mode"] == "async", newest
_, said = quietly(webhook.cancel, newest[0])
assert said == f"run {task.id} is cancelled\n", said
assert task.refresh().state == "cancelled" and task.done
cancelled = raises(RunFailed, task.result)
assert cancelled.run == task.id, cancelled
raises(Conflict, task.cancel)
raises(NotFound, webhook.cancel, "0198c5f0-0000-7000-8000-000000000001")
assert [run["id"] for run in webhook.runs(NAME, state="cancelled")] == [task.id]
gate.touch()
again = webhook.rerun(task)
assert again.id != task.id and again.result()["n"] == 5
assert webhook.runs(NAME, limit=1)[0]["rerun_of"] == task.id

# %% What fails
FAILS = save("fails.ipynb", "1", "raise KeyError('price')")
webhook.add(FAILS, params={"mode": "async"})
task = webhook.run(FAILS)
failed = raises(RunFailed, task.result)
assert (failed.ename, failed.cell, failed.run, task.state) == ("KeyError", 1, task.id, "failed"), failed
assert "in cell 2" in str(failed)

# %% Secrets stay secret
_, said = quietly(webhook.run, NAME, params, wait=0, debug=True)
assert "<-- 202" in said and "key=" in said and os.environ["NBHOOK_TOKEN"] not in said
key = task.url.partition("key=")[2]
assert key and key not in repr(task) and key not in said
print("all is well")
