"""Slips of the hand that a YAML parser reports somewhere else, or in words of its own: recognised by their look."""

import re
from collections.abc import Callable, Sequence

from amierules.diagnostics import printable
from amierules.rulebook.yaml_columns import (
    begins_elsewhere,
    continues_a_text,
    in_no_column,
    not_closed,
    unindented_text,
)
from amierules.rulebook.yaml_text import NO_YAML, Slip, Trouble, line_at, line_end, line_start

_CONFLICT = re.compile(r"^(?:<{7}|\|{7}|={7}|>{7})(?= |$)", re.MULTILINE)
_ODD_SPACE = re.compile("[\u00a0\u2000-\u200b\u202f\u3000]")
_QUOTED = re.compile(r"""(?<![^\s\[{,:(])(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')""")
_BEGINS_QUOTED = re.compile(r"""(?:: +|[\[{,] *|- +)(?P<quote>["'])""")
_GLUED_VALUE = re.compile(r"^ *(?:- +)*(?P<key>\w+):(?=[^\s:/\\])")
_GLUED_IN_FLOW = re.compile(r"[{,] *(?P<key>\w+):(?=[\"'\[{])")
_GLUED_DASH = re.compile(r"^ *-(?=\w[\w ]*:(?:\s|$))")


def recognised(trouble: Trouble) -> Slip | None:
    """The slip that is behind the parser's trouble, where one is known by its look."""
    return next((slip for look in _LOOKS if (slip := look(trouble)) is not None), None)


def _conflict(trouble: Trouble) -> Slip | None:
    found = _CONFLICT.search(trouble.text)
    if found is None:
        return None
    hint = "keep one of the two versions, and remove the lines with <<<<<<<, ======= and >>>>>>>"
    return Slip(found.start(), NO_YAML + "a conflict of version control is not resolved", hint)


def _odd_space(trouble: Trouble) -> Slip | None:
    text, offset = trouble.text, trouble.offset
    found = _ODD_SPACE.search(text, line_start(text, offset), line_end(text, offset))
    if found is None:
        return None
    message = f"a no-break or other odd space (U+{ord(found[0]):04X}) stands where YAML wants an ordinary one"
    return Slip(found.start(), message, "type the space anew", "odd-space")


def _open_quote(trouble: Trouble) -> Slip | None:
    """The quoted text whose end was forgotten, where a later quote, up to the line of the error, has ended it."""
    text, start = trouble.text, line_start(trouble.text, trouble.offset)
    last = line_end(text, trouble.offset)
    while start > 0:
        start = line_start(text, start - 1)
        begun = _unpaired_quote(line_at(text, start))
        if begun is None:
            continue
        closing = text.find(text[start + begun], line_end(text, start))
        if not 0 <= closing < last:
            return None
        line = text.count("\n", 0, closing) + 1
        message = NO_YAML + f"the quoted text that begins here ends only on line {line}"
        return Slip(start + begun, message, "close the quotes on this line")
    return None


def _unpaired_quote(line: str) -> int | None:
    """Where a quoted text begins that does not end on its line."""
    rest = _QUOTED.sub(lambda found: "x" * len(found[0]), line)
    found = _BEGINS_QUOTED.search(re.split(r"(?:^|\s)#", rest)[0])
    return found.start("quote") if found else None


def _star(trouble: Trouble) -> Slip | None:
    found = re.search(r"scanning an (alias|anchor)", trouble.context)
    if found is None:
        return None
    sign = "*" if found[1] == "alias" else "&"
    message = NO_YAML + f"a value that begins with '{sign}' is an {found[1]}"
    return Slip(trouble.begin, message, "put the value into quotes")


def _glued(trouble: Trouble) -> Slip | None:
    """A colon or dash without the space behind it: YAML stumbles only over what follows."""
    text = trouble.text
    start = line_start(text, trouble.offset)
    above = [line_start(text, start - 1)] if start else []
    for begin in dict.fromkeys([start, *above, line_start(text, trouble.begin)]):
        line = line_at(text, begin)
        if found := _GLUED_DASH.match(line):
            return Slip(begin + found.end() - 1, NO_YAML + "a '-' needs a space behind it", "write '- '")
        if found := _GLUED_VALUE.match(line) or _GLUED_IN_FLOW.search(line):
            hint = f"write '{printable(found['key'], 60)}: '"
            return Slip(begin + found.end() - 1, NO_YAML + "a ':' needs a space behind it", hint)
    return None


def _text_goes_on(trouble: Trouble) -> Slip | None:
    """A quoted text that ends where its writer did not mean it to."""
    text, offset = trouble.text, trouble.offset
    before = text[line_start(text, offset) : offset].rstrip()
    if trouble.problem != "did not find expected key" or not before.endswith(("'", '"')):
        return None
    hint = "put the whole value into quotes of the other kind; inside '…' a ' is written ''"
    return Slip(offset, NO_YAML + "the quoted text ends before this, and a value cannot go on behind it", hint)


_LOOKS: Sequence[Callable[[Trouble], Slip | None]] = (
    _conflict,
    _odd_space,
    begins_elsewhere,
    _open_quote,
    _star,
    _glued,
    not_closed,
    _text_goes_on,
    continues_a_text,
    unindented_text,
    in_no_column,
)
"""Asked in this order: a slip that is certain before one that is likely."""
