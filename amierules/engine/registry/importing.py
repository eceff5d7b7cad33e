"""Entries of registry files made into rows: found or new, changed in what the entries name, all or nothing."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from amierules.actions.base import Change
from amierules.actions.registry_changes import row_change
from amierules.database.registry_read import Ref, key_of
from amierules.database.registry_write import Changed
from amierules.database.rows import Account, Allocation, Person, Presence, Project, RegistryRow
from amierules.diagnostics import Finding, Severity, printable
from amierules.diagnostics.suggest import hint_for
from amierules.engine.registry.conflicts import conflicts, where
from amierules.engine.registry.fields import KINDS, SINGULAR, Entry
from amierules.engine.registry.rows import changed_data, changed_person, login_findings, same_row
from amierules.engine.registry.stock import Stock
from amierules.rulebook.configuration import Configuration

_ONE = {"as they were": "as it was"}


@dataclass
class Planned:
    """What taking in the entries means: the rows that change, what to say of it, and what is wrong."""

    rows: list[Changed] = field(default_factory=list)
    removed: list[RegistryRow] = field(default_factory=list)
    """The rows that go."""
    changes: list[Change] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many entries of each kind are `added`, `changed`, or `as they were`."""
    findings: list[Finding] = field(default_factory=list)

    @property
    def invalid(self) -> bool:
        """Whether nothing may be written."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)

    def summary(self) -> str:
        """`3 persons added, 1 changed, 12 as they were; 2 projects added`."""
        listed = []
        for kind in KINDS:
            parts = [(self.counts[kind, how], how) for how in ("added", "changed", "as they were")]
            said = [(number, _ONE.get(how, how) if number == 1 else how) for number, how in parts if number]
            if said:
                noun = kind if said[0][0] != 1 else SINGULAR[kind]
                said_of = [f"{said[0][0]} {noun} {said[0][1]}", *(f"{number} {how}" for number, how in said[1:])]
                listed.append(", ".join(said_of))
        text = "; ".join(listed)
        return text if self.rows else f"nothing to change ({text})" if text else "nothing to change"


def plan_import(
    entries: Iterable[Entry], stock: Stock, configuration: Configuration, new_key: Callable[[], str]
) -> Planned:
    """What the entries change in the registry. The stock is changed too: it holds the rows as they are to be.

    Nothing may be written where a finding is an error. `new_key` gives the key of a new person or project.
    """
    planner = _Planner(stock, configuration, new_key)
    ordered = sorted(entries, key=lambda entry: KINDS.index(entry.kind))
    for entry in ordered:
        _TAKE[entry.kind](planner, entry)
    planned = planner.planned
    planned.findings += conflicts(stock, planner.entries)
    return planned


class _Refused(Exception):
    def __init__(self, code: str, message: str, entry: Entry, name: str, hint: str = "") -> None:
        super().__init__(message)
        self.finding = Finding(code, message, entry.at(name), hint)


class _Planner:
    def __init__(self, stock: Stock, configuration: Configuration, new_key: Callable[[], str]) -> None:
        self.stock = stock
        self.configuration = configuration
        self.new_key = new_key
        self.planned = Planned()
        self.entries: dict[Ref, Entry] = {}
        self.resources = {*configuration.resources, *(row.resource for row in stock.of(Presence))}

    def take(self, entry: Entry, make: Callable[["_Planner", Entry], list[tuple[RegistryRow, dict[str, Any]]]]) -> None:
        """Puts the rows of an entry into the stock and notes what they change; a refused entry is a finding."""
        try:
            rows = make(self, entry)
        except _Refused as refused:
            self.planned.findings.append(refused.finding)
            return
        how = "as they were"
        for position, (row, also) in enumerate(rows):
            before = self.stock.rows.get(key_of(row))
            self.stock.add(row)
            self.entries[key_of(row)] = entry
            if before is not None and same_row(before, row):
                continue
            # The first row is the entry's own; a project's further ones say where it is.
            how = "added" if how == "added" or (position == 0 and before is None) else "changed"
            self.planned.changes += row_change(self.stock.label(row), before, row, also)
            self.planned.rows.append((before, row))
        self.planned.counts[entry.kind, how] += 1

    def claim(self, ref: Ref, entry: Entry) -> None:
        """Raises `_Refused` where an earlier entry names the same row."""
        first = self.entries.get(ref)
        if first is not None:
            label = self.stock.label(self.stock.rows[ref])
            raise _Refused("duplicate-row", f"{label} is given twice{where(first)}", entry, "", "remove one of them")

    def person(self, entry: Entry, name: str) -> str:
        """The key of the person that a field names. Raises `_Refused`."""
        called = entry.values[name]
        key = self.stock.person_called(called)
        if key is None:
            hint = "give the person in the same import, or before"
            raise _Refused("unknown-person", f"there is no person {printable(called, 80)}", entry, name, hint)
        return key

    def project(self, entry: Entry) -> str:
        """The key of the project of an allocation or account. Raises `_Refused`."""
        called = entry.values["project"]
        key = self.stock.project_called(called)
        if key is None:
            hint = "give the project in the same import, or before"
            raise _Refused("unknown-project", f"there is no project {printable(called, 80)}", entry, "project", hint)
        return key

    def resource(self, entry: Entry) -> str:
        """The resource of an allocation or account, by default the only configured one. Raises `_Refused`."""
        configured = list(self.configuration.resources)
        name: str | None = entry.values.get("resource")
        if name is None:
            if len(configured) != 1:
                hint = f"add 'resource:', one of {', '.join(configured)}" if configured else "add 'resource:'"
                message = f"the {SINGULAR[entry.kind]} lacks a resource, and not exactly one is configured"
                raise _Refused("missing-key", message, entry, "", printable(hint))
            return configured[0]
        self.check_resource(entry, name)
        return name

    def check_resource(self, entry: Entry, name: str) -> None:
        """Warns of a resource that neither the configuration nor the registry knows: it may be one that is gone."""
        if name not in self.resources:
            place = entry.places.get(f"resources.{name}") or entry.at(
                "resource" if "resource" in entry.places else "resources"
            )
            message = f"the resource {printable(name, 80)} is not in the configuration"
            hint = hint_for(name, self.configuration.resources)
            self.planned.findings.append(Finding("unknown-resource", message, place, hint, Severity.WARNING))

    def identified(
        self, entry: Entry, what: str, names: tuple[str, str], find: Callable[[str, object], str | None]
    ) -> str | None:
        """The key of the row that an entry's ids name; None for a new row. Raises `_Refused` where they name two."""
        keys = [find(name, entry.values.get(name)) for name in names]
        if None not in keys and keys[0] != keys[1]:
            first, second = (self.stock.label(self.stock.rows[what, (str(key),)]) for key in keys)
            given = [
                f"{name} {printable(entry.values[name], 60)} is {label}'s"
                for name, label in zip(names, (first, second), strict=True)
            ]
            raise _Refused("id-taken", f"the {what} is two: {', '.join(given)}", entry, names[1])
        return keys[0] if keys[0] is not None else keys[1]


def _person(planner: _Planner, entry: Entry) -> list[tuple[RegistryRow, dict[str, Any]]]:
    stock = planner.stock
    key = entry.key or planner.identified(entry, "person", ("person_id", "global_id"), stock.person_key)
    before = stock.person(key) if key is not None else None
    values = dict(entry.values)
    if before is not None:
        planner.claim(key_of(before), entry)
        if entry.key is None and values.get("person_id") in before.ids:
            # A former PersonID names the person; it does not become the present one again.
            del values["person_id"]
    row = before or Person(planner.new_key())
    after = changed_person(row, values, entry.data)
    planner.planned.findings += login_findings(planner.configuration.logins, entry, set(after.logins) - set(row.logins))
    return [(after, {})]


def _project(planner: _Planner, entry: Entry) -> list[tuple[RegistryRow, dict[str, Any]]]:
    stock, values = planner.stock, entry.values
    key = entry.key or planner.identified(entry, "project", ("project_id", "grant_number"), stock.project_key)
    before = stock.project(key) if key is not None else None
    if before is not None:
        planner.claim(key_of(before), entry)
    row = before or Project(planner.new_key())
    own = ("project_id", "grant_number", "group", "gid", "title")
    after = replace(
        row, **{name: values[name] for name in own if name in values}, data=changed_data(row.data, entry.data)
    )
    if "pi" in values:
        after = replace(after, pi=planner.person(entry, "pi") if values["pi"] is not None else None)
    pis = {} if row.pi == after.pi else {"pi": (_name(stock, row.pi), _name(stock, after.pi))}
    return [(after, pis), *((presence, {}) for presence in _presences(planner, entry, after, is_new=before is None))]


def _name(stock: Stock, key: str | None) -> str | None:
    return stock.person_name(key) or key if key is not None else None


def _presences(planner: _Planner, entry: Entry, project: Project, *, is_new: bool) -> list[Presence]:
    present = {row.resource: row for row in planner.stock.presences(project.key)}
    named: dict[str, bool | None] | None = entry.values.get("resources")
    active: bool | None = entry.values.get("active")
    if named is None:
        if not is_new and active is None:
            return []
        named = dict.fromkeys(present or planner.configuration.resources, None)
    rows = []
    for resource, own in named.items():
        if resource not in present:
            planner.check_resource(entry, resource)
        row = present.get(resource, Presence(project.key, resource))
        wanted = own if own is not None else active
        rows.append(row if wanted is None else replace(row, active=wanted))
    return rows


def _allocation(planner: _Planner, entry: Entry) -> list[tuple[RegistryRow, dict[str, Any]]]:
    project, resource = planner.project(entry), planner.resource(entry)
    start: date = entry.values["start"]
    wanted = Allocation(project, resource, start)
    before = planner.stock.rows.get(key_of(wanted))
    row = before if isinstance(before, Allocation) else wanted
    if before is None and "units" not in entry.values:
        raise _Refused("missing-key", "the allocation is new and lacks units", entry, "", "add 'units:'")
    units: Decimal = entry.values.get("units", row.units)
    after = replace(row, end=entry.values.get("end", row.end), units=units)
    planner.claim(key_of(after), entry)
    if after.end is not None and after.end < after.start:
        message = f"the allocation ends on {after.end.isoformat()}, before it starts on {after.start.isoformat()}"
        raise _Refused("bad-value", message, entry, "end")
    return [(after, {})]


def _account(planner: _Planner, entry: Entry) -> list[tuple[RegistryRow, dict[str, Any]]]:
    person, project, resource = planner.person(entry, "person"), planner.project(entry), planner.resource(entry)
    before = planner.stock.rows.get(("account", (person, project, resource)))
    owner = planner.stock.person(person)
    row = before if isinstance(before, Account) else Account(person, project, resource, (owner and owner.login) or "")
    after = replace(row, **{name: entry.values[name] for name in ("login", "active") if name in entry.values})
    planner.claim(key_of(after), entry)
    if not after.login:
        message = f"person {printable(entry.values['person'], 80)} has no login for the account"
        raise _Refused("missing-key", message, entry, "person", "give the person or the account a 'login:'")
    new = {after.login} - ({row.login} if before is not None or "login" not in entry.values else set())
    planner.planned.findings += login_findings(planner.configuration.logins, entry, new)
    return [(after, {})]


_TAKE: dict[str, Callable[[_Planner, Entry], None]] = {
    "persons": lambda planner, entry: planner.take(entry, _person),
    "projects": lambda planner, entry: planner.take(entry, _project),
    "allocations": lambda planner, entry: planner.take(entry, _allocation),
    "accounts": lambda planner, entry: planner.take(entry, _account),
}
