"""Changes of the registry that a person makes: import, set and merge. One transaction, all or nothing."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import DataError

from amierules.actions.person_merge import changes_of, merge
from amierules.actions.registry_changes import row_change
from amierules.database import events, waking, work
from amierules.database.connection import Database
from amierules.database.lock_keys import person_lock_keys
from amierules.database.notices import tell_workers
from amierules.database.registry import RegistryView
from amierules.database.registry_all import read_all
from amierules.database.registry_read import key_of
from amierules.database.registry_write import Changed, RegistryConflict
from amierules.database.rows import Person, Project, RegistryRow
from amierules.diagnostics import Finding, Invalid, NotAllowed, Severity, printable
from amierules.diagnostics.suggest import hint_for
from amierules.engine.registry.csv import give_text, is_data
from amierules.engine.registry.fields import FIELDS, REQUIRED, TAGS, Entry, FieldType, Gone, checked_id, value_of
from amierules.engine.registry.files import Contents
from amierules.engine.registry.importing import Planned, plan_import
from amierules.engine.registry.joining import Join, JoinOptions
from amierules.engine.registry.report import described, row_called
from amierules.engine.registry.stock import Stock
from amierules.engine.registry.unix_accounts import UnixAccounts
from amierules.rulebook.configuration import Configuration

_CASCADING = frozenset({"unknown-person", "unknown-project"})


def import_contents(
    database: Database,
    configuration: Configuration,
    contents: Contents,
    *,
    who: str,
    now: datetime,
    check: bool = False,
    unix: UnixAccounts | None = None,
    options: JoinOptions | None = None,
) -> Planned:
    """Takes registry files in, or with `check` only says what would change.

    `unix` are accounts and groups of a running site, which `options` say how to understand.
    Raises `Invalid` with all that is wrong with the files and with their rows; nothing is written then.
    """

    def plan(stock: Stock, view: RegistryView) -> Planned:
        join = Join(contents.entries, stock, configuration, options or JoinOptions())
        join.take(unix or UnixAccounts())
        return plan_joined(contents, join, stock, configuration, view.new_key)

    return _change(database, plan, who=who, what="registry import", why=Planned.summary, now=now, check=check)


def plan_joined(
    contents: Contents, join: Join, stock: Stock, configuration: Configuration, new_key: Callable[[], str]
) -> Planned:
    """What files, and the accounts that were joined with them, change in the registry; see `plan_import`."""
    planned = plan_import(join.entries, stock, configuration, new_key)
    # A row that could not be read or taken may be the one that another names.
    follows = [finding for finding in planned.findings if finding.code in _CASCADING]
    if contents.whole:
        follows = [finding for finding in follows if finding.place is not None and finding.place.file in join.files]
    left = [finding for finding in planned.findings if not any(finding is one for one in follows)]
    planned.findings = [*contents.findings, *join.findings, *left]
    return planned


def set_values(
    database: Database,
    configuration: Configuration,
    row: tuple[str, str],
    assignments: Sequence[str],
    *,
    who: str,
    reason: str,
    now: datetime,
) -> Planned:
    """Changes one row: `row` is `person` or `project` and what it is called, each assignment is `NAME=VALUE`.

    An empty value takes an attribute away. Raises `NotAllowed` for a row that is not there and for unknown names,
    `Invalid` for values that cannot be.
    """
    kind, called = row

    def plan(stock: Stock, view: RegistryView) -> Planned:
        entry = Entry(f"{kind}s", None, key=row_called(stock, kind, called).key)
        for assignment in assignments:
            _assign(entry, assignment)
        planned = plan_import([entry], stock, configuration, view.new_key)
        for finding in planned.findings:
            if finding.code == "unknown-resource" and "resources" in entry.values:
                raise Invalid(replace(finding, severity=Severity.ERROR))
        _refuse_without_id(entry, planned)
        return planned

    def why(planned: Planned) -> str:
        said = "; ".join(described(change) for change in planned.changes)
        return f"{said}: {reason}" if reason else said

    return _change(database, plan, who=who, what="registry set", why=why, now=now)


def merge_persons(
    database: Database, kept: str, removed: str, *, who: str, reason: str, now: datetime, check: bool = False
) -> Planned:
    """Makes two persons one: both by PersonID, GlobalID or login. With `check` only says what would change.

    Raises `NotAllowed` for a person who is not there, for one and the same, and while a packet of theirs is under way.
    """

    def plan(stock: Stock, view: RegistryView) -> Planned:
        persons = [view.person(row_called(stock, "person", called).key) for called in (kept, removed)]
        keep, other = (person for person in persons if person is not None)
        if keep.key == other.key:
            message = f"{printable(kept, 80)} and {printable(removed, 80)} are the same person already"
            raise NotAllowed(Finding("same-person", message))
        merged = merge(view, keep, other)
        changes = (*row_change(stock.label(keep), keep, merged.kept), *changes_of(view, merged))
        rows: list[Changed] = [(view.row(key_of(row)), row) for row in merged.written]
        return Planned(rows=rows, removed=[*merged.gone, other], changes=list(changes))

    def why(planned: Planned) -> str:
        said = f"{printable(removed, 80)} into {printable(kept, 80)}"
        return f"{said}: {reason}" if reason else said

    return _change(database, plan, who=who, what="registry merge", why=why, now=now, check=check)


def _change(
    database: Database,
    plan: Callable[[Stock, RegistryView], Planned],
    *,
    who: str,
    what: str,
    why: Callable[[Planned], str],
    now: datetime,
    check: bool = False,
) -> Planned:
    with database.read() if check else database.begin() as connection:
        view = RegistryView(lambda: nullcontext(connection))
        planned = plan(Stock(read_all(connection)), view)
        if planned.invalid:
            raise Invalid(planned.findings)
        if planned.removed:
            _refuse_under_way(connection, planned.removed)
        if planned.rows and not check:
            _write(connection, view, planned)
            # An account may wait for a project that a person has entered now.
            waking.wake(connection, view.touched(), now, waiting=True)
            tell_workers(connection)
            events.add(connection, None, who, what, why(planned), now)
    return planned


def _write(connection: Connection, view: RegistryView, planned: Planned) -> None:
    for before, after in planned.rows:
        if view.row(key_of(after)) != before:
            raise _changed_meanwhile()
        view.put(after)
    for row in planned.removed:
        view.remove(row)
    try:
        view.flush(connection)
    except RegistryConflict as conflict:
        raise _changed_meanwhile(str(conflict)) from conflict
    except DataError as error:
        said = printable(str(error.orig).strip().partition("\n")[0])
        raise Invalid(Finding("refused-by-database", f"the database refuses a value: {said}")) from error


def _refuse_under_way(connection: Connection, rows: Sequence[RegistryRow]) -> None:
    """Raises `NotAllowed` where a packet has begun something with a person who is to go."""
    keys = set().union(*(person_lock_keys(row) for row in rows if isinstance(row, Person)))
    begun = work.begun_with(connection, keys)
    if begun is not None:
        message = f"packet {begun.packet_rec_id}, which is {begun.status}, has begun something with this person"
        hint = f"let it end first: `amierules show {begun.packet_rec_id}`"
        raise NotAllowed(Finding("under-way", message, hint=hint))


def _changed_meanwhile(why: str = "a row was changed meanwhile") -> Invalid:
    hint = "somebody else changed the registry at the same time; nothing was written, try again"
    return Invalid(Finding("registry-changed", why, hint=hint))


# ------------------------------------------------------------------ what `set` is told


def _refuse_without_id(entry: Entry, planned: Planned) -> None:
    for _before, after in planned.rows:
        names = REQUIRED[entry.kind][0]
        if isinstance(after, Person | Project) and not any(getattr(after, name) for name in names):
            message = f"this is the {entry.kind[:-1]}'s last id: it needs {' or '.join(names)}"
            raise Invalid(Finding("bad-value", message))


def _assign(entry: Entry, assignment: str) -> None:
    name, equals, text = assignment.partition("=")
    if not equals or not name:
        message = f"'{printable(assignment, 80)}' is not NAME=VALUE"
        raise NotAllowed(Finding("usage", message, hint="`amierules registry set --help` has examples"))
    what, at, resource = name.partition("@")
    try:
        if entry.kind == "projects" and at and what == "active":
            entry.values.setdefault("resources", {})[checked_id(resource)] = value_of(FieldType.BOOLEAN, text)
        elif name not in _settable(entry.kind) and not is_data(name):
            raise NotAllowed(_unknown_name(entry.kind, name))
        elif text:
            give_text(entry, name, text)
        else:
            _take_away(entry, name)
    except ValueError as error:
        raise Invalid(Finding("bad-value", f"'{printable(name, 60)}' {printable(error)}")) from error


def _settable(kind: str) -> list[str]:
    only_yaml = (FieldType.MAPPING, FieldType.OBJECTS)
    return [name for name, field_type in FIELDS[kind].items() if field_type not in only_yaml]


def _unknown_name(kind: str, name: str) -> Finding:
    names = [*_settable(kind), *(["active@RESOURCE"] if kind == "projects" else [])]
    hint = hint_for(name, names) or f"for example {', '.join(names[:8])}; data.NAME for what only this site knows"
    return Finding("unknown-name", f"'{printable(name, 60)}' is no attribute of a {kind[:-1]}", hint=hint)


_NEVER_EMPTY = frozenset({"person_id", "state", "active", "resources"})


def _take_away(entry: Entry, name: str) -> None:
    if name in _NEVER_EMPTY:
        raise ValueError("cannot be empty")
    if is_data(name) or (entry.kind == "persons" and name in TAGS):
        entry.data[name.removeprefix("data.")] = Gone.GONE
    else:
        entry.values[name] = None
