"""Executes a notebook with nbclient, the oracle of the kernel tests.

Usage: ``python nbclient_oracle.py < notebook.ipynb``. Runs in the working directory, with the kernel of this interpreter, and
prints JSON: ``cells`` (index, execution_count and outputs of every code cell that nbclient sent to the kernel), ``widgets``
(the notebook's ``metadata.widgets`` or null) and ``outcome`` (``succeeded``, ``error`` or ``died``).
"""

import json
import os
import sys

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

# The kernel inherits stdout and copies to it what is written below Python; the answer goes its own way.
answer = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

notebook = nbformat.read(sys.stdin, as_version=4)
executed = []
client = NotebookClient(
    notebook,
    timeout=120,
    kernel_name="python3",
    on_cell_complete=lambda cell, cell_index: executed.append(cell_index),  # called once the request was sent
)
outcome = "succeeded"
try:
    client.execute()
except CellExecutionError:
    outcome = "error"
except DeadKernelError:
    outcome = "died"

cells = [
    {"index": index, "execution_count": notebook.cells[index].execution_count, "outputs": notebook.cells[index].outputs}
    for index in executed
]
json.dump({"cells": cells, "widgets": notebook.metadata.get("widgets"), "outcome": outcome}, answer)
answer.close()
