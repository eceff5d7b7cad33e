"""The registry shown: rows found by what people call them, as data and in a few words."""

from collections.abc import Mapping, Sequence
from typing import Any

from amierules.actions.base import Change
from amierules.database.json_values import same
from amierules.database.registry_read import key_of
from amierules.database.rows import Account, Allocation, Person, Project
from amierules.diagnostics import Finding, NotAllowed, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.engine.registry.fields import TAGS
from amierules.engine.registry.stock import Parts, Stock
from amierules.protocol.values import wire_text

PERSON_OR_PROJECT = ("person", "project")


def row_called(stock: Stock, kind: str, called: str) -> Person | Project:
    """The person (by PersonID, GlobalID or login) or project (by ProjectID or GrantNumber) that is meant.

    Raises `NotAllowed` where there is none.
    """
    row: Person | Project | None
    if kind == "person":
        key = stock.person_called(called, also_login=True)
        row = stock.person(key) if key is not None else None
        hint = "a person is called by PersonID, GlobalID or login; `amierules registry show` lists them"
    else:
        key = stock.project_called(called)
        row = stock.project(key) if key is not None else None
        hint = "a project is called by ProjectID or GrantNumber; `amierules registry show` lists them"
    if row is None:
        raise NotAllowed(Finding(f"no-such-{kind}", f"there is no {kind} {printable(called, 80)}", hint=hint))
    return row


def rows_called(stock: Stock, words: Sequence[str]) -> list[Person | Project]:
    """The rows that `person ID... project ID...` name. Raises `NotAllowed`."""
    rows: list[Person | Project] = []
    wrong: list[Finding] = []
    kind = ""
    for word in words:
        if word in PERSON_OR_PROJECT:
            kind = word
        elif not kind:
            message = f"'{printable(word, 60)}' is neither person nor project"
            meant = did_you_mean(word, PERSON_OR_PROJECT)
            typed = f"{meant} ID" if meant is not None else f"person {printable(word, 60)}"
            raise NotAllowed(Finding("usage", message, hint=f"write `amierules registry show {typed}`"))
        else:
            try:
                rows.append(row_called(stock, kind, word))
            except NotAllowed as error:
                wrong += error.findings
    if words and words[-1] in PERSON_OR_PROJECT:
        raise NotAllowed(
            Finding("usage", f"which {words[-1]}?", hint=f"write `amierules registry show {words[-1]} ID`")
        )
    if wrong:
        raise NotAllowed(wrong)
    return rows


def everybody(stock: Stock) -> list[Person | Project]:
    """All persons, then all projects, each in order of their names."""
    persons = sorted(stock.of(Person), key=lambda row: (stock.person_name(row.key) or "", row.key))
    projects = sorted(stock.of(Project), key=lambda row: (stock.project_name(row.key) or "", row.key))
    return [*persons, *projects]


def as_json(stock: Stock, rows: Sequence[Person | Project]) -> dict[str, Any]:
    """The rows, whole, as `registry show --format json` prints them."""
    parts = Parts(stock)
    return {
        "format_version": 1,
        "persons": [person_data(stock, parts, row) for row in rows if isinstance(row, Person)],
        "projects": [project_data(stock, parts, row) for row in rows if isinstance(row, Project)],
    }


def person_data(stock: Stock, parts: Parts, row: Person) -> dict[str, Any]:
    """A person with tags, free keys and accounts, in plain values."""
    return {
        "person_id": row.person_id,
        "ids": list(row.ids),
        "global_id": row.global_id,
        "login": row.login,
        "logins": list(row.logins),
        "uid": row.uid,
        "state": row.state,
        "dns": list(row.dns),
        "tags": {name: plain(value) for name, value in row.data.items() if name in TAGS},
        "data": {name: plain(value) for name, value in row.data.items() if name not in TAGS},
        "accounts": [_account(stock, account) for account in sorted(parts.person_accounts[row.key], key=key_of)],
    }


def project_data(stock: Stock, parts: Parts, row: Project) -> dict[str, Any]:
    """A project with its resources, allocations and accounts, in plain values."""
    here = {presence.resource: presence.active for presence in stock.presences(row.key)}
    elsewhere = {resource for project, resource in parts.allocations if project == row.key} - here.keys()
    return {
        "project_id": row.project_id,
        "grant_number": row.grant_number,
        "group": row.group,
        "gid": row.gid,
        "title": row.title,
        "pi": (stock.person_name(row.pi) or row.pi) if row.pi is not None else None,
        "data": {name: plain(value) for name, value in row.data.items()},
        "resources": [
            {
                "resource": resource,
                "active": here.get(resource, False),
                "allocations": [_allocation(one) for one in parts.allocations.get((row.key, resource), ())],
            }
            for resource in sorted({*here, *elsewhere})
        ],
        "accounts": [_account(stock, account) for account in sorted(parts.project_accounts[row.key], key=key_of)],
    }


def _account(stock: Stock, account: Account) -> dict[str, Any]:
    return {
        "person_id": stock.person_name(account.person),
        "project_id": stock.project_name(account.project),
        "resource": account.resource,
        "login": account.login,
        "active": account.active,
    }


def _allocation(row: Allocation) -> dict[str, Any]:
    end = row.end.isoformat() if row.end is not None else None
    return {"start": row.start.isoformat(), "end": end, "units": format(row.units, "f")}


def plain(value: Any) -> Any:
    """A value of a row as JSON without our marks: dates, decimals and the like as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if same(value, value) and abs(value) != float("inf") else str(value)
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return wire_text(value)


def described(change: Change) -> str:
    """A change of a row on one line: `person P1: state active -> suspended`."""
    after = change.after if isinstance(change.after, Mapping) else {}
    if isinstance(change.before, Mapping):
        before = change.before
        said = [f"{in_words(before.get(name))} -> {in_words(value)}" for name, value in after.items()]
    else:
        said = [in_words(value) for value in after.values()]
    listed = ", ".join(f"{printable(name, 60)} {text}" for name, text in zip(after, said, strict=True))
    return f"{change.target}: {listed}" if listed else change.target


def in_words(value: object) -> str:
    """A plain value on one line; `nothing` for none, and for an empty text or list."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ", ".join(
            f"{printable(name, 60)} {in_words(one)}" for name, one in value.items() if one not in (None, [])
        )
    if value and isinstance(value, list | tuple):
        return "; ".join(in_words(one) for one in value)
    return "nothing" if value in (None, "", [], ()) else printable(value, 400)
