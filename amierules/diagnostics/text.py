"""Text from outside made safe to show: on a terminal, in a log line, in a reason."""

import json
import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


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


def json_document(data: object, *, ascii_only: bool = False) -> str:
    r"""`data` as an indented JSON document of visible characters: the others stand as `\uXXXX`."""
    text = json.dumps(data, indent=2, ensure_ascii=ascii_only)
    return "\n".join(line if line.isprintable() else "".join(map(_in_json, line)) for line in text.split("\n"))


def _in_json(character: str) -> str:
    return json.dumps(character)[1:-1] if unicodedata.category(character) in _HIDDEN else character


def _visible(character: str) -> str:
    if unicodedata.category(character) in _HIDDEN:
        return character.encode("unicode_escape").decode("ascii") if character != "\\" else character
    return character
