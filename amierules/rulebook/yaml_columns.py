"""Lines that begin in a column in which nothing can: which of two lines is the wrong one, and where it belongs."""

import re
from collections.abc import Sequence

from amierules.diagnostics import printable
from amierules.rulebook.yaml_text import (
    NO_YAML,
    Slip,
    Trouble,
    content_lines,
    indent_of,
    is_item,
    key_column,
    line_at,
    line_end,
    line_start,
)

_ONLY_A_KEY = re.compile(r" *(?:- +)*[\w.-]+$")
_KEY = re.compile(r" *(?:- +)*[\w.-]+:(?: |$)")
_STEP = 2
"""How many columns what belongs to a key usually stands behind it."""
_BLOCK_TEXT = re.compile(r":[ \t]+[|>][-+0-9]*[ \t]*(?:#.*)?$")


def continues_a_text(trouble: Trouble) -> Slip | None:
    """A key that YAML takes for the next line of a text; or a text that holds a colon."""
    text, offset = trouble.text, trouble.offset
    if trouble.problem != "mapping values are not allowed in this context":
        return None
    start = line_start(text, offset)
    line = text[start:offset]
    if _ONLY_A_KEY.match(line) and start:
        return _wrong_line_above(text, start, key_column(line)) or _too_deep(text, start, start + indent_of(line))
    value = re.sub(r"^ *(?:- +)*[\w.-]+: +", "", line_at(text, offset))
    shown = printable(value.replace("\\", "\\\\").replace('"', '\\"'), 100)
    return Slip(offset, NO_YAML + "a ': ' stands inside a text without quotes", f'write "{shown}"')


def _too_deep(text: str, start: int, key: int) -> Slip:
    above = text.count("\n", 0, start)
    column = key_column(line_at(text, start - 1))
    message = NO_YAML + f"this line is indented deeper than line {above}, so it continues the text there"
    return Slip(key, message, f"begin it in column {column}")


def _wrong_line_above(text: str, start: int, column: int) -> Slip | None:
    """The slip on the line above one that begins in `column`, where that line is the one that is wrong."""
    begin, line = line_start(text, start - 1), line_at(text, start - 1)
    if not re.search(r":(?: |$)", line):
        message, hint = "a ':' is missing", "a key is followed by ': ', like `when: project is none`"
        return Slip(begin + key_column(line) - 1, NO_YAML + message, hint)
    return _wrong_item(text, begin, line, column)


def _wrong_item(text: str, begin: int, line: str, column: int) -> Slip | None:
    """The slip on a line that begins an item whose next key stands in `column`: no dash, or another column."""
    key = key_column(line)
    if line.lstrip().startswith("name:") and column == key + 2:
        return _no_dash(begin + key - 1)
    elsewhere = {key_column(other) for _offset, other in content_lines(text) if is_item(other)}
    if is_item(line) and key != column and (column in elsewhere or _several_keys(text, begin, column)):
        message = f"this item begins in column {indent_of(line) + 1}, and its next key in column {column}"
        return Slip(begin + indent_of(line), NO_YAML + message, f"begin it in column {column - 2}")
    return None


def _several_keys(text: str, begin: int, column: int) -> bool:
    """Whether not one key alone stands in `column`, of those that follow the line at `begin`."""
    count = 0
    for offset, line in content_lines(text):
        if offset > begin and indent_of(line) < column:
            if is_item(line) or key_column(line) != column:
                break
            count += 1
    return count > 1


def unindented_text(trouble: Trouble) -> Slip | None:
    """A text of several lines whose lines stand no deeper than its key."""
    text, start = trouble.text, line_start(trouble.text, trouble.offset)
    above = line_at(text, start - 1).rstrip() if start else ""
    if trouble.problem != "could not find expected ':'" or not _BLOCK_TEXT.search(above):
        return None
    message = NO_YAML + "the text that '|' or '>' announces is not indented"
    return Slip(trouble.offset, message, f"begin its lines in column {key_column(above) + 2}")


def begins_elsewhere(trouble: Trouble) -> Slip | None:
    """A text of several lines whose first stands deeper than the next, or no deeper than its key: YAML takes only one
    of them for the text."""
    text, start = trouble.text, line_start(trouble.text, trouble.offset)
    first = line_start(text, start - 1) if start else 0
    header = line_at(text, first - 1) if first else ""
    if not _BLOCK_TEXT.search(header):
        return None
    here, deeper = indent_of(line_at(text, start)), indent_of(line_at(text, first))
    outside = deeper < key_column(header) and not _KEY.match(line_at(text, first))
    if not (key_column(header) <= here and (here < deeper or outside)):
        return None
    if deeper + 1 == key_column(header) + _STEP and here < deeper:
        # The text begins where texts do: it is the next line that stands otherwise.
        message = NO_YAML + f"the text begins in column {deeper + 1}, and this line of it in column {here + 1}"
        return Slip(start + here, message, f"begin it in column {deeper + 1}")
    message = NO_YAML + f"the text begins in column {deeper + 1}, and its next line in column {here + 1}"
    return Slip(first + deeper, message, f"begin it in column {here + 1}")


def in_no_column(trouble: Trouble) -> Slip | None:
    """A line that begins in a column in which nothing above it does."""
    text, offset = trouble.text, trouble.offset
    start = line_start(text, offset)
    column = offset - start + 1
    expected = trouble.problem.startswith("did not find expected") and "flow" not in trouble.context
    if text[start:offset].strip() or not expected:
        return None
    blamed = _line_before_that_differs(text, start, column)
    if blamed is not None:
        return blamed
    columns = [str(one) for one in _open_columns(text[:start], column)]
    if not columns or str(column) in columns:
        return None
    message = NO_YAML + f"this line begins in column {column}, and nothing that it could belong to does"
    return Slip(offset, message, f"what stands above begins in column {' or '.join(columns)}")


def _line_before_that_differs(text: str, start: int, column: int) -> Slip | None:
    """The slip on an earlier line, where that one stands otherwise than the lines around it."""
    lines = list(content_lines(text))
    here = next((number for number, (begin, _line) in enumerate(lines) if begin >= start), len(lines))
    if here in (0, len(lines)):
        return None
    if here + 1 < len(lines) and indent_of(lines[here + 1][1]) == indent_of(lines[here - 1][1]) != column - 1:
        return None  # it is this line that stands otherwise than those around it
    first = here
    while first > 0 and indent_of(lines[first - 1][1]) >= column - 1:
        first -= 1
    if 0 < first < here and is_item(lines[here][1]) and not is_item(lines[first][1]) and _opens(lines, first - 1):
        return _no_dash(lines[first][0] + indent_of(lines[first][1]))
    begin, line = lines[here - 1]
    if not is_item(lines[here][1]) and (item := _wrong_item(text, begin, line, column)) is not None:
        return item
    last_of_its_kind = next(
        (number for number in range(here - 1, -1, -1) if indent_of(lines[number][1]) < column), here - 1
    )
    for number in (here - 1, last_of_its_kind):
        if _is_the_wrong_one(lines, number, here, column):
            begin, line = lines[number]
            message = f"this line begins in column {indent_of(line) + 1}, and the next of its kind in column {column}"
            return Slip(begin + indent_of(line), NO_YAML + message, f"begin it in column {column}")
    return None


def _is_the_wrong_one(lines: Sequence[tuple[int, str]], number: int, here: int, column: int) -> bool:
    """Whether of two lines of one kind the first is the wrong one; the second, `here`, begins in `column`."""
    line, above = lines[number][1], number - 1
    is_usual, other_is = _steps(lines, above, indent_of(line)), _steps(lines, above, column - 1)
    if is_item(line) != is_item(lines[here][1]) or (is_usual and not other_is and not is_item(line)):
        return False
    after = next((line for _begin, line in lines[here + 1 :] if indent_of(line) < column), "")
    alone = _opens(lines, above) and (other_is != is_usual or not after or indent_of(after) == column - 1)
    return alone or (above >= 0 and indent_of(lines[above][1]) == column - 1 > indent_of(line))


def _steps(lines: Sequence[tuple[int, str]], above: int, indent: int) -> bool:
    """Whether a key of this indent stands two deeper than the line that opens its mapping, as most do."""
    return above >= 0 and _opens(lines, above) and indent == key_column(lines[above][1]) + 1


def _opens(lines: Sequence[tuple[int, str]], number: int) -> bool:
    """Whether what belongs to a line begins on the next one; so does the text itself."""
    return number < 0 or re.sub(r"\s+#.*", "", lines[number][1]).rstrip().endswith(":")


def _no_dash(offset: int) -> Slip:
    return Slip(offset, NO_YAML + "an item of a list begins here, without its '- '", "write '- ' before it")


def _open_columns(above: str, column: int) -> Sequence[int]:
    """The columns in which the list items and mappings that are open begin, the nearest two."""
    found: set[int] = set()
    least = 10**6
    for _offset, line in reversed(list(content_lines(above))):
        found.update(one for one in (key_column(line), indent_of(line) + 1) if one < least)
        least = min(least, indent_of(line) + 1)
    return sorted(sorted(found, key=lambda one: abs(one - column))[:2])


def not_closed(trouble: Trouble) -> Slip | None:
    """A brace or bracket that is open where the next key begins."""
    text, begin = trouble.text, trouble.begin
    if trouble.problem.startswith("did not find expected node content"):
        begin = max(text.rfind("{", 0, trouble.offset), text.rfind("[", 0, trouble.offset), 0)
    opened = text[begin : begin + 1]
    if "flow" not in trouble.context or opened not in ("{", "[") or line_end(text, begin) >= trouble.offset:
        return None
    after = text[line_end(text, begin) : line_end(text, trouble.offset)].splitlines()
    least = indent_of(line_at(text, begin))
    # Inside braces all stands deeper than the line on which they open.
    if text[trouble.offset :].strip() and all(indent_of(line) > least for line in after if line.strip()):
        return None
    closing = "}" if opened == "{" else "]"
    hint = f"add '{closing}'"
    if re.search(r"\s#", text[begin : line_end(text, begin)]):
        hint = f"what stands behind ' #' is a comment: put it into quotes, or add '{closing}' before it"
    return Slip(begin, NO_YAML + f"the '{opened}' that opens here is not closed", hint)
