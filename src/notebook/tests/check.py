"""Evaluates injected cells and compares them with the JSON they were made of.

usage: python3 check.py cases.json. A case has `source` (the cell), and `query`, `body` and `headers` as JSON texts, in which an
object with the one key "\\0date", "\\0time" or "\\0made" stands for a date, a date-time or what a class or type makes of a value.
"""

import ast
import base64
import datetime
import json
import keyword
import struct
import sys
import unicodedata


class Color:
    """Stands for a class of a notebook's."""

    def __init__(self, of):
        self.of = of


MAKERS = {"Color": Color, "tuple": tuple, "set": set, "frozenset": frozenset}


def decoded(pairs):
    """A JSON object, or what it stands for."""
    if len(pairs) == 1:
        key, value = pairs[0]
        if key == "\0date":
            return datetime.date(*value)
        if key == "\0time":
            [[year], [month, day], time, [offset]] = value
            zone = None if offset is None else datetime.timezone(datetime.timedelta(seconds=offset))
            return datetime.datetime(year, month, day, *time, tzinfo=zone)
        if key == "\0made":
            return MAKERS[value[0]](value[1])
    return dict(pairs)


def check_value(node):
    """Proves that nothing can run but what makes dates, and what the contract names."""
    if isinstance(node, ast.Call):
        assert len(node.args) == 1 and not node.keywords, ast.dump(node)
        if isinstance(node.func, ast.Name):
            assert node.func.id in MAKERS, ast.dump(node)
            return check_value(node.args[0])
        assert isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str), ast.dump(node)
        made = ast.unparse(node.func)
        assert made in ("__import__('datetime').date.fromisoformat", "__import__('datetime').datetime.fromisoformat"), made
    elif isinstance(node, ast.List):
        for item in node.elts:
            check_value(item)
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values):
            ast.literal_eval(key)
            check_value(value)
    else:
        ast.literal_eval(node)


def same(a, b):
    """Equal in value and in type; floats bit by bit; dicts in order."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return struct.pack("<d", a) == struct.pack("<d", b)
    if isinstance(a, Color):
        return same(a.of, b.of)
    if isinstance(a, datetime.datetime):
        return a == b and a.utcoffset() == b.utcoffset()
    if isinstance(a, (list, tuple)):
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
    def read(text):
        return json.loads(text, object_pairs_hook=decoded)

    query, headers = read(case["query"]), read(case["headers"])
    body = base64.b64decode(case["bytes"]) if "bytes" in case else read(case["body"])
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
        # Only names are assigned, and only literals stand on the right.
        assert isinstance(statement, ast.Assign) and len(statement.targets) == 1, ast.dump(statement)
        assert isinstance(statement.targets[0], ast.Name), ast.dump(statement)
        check_value(statement.value)
    space = {"__builtins__": dict(MAKERS, __import__=__import__)}
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
