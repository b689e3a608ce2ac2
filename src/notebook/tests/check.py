"""Evaluates injected cells and compares them with the JSON they were made of.

usage: python3 check.py cases.json. A case has `source` (the cell), and `query`, `body` and `headers` as JSON texts.
"""

import ast
import base64
import json
import keyword
import struct
import sys
import unicodedata


def same(a, b):
    """Equal in value and in type; floats bit by bit; dicts in order."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return struct.pack("<d", a) == struct.pack("<d", b)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return a == b


def is_variable(name):
    """Python's own word on names, and the names that are kept back."""
    return (
        name.isidentifier()
        and unicodedata.normalize("NFKC", name) == name
        and not keyword.iskeyword(name)
        and not (name.startswith("__") and name.endswith("__") and len(name) > 4)
        and name not in ("params", "body", "headers", "get_ipython")
    )


def expected(case):
    query, headers = json.loads(case["query"]), json.loads(case["headers"])
    body = base64.b64decode(case["bytes"]) if "bytes" in case else json.loads(case["body"])
    variables = {"params": query, "body": body, "headers": headers}
    named = {**query, **(body if isinstance(body, dict) else {})}
    return variables, {name: value for name, value in named.items() if is_variable(name) and len(name) <= 255}


def check(case):
    dicts, named = expected(case)
    source = case["source"]
    for c in source.replace("\n", "").replace(" ", ""):
        # Newer letters than this Python knows are "Cn".
        assert unicodedata.category(c) not in ("Cc", "Cf", "Zs", "Zl", "Zp"), ascii(c)
    tree = ast.parse(source)
    for statement in tree.body:
        # Proves that nothing can run: only names assigned, only literals on the right.
        assert isinstance(statement, ast.Assign) and len(statement.targets) == 1, ast.dump(statement)
        assert isinstance(statement.targets[0], ast.Name), ast.dump(statement)
        ast.literal_eval(statement.value)
    space = {"__builtins__": {}}
    exec(compile(tree, "cell", "exec"), space)
    del space["__builtins__"]
    for name, value in dicts.items():
        assert same(space.pop(name), value), name
    for name, value in space.items():
        assert name in named and same(value, named[name]), name
    # Letters beyond those that need no combining marks may stay in the dicts, ASCII names may not.
    missing = [name for name in named if name.isascii() and name not in space]
    assert not missing, missing


with open(sys.argv[1], encoding="utf-8") as file:
    cases = json.load(file)
for case in cases:
    try:
        check(case)
    except BaseException as error:
        sys.exit("%s: %s\n%s" % (type(error).__name__, error, ascii(case)))
print(len(cases))
