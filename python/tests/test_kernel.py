"""In real ipykernels, run by nbclient: the exact marks of every response, and finding the notebook that is running."""

from __future__ import annotations

import base64
import copy
import io
import json
import os
from pathlib import Path

import pytest

from conftest import ALIAS, SOURCE, TOKEN

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


def execute(cells, folder, monkeypatch, connection_file="", **env):
    """Run the cells in one kernel started in ``folder``; the outputs of each, as they would be saved."""
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    monkeypatch.setenv("IPYTHONDIR", str(folder / ".ipython"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    if connection_file:
        client.create_kernel_manager().connection_file = str(connection_file)
    path = os.pathsep.join([str(SOURCE), str(ALIAS)])
    client.execute(env={**os.environ, "PYTHONPATH": path, "MPLBACKEND": "agg", **env})
    nbformat.validate(notebook)
    return [copy.deepcopy(cell.outputs) for cell in notebook.cells]


def marked(outputs):
    """bundle and response of the one marked output of a cell."""
    found = [output for output in outputs if "nbhook" in output.get("metadata", {})]
    assert len(found) == 1, outputs
    assert found[0].output_type == "display_data"
    assert list(found[0].metadata) == ["nbhook"]
    assert list(found[0].metadata["nbhook"]) == ["response"]
    return dict(found[0].data), dict(found[0].metadata["nbhook"]["response"])


SVG = '<svg xmlns="http://www.w3.org/2000/svg"><title>é</title></svg>'
ROWS = "\n".join(str(number) for number in range(30))
JSON_TEXT = '{\n  "foo": [\n    1,\n    null\n  ]\n}'

# cell → (bundle, response); a bundle value that is a function checks the value.
ANSWERS = {
    "webhook.respond_html('<h1>é</h1>')": (
        {"text/html": "<h1>é</h1>", "text/plain": "HTML response, 10 characters"},
        {"kind": "html"},
    ),
    "webhook.respond_html('', status=201, headers={'X-A': ' b '})": (
        {"text/html": "", "text/plain": "HTML response, 0 characters"},
        {"kind": "html", "status": 201, "headers": {"X-A": "b"}},
    ),
    "webhook.respond_json({'foo': [1, float('nan')]}, status=202, headers={})": (
        {"application/json": {"foo": [1, None]}, "text/plain": JSON_TEXT},
        {"kind": "json", "status": 202, "headers": {}},
    ),
    "webhook.respond_json({}, early=True)": (
        {"application/json": {}, "text/plain": "{}"},
        {"kind": "json", "early": True},
    ),
    "webhook.respond_file('data.bin', early=True, status=201)": (
        {"text/html": "<p>file response: data.bin (256 bytes)</p>", "text/plain": "file response: data.bin (256 bytes)"},
        {"kind": "file", "early": True, "path": "{folder}/data.bin", "status": 201},
    ),
    "webhook.respond_error(503, 'later', failed=False, early=True)": (
        {"text/plain": "error response 503: later (the run does not count as failed)"},
        {"kind": "error", "early": True, "status": 503, "detail": "later", "failed": False},
    ),
    "webhook.respond_json(None)": ({"application/json": None, "text/plain": "null"}, {"kind": "json"}),
    "webhook.respond_json(0)": ({"application/json": 0, "text/plain": "0"}, {"kind": "json"}),
    "webhook.respond_json(False)": ({"application/json": False, "text/plain": "false"}, {"kind": "json"}),
    "webhook.respond_json('')": ({"application/json": "", "text/plain": '""'}, {"kind": "json"}),
    "webhook.respond_json([])": ({"application/json": [], "text/plain": "[]"}, {"kind": "json"}),
    "webhook.respond_json({})": ({"application/json": {}, "text/plain": "{}"}, {"kind": "json"}),
    "webhook.respond_json(['a', 'b'])": (
        {"application/json": ["a", "b"], "text/plain": '[\n  "a",\n  "b"\n]'},
        {"kind": "json"},
    ),
    "webhook.respond_json(2**70)": ({"application/json": 2**70, "text/plain": str(2**70)}, {"kind": "json"}),
    f"webhook.respond_image({PIXEL!r}, headers={{'Cache-Control': 'no-store'}})": (
        {"image/png": lambda text: base64.b64decode(text) == PIXEL, "text/plain": f"image/png response, {len(PIXEL)} bytes"},
        {"kind": "image", "headers": {"Cache-Control": "no-store"}},
    ),
    "webhook.respond_image(filename='pixel')": (
        {"image/png": lambda text: base64.b64decode(text) == PIXEL, "text/plain": f"image/png response, {len(PIXEL)} bytes"},
        {"kind": "image"},
    ),
    "webhook.respond_image(b'GIF89a..')": (
        {"image/gif": lambda text: base64.b64decode(text) == b"GIF89a..", "text/plain": "image/gif response, 8 bytes"},
        {"kind": "image"},
    ),
    f"webhook.respond_svg({SVG!r})": (
        {"image/svg+xml": SVG, "text/plain": f"SVG response, {len(SVG)} characters"},
        {"kind": "svg"},
    ),
    "webhook.respond_text(' é\\n')": ({"text/plain": " é\n"}, {"kind": "text"}),
    "webhook.respond_text('')": ({"text/plain": ""}, {"kind": "text"}),
    "webhook.respond_markdown('# Hé', status=203)": (
        {"text/markdown": "# Hé", "text/plain": "# Hé"},
        {"kind": "markdown", "status": 203},
    ),
    "webhook.respond_csv('\\na;b\\r\\n')": ({"text/csv": "\na;b\r\n", "text/plain": "\na;b"}, {"kind": "csv"}),
    f"webhook.respond_csv({ROWS!r})": (
        {"text/csv": ROWS, "text/plain": "\n".join(ROWS.splitlines()[:10]) + "\n… (20 more lines)"},
        {"kind": "csv"},
    ),
    "webhook.respond_file('data.bin', name='é.zip', media_type='application/zip', status=200)": (
        {"text/html": "<p>file response: é.zip (256 bytes)</p>", "text/plain": "file response: é.zip (256 bytes)"},
        {"kind": "file", "path": "{folder}/data.bin", "name": "é.zip", "media_type": "application/zip", "status": 200},
    ),
    "import os; os.mkdir('sub'); os.chdir('sub'); webhook.respond_file('../<i>.csv'); os.chdir('..')": (
        {"text/html": "<p>file response: &lt;i&gt;.csv (1 bytes)</p>", "text/plain": "file response: <i>.csv (1 bytes)"},
        {"kind": "file", "path": "{folder}/<i>.csv"},
    ),
    "webhook.respond_notebook()": (
        {"text/plain": "notebook response: the caller receives this notebook as it stands after the run"},
        {"kind": "notebook"},
    ),
    "webhook.respond_notebook('ipynb', status=200, headers={'X-A': 'b'})": (
        {"text/plain": "notebook response: the caller receives this notebook as it stands after the run"},
        {"kind": "notebook", "format": "ipynb", "status": 200, "headers": {"X-A": "b"}},
    ),
    "webhook.respond_error(404, 'no such customer')": (
        {"text/plain": "error response 404: no such customer"},
        {"kind": "error", "status": 404, "detail": "no such customer", "failed": True},
    ),
    "webhook.respond_error(status=422, detail='é', failed=False, headers={'X-A': 'b'})": (
        {"text/plain": "error response 422: é (the run does not count as failed)"},
        {"kind": "error", "status": 422, "detail": "é", "failed": False, "headers": {"X-A": "b"}},
    ),
}


@pytest.mark.parametrize("run", [None, "0190-run"], ids=["while written", "in a run"])
def test_each_response_is_marked_exactly(home, monkeypatch, run):
    folder = home / "work"
    (folder / "pixel").write_bytes(PIXEL)
    (folder / "data.bin").write_bytes(bytes(range(256)))
    (folder / "<i>.csv").write_text("x")
    env = {"NBHOOK_RUN": run, "NBHOOK_HOOK": "0190-id"} if run else {}
    imported, *outputs = execute(["from nbhook import webhook", *ANSWERS], folder, monkeypatch, **env)
    assert imported == []
    for cell, (bundle, response), found in zip(ANSWERS, ANSWERS.values(), outputs):
        assert len(found) == 1, (cell, found)
        data, mark = marked(found)
        assert list(data) == list(bundle), cell
        for media_type, expected in bundle.items():
            value = data[media_type]
            # As JSON text, because to Python 0 equals False.
            assert expected(value) if callable(expected) else json.dumps(value) == json.dumps(expected), cell
        expected = {key: value.replace("{folder}", str(folder)) if key == "path" else value for key, value in response.items()}
        if run and response.get("early") and "path" in response:
            # A copy: the notebook may go on to change the file.
            kept, path = expected.pop("path"), Path(mark.pop("path"))
            assert path.name == Path(kept).name and path.parent.parent == folder and path.parent.name.startswith(".early-"), path
            assert not path.parent.exists(), "it goes with its kernel"
        assert mark == expected, cell


def test_responses_of_libraries_objects(home, monkeypatch):
    for module in ("pandas", "matplotlib", "PIL"):
        pytest.importorskip(module)
    cells = [
        "import naas, io; webhook = naas.webhook",
        "import pandas as pd; df = pd.DataFrame({'a': range(500), 'b': [0.5] * 499 + [None]}); webhook.respond_csv(df)",
        "webhook.respond_json(df.tail(1))",
        "import matplotlib.pyplot as plt; fig, ax = plt.subplots(); ax.plot([1, 2]); webhook.respond_image(fig)",
        "webhook.respond_image(ax)",
        "webhook.respond_image(plt)",
        "webhook.respond_image(df['a'].plot())",
        "from PIL import Image; im = Image.new('RGB', (3, 2), 'red'); webhook.respond_image(im)",
        "webhook.respond_image(im.convert('CMYK'))",
        "b = io.BytesIO(); im.save(b, 'JPEG'); webhook.respond_image(b.getvalue())",
        "b = io.BytesIO(); im.save(b, 'WEBP', lossless=True); webhook.respond_image(b.getvalue())",
        "b = io.BytesIO(); im.save(b, 'GIF', save_all=True, append_images=[Image.new('RGB', (3, 2))])\nwebhook.respond_image(Image.open(b))",
        "webhook.respond_html(df.head(1).to_html())",
    ]
    _, *found = [[output for output in outputs if "nbhook" in output.get("metadata", {})] for outputs in execute(cells, home, monkeypatch)]
    (csv, _), (rows, _), *images, (html, _) = [marked(outputs) for outputs in found]
    assert csv["text/csv"] == "a,b\n" + "".join(f"{number},0.5\n" for number in range(499)) + "499,\n"
    assert rows["application/json"] == [{"a": 499, "b": None}]
    kinds = [next(iter(bundle)) for bundle, _ in images]
    assert kinds == ["image/png"] * 6 + ["image/jpeg", "image/webp", "image/gif"]
    from PIL import Image

    pictures = [Image.open(io.BytesIO(base64.b64decode(next(iter(bundle.values()))))) for bundle, _ in images]
    assert all(picture.width > 100 for picture in pictures[:4])
    assert [picture.size for picture in pictures[4:]] == [(3, 2)] * 5
    assert pictures[4].convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    assert pictures[-1].n_frames == 2
    assert html["text/html"].startswith("<table")


def text(outputs):
    return "".join(output.get("text", "") for output in outputs)


def test_a_callback_is_marked_and_no_answer(home, monkeypatch):
    cells = [
        "from nbhook import webhook",
        "webhook.callback('paid', {'at': __import__('datetime').date(2026, 1, 2), 'by': float('nan'), 'of': (1, 2)})",
    ]
    for env, note in (({}, "callback paid; outside a run it is not sent:\n{"), ({"NBHOOK_RUN": "r"}, "callback paid:\n{")):
        (output,) = execute(cells, home, monkeypatch, **env)[1]
        assert output.output_type == "display_data"
        assert output.metadata == {"nbhook": {"callback": {"name": "paid"}}}
        assert output.data["application/json"] == {"at": "2026-01-02", "by": None, "of": [1, 2]}
        assert output.data["text/plain"].startswith(note)


@pytest.mark.parametrize("answered", [True, False])
def test_a_notebook_that_was_renamed_since_its_kernel_started(home, monkeypatch, server, answered):
    """The Jupyter server knows its name. What it says counts also when another notebook has got the old name."""
    work, runtime = home / "work", home / "runtime"
    runtime.mkdir()
    for name in ("Untitled.ipynb", "new name.ipynb"):
        (work / name).write_text("{}")
    jupyter = {"url": f"{server.url}/base/", "token": "jupyter's", "root_dir": str(home)}
    (runtime / f"jpserver-{os.getpid()}.json").write_text(json.dumps(jupyter))
    other = {"type": "notebook", "path": "work/other.ipynb", "kernel": {"id": "0-1"}}
    this = {"type": "notebook", "path": "work/new name.ipynb", "kernel": {"id": "a-1"}}
    server.on("GET", "/base/api/sessions", [other, this] if answered else {"message": "Forbidden"}, 200 if answered else 403)
    cells = ["from nbhook import _paths; _paths.current_notebook()"]
    connection = runtime / "kernel-a-1.json"
    ((output,),) = execute(cells, work, monkeypatch, connection, JPY_SESSION_NAME=str(work / "Untitled.ipynb"))
    assert output.data["text/plain"] == repr(str(work / ("new name.ipynb" if answered else "Untitled.ipynb")))
    assert server.only("GET", "/base/api/sessions").headers["Authorization"] == "token jupyter's"


def test_a_notebook_deploys_itself(home, monkeypatch, server):
    """JupyterLab: the session name is the absolute path of the notebook, the kernel starts in its folder."""
    folder = home / "work" / "näch & co"
    folder.mkdir()
    (folder / "my report.ipynb").write_text("{}")
    remote = "work/näch & co/my report.ipynb"
    hook = server.hook(remote)
    server.on("POST", "/v1/hooks", hook, 201)
    server.has(hook)
    cells = [
        "import nbhook, sys; from nbhook import webhook",
        "url = webhook.add(); print(sys.executable)",
        "url",
        "import os; os.chdir('/'); webhook.find()",
        "webhook.currents()",
    ]
    outputs = execute(cells, folder, monkeypatch, JPY_SESSION_NAME=str(folder / "my report.ipynb"))
    (_, _, _, meta), (_, filename, _, content) = server.only("POST", "/v1/hooks").parts()
    assert json.loads(meta) == {"path": remote, "params": {}, "python": text(outputs[1]).splitlines()[-1]}
    assert (filename, content) == ("my report.ipynb", b"{}")
    assert text(outputs[1]).startswith(f"deployed {remote} as saved at ")
    assert outputs[2][0].data["text/plain"] == repr(server.hook_url)
    assert outputs[2][0].data["text/html"].startswith(f'<a href="{server.hook_url}"')
    assert outputs[3][0].data["text/plain"] == repr(server.hook_url)
    table = outputs[4][0].data
    assert table["text/plain"].splitlines()[0].split() == ["path", "url", "histo", "updated_at"]
    assert "my report.ipynb" in table["text/html"]
    assert "näch &amp; co" in table["text/html"]
    assert TOKEN not in json.dumps(outputs)


# session name, code that makes the situation, and the path on the server or the words of the error
SITUATIONS = [
    (None, "", "pass path="),
    ("Console 1", "", "pass path="),
    ("nb/r.ipynb", "", "work/nb/r.ipynb"),  # relative to the root of the Jupyter server
    ("nb/r.ipynb", "os.chdir('/')", "work/nb/r.ipynb"),  # the folder the kernel was started in counts
    ("nb/r.ipynb", "__vsc_ipynb_file__ = {vscode!r}", "work/nb/r.ipynb"),  # Jupyter's word first
    (None, "", "work/other.ipynb"),  # VS Code alone
    ("r-jvsc-01ab.ipynb", "", "work/other.ipynb"),  # VS Code on a Jupyter server
    ("nb/renamed.ipynb", "del __vsc_ipynb_file__", "the notebook was renamed"),
]


def test_progress_is_one_line_that_is_updated(home, monkeypatch):
    # Its own clock: how many updates there are must not depend on the machine.
    cells = [
        "import nbhook, nbhook._progress as p; now = 0.0; p._reporter = p.Reporter(lambda: now)",
        "for n in range(101):\n    nbhook.progress(n, 100, 'loading'); now += 1 / 128\nprint('done')",
        "nbhook.progress(1, message='counting')",
        """
sent = []
publish = p._publish
p._publish = lambda *a, **k: (sent.append(k["update"]), publish(*a, **k))
for n in range(101):
    nbhook.progress(n, 100)
    now += 1 / 128
print(len(sent), sent[:2])
""",
    ]
    _, loop, other, counted = execute(cells, home / "work", monkeypatch)
    line, said = loop
    told = {"done": 100, "total": 100, "message": "loading"}
    assert (line.output_type, said.text) == ("display_data", "done\n")
    assert line.data == {"application/vnd.nbhook.progress+json": told, "text/plain": "100/100 loading"}
    assert [dict(output.data)["text/plain"] for output in other] == ["1 counting"]
    assert counted[0].data["text/plain"] == "100/100"
    assert counted[1].text == "9 [False, True]\n"


def test_where_the_running_notebook_is(home, monkeypatch):
    folder = home / "work" / "nb"
    folder.mkdir()
    (folder / "r.ipynb").write_text("{}")
    other = home / "work" / "other.ipynb"
    other.write_text("{}")
    show = """
os.environ["JPY_SESSION_NAME"] = {session!r} or ""
try:
    print(_paths.notebook(None).remote)
except Exception as error:
    print(type(error).__name__, error)
"""
    cells = ["import os; from nbhook import _paths"]
    cells += [situation.format(vscode=str(other)) + show.format(session=session) for session, situation, _ in SITUATIONS]
    _, *found = execute(cells, folder, monkeypatch)
    for (session, situation, expected), outputs in zip(SITUATIONS, found):
        output = text(outputs).strip()
        if expected.endswith(".ipynb"):
            assert output == expected, (session, situation)
        else:
            assert output.startswith("NotebookPathError"), (session, situation)
            assert expected in output
