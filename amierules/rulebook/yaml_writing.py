"""Values as YAML that our strict reader takes back to the same values."""

import re
from collections.abc import Mapping, Sequence

from amierules.rulebook.nodes import resolve

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_.@+/=-]*( [A-Za-z0-9_.@+/=-]+)*")
# Other readers of YAML take these for booleans.
_WORDS = frozenset({"yes", "no", "on", "off", "y", "n"})
_WIDTH = 120


class AsWritten(str):
    """A number or date whose digits are written as they are."""

    __slots__ = ()


def inline(value: object) -> str:
    """A value on one line."""
    if isinstance(value, AsWritten):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(str(name))}: {inline(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(inline, value)) + "]"
    if value is None:
        return "null"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)


def block(value: object, indent: int = 0) -> list[str]:
    """A value as lines, each item and key on one of its own unless all of it is short."""
    margin = " " * indent
    if isinstance(value, Mapping) and value:
        return [line for name, one in value.items() for line in _entry(str(name), one, indent)]
    if isinstance(value, list | tuple) and value:
        found = []
        for item in value:
            lines = [inline(item)] if _is_short(item, indent + 2) else block(item)
            found += [f"{margin}{'- ' if number == 0 else '  '}{line}" for number, line in enumerate(lines)]
        return found
    return [f"{margin}{inline(value)}"]


def _entry(name: str, value: object, indent: int) -> list[str]:
    key = f"{' ' * indent}{_text(name)}:"
    if _is_short(value, len(key)):
        return [f"{key} {inline(value)}"]
    return [key, *block(value, indent + 2)]


def _is_short(value: object, before: int) -> bool:
    """Whether a value stands on the line of its key or dash: one that has no others in it, or a small one."""
    inner: Sequence[object] = ()
    if isinstance(value, Mapping):
        inner = list(value.values())
    elif isinstance(value, list | tuple):
        inner = value
    nested = any(isinstance(one, Mapping | list | tuple) and one for one in inner)
    return not inner or (not nested and before + len(inline(value)) < _WIDTH - 20)


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and isinstance(resolve(text), str) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(map(_character, text)) + '"'


def _character(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
