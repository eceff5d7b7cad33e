"""What `validate --fix` mends: values that lack quotes, and the first line by which an editor finds the schema.

Everything else stays byte for byte: comments, line ends, the order of keys.
"""

import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from amierules.diagnostics import Finding, Place
from amierules.rulebook.files import read_text, shown
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode
from amierules.rulebook.yaml_reader import load_yaml

MODELINE = "# yaml-language-server: $schema="
_HAS_MODELINE = re.compile(r"^#[ \t]*yaml-language-server[ \t]*:", re.MULTILINE)
_BOM = "\ufeff"


@dataclass(frozen=True)
class Fix:
    """One thing that was mended. `before` is empty where a line was added."""

    place: Place
    before: str
    after: str


def fix_file(path: Path, findings: Iterable[Finding], schema: Path | None) -> list[Fix]:
    """Mends a file in place; returns what was mended, in the order of the file.

    `findings` are those of the file; `schema` is the file that a modeline is to name, or None where there is none.
    A file that cannot be read is left alone. Raises `OSError` where it cannot be written.
    """
    text, _ = read_text(path)
    if text is None:
        return []
    own = list(findings)
    quotes = [*_quotes(text, shown(path), own), *_unquoted(text, own)]
    mended = _with_quotes(text, quotes)
    line = _modeline(path, mended, schema)
    added = [] if line is None else [Fix(Place(shown(path), 1), "", line)]
    mended = mended if line is None else _with_first_line(mended, line)
    if mended != text:
        _replace(path, mended)
    return [*added, *sorted(quotes, key=lambda fix: fix.place)]


def _quotes(text: str, name: str, findings: Iterable[Finding]) -> Iterator[Fix]:
    """Quotes around the scalars that lack them, where they mean what is written there."""
    places = {(one.place.line, one.place.column) for one in findings if one.code == "quote-me" and one.place}
    root, _ = load_yaml(text, name)
    for node in _scalars(root):
        if (node.place.line, node.place.column) in places and node.needs_quotes and node.raw == node.text:
            # What looks like a number, a date or a constant has no character that needs more.
            yield Fix(node.place, node.raw, f'"{node.raw}"')


def _unquoted(text: str, findings: Iterable[Finding]) -> Iterator[Fix]:
    """Quotes around values that begin with an unquoted `{{`."""
    lines = _lines(text.removeprefix(_BOM))
    for place in (one.place for one in findings if one.code == "unquoted-template" and one.place):
        start = place.column - 1
        raw = lines[place.line - 1][start : start + place.length]
        quote = "'" if '"' in raw or "\\" in raw else '"'
        if quote not in raw:
            yield Fix(place, raw, f"{quote}{raw}{quote}")


def _scalars(node: Node | None) -> Iterator[ScalarNode]:
    match node:
        case ScalarNode():
            yield node
        case ListNode():
            for item in node.items:
                yield from _scalars(item)
        case MappingNode():
            for _key, value in node.items():
                yield from _scalars(value)


def _lines(text: str) -> list[str]:
    """The lines with their ends, as places count them."""
    return re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)


def _with_quotes(text: str, fixes: Iterable[Fix]) -> str:
    mark = _BOM if text.startswith(_BOM) else ""
    lines = _lines(text.removeprefix(_BOM))
    # From the end of a line to its beginning, so that columns stay true.
    for fix in sorted(fixes, key=lambda fix: fix.place, reverse=True):
        line, start = lines[fix.place.line - 1], fix.place.column - 1
        lines[fix.place.line - 1] = line[:start] + fix.after + line[start + len(fix.before) :]
    return mark + "".join(lines)


def _modeline(path: Path, text: str, schema: Path | None) -> str | None:
    if schema is None or _HAS_MODELINE.search(text.removeprefix(_BOM)):
        return None
    relative = os.path.relpath(schema.absolute(), path.absolute().parent)
    return MODELINE + Path(relative).as_posix()


def _with_first_line(text: str, line: str) -> str:
    mark = _BOM if text.startswith(_BOM) else ""
    rest = text.removeprefix(_BOM)
    found = re.search(r"\r\n|\n|\r", rest)
    return mark + line + (found.group() if found else "\n") + rest


def _replace(path: Path, text: str) -> None:
    """Puts the new text in the file's place all at once, with its permissions; what a link points to stays a file."""
    target = Path(os.path.realpath(path))
    mode = target.stat().st_mode & 0o7777
    with tempfile.NamedTemporaryFile("wb", dir=target.parent, prefix=".", suffix=".new", delete=False) as file:
        try:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, mode)
            os.replace(file.name, target)
        except OSError:
            os.unlink(file.name)
            raise
