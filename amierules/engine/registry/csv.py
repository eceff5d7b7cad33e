"""Reading CSV files of the registry: one kind in each, the header names its fields."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amierules.diagnostics import Finding, Place, printable
from amierules.diagnostics.suggest import did_you_mean, hint_for
from amierules.engine.registry.fields import FIELDS, KINDS, REQUIRED, SINGULAR, Entry, FieldType, checked_text, value_of
from amierules.rulebook.files import shown

_ONLY_YAML = (FieldType.MAPPING, FieldType.OBJECTS)


@dataclass
class _Sheet:
    """A CSV file while it is read."""

    file: str
    lines: list[str]
    kind: str = ""
    columns: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def place(self, line: int, row: list[str] | None = None, column: int = 0) -> Place:
        """A row's place; with `row`, that of one of its cells, where no quotes hide its column."""
        source = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        if row is None or '"' in source or source.split(",") != row:
            return Place(self.file, line)
        start = sum(len(cell) + 1 for cell in row[:column])
        return Place(self.file, line, start + 1, max(1, len(row[column])))

    def find(self, code: str, message: str, place: Place, hint: str = "") -> None:
        """Adds a finding."""
        self.findings.append(Finding(code, message, place, hint))


def read_csv(path: Path, kind: str | None) -> tuple[list[Entry], list[Finding]]:
    """The entries of a CSV file, and what is wrong with it. Lists are separated by `;`; an empty cell says nothing.

    `kind` is one of `KINDS`; without it the file's name (`persons.csv`) or its columns say what it holds.
    """
    text, findings = file_text(path)
    if text is None:
        return [], findings
    sheet = _Sheet(shown(path), text.splitlines())
    rows = _rows(sheet, text)
    header = next(rows, None)
    if header is None:
        if not sheet.findings:
            sheet.find("empty-file", "the file is empty", Place(sheet.file), "its first line names the columns")
        return [], sheet.findings
    if not _take_header(sheet, *header, kind or _kind_of_name(path)):
        return [], sheet.findings
    entries = [_entry(sheet, line, row) for line, row in rows]
    return [entry for entry in entries if entry is not None], sheet.findings


def file_text(path: Path) -> tuple[str | None, list[Finding]]:
    """The text of a file in UTF-8; None with what is wrong where it has none."""
    place = Place(shown(path))
    try:
        if path.exists() and not path.is_file():
            return None, [Finding("unreadable-file", "this is no ordinary file", place)]
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return None, [Finding("unreadable-file", printable(f"the file cannot be read: {reason}"), place)]
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        message = f"the byte 0x{data[error.start]:02x} is no UTF-8"
        return None, [Finding("not-utf-8", message, Place(place.file, line), "save the file as UTF-8")]


def _rows(sheet: _Sheet, text: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line that it begins on; blank lines do not count."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        message = printable(f"this is no CSV: {error}")
        sheet.find("csv-syntax", message, Place(sheet.file, line), 'a cell with quotes in it is written "a ""b"" c"')


def _kind_of_name(path: Path) -> str | None:
    words = re.split(r"[^a-z]+", path.stem.lower())
    named = [kind for kind in KINDS if kind in words or SINGULAR[kind] in words]
    return named[0] if len(named) == 1 else None


def _take_header(sheet: _Sheet, line: int, header: list[str], kind: str | None) -> bool:
    """Takes the columns' names; False where the rows cannot be read with them."""
    names = [cell.strip() for cell in header]
    kind = kind or _kind_of_columns(names)
    if kind is None:
        hint = f"say it with --kind: one of {', '.join(KINDS)}"
        sheet.find(
            "unknown-kind", "what the file holds cannot be told from its name or columns", Place(sheet.file, line), hint
        )
        return False
    sheet.kind, sheet.columns = kind, names
    before = len(sheet.findings)
    for column, name in enumerate(names):
        _check_column(sheet, sheet.place(line, header, column), name, names[:column])
    for group in REQUIRED[kind]:
        if not any(name in names for name in group) and not any(did_you_mean(name, group) for name in names):
            message = f"the file lacks the column {' or '.join(group)}"
            sheet.find("missing-key", message, Place(sheet.file, line), "columns are separated by commas")
    return len(sheet.findings) == before


def _kind_of_columns(names: list[str]) -> str | None:
    fitting = [
        kind
        for kind in KINDS
        if all(name in FIELDS[kind] or name.startswith("data.") for name in names)
        and all(any(name in names for name in group) for group in REQUIRED[kind])
    ]
    return fitting[0] if len(fitting) == 1 else None


def _check_column(sheet: _Sheet, place: Place, name: str, before: list[str]) -> None:
    known = FIELDS[sheet.kind]
    if name in before:
        sheet.find("duplicate-key", f"the column '{printable(name, 60)}' stands twice", place, "remove one of them")
    elif known.get(name) in _ONLY_YAML:
        hint = "use a YAML file, or columns like data.NAME" if name == "data" else "use a YAML file"
        sheet.find("bad-value", f"'{name}' can be given in a YAML file only", place, hint)
    elif name not in known and not (is_data(name) and "data" in known):
        message = f"'{printable(name, 60)}' is not a column of {sheet.kind}" if name else "a column has no name"
        sheet.find("unknown-key", message, place, hint_for(name, known) if name else "")


def is_data(name: str) -> bool:
    """Whether a column, or an argument, names a free key: `data.NAME`."""
    return name.startswith("data.") and len(name) > len("data.")


def _entry(sheet: _Sheet, line: int, row: list[str]) -> Entry | None:
    if len(row) != len(sheet.columns):
        message = f"the row has {len(row)} cells, the header {len(sheet.columns)}"
        sheet.find("csv-row", message, sheet.place(line), "a cell with a comma in it is written in quotes")
        return None
    entry = Entry(sheet.kind, sheet.place(line))
    given = []
    for column, (name, cell) in enumerate(zip(sheet.columns, row, strict=True)):
        text = cell.strip()
        if not text:
            continue
        given.append(name)
        place = entry.places[name] = sheet.place(line, row, column)
        try:
            give_text(entry, name, text)
        except ValueError as error:
            sheet.find("bad-value", f"'{printable(name, 60)}' {printable(error)}", place)
    missing = entry.missing()
    for names in missing:
        if not any(name in given for name in names.split(" or ")):
            sheet.find("missing-key", f"the {SINGULAR[sheet.kind]} lacks a value of {names}", sheet.place(line))
    return None if missing else entry


def give_text(entry: Entry, name: str, text: str) -> None:
    """Sets a field of an entry from a text: a CSV cell, or an argument. Raises `ValueError` with the reason."""
    if is_data(name):
        entry.give("data", {checked_text(name.removeprefix("data.")): checked_text(text)})
        return
    value: Any = value_of(FIELDS[entry.kind][name], text)
    entry.give(name, value)
