"""Tells what a Python interpreter has. Executes nothing of the notebook and imports none of its packages.

Reads {"modules": [name], "cells": [source]} from standard input and prints one line of JSON:
{"executable": path, "version": "3.11.7", "modules": {name: version or "" or null}, "missing": [name]},
or only executable and version when this Python is too old. Hence the old-fashioned code up to that point.
"""
import json
import sys

# With -c the first entry is the working directory, which no kernel will have.
sys.path.pop(0)
answer = {
    "executable": sys.executable,
    "version": "%d.%d.%d" % sys.version_info[:3],
}
if sys.version_info < (3, 9):
    print(json.dumps(answer))
    sys.exit(0)

import ast
import importlib.metadata
import importlib.util
import warnings

# Cell magics whose body is Python of this kernel; the body of any other is something else.
PYTHON_MAGICS = {"%%time", "%%timeit", "%%capture", "%%prun", "%%memit", "%%mprun"}
# The server brings these along.
PROVIDED = {"nbhook", "naas"}
IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


def present(name):
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        # A module in an odd state is there all the same.
        return name in sys.modules


def version(name):
    """The version of a package, "" when it has none, None when it is missing."""
    if not present(name):
        return None
    try:
        return importlib.metadata.version(name) or ""
    except Exception:
        return ""


def without_magics(source):
    """The cell with every line of IPython's own syntax replaced by `pass`."""
    lines = source.splitlines()
    first = next((line.split()[0] for line in lines if line.strip()), "")
    if first.startswith("%%"):
        if first not in PYTHON_MAGICS:
            return ""
        index = next(i for i, line in enumerate(lines) if line.strip())
        lines[index] = ""
    return "\n".join(pass_for_magic(line) for line in lines)


def pass_for_magic(line):
    bare = line.strip()
    value = bare.partition("=")[2].lstrip() if "=" in bare else ""
    magic = bare.startswith(("%", "!", "?")) or bare.endswith("?") or value.startswith(("!", "%"))
    return line[: len(line) - len(line.lstrip())] + "pass" if magic else line


def parse(source):
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    for text in (source, without_magics(source)):
        try:
            return compile(text, "<cell>", "exec", flags, dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    # The run will say what is wrong with it.
    return ast.Module(body=[], type_ignores=[])


class Imports(ast.NodeVisitor):
    """Collects the top-level packages that must be there for the code to run."""

    def __init__(self):
        self.names = set()

    def visit_Import(self, node):
        self.names.update(alias.name.partition(".")[0] for alias in node.names)

    def visit_ImportFrom(self, node):
        if not node.level and node.module:
            self.names.add(node.module.partition(".")[0])

    def visit_Try(self, node):
        parts = node.body + node.handlers
        if any(catches_import_errors(handler.type) for handler in node.handlers):
            # `try: import x except ImportError: import y` needs y only where x is missing, and x never.
            tried = Imports()
            for part in node.body:
                tried.visit(part)
            parts = [] if all(map(present, tried.names)) else node.handlers
        for part in parts + node.orelse + node.finalbody:
            self.visit(part)

    visit_TryStar = visit_Try

    def visit_If(self, node):
        test = node.test
        name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
        for part in ([] if name == "TYPE_CHECKING" else node.body) + node.orelse:
            self.visit(part)


def catches_import_errors(kind):
    if kind is None:
        return True
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(getattr(each, "id", None) in IMPORT_ERRORS for each in kinds)


def missing(cells):
    imports = Imports()
    for source in cells:
        try:
            imports.visit(parse(source))
        except RecursionError:
            continue
    return sorted(name for name in imports.names - PROVIDED if not present(name))


warnings.simplefilter("ignore")
asked = json.load(sys.stdin)
answer["modules"] = {name: version(name) for name in asked["modules"]}
answer["missing"] = missing(asked["cells"])
print(json.dumps(answer))
