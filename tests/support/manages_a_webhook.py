# %% A person's notebook that deploys another one beside it, and looks after it with every function of the client.
import json
import os
import pathlib

import nbformat
from cell_helpers import quietly, raises
from nbhook import Conflict, Invalid, NotebookPathError, NotFound, RunFailed, webhook


def save(answer):
    code = "from nbhook import webhook\nwebhook.respond_json({'answer': " + answer + ", 'data': open('data/x.csv').read()})"
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("n = 1"), nbformat.v4.new_code_cell(code)])
    made.cells[0].metadata["tags"] = ["parameters"]
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(made, NAME)
    return pathlib.Path(NAME).read_bytes()


NAME = "Zahlen & Übersicht.ipynb"
pathlib.Path("data").mkdir()
pathlib.Path("data/x.csv").write_text("a;€", encoding="utf-8")

# %% Before there is one
first = save("n + 1")
assert webhook.find(NAME) is None
assert webhook.currents(raw=True) == [] and repr(webhook.currents()) == "no webhooks"
for function in (webhook.list, webhook.list_output, webhook.get, webhook.get_output, webhook.clear, webhook.delete, webhook.run):
    assert NAME in str(raises(NotFound, function, NAME))

# %% add: refused, new, again
refusal = raises(Invalid, webhook.add, NAME, params={"inlin": True})
assert "inlin" in str(refusal) and refusal.field == "params.inlin", refusal
raises(NotebookPathError, webhook.add, "missing.ipynb")
raises(FileNotFoundError, webhook.add, NAME, dependencies=["missing.csv"])
assert webhook.find(NAME) is None
url = webhook.add(NAME, params={"inline": True, "notif_down": "a@b.c"}, dependencies=["data"])
assert url.startswith(os.environ["NBHOOK_URL"] + "/hooks/") and "<a href" in url._repr_html_()
assert url.hook["path"] == f"work/{NAME}" and url.hook["params"]["inline"] is True and url.hook["warnings"] == []
assert url.hook["python"] == __import__("sys").executable
assert webhook.find(NAME) == url == webhook.find(os.path.abspath(NAME)) == webhook.find(f"~/work/{NAME}")
second = save("n + 2")
updated, said = quietly(webhook.update, NAME, dependencies="data")
assert updated == url and said.splitlines()[1:] == ["parameter  type     default  description", "n          integer  1"], said

# %% run
assert webhook.run(NAME) == {"answer": 3, "data": "a;€"}
assert webhook.run(NAME, {"n": 40}) == {"answer": 42, "data": "a;€"}
old = webhook.list(NAME)[1]["histo"]
assert webhook.run(NAME, {"n": 40}, histo=old) == {"answer": 41, "data": "a;€"}
assert url.hook["contract"]["properties"] == {"n": {"type": "integer", "default": 1}}
wrong = raises(Invalid, webhook.run, NAME, {"n": "text"})
assert (wrong.status, wrong.field) == (422, "n") and "must be integer" in str(wrong), wrong
failed = raises(RunFailed, webhook.run, NAME, {"open": 5})
assert (failed.status, failed.ename, failed.cell) == (500, "TypeError", 1) and "in cell 2" in str(failed), str(failed)

# %% versions: list, get, promote, clear
versions = webhook.list(NAME)
assert [version["live"] for version in versions] == [True, False] and versions[0]["size"] == len(second)
assert versions[0]["histo"] > versions[1]["histo"] and old in repr(versions) and "<table>" in versions._repr_html_()
for histo, content in ((None, second), (old, first)):
    saved = pathlib.Path(webhook.get(NAME, histo=histo))
    assert saved.parent == pathlib.Path.cwd() and saved.read_bytes() == content and saved.name == f"{histo or versions[0]['histo']}___{NAME}"
saved.write_text("mine")
other = pathlib.Path(webhook.get(NAME, histo=old))
assert saved.read_text() == "mine" and other.read_bytes() == first, "a local file is never overwritten"
assert webhook.promote(NAME, old) == url and webhook.run(NAME) == {"answer": 2, "data": "a;€"}
raises(Conflict, webhook.clear, NAME, histo=old)
raises(NotFound, webhook.get, NAME, histo="20200101000000000000")
raises(ValueError, webhook.get, NAME, histo="../../etc/passwd")
assert webhook.clear(NAME) == [versions[0]["histo"]] and len(webhook.list(NAME)) == 1 and webhook.clear(NAME) == []

# %% outputs: list, get, clear
outputs = webhook.list_output(NAME)
assert [output["state"] for output in outputs] == ["succeeded", "failed", "succeeded", "succeeded", "succeeded"]
executed = nbformat.read(webhook.get_output(NAME, histo=outputs[1]["histo"]), as_version=4)
nbformat.validate(executed)
assert executed.cells[-1].outputs[0].ename == "TypeError"
assert pathlib.Path(webhook.get_output(NAME)).name == f"{outputs[0]['histo']}___output___{NAME}"
assert webhook.clear_output(NAME, outputs[0]["histo"]) == [outputs[0]["histo"]]
assert sorted(webhook.clear_output(NAME)) == sorted(output["histo"] for output in outputs[1:])
assert webhook.list_output(NAME) == []

# %% currents
raw = webhook.currents(raw=True)
assert type(raw) is list and [hook["url"] for hook in raw] == [url] and json.dumps(raw)
assert NAME in repr(webhook.currents()) and url in webhook.currents()._repr_html_()

# %% debug shows each request and reply, and no token
hook_token = url.rsplit("/", 1)[1]
for function, arguments in ((webhook.find, ()), (webhook.list, ()), (webhook.run, ({"n": 1},)), (webhook.currents, ())):
    _, said = quietly(function, *([NAME] if function is not webhook.currents else []), *arguments, debug=True)
    assert "--> " in said and "<-- 200" in said, said
    assert os.environ["NBHOOK_TOKEN"] not in said and hook_token not in said and "/hooks/…" in said or function is webhook.list, said
_, said = quietly(webhook.add, NAME, dependencies="data", params={"sensitive": ["N"]})
assert said.splitlines()[2] == "n          integer  (hidden)", said
_, said = quietly(webhook.add, NAME, dependencies="data", debug=True, params={"env": {"PASSWORD": "hush-hush"}})
shown, last = said.rsplit("deployed", 1)
assert hook_token not in shown and hook_token in last and "hush" not in said and os.environ["NBHOOK_TOKEN"] not in said, said

# %% user= is for admins: another user's webhook of the same path is another webhook
theirs = webhook.add(NAME, user="bob", dependencies="data")
assert theirs != url and theirs.hook["owner"] == "bob" and webhook.find(NAME, user="bob") == theirs and webhook.find(NAME) == url
assert [hook["url"] for hook in webhook.currents(raw=True, user="bob")] == [theirs]
assert webhook.run(NAME, {"n": 1}, user="bob") == {"answer": 3, "data": "a;€"}
webhook.delete(NAME, user="bob")
assert webhook.find(NAME, user="bob") is None and webhook.find(NAME) == url

# %% delete
webhook.delete(NAME)
assert webhook.find(NAME) is None and webhook.currents(raw=True) == []
print("all is well")
