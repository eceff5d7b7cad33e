"""Findings as text with source line and caret, as JSON, and as GitHub annotations."""

from collections.abc import Callable, Iterable

from amierules.diagnostics.finding import Finding, Place, Severity
from amierules.diagnostics.text import json_document, printable, visible

SourceLine = Callable[[str, int], str | None]
"""The text of line N (from 1) of a file, or None where it cannot be had."""

Paint = Callable[[str, str], str]
"""Colours a text in a style (`error`, `warning`, `note`, `caret`, `place`); the identity where colours are off."""


def plain(text: str, _style: str) -> str:
    """The `Paint` that leaves a text as it is."""
    return text


def as_text(findings: Iterable[Finding], source_line: SourceLine, paint: Paint = plain) -> str:
    """Each finding as `file:line:column: severity[code]: message`, then the source line, a caret, and the hint."""
    return "\n".join(_one_as_text(finding, source_line, paint) for finding in sorted(findings, key=Finding.sort_key))


def _one_as_text(finding: Finding, source_line: SourceLine, paint: Paint) -> str:
    label = paint(f"{finding.severity}[{finding.code}]", str(finding.severity))
    place = finding.place
    where = paint(_where(place), "place") + ": " if place else ""
    lines = [f"{where}{label}: {visible(finding.message)}"]
    source = source_line(place.file, place.line) if place and place.line else None
    if place and source is not None:
        gutter = f"{place.line:>5} | "
        lines.append(gutter + printable(source.expandtabs(1), 400))
        if place.column:
            carets = "^" * max(1, min(place.length, len(source) - place.column + 1))
            lines.append("      | " + " " * (place.column - 1) + paint(carets, "caret"))
    if finding.hint:
        lines.append(f"      = hint: {visible(finding.hint)}")
    return "\n".join(lines)


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
