"""Runs notebooks as plain Python, without nbhook or a kernel, and writes what they pass to ``respond_*``.

stdin: JSON list of ``[notebook file, parameters, output file]``. What is written is what the server must answer with, byte for byte.
"""

import json
import os
import pathlib
import sys
import tempfile
import types


def answer_bytes(kind, value):
    if kind == "respond_file":
        return pathlib.Path(value).read_bytes()
    if kind == "respond_json":
        return json.dumps(value).encode()
    if kind == "respond_csv" and not isinstance(value, str):
        return value.to_csv(index=False).encode()
    return value.encode()


class Webhook:
    def __init__(self):
        self.answer = None

    def __getattr__(self, name):
        def respond(value=None, *args, **kwargs):
            if name.startswith("respond_"):
                self.answer = self.answer or answer_bytes(name, value)

        return respond


def run(notebook, parameters):
    cells = notebook["worksheets"][0]["cells"] if "worksheets" in notebook else notebook["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    webhook = Webhook()
    sys.modules["nbhook"] = types.SimpleNamespace(webhook=webhook)
    sys.modules["__main__"] = module = types.ModuleType("__main__")
    tagged = [i for i, cell in enumerate(code) if "parameters" in cell["metadata"].get("tags", [])]
    if not tagged:
        module.__dict__.update(parameters)
    for i, cell in enumerate(code):
        exec("".join(cell.get("source", cell.get("input"))), module.__dict__)
        if i in tagged:
            module.__dict__.update(parameters)
    return webhook.answer


for path, parameters, output in json.load(sys.stdin):
    os.chdir(tempfile.mkdtemp(dir=os.path.dirname(output)))
    with open(path, encoding="utf-8") as file:
        content = run(json.load(file), parameters)
    pathlib.Path(output).write_bytes(content)
