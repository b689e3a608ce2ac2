"""Tells what a Python interpreter has. Executes nothing of the notebook and imports none of its packages.

Reads {"modules": [name], "cells": [source], "beside": [name], "parameters": source or null} from standard input and prints one
line of JSON: {"executable": path, "version": "3.11.7", "modules": {name: version or "" or null}, "missing": [name],
"imports": {"modules": [dotted name], "hindrance": why they cannot be imported before the cells run, or null},
"contract": what `contract.py` reads in the cell with the parameters, or null}, or only executable and version when this Python is
too old. Hence the old-fashioned code up to that point.
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
# What imports may depend on, by the last part of its name.
SETTINGS = {"environ": "os.environ", "environb": "os.environ", "putenv": "os.putenv", "chdir": "os.chdir", "meta_path": "sys.meta_path"}
ENVIRONMENT_MAGICS = ("%env", "%set_env", "%cd", "%pip", "%conda", "!pip", "%load_ext", "%reload_ext")
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
    asks = bare.endswith("?") and "#" not in bare  # not a comment that asks something
    magic = bare.startswith(("%", "!", "?")) or asks or value.startswith(("!", "%"))
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


class TopLevel(ast.NodeVisitor):
    """Collects what the cells import themselves, in order, and what stands against importing that before they run."""

    def __init__(self):
        self.modules = []
        self.hindrance = None

    def visit_Import(self, node):
        self.modules += [alias.name for alias in node.names]

    def visit_ImportFrom(self, node):
        if not node.level and node.module:
            self.modules.append(node.module)

    def visit_FunctionDef(self, node):
        pass  # may never be called

    visit_AsyncFunctionDef = visit_Lambda = visit_ClassDef = visit_FunctionDef

    def generic_visit(self, node):
        for child in ast.walk(node):
            name = getattr(child, "attr", None) or getattr(child, "id", None)
            if name in SETTINGS or name == "path" and getattr(getattr(child, "value", None), "id", None) == "sys":
                self.hindrance = self.hindrance or "the notebook mentions %s, on which imports may depend" % SETTINGS.get(name, "sys.path")
        super().generic_visit(node)


def imports(cells, beside):
    top = TopLevel()
    for name in beside:
        if present(name):
            top.hindrance = "%s beside the notebook takes the place of an installed module" % name
    for source in cells:
        try:
            for statement in parse(source).body:
                top.generic_visit(ast.Module(body=[statement], type_ignores=[]))
        except RecursionError:
            continue
        if any(line.lstrip().startswith(ENVIRONMENT_MAGICS) for line in source.splitlines()):
            top.hindrance = "the notebook sets variables or the directory by a magic, on which imports may depend"
    # Every kernel has the client and most of the standard library already.
    known = PROVIDED | set(getattr(sys, "stdlib_module_names", sys.builtin_module_names))
    modules = [name for name in dict.fromkeys(top.modules) if name.partition(".")[0] not in known]
    return {"modules": modules, "hindrance": top.hindrance}


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
answer["imports"] = imports(asked["cells"], asked["beside"])
source = asked["parameters"]
answer["contract"] = None if source is None else read_contract([source, without_magics(source)])
print(json.dumps(answer))
