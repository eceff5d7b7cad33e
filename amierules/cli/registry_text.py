"""The registry's rows and changes as text for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from amierules.actions.base import Change
from amierules.cli.console import paint, row_width, say, tell
from amierules.database.rows import Person, Project
from amierules.diagnostics import printable
from amierules.engine.registry.report import described, in_words, person_data, project_data
from amierules.engine.registry.stock import Parts, Stock


def say_table(rows: Sequence[Person | Project]) -> None:
    """A line for each person, then for each project."""
    persons = [row for row in rows if isinstance(row, Person)]
    projects = [row for row in rows if isinstance(row, Project)]
    if not rows:
        tell("the registry is empty; `amierules registry import` fills it, or packets do")
    _columns(
        ("PERSON", "GLOBAL ID", "LOGIN", "UID", "STATE", "NAME"),
        [(row.person_id, row.global_id, row.login, row.uid, row.state, _name(row)) for row in persons],
    )
    if persons and projects:
        say()
    _columns(
        ("PROJECT", "GRANT", "GROUP", "GID", "TITLE"),
        [(row.project_id, row.grant_number, row.group, row.gid, row.title) for row in projects],
    )


def _name(row: Person) -> str:
    return " ".join(str(row.data[tag]) for tag in ("FirstName", "LastName") if row.data.get(tag))


def _columns(header: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
    if not rows:
        return
    most = 40 if row_width() else 10_000
    texts = [tuple("-" if cell in (None, "") else printable(cell, most) for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *texts, strict=True)]
    for number, row in enumerate((header, *texts)):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        say(paint(line, "dim") if number == 0 else line)


def say_whole(stock: Stock, rows: Sequence[Person | Project]) -> None:
    """All that is known of the rows."""
    parts = Parts(stock)
    for number, row in enumerate(rows):
        if number:
            say()
        data = person_data(stock, parts, row) if isinstance(row, Person) else project_data(stock, parts, row)
        say(paint(stock.label(row), "strong"))
        _fields(data)


def _fields(data: Mapping[str, Any]) -> None:
    for name, value in data.items():
        if value in (None, [], {}, ""):
            continue
        if isinstance(value, Mapping):
            for key, one in value.items():
                say(f"  {printable(key, 60)}: {in_words(one)}")
        elif isinstance(value, list) and isinstance(value[0], Mapping):
            say(f"  {name}:")
            for one in value:
                say(f"    {in_words(one)}")
        else:
            say(f"  {name}: {in_words(value)}")


def say_changes(changes: Sequence[Change]) -> None:
    """A line for each row that is made (`+`), changed (`~`) or goes (`-`)."""
    for change in changes:
        mark = paint("+", "good") if change.before is None else paint("~", "wait")
        mark = paint("-", "bad") if change.op == "delete" else mark
        say(f"{mark} {described(change)}")
