"""Reads the source of a notebook's `parameters` cell and says what it takes, as JSON Schema (2020-12).

It goes in front of `inspect.py`, in the same process. Nothing of the cell is executed or imported.
"""
import ast

NOT_PARAMETERS = {"params", "body", "headers"}
PLAIN = {"str": TEXT, "int": INT, "float": FLOAT, "bool": BOOL, "None": NULL, "NoneType": NULL}
DATES = {"date": DATE, "datetime.date": DATE, "dt.date": DATE}
DATETIMES = {"datetime": DATETIME, "datetime.datetime": DATETIME, "dt.datetime": DATETIME}
LISTS = {"list", "List", "Sequence", "MutableSequence", "Iterable", "Collection"}
SETS = {"set": "set", "Set": "set", "AbstractSet": "set", "MutableSet": "set", "frozenset": "frozenset", "FrozenSet": "frozenset"}
DICTS = {"dict", "Dict", "Mapping", "MutableMapping"}
ENUMS = {"Enum", "IntEnum", "StrEnum"}
UTC = {"timezone.utc", "datetime.timezone.utc", "dt.timezone.utc", "UTC", "datetime.UTC", "dt.UTC"}
MOST_TEXT = 10000
MOST_DESCRIPTION = 500


def read_contract(texts):
    """The contract of a cell: {"properties": {name: schema}, "required": [name]}, or {"error": why it cannot be parsed}.

    `texts` are the cell as it is and without IPython's own syntax; the first that parses counts.
    """
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    error = "it is too complex"
    for text in texts:
        try:
            return Cell(compile(text, "<parameters>", "exec", flags, dont_inherit=True), text).contract()
        except SyntaxError as wrong:
            error = "line %s: %s" % (wrong.lineno, wrong.msg)
        except Exception as wrong:  # too deep, a null byte: whatever it is, the rest of the inspection goes on
            error = str(wrong) or error
    return {"error": error}


class Cell:
    """One parsed `parameters` cell."""

    def __init__(self, tree, text):
        self.tree = tree
        self.trailing, self.own_line = comments(text)
        self.aliases = {}
        self.classes = set()
        self.enums = {}
        self.found = {}
        for statement in tree.body:
            self.note(statement)

    def note(self, statement):
        if isinstance(statement, ast.Import):
            self.aliases.update((alias.asname, alias.name) for alias in statement.names if alias.asname)
        elif isinstance(statement, ast.ImportFrom) and not statement.level:
            for alias in statement.names:
                self.aliases[alias.asname or alias.name] = "%s.%s" % (statement.module, alias.name)
        elif isinstance(statement, ast.ClassDef):
            self.classes.add(statement.name)
            self.enum(statement)

    def enum(self, statement):
        if not any(self.dotted(base).rpartition(".")[2] in ENUMS for base in statement.bases):
            return
        members = {}
        for line in statement.body:
            if isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name):
                if line.targets[0].id.startswith("_"):
                    continue
                try:
                    value = plain(self.value(line.value))
                except Unreadable:
                    return
                if isinstance(value, (list, dict)):
                    return
                members[line.targets[0].id] = value
        # As JSON, because True == 1 in Python.
        values = list(dict((json.dumps(value), value) for value in members.values()).values())
        if values:
            schema = {"enum": values, "x-nbhook-python": statement.name}
            self.enums[statement.name] = schema, members

    def dotted(self, node):
        """A name with what it was imported as put in, e.g. "typing.Optional"; "" for anything else."""
        parts = []
        while isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self.aliases.get(node.id, node.id)] + parts)

    # Annotations

    def schema(self, node):
        """The schema of an annotation; {} for one that is not known."""
        if isinstance(node, ast.Constant):
            if node.value is None:
                return NULL
            return self.quoted(node.value) if isinstance(node.value, str) else {}
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return join([self.schema(node.left), self.schema(node.right)])
        if isinstance(node, ast.Subscript):
            arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return self.generic(self.dotted(node.value).rpartition(".")[2], arguments)
        return self.named(self.dotted(node))

    def quoted(self, text):
        try:
            return self.schema(ast.parse(text.strip(), mode="eval").body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return {}

    def named(self, name):
        last = name.rpartition(".")[2]
        if name in self.enums:
            return self.enums[name][0]
        if name in self.classes:
            return {}
        for kinds in (DATES, DATETIMES):
            if name in kinds:
                return kinds[name]
        if name in PLAIN:
            return PLAIN[name]
        return self.generic(last, []) if last in LISTS | DICTS | set(SETS) | {"tuple", "Tuple"} else {}

    def generic(self, name, arguments):
        first = arguments[0] if arguments else None
        if name == "Literal":
            return self.literal(arguments)
        if name in ("Annotated", "Final", "ClassVar") and arguments:
            return self.schema(first)
        if name == "Optional" and arguments:
            return with_null(self.schema(first))
        if name == "Union":
            return join([self.schema(each) for each in arguments])
        if name in DICTS:
            values = self.schema(arguments[1]) if len(arguments) == 2 else {}
            return {"type": "object", "additionalProperties": values} if values else {"type": "object"}
        items = [self.schema(each) for each in arguments if not (isinstance(each, ast.Constant) and each.value is Ellipsis)]
        items = join(items) if items else {}
        if name in LISTS:
            return array(items)
        if name in SETS:
            return array(items, SETS[name])
        return array(items, "tuple") if name in ("tuple", "Tuple") else {}

    def literal(self, arguments):
        values = []
        for each in arguments:
            if isinstance(each, ast.Subscript):  # Literal[Literal["a"], "b"]
                values += self.schema(each).get("enum", [])
                continue
            try:
                value = self.value(each)
                values.append(plain(value))
            except Unreadable:
                return {}
            if isinstance(value, Member):
                return {}
        unique = dict((json.dumps(value), value) for value in values)
        return {"enum": list(unique.values())} if unique else {}

    def described(self, node):
        """What `Annotated` says besides the type."""
        if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Tuple):
            return None
        if self.dotted(node.value).rpartition(".")[2] != "Annotated":
            return None
        for each in node.slice.elts[1:]:
            texts = [each]
            if isinstance(each, ast.Call):
                texts = [word.value for word in each.keywords if word.arg == "description"] + each.args[:1]
            for text in texts:
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    return text.value
        return None

    # Values

    def value(self, node, depth=0):
        """The value of an expression, without evaluating anything but literals and dates.

        Raises Unreadable for any other expression.
        """
        if depth > MOST_DEPTH:
            raise Unreadable
        if isinstance(node, ast.Constant) and not isinstance(node.value, (bytes, complex, type(Ellipsis))):
            return node.value
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            value = self.value(node.operand, depth + 1)
            if type(value) in (int, float):
                return -value if isinstance(node.op, ast.USub) else value
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            items = [self.value(item, depth + 1) for item in node.elts]
            if isinstance(node, ast.Set):
                return self.set(items)
            return items if isinstance(node, ast.List) else tuple(items)
        if isinstance(node, ast.Dict) and None not in node.keys:
            keys = [self.value(key, depth + 1) for key in node.keys]
            if all(isinstance(key, (str, int, float, type(None))) for key in keys):
                return dict(zip(keys, [self.value(value, depth + 1) for value in node.values]))
        if isinstance(node, ast.Attribute):
            name, _, member = self.dotted(node).rpartition(".")
            schema, members = self.enums.get(name, (None, {}))
            if member in members:
                return Member(members[member], schema)
        if isinstance(node, ast.Call):
            return self.call(node, depth)
        raise Unreadable

    def set(self, items):
        try:
            return set(items)
        except TypeError:
            raise Unreadable

    def call(self, node, depth):
        """`date(2024, 1, 31)`, `datetime.fromisoformat("…")`, `list()`, `Color("red")` and the like."""
        name = self.dotted(node.func)
        if name in ("list", "dict", "tuple", "set") and not node.args and not node.keywords and name not in self.classes:
            return {"list": list, "dict": dict, "tuple": tuple, "set": set}[name]()
        if name in self.enums and len(node.args) == 1:
            schema, members = self.enums[name]
            value = plain(self.value(node.args[0], depth + 1))
            if value in members.values():
                return Member(value, schema)
        owner, _, method = name.rpartition(".")
        iso = method == "fromisoformat"
        name = owner if iso else name
        kind = datetime.date if name in DATES else datetime.datetime if name in DATETIMES else None
        if kind is None or name in self.classes:
            raise Unreadable
        try:
            args = [self.value(arg, depth + 1) for arg in node.args]
            words = dict((word.arg, self.date_argument(word.value, depth)) for word in node.keywords)
            return (kind.fromisoformat if iso else kind)(*args, **words)
        except (TypeError, ValueError, OverflowError):
            raise Unreadable

    def date_argument(self, node, depth):
        return datetime.timezone.utc if self.dotted(node) in UTC else self.value(node, depth + 1)

    # Parameters

    def contract(self):
        for statement in self.tree.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                self.add(statement.target.id, statement, statement.annotation)
            elif isinstance(statement, ast.Assign):
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        self.add(target.id, statement, None)
        properties = dict((name, self.property(*found)) for name, found in self.found.items())
        required = [name for name, (_, value, _) in self.found.items() if value is None]
        return {"properties": properties, "required": required}

    def add(self, name, statement, annotation):
        """A name that is assigned twice has the last value, and the annotation and the comment of either."""
        if name.startswith("_") or name in NOT_PARAMETERS:
            return
        kind, description = self.comment(statement)
        if annotation is not None:
            kind, description = self.schema(annotation), self.described(annotation) or description
        old_kind, old_value, old_description = self.found.get(name, (None, None, None))
        self.found[name] = (
            old_kind if kind is None else kind,
            old_value if statement.value is None else statement.value,
            description or old_description,
        )

    def property(self, kind, node, description):
        schema = {} if kind is None else kind
        known = {}
        if node is not None:
            try:
                value = self.value(node)
                schema = type_of(value) if kind is None else kind
                if value is None:
                    schema = with_null(schema)
                if is_naive(value):
                    schema = naive(schema)
                known = {"default": plain(value)}
                if len(json.dumps(known)) > MOST_TEXT:
                    known = {}
            except Unreadable:
                known = {}
        if description:
            known["description"] = description[:MOST_DESCRIPTION]
        return dict(schema, **known)

    def comment(self, statement):
        """The type that a `# type:` comment gives, or None, and what else is said there or in the lines above."""
        text = self.trailing.get(statement.end_lineno) or self.trailing.get(statement.lineno) or ""
        kind = None
        if text.startswith("type:"):
            before, _, after = text[len("type:") :].partition("#")
            kind = self.quoted(before) or None
            if kind or before.strip().startswith("ignore"):
                text = after.strip(" \t#")
        if text.startswith("@param"):  # a form of Colab
            text = ""
        if not text:
            lines, line = [], statement.lineno - 1
            while line in self.own_line:
                lines.insert(0, self.own_line[line])
                line -= 1
            text = " ".join(line for line in lines if line)
            if text.lower().strip(" :.") in ("parameters", "params", "papermill parameters", "type: ignore"):
                text = ""
        return kind, text
