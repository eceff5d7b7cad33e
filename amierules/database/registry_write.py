"""Writing the registry's rows at a packet's end."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from amierules.database import own_tables as tables
from amierules.database import reservations
from amierules.database.dialect import one_line
from amierules.database.json_values import as_json, from_json, same
from amierules.database.made import Made
from amierules.database.one_of import one_of
from amierules.database.registry_read import other_owner
from amierules.database.rows import Account, Allocation, Person, Presence, Project, RegistryRow
from amierules.diagnostics import printable

Changed = tuple[RegistryRow | None, RegistryRow]
"""A row as it was read, None for a new one, and as it is to be."""


class RegistryConflict(Exception):
    """An id of a staged row belongs to another row. The transaction must be rolled back."""


def write_rows(connection: Connection, rows: Sequence[Changed], removed: Sequence[RegistryRow] = ()) -> None:
    """Writes new and changed rows, and takes away those in `removed`, given as they were read.

    Of a changed row only what differs is written, so that what somebody else changed meanwhile stays.
    Raises `RegistryConflict`.
    """
    ordered = sorted(rows, key=lambda pair: _ORDER.index(type(pair[1])))
    going = sorted(removed, key=lambda row: _ORDER.index(type(row)), reverse=True)
    try:
        for row in going:
            _let_go_of_removed(connection, row)
        for before, after in ordered:
            _let_go(connection, before, after)
        for before, after in ordered:
            if before is None or isinstance(after, Person | Project):
                _WRITE[type(after)](connection, before, after)
        for row in going:
            if isinstance(row, Person | Project):
                _remove(connection, row)
        for before, after in ordered:
            if isinstance(after, Account) and (before is None or before != after):
                _refuse_owned(connection, "login", after.login, after.person)
    except IntegrityError as error:
        raise RegistryConflict(one_line(str(error.orig), connection.engine.url)) from error


_ORDER: tuple[type[RegistryRow], ...] = (Person, Project, Presence, Allocation, Account)
_UNIQUE: dict[type[RegistryRow], tuple[str, ...]] = {
    Person: ("person_id", "global_id", "uid"),
    Project: ("project_id", "grant_number", "group", "gid"),
}
_NAMES = {"person_id": "PersonID", "global_id": "GlobalID", "project_id": "ProjectID", "grant_number": "GrantNumber"}


def _let_go(connection: Connection, before: RegistryRow | None, after: RegistryRow) -> None:
    """Takes from a row the ids that it no longer has, before any row gets them."""
    if before is not None and not isinstance(after, Person | Project):
        _write_part(connection, before, after)
    if isinstance(before, Person | Project):
        table = _table(type(before))
        gone = {
            name: None for name in _UNIQUE[type(before)] if getattr(before, name) not in (None, getattr(after, name))
        }
        if gone:
            connection.execute(update(table).where(table.c.key == before.key).values(gone))
    if isinstance(before, Person) and isinstance(after, Person):
        for table, name, _ in _LISTS:
            lost = [value for value in getattr(before, name) if value not in getattr(after, name)]
            if lost:
                connection.execute(delete(table).where(table.c.person == before.key, _value_column(table).in_(lost)))


def _let_go_of_removed(connection: Connection, row: RegistryRow) -> None:
    """Takes a part away; a person or project, which others still name, only loses its ids for others to have."""
    if not isinstance(row, Person | Project):
        _remove(connection, row)
        return
    table = _table(type(row))
    connection.execute(update(table).where(table.c.key == row.key).values(dict.fromkeys(_UNIQUE[type(row)])))
    if isinstance(row, Person):
        for listed, name, _ in _LISTS:
            column = _value_column(listed)
            connection.execute(delete(listed).where(listed.c.person == row.key, column.in_(getattr(row, name))))
        if row.uid is not None:
            # Files may belong to it still.
            reservations.never_give(connection, "uid", str(row.uid), f"the former uid of {row.key}")


def _remove(connection: Connection, row: RegistryRow) -> None:
    table = _table(type(row))
    key = {column.name: getattr(row, column.name) for column in table.primary_key}
    if _delete(table).hits(connection, **key) == 0:
        raise RegistryConflict(f"the {type(row).__name__.lower()} was removed by somebody else meanwhile")


def _write_person(connection: Connection, before: RegistryRow | None, after: Person) -> None:
    old = before if isinstance(before, Person) else None
    _refuse_foreign(connection, old, after)
    for name, values, old_values in (
        ("person_id", after.ids, old.ids if old else ()),
        ("login", after.logins, old.logins if old else ()),
    ):
        for value in values:
            if value not in old_values:
                _refuse_owned(connection, name, value, after.key)
    _write_keyed(connection, tables.person, old, after, ("person_id", "global_id", "uid", "state"))
    for table, name, has_position in _LISTS:
        present: tuple[str, ...] = getattr(old, name) if old else ()
        wanted: tuple[str, ...] = getattr(after, name)
        if present != wanted:
            _write_list(connection, table, after.key, wanted, has_position=has_position)


def _write_list(
    connection: Connection, table: Table, person: str, values: Sequence[str], *, has_position: bool
) -> None:
    """Writes a person's values in their order; values that somebody else added meanwhile stay."""
    column = _value_column(table)
    _delete_values(table).hits(connection, person=person, values=values)
    rows: list[dict[str, object]] = [
        {"person": person, column.name: value} | ({"position": position} if has_position else {})
        for position, value in enumerate(dict.fromkeys(values))
    ]
    if rows:
        _insert(table, tuple(rows[0])).for_each(connection, rows)


def _write_project(connection: Connection, before: RegistryRow | None, after: Project) -> None:
    old = before if isinstance(before, Project) else None
    _refuse_foreign(connection, old, after)
    _write_keyed(connection, tables.project, old, after, ("project_id", "grant_number", "group", "gid", "title", "pi"))


def _write_keyed(
    connection: Connection, table: Table, old: Person | Project | None, after: Person | Project, columns: Iterable[str]
) -> None:
    if old is None:
        values: dict[str, object] = {name: getattr(after, name) for name in columns}
        values |= {"key": after.key, "data": as_json(after.data)}
        _insert(table, tuple(values)).hits(connection, **values)
        return
    changed: dict[str, object] = {
        name: getattr(after, name) for name in columns if getattr(after, name) != getattr(old, name)
    }
    if not same(old.data, after.data):
        changed["data"] = as_json(_merged_data(connection, table, old, after))
    if changed and _update(table, tuple(changed)).hits(connection, its_key=after.key, **changed) == 0:
        raise RegistryConflict(f"the {type(after).__name__.lower()} was removed by somebody else meanwhile")


def _merged_data(
    connection: Connection, table: Table, old: Person | Project, after: Person | Project
) -> dict[str, Any]:
    """The data in the database with the keys that this packet changed."""
    present = _locked_data(table).value(connection, its_key=after.key)
    data: dict[str, Any] = from_json(present) if present is not None else {}
    for name in old.data.keys() - after.data.keys():
        data.pop(name, None)
    changed = {name for name, value in after.data.items() if name not in old.data or not same(old.data[name], value)}
    return {**data, **{name: after.data[name] for name in after.data if name in changed}}


def _write_part(connection: Connection, before: RegistryRow | None, after: Presence | Allocation | Account) -> None:
    """A presence, allocation or account: its own key columns, then what may change."""
    table = _table(type(after))
    key = {column.name: getattr(after, column.name) for column in table.primary_key}
    rest = {column.name: getattr(after, column.name) for column in table.columns if column.name not in key}
    if before is None:
        _insert(table, (*key, *rest)).hits(connection, **key, **rest)
        return
    changed = {name: value for name, value in rest.items() if value != getattr(before, name)}
    if not changed:
        return
    its_key = {f"its_{name}": value for name, value in key.items()}
    seen = {f"seen_{name}": getattr(before, name) for name in changed}
    new = {f"new_{name}": value for name, value in changed.items()}
    if _update_as_seen(table, tuple(changed)).hits(connection, **its_key, **seen, **new) == 0:
        what = type(after).__name__.lower()
        raise RegistryConflict(f"the {what} on {printable(after.resource)} was changed by somebody else meanwhile")


@cache
def _insert(table: Table, columns: Sequence[str]) -> Made:
    return Made(insert(table), columns=columns)


@cache
def _update(table: Table, columns: Sequence[str]) -> Made:
    """Changes these columns of the row whose key is `its_key`."""
    statement = update(table).where(table.c.key == bindparam("its_key"))
    return Made(statement.values({name: bindparam(name) for name in columns}))


@cache
def _update_as_seen(table: Table, columns: Sequence[str]) -> Made:
    """Changes these columns of the row whose key columns are `its_...`, where they are still as they were seen, or are
    as wanted already.
    """
    same_row = [column == bindparam(f"its_{column.name}") for column in table.primary_key]
    # What a packet did not see, it must not overwrite: units that somebody else added would be lost.
    as_seen = [
        or_(*(table.c[name].is_not_distinct_from(bindparam(value)) for value in (f"seen_{name}", f"new_{name}")))
        for name in columns
    ]
    return Made(update(table).where(*same_row, *as_seen).values({name: bindparam(f"new_{name}") for name in columns}))


@cache
def _delete(table: Table) -> Made:
    return Made(delete(table).where(*(column == bindparam(column.name) for column in table.primary_key)))


@cache
def _delete_values(table: Table) -> Made:
    """Takes these `values` of a person away."""
    return Made(delete(table).where(table.c.person == bindparam("person"), one_of(_value_column(table), "values")))


@cache
def _locked_data(table: Table) -> Made:
    return Made(select(table.c.data).where(table.c.key == bindparam("its_key")).with_for_update())


def _refuse_foreign(connection: Connection, old: Person | Project | None, after: Person | Project) -> None:
    for name in _UNIQUE[type(after)]:
        value = getattr(after, name)
        if value is not None and (old is None or getattr(old, name) != value):
            _refuse_owned(connection, name, value, after.key)


def _refuse_owned(connection: Connection, what: str, value: object, own_key: str) -> None:
    if other_owner(connection, what, value, own_key) is not None:
        raise RegistryConflict(f"{_NAMES.get(what, what)} {printable(value)} belongs to another row of the registry")


def _table(kind: type[RegistryRow]) -> Table:
    return {
        Person: tables.person,
        Project: tables.project,
        Presence: tables.project_resource,
        Allocation: tables.allocation,
        Account: tables.account,
    }[kind]


def _value_column(table: Table) -> Any:
    return next(column for column in table.columns if column.name not in {"person", "position"})


_LISTS = (
    (tables.person_alias, "ids", False),
    (tables.person_former_global, "former_global_ids", False),
    (tables.person_login, "logins", True),
    (tables.person_dn, "dns", True),
)
_WRITE: dict[type[RegistryRow], Callable[[Connection, RegistryRow | None, Any], None]] = {
    Person: _write_person,
    Project: _write_project,
    Presence: _write_part,
    Allocation: _write_part,
    Account: _write_part,
}
