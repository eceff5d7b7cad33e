"""Lines and columns of a YAML text that the parser could not read."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

NO_YAML = "this is no YAML: "
"""How the message about a mistake begins that the parser cannot get over."""


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
    """A slip of the hand, and the offset at which it stands."""

    offset: int
    message: str
    hint: str
    code: str = "yaml-syntax"


def line_start(text: str, offset: int) -> int:
    """The offset at which the line of an offset begins."""
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def line_end(text: str, offset: int) -> int:
    """The offset at which the line of an offset ends, before its line break."""
    found = re.compile(r"[\r\n]").search(text, offset)
    return found.start() if found else len(text)


def line_at(text: str, offset: int) -> str:
    """The line of an offset, without its line break."""
    return text[line_start(text, offset) : line_end(text, offset)]


def content_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are neither empty nor comments, each with the offset at which it begins."""
    offset = 0
    for line in text.splitlines(keepends=True):
        if line.strip() and not line.lstrip().startswith("#"):
            yield offset, line.rstrip("\r\n")
        offset += len(line)


def indent_of(line: str) -> int:
    """How many spaces a line begins with."""
    return len(line) - len(line.lstrip(" "))


def key_column(line: str) -> int:
    """The column, from 1, in which a line's key begins, behind the dashes of items."""
    found = re.match(r" *(?:- +)*", line)
    return (found.end() if found else 0) + 1


def is_item(line: str) -> bool:
    """Whether a line begins an item of a list."""
    return line.lstrip(" ").startswith("- ")
