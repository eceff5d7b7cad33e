"""Findings as text with source line and caret, as JSON, and as GitHub annotations."""

import textwrap
from collections.abc import Callable, Iterable

from amierules.diagnostics.finding import Finding, Place, Severity
from amierules.diagnostics.text import json_document, visible

SourceLine = Callable[[str, int], str | None]
"""The text of line N (from 1) of a file, or None where it cannot be had."""

Paint = Callable[[str, str], str]
"""Colours a text in a style (`error`, `warning`, `note`, `caret`, `place`); the identity where colours are off."""


def plain(text: str, _style: str) -> str:
    """The `Paint` that leaves a text as it is."""
    return text


def as_text(
    findings: Iterable[Finding], source_line: SourceLine, paint: Paint = plain, width: int | None = None
) -> str:
    """Each finding as `file:line:column: severity[code]: message`, then the source line, a caret, and the hint.

    With `width`, source lines are cut to so many columns, and messages broken at spaces.
    """
    ordered = sorted(findings, key=Finding.sort_key)
    return "\n".join(_one_as_text(finding, source_line, paint, width) for finding in ordered)


def _one_as_text(finding: Finding, source_line: SourceLine, paint: Paint, width: int | None) -> str:
    label = paint(f"{finding.severity}[{finding.code}]", str(finding.severity))
    place = finding.place
    where = paint(_where(place), "place") + ": " if place else ""
    # The colours take no room: what is broken is the plain text, whose beginning is coloured afterwards.
    plain_head = (_where(place) + ": " if place else "") + f"{finding.severity}[{finding.code}]: "
    first, *more = _wrapped(plain_head + visible(finding.message), width, "    ")
    lines = [f"{where}{label}: " + first.removeprefix(plain_head) if first.startswith(plain_head) else first, *more]
    source = source_line(place.file, place.line) if place and place.line else None
    if place and source is not None:
        lines += _excerpt(place, source.expandtabs(1), paint, (width or 408) - 8)
    if finding.hint:
        lines += _wrapped(f"      = hint: {visible(finding.hint)}", width, " " * 14)
    return "\n".join(lines)


def _excerpt(place: Place, source: str, paint: Paint, room: int) -> list[str]:
    """The source line, cut to its room so that the place can be seen, and carets below the place."""
    start = max(place.column - 1, 0)
    first = start - room // 2 if start >= room - 2 else 0
    before = "…" if first else ""
    shown = before + visible(source[first : first + room - len(before)])
    cut = len(source) - first > room - len(before)
    lines = [f"{place.line:>5} | " + (shown[: room - 1] + "…" if cut or len(shown) > room else shown)]
    if place.column:
        column = start - first + len(before)
        carets = "^" * max(1, min(place.length, len(source) - start, room - column))
        lines.append("      | " + " " * column + paint(carets, "caret"))
    return lines


def _wrapped(text: str, width: int | None, indent: str) -> list[str]:
    if width is None or len(text) <= width:
        return [text]
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)


def _where(place: Place) -> str:
    return ":".join(visible(str(part)) for part in (place.file, place.line, place.column) if part)


def as_json(findings: Iterable[Finding]) -> str:
    """The findings as the JSON document of `validate --format json`."""
    ordered = [finding.as_json() for finding in sorted(findings, key=Finding.sort_key)]
    return json_document({"format_version": 1, "findings": ordered})


_GITHUB_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def as_github(findings: Iterable[Finding]) -> str:
    """The findings as workflow commands that GitHub shows beside the changed lines."""
    return "\n".join(_one_for_github(finding) for finding in sorted(findings, key=Finding.sort_key))


def _one_for_github(finding: Finding) -> str:
    place = finding.place
    properties = {"title": finding.code}
    if place:
        properties |= {"file": place.file, "line": str(place.line or 1), "col": str(place.column or 1)}
    listed = ",".join(f"{key}={_escaped(value, ',:')}" for key, value in properties.items())
    message = visible(finding.message) + (f"\nhint: {visible(finding.hint)}" if finding.hint else "")
    return f"::{_GITHUB_LEVEL[finding.severity]} {listed}::{_escaped(message)}"


def _escaped(text: str, also: str = "") -> str:
    for character in "%\r\n" + also:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
