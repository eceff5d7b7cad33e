"""What reaches the terminal: data on stdout, prose on stderr, colours only on a terminal and without NO_COLOR."""

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from textwrap import wrap
from typing import TextIO

from amierules.diagnostics import Finding, json_document
from amierules.diagnostics.render import as_text

_CODES: Mapping[str, str] = {
    "error": "1;31",
    "warning": "1;33",
    "note": "1;36",
    "caret": "1;31",
    "place": "1",
    "good": "32",
    "bad": "31",
    "wait": "33",
    "dim": "2",
    "strong": "1",
}


STATUS_STYLES: Mapping[str, str] = {
    "done": "good",
    "ready": "good",
    "ignored": "dim",
    "failed": "bad",
    "parked": "bad",
    "in_doubt": "bad",
}
"""The styles of packet statuses; all others are waiting in some way."""


def terminal_width() -> int:
    """How many columns a line may take; 100 where there is no terminal."""
    return max(shutil.get_terminal_size((100, 24)).columns, 60)


def row_width() -> int | None:
    """How many columns a row of a list may take; None where it is no terminal that shows it, so that nothing is cut."""
    return terminal_width() if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal() else None


def wrapped(text: str, stream: TextIO | None = None) -> str:
    """A line on as many lines as the terminal's width asks for, the further ones indented; where the stream (stdout by
    default) is no terminal, as it is."""
    width = row_width() if stream is None else terminal_width() if stream.isatty() else None
    if width is None or len(text) <= width:
        return text
    indent = " " * (len(text) - len(text.lstrip()) + 4)
    # Half a path or option would be read, and copied, as a whole one.
    lines = wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def shortened(text: str, room: int) -> str:
    """The text, cut with an ellipsis where it has not room enough."""
    return text if len(text) <= room else text[: max(room - 1, 0)] + "…"


def coloured(stream: TextIO) -> bool:
    """Whether texts on this stream may be coloured."""
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """`text` in a style, where the stream (stdout by default) shows colours."""
    if style not in _CODES or not coloured(stream or sys.stdout):
        return text
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def _paint_err(text: str, style: str) -> str:
    return paint(text, style, sys.stderr)


def say(text: str = "") -> None:
    """A line of data, on stdout."""
    sys.stdout.write(text + "\n")


def tell(text: str) -> None:
    """A line of prose, on stderr. Data that cannot be written keeps nobody from saying so."""
    with suppress(OSError):
        sys.stdout.flush()
    sys.stderr.write(text + "\n")


def say_json(data: object) -> None:
    """A JSON document on stdout."""
    say(json_document(data, ascii_only=not (sys.stdout.encoding or "").lower().startswith("utf")))


def tell_findings(findings: Iterable[Finding]) -> None:
    """Findings on stderr, with source lines."""
    listed = list(findings)
    if listed:
        tell(as_text(listed, source_line, _paint_err, terminal_width() if sys.stderr.isatty() else None))


def say_findings(findings: Iterable[Finding]) -> None:
    """Findings on stdout, for the command whose result they are."""
    listed = list(findings)
    if listed:
        say(as_text(listed, source_line, paint, row_width()))


def source_line(file: str, line: int) -> str | None:
    """The text of a line of a file, or None where it cannot be had."""
    lines = _lines(file)
    return lines[line - 1] if 0 < line <= len(lines) else None


@cache
def _lines(file: str) -> tuple[str, ...]:
    try:
        data = Path(file).read_bytes()[:2_000_000]
    except OSError:
        return ()
    # The lines of a binary file tell nobody anything.
    return () if b"\0" in data else tuple(data.decode("utf-8", "replace").splitlines())
