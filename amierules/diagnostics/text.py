"""Text from outside made safe to show: on a terminal, in a log line, in a reason."""

import json
import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_UNREADABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of what follows."""


def printable(value: object, limit: int = 200) -> str:
    r"""`value` as one line of visible characters, at most `limit` of them.

    Control, formatting and unassigned characters (terminal escapes, line breaks, text direction marks) are shown as
    `\n`, `\x1b` or `\u202e`; what is cut off is replaced by an ellipsis.
    """
    text = str(value)
    cut = len(text) > limit
    shown = visible(text[: limit - 1 if cut else limit])
    return shown + "…" if cut else shown


def visible(text: str) -> str:
    """The whole text with the characters escaped that `printable` escapes."""
    return text if text.isprintable() else "".join(map(_visible, text))


def readable(text: str) -> str:
    r"""A text of several lines for a person to read: control characters and those that turn its direction as `\x1b`.

    Line breaks, tabs, and the joiners and marks that scripts and emoji are written with stay.
    """
    lines = text.replace("\r\n", "\n")
    return lines if lines.isprintable() else "".join(map(_readable, lines))


def json_document(data: object, *, ascii_only: bool = False) -> str:
    r"""`data` as an indented JSON document of visible characters: the others stand as `\uXXXX`."""
    text = json.dumps(data, indent=2, ensure_ascii=ascii_only)
    return "\n".join(line if line.isprintable() else "".join(map(_in_json, line)) for line in text.split("\n"))


def _in_json(character: str) -> str:
    return json.dumps(character)[1:-1] if unicodedata.category(character) in _HIDDEN else character


def _readable(character: str) -> str:
    if character in "\n\t" or not (unicodedata.category(character) in _UNREADABLE or character in _TURNING):
        return character
    return character.encode("unicode_escape").decode("ascii")


def _visible(character: str) -> str:
    if unicodedata.category(character) in _HIDDEN:
        return character.encode("unicode_escape").decode("ascii") if character != "\\" else character
    return character
