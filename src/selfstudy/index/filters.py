"""The filter grammar: conditions on what is known of a passage's documents, the same for every retriever.

    site = 'x' and updated > '2024-01-01' and not (lang in ('en', 'zh') or pages >= 3)

    filter     = conjunct { "or" conjunct }
    conjunct   = term { "and" term }
    term       = "not" term | "(" filter ")" | condition
    condition  = field ( "=" | "!=" | "<>" | "<" | "<=" | ">" | ">=" ) value
               | field [ "not" ] "in" "(" value { "," value } ")"
               | field [ "not" ] "like" text           % any characters, _ one character, \\% \\_ \\\\ those signs themselves
               | field [ "not" ] "contains" text       anywhere, case ignored
               | field "is" [ "not" ] "null"
    field      = a name, or any text between double quotes, doubled within
    value      = text | number | "true" | "false"
    text       = any text between single quotes, doubled within: 'Bob''s notes.md'

Fields are those of `Document.meta` and `id`, `title`, `source`. Texts compare as they stand, so ISO dates compare as dates;
numbers compare as numbers; a value of another type than the field's, or a field that a document does not have, makes a condition
false. A passage matches if any of its documents does. Values are data throughout: nothing in them is ever read as syntax.
"""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from selfstudy.core.errors import BadInput, nearest
from selfstudy.core.records import Scalar

LONGEST = 10_000
DEEPEST = 60

Fields = Mapping[str, Scalar]

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_KEYWORDS = {"and", "or", "not", "in", "like", "contains", "is", "null", "true", "false"}
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<text>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")+")
      | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<name>[^\W\d][\w.\-]*)
      | (?P<sign><=|>=|!=|<>|[=<>(),])""",
    re.VERBOSE,
)
_EXAMPLE = "Write it like this: site = 'x' and updated > '2024-01-01'; a quote inside a text is doubled ('Bob''s')."


class Node(Protocol):
    """A part of a filter that is true or false of one document's fields."""

    def holds(self, fields: Fields) -> bool: ...


def parse(where: str, known: Collection[str]) -> Node:
    """The filter `where` as a tree. Raises BadInput for a fault of syntax, with its column, and for a field that is not in `known`."""
    if len(where) > LONGEST:
        raise BadInput(f"The filter has {len(where):,} characters; at most {LONGEST:,} are read.", "Ask for less at a time.")
    parser = _Parser(where, known)
    node = parser.filter(0)
    parser.end()
    return node


def names(node: Node) -> set[str]:
    """The fields that a filter speaks of."""
    if isinstance(node, (All, AnyOf)):
        return set().union(*(names(part) for part in node.nodes))
    if isinstance(node, Not):
        return names(node.node)
    return {node.field} if isinstance(node, (Compare, In, Matches, IsNull)) else set()


def check_kinds(node: Node, documents: Iterable[Fields]) -> None:
    """Raise BadInput where all that matches must have a text in a field that holds numbers alone, or the other way round."""
    needed = [part for part in (node.nodes if isinstance(node, All) else (node,)) if isinstance(part, (Compare, In))]
    held: dict[str, set[type]] = {part.field: set() for part in needed}
    for fields in documents:
        for field, kinds in held.items():
            if (value := fields.get(field)) is not None:
                kinds.add(_type(value))
    for part in needed:
        values = part.values if isinstance(part, In) else (part.value,)
        kinds = held[part.field]
        if kinds and not any(_type(value) in kinds for value in values):
            told = " or ".join(sorted(_KINDS[kind] for kind in kinds))
            raise BadInput(
                f"The field {part.field!r} holds {told}, and the filter compares it with {_KINDS[_type(values[0])]}: {values[0]!r}.",
                "A text stands in quotes ('2024-01-01'), a number without (3), and true and false alone.",
            )


@dataclass(frozen=True, slots=True)
class Compare:
    field: str
    sign: str
    value: Scalar

    def holds(self, fields: Fields) -> bool:
        found = fields.get(self.field)
        if found is None or not _comparable(found, self.value):
            return False
        if isinstance(self.value, bool) and self.sign not in ("=", "!=", "<>"):
            return False
        return bool(_OPERATORS[self.sign](_normal(found), self.value))


@dataclass(frozen=True, slots=True)
class In:
    field: str
    values: tuple[Scalar, ...]

    def holds(self, fields: Fields) -> bool:
        found = fields.get(self.field)
        return found is not None and any(_comparable(found, value) and _normal(found) == value for value in self.values)


@dataclass(frozen=True, slots=True)
class Matches:
    """`like` and `contains`: a pattern that the whole text of a field matches."""

    field: str
    pattern: re.Pattern[str]

    def holds(self, fields: Fields) -> bool:
        found = fields.get(self.field)
        return isinstance(found, str) and self.pattern.fullmatch(unicodedata.normalize("NFC", found)) is not None


@dataclass(frozen=True, slots=True)
class IsNull:
    field: str

    def holds(self, fields: Fields) -> bool:
        return fields.get(self.field) is None


@dataclass(frozen=True, slots=True)
class Not:
    node: Node

    def holds(self, fields: Fields) -> bool:
        return not self.node.holds(fields)


@dataclass(frozen=True, slots=True)
class All:
    nodes: tuple[Node, ...]

    def holds(self, fields: Fields) -> bool:
        return all(node.holds(fields) for node in self.nodes)


@dataclass(frozen=True, slots=True)
class AnyOf:
    nodes: tuple[Node, ...]

    def holds(self, fields: Fields) -> bool:
        return any(node.holds(fields) for node in self.nodes)


def _comparable(found: Scalar, value: Scalar) -> bool:
    return _type(found) is _type(value)


_KINDS = {str: "a text", float: "a number", bool: "true or false"}


def _type(value: Scalar) -> type:
    if isinstance(value, bool):
        return bool
    return str if isinstance(value, str) else float


def _normal(value: Scalar) -> Scalar:
    """Texts in composed form: some systems hand out file names with accents set apart."""
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int

    def shown(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text)


class _Parser:
    """Recursive descent over the tokens of one filter."""

    def __init__(self, where: str, known: Collection[str]) -> None:
        self.known = known
        self.tokens = list(_tokens(where))
        self.at = 0

    def filter(self, depth: int) -> Node:
        return self._joined("or", self._conjunct, AnyOf, depth)

    def _conjunct(self, depth: int) -> Node:
        return self._joined("and", self._term, All, depth)

    def _joined(self, word: str, part: Callable[[int], Node], join: type[All] | type[AnyOf], depth: int) -> Node:
        nodes = [part(depth)]
        while self._take(word):
            nodes.append(part(depth))
        return nodes[0] if len(nodes) == 1 else join(tuple(nodes))

    def _term(self, depth: int) -> Node:
        if depth > DEEPEST:
            self._fail(f"at most {DEEPEST} levels of 'not' and '('")
        if self._take("not"):
            return Not(self._term(depth + 1))
        if self._take("("):
            node = self.filter(depth + 1)
            self._need(")", "'and', 'or' or ')'")
            return node
        return self._condition()

    def _condition(self) -> Node:
        field = self._field()
        if self._now.text in _OPERATORS and self._now.kind == "sign":
            sign = self._next().text
            return Compare(field, sign, self._value(sign))
        if self._take("is"):
            negated = self._take("not")
            self._need("null", "'null'" if negated else "'null' or 'not null'")
            return Not(IsNull(field)) if negated else IsNull(field)
        negated = self._take("not")
        node = self._membership(field, negated)
        return Not(node) if negated else node

    def _membership(self, field: str, negated: bool) -> Node:
        if self._take("in"):
            self._need("(", "'('")
            values = [self._value("(")]
            while self._take(","):
                values.append(self._value(","))
            self._need(")", "',' or ')'")
            return In(field, tuple(values))
        if self._take("like"):
            return Matches(field, _like(self._text("like")))
        if self._take("contains"):
            return Matches(field, re.compile(f".*{re.escape(self._text('contains'))}.*", re.DOTALL | re.IGNORECASE))
        return self._fail(
            "'in', 'like' or 'contains' after 'not'" if negated else f"=, !=, <, <=, >, >=, in, like, contains or is after {field!r}"
        )

    def _field(self) -> str:
        token = self._now
        if token.kind not in ("name", "quoted"):
            return self._fail("a field")
        if token.kind == "name" and token.text.lower() in _KEYWORDS:
            return self._fail("a field")
        self.at += 1
        field = token.text[1:-1].replace('""', '"') if token.kind == "quoted" else token.text
        if field not in self.known:
            raise BadInput(
                f"No document has a field {field!r}{nearest(field, self.known)}",
                f"Known fields: {', '.join(sorted(self.known))}.",
            )
        return field

    def _value(self, after: str) -> Scalar:
        token = self._next()
        if token.kind == "text":
            return _unquoted(token.text)
        if token.kind == "number":
            return float(token.text) if re.search(r"[.eE]", token.text) else int(token.text)
        if token.kind == "name" and token.text.lower() in ("true", "false"):
            return token.text.lower() == "true"
        self.at -= 1
        return self._fail(f"a text in single quotes, a number, true or false after {after!r}")

    def _text(self, after: str) -> str:
        if self._now.kind != "text":
            self._fail(f"a text in single quotes after {after!r}")
        return _unquoted(self._next().text)

    def end(self) -> None:
        if self._now.kind != "end":
            self._fail("'and', 'or' or the end")

    @property
    def _now(self) -> _Token:
        return self.tokens[self.at]

    def _next(self) -> _Token:
        token = self._now
        self.at += 1
        return token

    def _take(self, word: str) -> bool:
        if self._now.kind in ("name", "sign") and self._now.text.lower() == word:
            self.at += 1
            return True
        return False

    def _need(self, word: str, expected: str) -> None:
        if not self._take(word):
            self._fail(expected)

    def _fail(self, expected: str) -> NoReturn:
        token = self._now
        raise BadInput(f"The filter cannot be read at column {token.column}: expected {expected}, found {token.shown()}.", _EXAMPLE)


def _tokens(where: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(where):
        found = _TOKEN.match(where, at)
        if found is None:
            what = "a text that never ends" if where[at] in "'\"" else repr(where[at])
            raise BadInput(f"The filter cannot be read at column {at + 1}: found {what}.", _EXAMPLE)
        if found.lastgroup != "space":
            tokens.append(_Token(str(found.lastgroup), found.group(), at + 1))
        at = found.end()
    tokens.append(_Token("end", "", len(where) + 1))
    return tokens


def _unquoted(text: str) -> str:
    return unicodedata.normalize("NFC", text[1:-1].replace("''", "'"))


def _like(pattern: str) -> re.Pattern[str]:
    """SQL's pattern as a regular one: % any characters, _ one, a backslash takes the next sign as it is.

    Each part between two % is taken where it first fits and not tried elsewhere (atomic groups), so no pattern takes long.
    """
    parts = [""]
    at = 0
    while at < len(pattern):
        sign = pattern[at]
        if sign == "\\" and pattern[at + 1 : at + 2] in ("%", "_", "\\"):
            at += 1
            parts[-1] += re.escape(pattern[at])
        elif sign == "%":
            parts.append("")
        else:
            parts[-1] += "." if sign == "_" else re.escape(sign)
        at += 1
    if len(parts) > 1:
        between = "".join(f"(?>.*?{part})" for part in parts[1:-1] if part)
        parts = [parts[0], between, ".*", parts[-1]]
    return re.compile("".join(parts), re.DOTALL)
