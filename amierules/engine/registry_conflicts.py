"""Ids that belong to one row only: which of the rows that files give claim another row's."""

from collections.abc import Iterator, Mapping

from amierules.database.registry_read import Ref
from amierules.database.rows import Account, Person, Project, RegistryRow
from amierules.diagnostics import Finding, printable
from amierules.engine.registry_fields import Entry
from amierules.engine.registry_stock import Stock


def conflicts(stock: Stock, entries: Mapping[Ref, Entry]) -> list[Finding]:
    """One finding for each id of a row in `entries` that another row of the stock has; each names both rows.

    `stock` holds the rows as they are to be, so that two rows may exchange their ids.
    """
    owners: dict[tuple[str, object], tuple[str, RegistryRow, Entry | None]] = {}
    findings: dict[tuple[str, object, str], Finding] = {}
    untouched = [ref for ref in stock.rows if ref not in entries]
    for ref in (*untouched, *entries):
        row, entry = stock.rows[ref], entries.get(ref)
        for what, field, value, owner in _claims(row):
            first_owner, first_row, first_entry = owners.setdefault((what, value), (owner, row, entry))
            if first_owner != owner and entry is not None:
                message = f"{what} {printable(value, 60)} of {stock.label(row)} belongs to {stock.label(first_row)}"
                found = Finding("id-taken", message + where(first_entry), entry.at(field))
                findings.setdefault((what, value, owner), found)
    return list(findings.values())


def where(entry: Entry | None) -> str:
    """Where an entry stands, for a message: ` (persons.yaml:12)`."""
    return f" ({entry.place.file}:{entry.place.line})" if entry is not None and entry.place is not None else ""


def _claims(row: RegistryRow) -> Iterator[tuple[str, str, object, str]]:
    """What a row has to itself: what it is, the field that says so, the value, and the owner's key."""
    if isinstance(row, Person):
        if row.person_id is not None:
            yield "person_id", "person_id", row.person_id, row.key
        yield from (("person_id", "ids", other, row.key) for other in row.ids)
        yield from (("login", "login" if login == row.login else "logins", login, row.key) for login in row.logins)
        singles: tuple[str, ...] = ("global_id", "uid")
    elif isinstance(row, Project):
        singles = ("project_id", "grant_number", "group", "gid")
    elif isinstance(row, Account):
        yield "login", "login", row.login, row.person
        return
    else:
        return
    for name in singles:
        value = getattr(row, name)
        if value is not None:
            yield name, name, value, row.key
