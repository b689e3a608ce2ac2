# %% Deploys every fixture that answers and calls it through the client.
import csv
import glob
import hashlib
import io
import json
import os
import zipfile

from nbhook import Forbidden, Invalid, RunFailed, webhook

FIXTURES = os.environ["FIXTURES"]


def run(fixture, /, **params):
    path = f"{FIXTURES}/{fixture}.ipynb"
    if webhook.find(path) is None:
        webhook.add(path)
    return webhook.run(path, params or None)


def failure(fixture, /, **params):
    try:
        answer = run(fixture, **params)
    except RunFailed as error:
        return error
    raise AssertionError(f"{fixture} did not fail: {answer!r}")


# %% Pictures, files
chart = run("sales_report")
assert chart.startswith(b"\x89PNG\r\n\x1a\n") and chart == run("sales_report"), "the same call, the same bytes"
assert hashlib.sha256(run("file_answer")).hexdigest() == "128b90d68f777a17f5cf81251c17f314080b3c4112a16db8611e995346325c07"
other = run("file_answer", name="other")
assert zipfile.ZipFile(io.BytesIO(other)).testzip() is None
book = zipfile.ZipFile(io.BytesIO(run("xlsx_answer", employee="Ann")))
assert "xl/workbook.xml" in book.namelist() and book.testzip() is None

# %% Text of all kinds
rows = list(csv.reader(io.StringIO(run("csv_export", rows=7))))
assert len(rows) == 8, rows
assert "<table" in run("html_report") and "<html" in run("notebook_answer").lower()
badge = run("svg_badge", label="a<b", value="1")
assert badge.lstrip().startswith("<svg") and "a&lt;b" in badge, badge
memo = run("markdown_memo", team="Nord")
assert memo.lstrip().startswith("#") and "Nord" in memo, memo
assert "3" in run("text_answer", text="one two three")
assert run("deploys_itself", name="Ann") == "Hello, Ann!"
assert "Ann" in run("no_parameters_cell", name="Ann")
assert run("nbformat3", capital=100, rate=0.5, years=1) == "0,100.00\n1,150.00\n"
assert "Größe €" in run("Übersicht & Zahlen 2025", überschrift="Größe €")
assert run("bash_hello", name="O'Hara $HOME", count=2) == "1: Hello, O'Hara $HOME!\n2: Hello, O'Hara $HOME!\n"

# %% JSON
score = run("json_scorer")
assert {"probability", "decision", "contributions", "customer"} <= set(score), score
echo = run("echo", text="ä", number=1.5, none=None, list=[1, {"a": True}])
assert echo["body"] == {"text": "ä", "number": 1.5, "none": None, "list": [1, {"a": True}]}, echo
typed = run("typed_parameters", warehouse="Rotterdam", day="2025-12-24", size=[1, 2])
assert (typed["day"], typed["size"], typed["types"]["banned"]) == ("datetime.date(2025, 12, 24)", "(1, 2)", "set"), typed
assert run("prints_200000_lines", lines=1000) == {"lines": 1000}

# %% A declared callback: nobody wants it, or it would go where this server sends nothing
with open(f"{FIXTURES}/invoice.callbacks.json") as file:
    webhook.add(f"{FIXTURES}/invoice.ipynb", callbacks=json.load(file))
assert run("invoice", id="1", customer="Ann", total="9999") == {"msg": "Invoice received"}
try:
    run("invoice", id="1", customer="Ann", total=1, callback_url="http://127.0.0.1/")
    raise AssertionError("it was called")
except Forbidden as error:
    assert "callback_url" in str(error), error.problem

# %% naas's marking
for kind, expected in (("json", dict), ("image", bytes), ("csv", str)):
    answer = run("naas_marking", kind=kind)
    assert answer and type(answer) is expected, (kind, answer)

# %% Failures
unknown = failure("error_answer", order="none")
assert unknown.status == 404 and webhook.list_output(f"{FIXTURES}/error_answer.ipynb")[0]["state"] == "succeeded", unknown
assert failure("error_answer", broken=True).status == 503
third = failure("fails_in_third_cell")
assert (third.status, third.ename) == (500, "ValueError") and "in cell" in str(third), third
assert failure("asks_input").ename == "StdinNotImplementedError"
assert failure("sales_report", region="Atlantis").status == 500
try:
    run("typed_parameters", day="tomorrow")
except Invalid as error:
    assert [wrong["name"] for wrong in error.problem["errors"]] == ["day", "warehouse"], error.problem

# %% Nothing was left out
left_out = {"loops_forever", "eats_memory"}  # they are for the tests of limits
deployed = {os.path.basename(hook["path"]) for hook in webhook.currents(raw=True)}
assert {os.path.basename(path) for path in glob.glob(f"{FIXTURES}/*.ipynb")} - deployed == {f"{name}.ipynb" for name in left_out}
print("all is well")
