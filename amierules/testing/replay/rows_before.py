"""The registry as a packet found it: what was committed since is undone, and what is about others is left out."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from amierules.database import journal
from amierules.database.journal import StepRow
from amierules.database.json_values import row_from_json
from amierules.database.own_tables import FINAL_STATUSES, event
from amierules.database.registry_all import read_all
from amierules.database.registry_read import Ref, key_of
from amierules.database.registry_staged import StagedChange, restaged
from amierules.database.rows import Account, Allocation, Person, Presence, Project, RegistryRow

Rows = dict[Ref, RegistryRow]


def rows_before(connection: Connection, packet_rec_id: int, settled: int) -> Rows:
    """The registry's rows as they stood before the packet was settled, which the event with the id `settled` tells.

    Undone is what the journal holds: changes that a person made by hand since are still there.
    """
    rows: Rows = {key_of(row): row for row in read_all(connection)}
    columns = event.c
    query = (
        select(columns.packet_rec_id)
        .where(columns.what.in_(FINAL_STATUSES), columns.packet_rec_id.is_not(None))
        .group_by(columns.packet_rec_id)
        .having((func.max(columns.event_id) > settled) | (columns.packet_rec_id == packet_rec_id))
        .order_by(func.max(columns.event_id).desc())
    )
    numbers = list(connection.scalars(query))
    by_packet = journal.steps_of(connection, numbers)
    for number in numbers:
        for step in reversed(by_packet[number].values()):
            for change in reversed(step.staged or []):
                _undo(rows, change)
    return rows


def _undo(rows: Rows, change: StagedChange) -> None:
    ref = (change["table"], tuple(change["key"]))
    if change["before"] is None:
        rows.pop(ref, None)
        return
    if change["after"] is None or ref not in rows:
        rows[ref] = row_from_json(change["table"], change["before"])
        return
    back = restaged({**change, "before": change["after"], "after": change["before"]}, rows[ref])
    assert back is not None  # noqa: S101 - it was there before
    rows[ref] = back


def concerned(rows: Rows, bodies: Iterable[Mapping[str, Any]], steps: Iterable[StepRow]) -> list[RegistryRow]:
    """The rows of the persons and projects that packets name or steps change, and of all who have to do with them."""
    named = {text for body in bodies for text in _ids(body)}
    keys = {key for step in steps for change in step.staged or [] for key in change["key"]}
    persons = {
        row.key for row in rows.values() if isinstance(row, Person) and (row.key in keys or _is_named(row, named))
    }
    projects = {
        row.key
        for row in rows.values()
        if isinstance(row, Project)
        and (row.key in keys or row.pi in persons or not named.isdisjoint((row.project_id, row.grant_number)))
    }
    accounts = [row for row in rows.values() if isinstance(row, Account)]
    persons |= {row.person for row in accounts if row.project in projects}
    projects |= {row.project for row in accounts if row.person in persons}
    known = [row for row in rows.values() if isinstance(row, Project) and row.key in projects]
    persons |= {row.pi for row in known if row.pi is not None}
    return [row for row in rows.values() if _belongs(row, persons, projects)]


def _belongs(row: RegistryRow, persons: set[str], projects: set[str]) -> bool:
    if isinstance(row, Person):
        return row.key in persons
    if isinstance(row, Project):
        return row.key in projects
    if isinstance(row, Account):
        return row.person in persons and row.project in projects
    return isinstance(row, Presence | Allocation) and row.project in projects


def _is_named(row: Person, named: set[str]) -> bool:
    mail = row.data.get("Email")
    return not named.isdisjoint((row.person_id, row.global_id, *row.ids, *row.logins, *row.dns, mail))


def _ids(body: Mapping[str, Any]) -> Iterable[str]:
    """The values of tags that may name a person or a project."""
    for tag, value in body.items():
        if any(part in tag for part in ("ID", "Id", "Login", "Email", "Dn", "GrantNumber")):
            yield from _texts(value)


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
