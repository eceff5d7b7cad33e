"""Rows changed in what a registry file or a person names; all else stays."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from amierules.actions.accounts_tools import is_account_name
from amierules.database.json_values import same
from amierules.database.rows import Person, RegistryRow
from amierules.diagnostics import Finding, Severity, printable
from amierules.engine.registry.fields import Entry, Gone
from amierules.rulebook.logins import LoginPolicy


def changed_person(row: Person, values: Mapping[str, Any], data: Mapping[str, Any]) -> Person:
    """The person with these values; None takes one away.

    A list that is given replaces the present one; a new login goes before the others, a new person_id makes the
    present one a former one.
    """
    logins: tuple[str, ...] = values.get("logins", row.logins) or ()
    if "login" in values:
        login = values["login"]
        logins = logins[1:] if login is None else (login, *logins)
    person_id = values.get("person_id", row.person_id)
    former = [*(values.get("ids", row.ids) or ())]
    if row.person_id is not None and person_id != row.person_id:
        former.append(row.person_id)
    ids = set(former) - {person_id}
    return replace(
        row,
        person_id=person_id,
        global_id=values.get("global_id", row.global_id),
        uid=values.get("uid", row.uid),
        state=values.get("state", row.state),
        logins=tuple(dict.fromkeys(logins)),
        # The database keeps them in no order of ours.
        ids=row.ids if ids == set(row.ids) else tuple(sorted(ids)),
        dns=tuple(dict.fromkeys(values.get("dns", row.dns) or ())),
        data=changed_data(row.data, data),
    )


def changed_data(present: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Tags and free keys with those that are given; `Gone.GONE` takes one away, tuples become lists."""
    both = {**present, **{name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}}
    return {name: value for name, value in both.items() if value is not Gone.GONE}


def same_row(one: RegistryRow, other: RegistryRow) -> bool:
    """Whether two rows say the same."""
    return all(same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))


def login_findings(policy: LoginPolicy, entry: Entry, logins: Iterable[str]) -> list[Finding]:
    """An error for each login that no Unix account can have, and a warning for one that is only not given out here.

    Files may bring older logins, which need not be as new ones are.
    """
    findings = []
    for login in sorted(logins):
        severity = Severity.WARNING
        if not is_account_name(login):
            message, severity = f"'{printable(login, 60)}' cannot be a Unix login", Severity.ERROR
        elif login in policy.reserved:
            message = f"the login {printable(login, 60)} is reserved by the configuration"
        elif not re.fullmatch(policy.pattern, login):
            message = f"the login {printable(login, 60)} does not match the configuration's logins.pattern"
        else:
            continue
        place = entry.at("login" if entry.values.get("login") == login else "logins")
        code = "bad-value" if severity is Severity.ERROR else "unusual-login"
        findings.append(Finding(code, message, place, severity=severity))
    return findings
