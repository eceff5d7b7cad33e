"""Reading the registry's rows."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Integer,
    Select,
    Table,
    Text,
    bindparam,
    func,
    literal_column,
    select,
    union,
    union_all,
)

from amierules.database import own_tables as tables
from amierules.database.json_values import TABLE_OF, from_json
from amierules.database.lookups import Lookup, Lookups
from amierules.database.made import Made
from amierules.database.one_of import one_of
from amierules.database.rows import Account, Allocation, Person, Presence, Project, RegistryRow
from amierules.templating import Unknown

_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_LONGEST_PATTERN = 1000

Ref = tuple[str, tuple[str, ...]]
"""A row's table (`person`, `project`, `presence`, `allocation`, `account`) and key."""


def key_of(row: RegistryRow) -> Ref:
    """The reference of a row. An `Unknown` start of an allocation counts as a start of its own."""
    table = TABLE_OF[type(row)]
    if isinstance(row, Person | Project):
        return table, (row.key,)
    if isinstance(row, Presence):
        return table, (row.project, row.resource)
    if isinstance(row, Account):
        return table, (row.person, row.project, row.resource)
    start = f"unknown {id(row.start)}" if isinstance(row.start, Unknown) else row.start.isoformat()
    return table, (row.project, row.resource, start)


def one(connection: Connection, ref: Ref) -> RegistryRow | None:
    """The row of a reference, or None."""
    table, key = ref
    found: Sequence[RegistryRow]
    if table == "person":
        found = _with_lists(connection, _where(tables.person, ("key",)).mappings(connection, key=key[0]))
    elif table == "project":
        found = projects_where(connection, "key", key[0])
    elif table == "presence":
        one_presence = _where(tables.project_resource, ("project", "resource"))
        found = [Presence(**row) for row in one_presence.mappings(connection, project=key[0], resource=key[1])]
    elif table == "allocation":
        found = [row for row in allocations(connection, key[0], key[1]) if key_of(row) == ref]
    else:
        found = accounts(connection, dict(zip(("person", "project", "resource"), key, strict=True)))
    return found[0] if found else None


def persons_where(connection: Connection, what: str, value: object) -> list[Person]:
    """The persons with this uid, person_id (present or former), global_id (so, too), or login; all those whose email
    may be this one in some case, and perhaps others."""
    person = tables.person.c
    if what == "person_id":
        alias = select(tables.person_alias.c.person).where(tables.person_alias.c.person_id == value)
        return _persons(connection, (person.person_id == value) | person.key.in_(alias))
    if what == "global_id":
        former = select(tables.person_former_global.c.person).where(tables.person_former_global.c.global_id == value)
        return _persons(connection, (person.global_id == value) | person.key.in_(former))
    if what == "login":
        login = select(tables.person_login.c.person).where(tables.person_login.c.login == value)
        return _persons(connection, person.key.in_(login))
    if what == "email":
        return _persons(connection, _may_be(person.data["Email"].as_string(), str(value)))
    return _persons(connection, person[what] == value)


def _may_be(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """What holds of all texts that are this one in some case: databases agree on the case of ASCII letters alone."""
    folded = text.lower()
    if folded.isascii():
        return func.lower(column) == folded
    pattern = _NOT_ASCII.sub("%", re.sub(r"([\\%_])", r"\\\1", folded[:_LONGEST_PATTERN]))
    return func.lower(column).like(f"{pattern}%", escape="\\")


def named(
    connection: Connection,
    *,
    person_ids: Collection[str],
    global_ids: Collection[str],
    grants: Collection[str],
    project_ids: Collection[str],
) -> tuple[list[Person], list[Project]]:
    """The persons that have one of these PersonIDs, present or former, or GlobalIDs; and the projects that have one of
    these GrantNumbers or ProjectIDs.
    """
    persons, projects = _NAMED.rows(
        connection,
        {"person_ids": sorted(person_ids), "global_ids": sorted(global_ids)},
        {"grants": sorted(grants), "project_ids": sorted(project_ids)},
    )
    return _with_lists(connection, _PERSONS_NAMED.named(persons)), _projects_of(_PROJECTS_NAMED.named(projects))


def _keys_named() -> CompoundSelect[Any]:
    """The keys of persons by what names them, each found by an index of its own."""
    person, alias, former = tables.person.c, tables.person_alias.c, tables.person_former_global.c
    return union(
        select(person.key).where(one_of(person.person_id, "person_ids")),
        select(person.key).where(one_of(person.global_id, "global_ids")),
        select(alias.person).where(one_of(alias.person_id, "person_ids")),
        select(former.person).where(one_of(former.global_id, "global_ids")),
    )


_PERSONS_NAMED = Lookup("amierules_persons", select(tables.person).where(tables.person.c.key.in_(_keys_named())))
_PROJECTS_NAMED = Lookup(
    "amierules_projects",
    select(tables.project).where(
        one_of(tables.project.c.grant_number, "grants") | one_of(tables.project.c.project_id, "project_ids")
    ),
)
_NAMED = Lookups("amierules_named", [_PERSONS_NAMED, _PROJECTS_NAMED])


def on_resources(
    connection: Connection, places: Sequence[tuple[str, str]]
) -> tuple[list[Presence], list[Allocation], list[Account]]:
    """What there is of projects (by key) on resources; rows of the same projects on other resources may be among it."""

    projects, resources = ({place[part] for place in places} for part in (0, 1))
    presences, allocations, accounts = (
        one.mappings(connection, projects=projects, resources=resources) for one in _ON_RESOURCES
    )
    return (
        [Presence(**row) for row in presences],
        [Allocation(**row) for row in allocations],
        [Account(**row) for row in accounts],
    )


def _on_resources(table: Table) -> Select[Any]:
    return select(table).where(one_of(table.c.project, "projects"), one_of(table.c.resource, "resources"))


_ON_RESOURCES = [
    Lookup(f"amierules_{name}", _on_resources(table))
    for name, table in (
        ("presences", tables.project_resource),
        ("allocations", tables.allocation),
        ("accounts", tables.account),
    )
]


def projects_where(connection: Connection, what: str, value: object) -> list[Project]:
    """The projects with this key, project_id, grant_number, group or gid."""
    return _projects_of(_where(tables.project, (what,)).mappings(connection, **{what: value}))


def presences(connection: Connection, project: str) -> list[Presence]:
    """Where a project (by key) is or was."""
    found = _where(tables.project_resource, ("project",)).mappings(connection, project=project)
    return [Presence(**row) for row in found]


def allocations(connection: Connection, project: str, resource: str) -> list[Allocation]:
    """All allocation periods of a project (by key) on a resource."""
    periods = _where(tables.allocation, ("project", "resource"))
    return [Allocation(**row) for row in periods.mappings(connection, project=project, resource=resource)]


def accounts(connection: Connection, wanted: Mapping[str, str]) -> list[Account]:
    """The accounts with these values of `person`, `project` (keys), `resource` or `login`."""
    return [Account(**row) for row in _where(tables.account, tuple(wanted)).mappings(connection, **wanted)]


@cache
def _where(table: Table, names: Sequence[str]) -> Made:
    """The rows of a table with values of these columns, which are parameters of the columns' names."""
    return Made(select(table).where(*(table.c[name] == bindparam(name) for name in names)))


def other_owner(connection: Connection, what: str, value: object, own_key: str) -> str | None:
    """The key of another person or project that has this id in the database; None where there is none."""
    rows = _OWNERS[what].rows(connection, value=value, own_key=own_key)
    return rows[0][0] if rows else None


def _owners_of(what: str) -> Select[Any]:
    person, project = tables.person.c, tables.project.c
    if what in project:
        return select(project.key).where(project[what] == bindparam("value"))
    if what == "login":
        also, own = tables.account.c, tables.person_login.c
        return _either(_person_of(own, own.login), _person_of(also, also.login))
    own_key = select(person.key).where(person[what] == bindparam("value"))
    if what == "global_id":
        former = tables.person_former_global.c
        return _either(own_key, _person_of(former, former.global_id))
    alias = tables.person_alias.c
    return _either(own_key, _person_of(alias, alias.person_id)) if what == "person_id" else own_key


def _person_of(columns: Any, named: ColumnElement[Any]) -> Select[Any]:
    return select(columns.person).where(named == bindparam("value"))


def _either(*queries: Select[Any]) -> Select[Any]:
    return select(union_all(*queries).subquery().c[0])


def _other_owner(what: str) -> Lookup:
    owner = _owners_of(what).subquery().c[0]
    return Lookup(f"amierules_owner_{what}", select(owner).where(owner != bindparam("own_key")).limit(1))


_OWNERS = {
    what: _other_owner(what)
    for what in ("global_id", "uid", "person_id", "login", "project_id", "grant_number", "group", "gid")
}


def _persons(connection: Connection, condition: ColumnElement[bool]) -> list[Person]:
    return _with_lists(connection, connection.execute(select(tables.person).where(condition)).mappings().all())


def _with_lists(connection: Connection, rows: Sequence[Mapping[Any, Any]]) -> list[Person]:
    lists = _lists_of(connection, [row["key"] for row in rows])
    return [_person(row, lists[row["key"]]) for row in rows]


def _lists_of(connection: Connection, keys: Sequence[str]) -> defaultdict[str, dict[str, list[str]]]:
    """The ids, logins and DNs of persons, each in order."""
    found: defaultdict[str, dict[str, list[str]]] = defaultdict(lambda: {"ids": [], "logins": [], "dns": []})
    for what, person, value, _ in _LISTS.rows(connection, keys=keys) if keys else ():
        found[person][what].append(value)
    return found


def _lists() -> Select[Any]:
    alias, login, dn = tables.person_alias.c, tables.person_login.c, tables.person_dn.c
    parts = (
        select(
            literal_column("'ids'", Text).label("what"),
            alias.person,
            alias.person_id.label("value"),
            literal_column("0", Integer).label("position"),
        ).where(one_of(alias.person, "keys")),
        select(literal_column("'logins'", Text), login.person, login.login, login.position).where(
            one_of(login.person, "keys")
        ),
        select(literal_column("'dns'", Text), dn.person, dn.dn, dn.position).where(one_of(dn.person, "keys")),
    )
    rows = union_all(*parts).subquery()
    return select(rows).order_by(rows.c.position, rows.c.value)


_LISTS = Lookup("amierules_lists", _lists())


def _person(row: Mapping[Any, Any], lists: Mapping[str, Sequence[str]]) -> Person:
    cells: dict[str, Any] = {**row, "data": from_json(row["data"])}
    return Person(**cells | {what: tuple(values) for what, values in lists.items()})


def _projects_of(rows: Sequence[Mapping[Any, Any]]) -> list[Project]:
    return [Project(**{**row, "data": from_json(row["data"])}) for row in rows]
