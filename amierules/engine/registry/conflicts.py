"""Ids that belong to one row only: which of the rows that files give claim another row's."""

from collections.abc import Iterator, Mapping

from amierules.database.registry_read import Ref
from amierules.database.rows import Account, Person, Project, RegistryRow
from amierules.diagnostics import Finding, printable
from amierules.engine.registry.fields import Entry
from amierules.engine.registry.stock import Stock


def conflicts(stock: Stock, entries: Mapping[Ref, Entry]) -> list[Finding]:
    """One finding for each id of a row in `entries` that another row of the stock has; each names both rows.

    `stock` holds the rows as they are to be, so that two rows may exchange their ids.
    """
    owners: dict[tuple[str, object], tuple[str, Entry | None]] = {}
    findings: dict[tuple[str, object, str], Finding] = {}
    # What an entry names yields to what is there already, so that the finding is about the field that stands there.
    for what, fields, value, owner, entry in sorted(_all_claims(stock, entries), key=_is_named):
        first_owner, first_entry = owners.setdefault((what, value), (owner, entry))
        if first_owner != owner and entry is not None:
            message = f"{what} {printable(value, 60)} of {_owner(stock, owner)} belongs to {_owner(stock, first_owner)}"
            place = entry.at(next((name for name in fields if name in entry.values), ""))
            findings.setdefault((what, value, owner), Finding("id-taken", message + where(first_entry), place))
    return list(findings.values())


def _owner(stock: Stock, key: str) -> str:
    row = stock.person(key) or stock.project(key)
    return stock.label(row) if row is not None else "another row"


def _is_named(claim: "_Claim") -> bool:
    entry = claim[4]
    return entry is not None and any(name in entry.values for name in claim[1])


def where(entry: Entry | None) -> str:
    """Where an entry stands, for a message: ` (persons.yaml:12)`."""
    return f" ({entry.place.file}:{entry.place.line})" if entry is not None and entry.place is not None else ""


_Claim = tuple[str, tuple[str, ...], object, str, Entry | None]
"""What an id is, the fields that may name it, its value, the key of the row that has it, and that row's entry."""


def _all_claims(stock: Stock, entries: Mapping[Ref, Entry]) -> Iterator[_Claim]:
    untouched = (ref for ref in stock.rows if ref not in entries)
    for ref in (*untouched, *entries):
        for what, fields, value, owner in _claims(stock.rows[ref]):
            yield what, fields, value, owner, entries.get(ref)


def _claims(row: RegistryRow) -> Iterator[tuple[str, tuple[str, ...], object, str]]:
    if isinstance(row, Person):
        if row.person_id is not None:
            yield "person_id", ("person_id",), row.person_id, row.key
        yield from (("person_id", ("ids",), other, row.key) for other in row.ids)
        yield from (("login", ("login", "logins"), login, row.key) for login in row.logins)
        singles: tuple[str, ...] = ("global_id", "uid")
    elif isinstance(row, Project):
        singles = ("project_id", "grant_number", "group", "gid")
    elif isinstance(row, Account):
        yield "login", ("login",), row.login, row.person
        return
    else:
        return
    for name in singles:
        value = getattr(row, name)
        if value is not None:
            yield name, (name,), value, row.key
