"""The nodes of a YAML file: scalars, lists and mappings, each with its place."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from amierules.diagnostics import Place

Scalar = str | int | float | bool | None


class Style(StrEnum):
    """How a scalar is written."""

    PLAIN = "plain"
    SINGLE = "'"
    DOUBLE = '"'
    LITERAL = "|"
    FOLDED = ">"


@dataclass(frozen=True)
class ScalarNode:
    """A scalar. `value` is what it means in YAML 1.2; `text` what is written, without quotes."""

    place: Place
    value: Scalar
    text: str
    raw: str
    """The slice of the source, with quotes, escapes and line breaks."""
    style: Style = Style.PLAIN

    @property
    def needs_quotes(self) -> bool:
        """Whether it is text only by our reading: plain, and like a number, a date, a boolean or null."""
        return self.style is Style.PLAIN and (
            not isinstance(self.value, str) or bool(_LOOKS_TYPED.fullmatch(self.text))
        )


@dataclass(frozen=True)
class ListNode:
    """A list."""

    place: Place
    items: tuple["Node", ...]


@dataclass(frozen=True)
class MappingNode:
    """A mapping from texts, in the order of the file."""

    place: Place
    keys: dict[str, ScalarNode] = field(default_factory=dict)
    values: dict[str, "Node"] = field(default_factory=dict)

    def get(self, key: str) -> "Node | None":
        """The value of a key; None where it is absent."""
        return self.values.get(key)

    def items(self) -> Iterator[tuple[ScalarNode, "Node"]]:
        """Each key's node and its value's."""
        return ((self.keys[key], value) for key, value in self.values.items())

    def key_place(self, key: str) -> Place:
        """Where the key stands; the mapping's place for an absent one."""
        node = self.keys.get(key)
        return node.place if node is not None else self.place


Node = ScalarNode | ListNode | MappingNode

_CONSTANTS: dict[str, bool | None] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,300})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LOOKS_TYPED = re.compile(
    r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"
)


def resolve(text: str) -> Scalar:
    """What a plain scalar means: null, a boolean, a decimal integer, a finite float; else the text itself."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def is_date(text: str) -> bool:
    """Whether a plain scalar is written like a date or a time."""
    return bool(re.fullmatch(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?", text))


def to_plain(node: Node) -> object:
    """The node as plain Python data: dict, list, str, int, float, bool, None."""
    match node:
        case ScalarNode():
            return node.value
        case ListNode():
            return [to_plain(item) for item in node.items]
        case MappingNode():
            return {key: to_plain(value) for key, value in node.values.items()}
