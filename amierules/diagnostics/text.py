"""Text from outside made safe to show: on a terminal, in a log line, in a reason."""

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(value: object, limit: int = 200) -> str:
    r"""`value` as one line of visible characters, at most `limit` of them.

    Control, formatting and unassigned characters (terminal escapes, line breaks, text direction marks) are shown as
    `\n`, `\x1b` or `\u202e`; what is cut off is replaced by an ellipsis.
    """
    text = str(value)
    cut = len(text) > limit
    shown = "".join(_visible(character) for character in text[: limit - 1 if cut else limit])
    return shown + "…" if cut else shown


def _visible(character: str) -> str:
    if unicodedata.category(character) in _HIDDEN:
        return character.encode("unicode_escape").decode("ascii") if character != "\\" else character
    return character
