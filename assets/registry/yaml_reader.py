"""Strict reading of YAML: every scalar is text, every problem has a line and a column.

Belongs here: nodes into mappings, lists, texts, decimals, choices, with a problem where they are not.
Must not be here: the keys of any particular file.
"""

import re
from collections.abc import Callable, Collection
from decimal import Decimal

import yaml

from assets.registry.identifiers import Refusal, suggestion
from assets.registry.problems import SECRET_REMEDY, FileProblems
from assets.registry.secret_shapes import HIDDEN, find_secrets, secret_kind

DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?")
# BaseLoader has no implicit resolvers: 0x…, 1e5, yes and dates stay text. The C parser is some ten times faster.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")

_DEPTH = 20

Node = yaml.Node
Fields = dict[str, yaml.Node]


class YamlReader:
    """Reads nodes of one file and collects what is wrong with them; a faulty value reads as None."""

    def __init__(self, file: str) -> None:
        self.problems = FileProblems(file)
        self._has_secrets = False

    def document(self, data: bytes) -> Node | None:
        """Parse the one document of the file; secrets anywhere in it, comments too, are problems."""
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self.problems.add(line, None, None, "UTF-8 text", "save the file as UTF-8")
            return None
        for kind, offset in find_secrets(text):
            line = text.count("\n", 0, offset) + 1
            column = offset - text.rfind("\n", 0, offset)
            self.problems.add(line, column, HIDDEN, f"no {kind} in any input file", SECRET_REMEDY)
            self._has_secrets = True
        try:
            if not self._is_shallow(text):
                return None
            node: Node | None = yaml.compose(text, Loader=_LOADER)
        except yaml.YAMLError as error:
            self._unreadable(error)
            return None
        if node is None:
            self.problems.add(1, 1, None, "a list of portfolios", "the file is empty: write version, portfolios")
        return node

    def _is_shallow(self, text: str) -> bool:
        """Composing recurses in C without a limit: 100,000 brackets were seen to crash the process; events do not."""
        depth = 0
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > _DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else 1
                expected = f"YAML that can be read (at most {_DEPTH} levels)"
                self.problems.add(line, None, None, expected, "check brackets and indentation")
                return False
        return True

    def _unreadable(self, error: yaml.YAMLError) -> None:
        mark = getattr(error, "problem_mark", None)
        # The parser's own text shows a piece of the file, which may be a secret: only its reason is repeated.
        reason = str(getattr(error, "problem", None) or "not YAML")
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        self.problems.add(
            line, column, None, f"YAML that can be read ({reason})", "check indentation, colons and quotes"
        )

    def problem(self, node: Node, expected: str, remedy: str, value: str | None = None) -> None:
        """Add a problem at a node; a scalar's own text is its value unless one is given."""
        if value is None and isinstance(node, yaml.ScalarNode):
            value = str(node.value)
        if self._has_secrets and value is not None and secret_kind(value):
            return  # reported with the whole text
        mark = node.start_mark
        self.problems.add(mark.line + 1, mark.column + 1, value, expected, remedy)

    def mapping(self, node: Node, what: str, keys: Collection[str], required: Collection[str] = ()) -> Fields:
        """Read a mapping with known keys; unknown, double and missing keys are problems."""
        fields = {}
        for key, key_node, value in self.pairs(node, what):
            if key not in keys:
                near = suggestion(key, tuple(keys))
                self.problem(key_node, f"a key of {what}: {', '.join(keys)}", near or "remove it", key)
            elif key not in fields:
                fields[key] = value
        if isinstance(node, yaml.MappingNode):
            for key in required:
                if key not in fields:
                    self.problem(node, f"the key {key} in {what}", f"add {key}")
        return fields

    def pairs(self, node: Node, what: str) -> list[tuple[str, Node, Node]]:
        """Read a mapping with free keys as (key, key's node, value's node); a double key is a problem."""
        if not isinstance(node, yaml.MappingNode):
            self.problem(node, f"{what} as a mapping (key: value)", "write one key: value per line")
            return []
        self._plain(node)
        found: dict[str, tuple[str, Node, Node]] = {}
        for key_node, value in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.problem(key_node, f"a plain key in {what}", "write key: value")
                continue
            key = str(key_node.value)
            if key in found:
                first = found[key][1].start_mark.line + 1
                self.problem(key_node, f"each key of {what} once", f"it stands at line {first} already: keep one", key)
                continue
            found[key] = (key, key_node, value)
        return list(found.values())

    def entries(self, data: bytes, key: str, remedy_if_empty: str | None = None) -> list[Node]:
        """The list under `key` of a file that holds its version and nothing else beside it."""
        root = self.document(data)
        if root is None:
            return []
        fields = self.mapping(root, self.problems.file, ("version", key), ("version", key))
        self.choice(fields.get("version"), "version", ("1",))
        return self.sequence(fields[key], key, remedy_if_empty) if key in fields else []

    def sequence(self, node: Node, what: str, remedy_if_empty: str | None = None) -> list[Node]:
        """Read a list; an empty one is a problem when a remedy for it is given."""
        if not isinstance(node, yaml.SequenceNode):
            self.problem(node, f"{what} as a list", "write [a, b] or one '- item' per line")
            return []
        self._plain(node)
        if not node.value and remedy_if_empty is not None:
            self.problem(node, f"at least one entry in {what}", remedy_if_empty)
        return list(node.value)

    def text(self, node: Node | None, what: str) -> str | None:
        """Read a text that is not empty."""
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode):
            self.problem(node, f"{what} as one value", "write a single value here")
            return None
        self._plain(node)
        value = str(node.value).strip()
        if not value or value == "~" or (value == "null" and node.style is None):
            self.problem(node, f"a value for {what}", "fill it in, or leave the key out")
            return None
        return value

    def matching(self, node: Node | None, what: str, pattern: re.Pattern[str], expected: str) -> str | None:
        """Read a text of a given form."""
        value = self.text(node, what)
        if node is not None and value is not None and not pattern.fullmatch(value):
            self.problem(node, f"{what}: {expected}", "change it")
            return None
        return value

    def choice(self, node: Node | None, what: str, choices: Collection[str]) -> str | None:
        """Read one of a few words."""
        value = self.text(node, what)
        if node is not None and value is not None and value not in choices:
            near = suggestion(value, tuple(choices))
            self.problem(node, f"{what}: one of {', '.join(choices)}", near or "choose one of them")
            return None
        return value

    def boolean(self, node: Node | None, what: str) -> bool | None:
        """Read `true` or `false`, nothing else."""
        value = self.choice(node, what, ("true", "false"))
        return None if value is None else value == "true"

    def decimal(self, node: Node | None, what: str, low: str, high: str, *, is_open: bool = False) -> Decimal | None:
        """Read a decimal in [low, high], or in (low, high) when `is_open`."""
        value = self.text(node, what)
        if node is None or value is None:
            return None
        limits = f"above {low} and below {high}" if is_open else f"from {low} to {high}"
        if not DECIMAL.fullmatch(value):
            self.problem(node, f"{what}: a decimal {limits}", "write digits with a point, as in 0.25")
            return None
        number, bottom, top = Decimal(value), Decimal(low), Decimal(high)
        is_inside = bottom < number < top if is_open else bottom <= number <= top
        if not is_inside:
            self.problem(node, f"{what}: a decimal {limits}", "fractions, not percent: 5 % is 0.05")
            return None
        return number

    def integer(self, node: Node | None, what: str, low: int, high: int) -> int | None:
        """Read a whole number in [low, high]."""
        value = self.text(node, what)
        if node is None or value is None:
            return None
        if not re.fullmatch(r"\d{1,9}", value) or not low <= int(value) <= high:
            self.problem(node, f"{what}: a whole number from {low} to {high}", "change it")
            return None
        return int(value)

    def checked(self, node: Node | None, what: str, check: Callable[[str], str]) -> str | None:
        """Read a text through a check that gives its normal form or raises Refusal."""
        value = self.text(node, what)
        if node is None or value is None:
            return None
        try:
            return check(value)
        except Refusal as refusal:
            self.problem(node, f"{what}: {refusal.expected}", refusal.remedy)
            return None

    def _plain(self, node: Node) -> None:
        if node.tag not in _TAGS and node.tag != "!":
            self.problem(node, "no YAML tags", "remove the tag (the word that begins with !)", str(node.tag))
