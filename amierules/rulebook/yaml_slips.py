"""Slips of the hand that a YAML parser reports somewhere else, or in words of its own: recognised by their look."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from amierules.diagnostics import printable

_NO_YAML = "this is no YAML: "
_CONFLICT = re.compile(r"^(?:<{7}|\|{7}|={7}|>{7})(?= |$)", re.MULTILINE)
_ODD_SPACE = re.compile("[\u00a0\u2000-\u200b\u202f\u3000]")
_BEGINS_QUOTED = re.compile(r"""^[ \t-]*[\w ]+:[ \t]+(?P<text>"(?:[^"\\\n]|\\.)*|'(?:[^'\n]|'')*)$""", re.MULTILINE)
_GLUED_VALUE = re.compile(r"^ *(?:- +)*(?P<key>\w+):(?=[^\s:/\\]|$)(?! *$)")
_GLUED_IN_FLOW = re.compile(r"[{,] *(?P<key>\w+):(?=[\"'\[{])")
_GLUED_DASH = re.compile(r"^ *-(?=\w[\w ]*:(?:\s|$))")
_ONLY_A_KEY = re.compile(r" *(?:- +)*[\w.-]+$")
_BLOCK_TEXT = re.compile(r":[ \t]+[|>][-+0-9]*[ \t]*(?:#.*)?$")


@dataclass(frozen=True)
class Trouble:
    """What the parser said: at which offset, and at which one the thing begins that it was reading."""

    text: str
    offset: int
    begin: int
    problem: str
    context: str


@dataclass(frozen=True)
class Slip:
    """A slip, and the offset at which it stands."""

    offset: int
    message: str
    hint: str
    code: str = "yaml-syntax"


def recognised(trouble: Trouble) -> Slip | None:
    """The slip that is behind the parser's trouble, where one is known by its look."""
    return next((slip for look in _LOOKS if (slip := look(trouble)) is not None), None)


def line_start(text: str, offset: int) -> int:
    """The offset at which the line of an offset begins."""
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def line_end(text: str, offset: int) -> int:
    """The offset at which the line of an offset ends, before its line break."""
    found = re.compile(r"[\r\n]").search(text, offset)
    return found.start() if found else len(text)


def _conflict(trouble: Trouble) -> Slip | None:
    found = _CONFLICT.search(trouble.text)
    if found is None:
        return None
    hint = "keep one of the two versions, and remove the lines with <<<<<<<, ======= and >>>>>>>"
    return Slip(found.start(), _NO_YAML + "a conflict of version control is not resolved", hint)


def _odd_space(trouble: Trouble) -> Slip | None:
    text, offset = trouble.text, trouble.offset
    found = _ODD_SPACE.search(text, line_start(text, offset), line_end(text, offset))
    if found is None:
        return None
    message = f"a no-break or other odd space (U+{ord(found[0]):04X}) stands where YAML wants an ordinary one"
    return Slip(found.start(), message, "type the space anew", "odd-space")


def _open_quote(trouble: Trouble) -> Slip | None:
    """The quoted text whose end was forgotten, where the next quote, on the line of the error, has ended it."""
    text, offset = trouble.text, trouble.offset
    for begun in reversed(list(_BEGINS_QUOTED.finditer(text, 0, line_start(text, offset)))):
        closing = text.find(begun["text"][0], begun.end())
        if 0 <= closing < line_end(text, offset) and text.count("\n", closing, offset) == 0:
            line = text.count("\n", 0, closing) + 1
            message = _NO_YAML + f"the quoted text that begins here ends only on line {line}"
            return Slip(begun.start("text"), message, "close the quotes on this line")
    return None


def _glued(trouble: Trouble) -> Slip | None:
    """A colon or dash without the space behind it: YAML stumbles only over what follows."""
    text = trouble.text
    start = line_start(text, trouble.offset)
    lines = [start, *([line_start(text, start - 1)] if start else [])]
    for begin in dict.fromkeys([*lines, line_start(text, trouble.begin)]):
        line = text[begin : line_end(text, begin)]
        if found := _GLUED_DASH.match(line):
            return Slip(begin + found.end() - 1, _NO_YAML + "a '-' needs a space behind it", "write '- '")
        if found := _GLUED_VALUE.match(line) or _GLUED_IN_FLOW.search(line):
            hint = f"write '{printable(found['key'], 60)}: '"
            return Slip(begin + found.end() - 1, _NO_YAML + "a ':' needs a space behind it", hint)
    return None


def _unclosed(trouble: Trouble) -> Slip | None:
    """A brace or bracket that is open where the next key begins."""
    text, begin = trouble.text, trouble.begin
    opened = text[begin : begin + 1]
    if "flow" not in trouble.context or opened not in ("{", "[") or line_end(text, begin) >= trouble.offset:
        return None
    rest = text[trouble.offset :]
    if rest.strip() and _indent(text, trouble.offset) > _indent(text, begin):
        return None
    line = text[begin : line_end(text, begin)]
    closing = "}" if opened == "{" else "]"
    hint = f"add '{closing}'"
    if re.search(r"\s#", line):
        hint = "what stands behind ' #' is a comment: put it into quotes, or add " + f"'{closing}' before it"
    return Slip(begin, _NO_YAML + f"the '{opened}' that opens here is not closed", hint)


def _text_goes_on(trouble: Trouble) -> Slip | None:
    """A quoted text that ends where its writer did not mean it to."""
    text, offset = trouble.text, trouble.offset
    before = text[line_start(text, offset) : offset].rstrip()
    if trouble.problem != "did not find expected key" or not before.endswith(("'", '"')):
        return None
    hint = "put the whole value into quotes of the other kind; inside '…' a ' is written ''"
    return Slip(offset, _NO_YAML + "the quoted text ends before this, and a value cannot go on behind it", hint)


def _continues(trouble: Trouble) -> Slip | None:
    """A key that YAML takes for the next line of a text, because it stands too deep; or a text with a colon."""
    text, offset = trouble.text, trouble.offset
    if trouble.problem != "mapping values are not allowed in this context":
        return None
    start = line_start(text, offset)
    line = text[start:offset]
    if _ONLY_A_KEY.match(line) and start:
        above = text.count("\n", 0, start)
        column = _key_column(text[line_start(text, start - 1) : start])
        key = start + len(line) - len(line.lstrip())
        message = _NO_YAML + f"this line is indented deeper than line {above}, so it continues the text there"
        return Slip(key, message, f"begin it in column {column}")
    value = re.sub(r"^ *(?:- +)*[\w.-]+: +", "", text[start : line_end(text, offset)])
    shown = printable(value.replace("\\", "\\\\").replace('"', '\\"'), 100)
    return Slip(offset, _NO_YAML + "a ': ' stands inside a text without quotes", f'write "{shown}"')


def _block_text(trouble: Trouble) -> Slip | None:
    text, start = trouble.text, line_start(trouble.text, trouble.offset)
    above = text[line_start(text, start - 1) : start].rstrip() if start else ""
    if trouble.problem != "could not find expected ':'" or not _BLOCK_TEXT.search(above):
        return None
    message = _NO_YAML + "the text that '|' or '>' announces is not indented"
    return Slip(trouble.offset, message, f"begin its lines in column {_key_column(above) + 2}")


def _star(trouble: Trouble) -> Slip | None:
    found = re.search(r"scanning an (alias|anchor)", trouble.context)
    if found is None:
        return None
    sign = "*" if found[1] == "alias" else "&"
    message = _NO_YAML + f"a value that begins with '{sign}' is an {found[1]}"
    return Slip(trouble.begin, message, "put the value into quotes")


def _column(trouble: Trouble) -> Slip | None:
    """A line whose beginning stands in no column in which it could."""
    text, offset = trouble.text, trouble.offset
    start = line_start(text, offset)
    if text[start:offset].strip() or not trouble.problem.startswith("did not find expected") or "flow" in trouble.context:
        return None
    columns = [str(column) for column in _open_columns(text[:start], offset - start + 1)]
    if not columns or str(offset - start + 1) in columns:
        return None
    message = _NO_YAML + f"this line begins in column {offset - start + 1}, and nothing that it could belong to does"
    return Slip(offset, message, f"what stands above begins in column {' or '.join(columns)}")


def _open_columns(above: str, column: int) -> Sequence[int]:
    """The columns in which the list items and mappings that are open begin, the nearest two."""
    found: list[int] = []
    least = 10**6
    for line in reversed(above.splitlines()):
        stripped = line.lstrip(" ")
        if not stripped or stripped.startswith("#"):
            continue
        indent = len(line) - len(stripped)
        for one in {_key_column(line), indent + 1}:
            if one < least:
                found.append(one)
        least = min(least, indent + 1)
    return sorted(sorted(set(found), key=lambda one: abs(one - column))[:2])


def _key_column(line: str) -> int:
    """The column, from 1, in which a line's key begins, behind the dashes of items."""
    found = re.match(r" *(?:- +)*", line)
    return (found.end() if found else 0) + 1


def _indent(text: str, offset: int) -> int:
    line = text[line_start(text, offset) : line_end(text, offset)]
    return len(line) - len(line.lstrip())


_LOOKS: Sequence[Callable[[Trouble], Slip | None]] = (
    _conflict,
    _odd_space,
    _open_quote,
    _star,
    _glued,
    _unclosed,
    _text_goes_on,
    _continues,
    _block_text,
    _column,
)
