"""Runs a notebook as a person at JupyterLab does: in a real kernel that is started in the notebook's folder and told its path.

Usage: ``python run_session.py NOTEBOOK [CELLS]``. With CELLS, a Python file whose cells begin with ``# %%`` lines, the notebook is made
of them first. Prints one JSON list of all outputs. A cell that raises ends it with the traceback on standard error and exit code 1.
"""

import json
import os
import re
import sys

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError


def main(path, source=None):
    if source is not None:
        with open(source, encoding="utf-8") as file:
            cells = [cell.strip() for cell in re.split(r"^# %%.*$", file.read(), flags=re.MULTILINE)]
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells if cell])
        made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(made, path)
    notebook = nbformat.read(path, as_version=4)
    folder = os.path.dirname(path)
    # As Jupyter Server does for JupyterLab and Notebook 7; a test may say it differently.
    os.environ.setdefault("JPY_SESSION_NAME", path)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": folder}})
    try:
        client.execute()
    except CellExecutionError as error:
        sys.exit(str(error))
    json.dump([output for cell in notebook.cells for output in cell.get("outputs", [])], sys.stdout)


main(*sys.argv[1:])
