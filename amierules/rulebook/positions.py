"""Where a part of a scalar's value stands in the file, however the scalar is written.

The template engine counts in the value; quotes, escapes, indentation and folded lines stand only in the file.
"""

import re

from amierules.diagnostics import Place
from amierules.rulebook.nodes import ScalarNode, Style

_BLANK = frozenset(" \t\r\n\x85\u2028\u2029")
_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}
_BREAK = re.compile(r"\r\n|\n|\r")


def place_at(node: ScalarNode, offset: int | None, length: int = 1) -> Place:
    """The place of the value's characters from `offset` on; the whole scalar's where the offset is None."""
    if offset is None or not node.raw:
        return node.place
    offsets = _offsets(node)
    if not 0 <= offset < len(offsets):
        offset, length = max(0, len(offsets) - 1), 1
    start = offsets[offset] if offsets else 0
    last = offsets[min(offset + max(1, length), len(offsets)) - 1] if offsets else start
    return _place_in_raw(node, start, last + 1)


def expression_place(node: ScalarNode, expression: str, nth: int = 0, name: str = "") -> Place:
    """The place of the nth occurrence of an expression in the value, or of `name` as a word in it.

    Where the text is not found, the place of the whole scalar.
    """
    start = -1
    for _ in range(nth + 1):
        start = node.text.find(expression, start + 1)
        if start < 0:
            return node.place
    if not name:
        return place_at(node, start, len(expression))
    return name_place(node, name, start) if name in expression else place_at(node, start, len(expression))


def name_place(node: ScalarNode, name: str, after: int = 0) -> Place:
    """The place of the first use of a name in the value, from the offset `after` on; else the whole scalar's place."""
    word = re.compile(rf"(?<![\w'\"]){re.escape(name)}(?![\w'\"])")
    begin = node.text.find("{{", after) if "{{" in node.text[after:] else after
    found = word.search(node.text, begin) or word.search(node.text, after)
    return place_at(node, found.start(), len(name)) if found else node.place


def _offsets(node: ScalarNode) -> list[int]:
    """For each character of the value the offset in the source slice at which it is written."""
    raw, at = node.raw, _content_start(node)
    offsets: list[int] = []
    for character in node.text:
        if character not in _BLANK:
            at = _skip_blank(raw, at, node.style)
        length = _written_length(raw, at, node.style)
        offsets.append(min(at, max(0, len(raw) - 1)))
        is_written = character not in _BLANK or raw[at : at + 1] in _BLANK or length > 1
        at += length if is_written and at < len(raw) else 0
    return offsets


def _content_start(node: ScalarNode) -> int:
    match node.style:
        case Style.SINGLE | Style.DOUBLE:
            return 1
        case Style.LITERAL | Style.FOLDED:
            found = _BREAK.search(node.raw)
            return found.end() if found else len(node.raw)
        case _:
            return 0


def _skip_blank(raw: str, at: int, style: Style) -> int:
    while at < len(raw):
        if raw[at] in _BLANK:
            at += 1
        elif style is Style.DOUBLE and raw[at] == "\\" and raw[at + 1 : at + 2] in ("\n", "\r"):
            at += 2
        else:
            break
    return at


def _written_length(raw: str, at: int, style: Style) -> int:
    if style is Style.SINGLE and raw.startswith("''", at):
        return 2
    if style is Style.DOUBLE and raw.startswith("\\", at):
        return _ESCAPE_LENGTHS.get(raw[at + 1 : at + 2], 2)
    return 1


def _place_in_raw(node: ScalarNode, start: int, end: int) -> Place:
    breaks = list(_BREAK.finditer(node.raw, 0, start))
    line_break = _BREAK.search(node.raw, start, end)
    length = (line_break.start() if line_break else end) - start
    if not breaks:
        return Place(node.place.file, node.place.line, node.place.column + start, max(1, length))
    column = start - breaks[-1].end() + 1
    return Place(node.place.file, node.place.line + len(breaks), column, max(1, length))
