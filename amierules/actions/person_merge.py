"""Two persons made one: what the other has belongs to the kept one, and the other's row goes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from amierules.actions.base import Change
from amierules.actions.registry_changes import row_change
from amierules.database.json_values import same
from amierules.database.registry import RegistryView
from amierules.database.rows import (
    FORMER_GLOBAL_IDS,
    UIDS_OF_LOGINS,
    Account,
    Person,
    Project,
    RegistryRow,
)
from amierules.diagnostics import printable


@dataclass(frozen=True)
class Merge:
    """What a merge does to the registry."""

    kept: Person
    removed: Person
    accounts: tuple[Account, ...]
    """The other's accounts as they are to be, those of the kept one that they change among them."""
    gone: tuple[Account, ...]
    """The other's accounts as they are."""
    projects: tuple[Project, ...]
    """The other's projects, with the kept one as PI."""

    @property
    def written(self) -> tuple[RegistryRow, ...]:
        """All rows that are new or changed."""
        return (self.kept, *self.accounts, *self.projects)


def merge(view: RegistryView, kept: Person, other: Person) -> Merge:
    """What makes the two persons one; nothing is staged.

    Ids, logins, DNs, accounts and the PI's part of projects go over; of tags and free keys only those that the kept
    one lacks. Where both have an account on a project and resource, the active one stays, else the kept person's; the
    other's login stays as a further one. An id of which there can be but one (uid, GlobalID) goes over where the kept
    one has none, and else is remembered as a former one.
    """
    own = {(row.project, row.resource): row for row in view.accounts(person=kept.key)}
    gone = view.accounts(person=other.key)
    accounts, logins = [], [*kept.logins, *other.logins]
    for account in gone:
        moved = replace(account, person=kept.key)
        present = own.get((account.project, account.resource))
        if present is None:
            accounts.append(moved)
            continue
        winner, loser = (moved, present) if moved.active and not present.active else (present, moved)
        accounts.append(winner)
        logins.append(loser.login)
    former = [*_listed(kept, FORMER_GLOBAL_IDS), *_listed(other, FORMER_GLOBAL_IDS)]
    if kept.global_id is not None and other.global_id is not None:
        former.append(other.global_id)
    uids = {**_mapping(other), **_uids_of_logins(kept, other, gone), **_mapping(kept)}
    data = {**other.data, **kept.data}
    data |= {FORMER_GLOBAL_IDS: list(_united(former))} if former else {}
    data |= {UIDS_OF_LOGINS: uids} if uids else {}
    row = replace(
        kept,
        global_id=other.global_id if kept.global_id is None else kept.global_id,
        uid=other.uid if kept.uid is None else kept.uid,
        data=data,
        ids=_united(one for one in (*kept.ids, other.person_id, *other.ids) if not same(one, kept.person_id)),
        logins=_united(logins),
        dns=_united([*kept.dns, *other.dns]),
    )
    projects = tuple(replace(project, pi=kept.key) for project in view.projects_of_pi(other.key))
    return Merge(row, other, tuple(accounts), tuple(gone), projects)


def stage(view: RegistryView, merged: Merge) -> None:
    """Stages the rows of a merge."""
    for account in merged.gone:
        view.remove(account)
    for row in merged.written:
        view.put(row)
    view.remove(merged.removed)


def changes_of(view: RegistryView, merged: Merge) -> tuple[Change, ...]:
    """The merge for people, beside what becomes of the kept person's own row: call it before anything is staged."""
    changes: list[Change] = []
    for row in merged.accounts:
        target = f"account of {_called(merged.kept)} on {_project(view, row.project)} at {printable(row.resource, 80)}"
        present = view.accounts(person=row.person, project=row.project, resource=row.resource)
        changes += row_change(target, present[0] if present else None, row)
    for project in merged.projects:
        pis = {"pi": (merged.removed.person_id, merged.kept.person_id)}
        changes += row_change(f"project {_project(view, project.key)}", view.project(project.key), project, pis)
    said = f"person {_called(merged.removed)}"
    before = {"person_id": merged.removed.person_id, "logins": merged.removed.logins}
    summary = f"remove {said}, merged into {_called(merged.kept)}"
    return (*changes, Change(summary, "delete", said, before=before))


def _uids_of_logins(kept: Person, other: Person, accounts: Iterable[Account]) -> dict[str, Any]:
    """The other's uid by login, where the kept one's is another."""
    if kept.uid is None or other.uid is None:
        return {}
    logins = _united([*other.logins, *(account.login for account in accounts)])
    return {login: other.uid for login in logins if isinstance(login, str) and login not in kept.logins}


def _mapping(row: Person) -> dict[str, Any]:
    found = row.data.get(UIDS_OF_LOGINS)
    return dict(found) if isinstance(found, Mapping) else {}


def _listed(row: Person, name: str) -> list[Any]:
    found = row.data.get(name)
    return list(found) if isinstance(found, list) else []


def _united(values: Iterable[Any]) -> tuple[Any, ...]:
    """Each value once, in order. Unknown ones are not compared with others."""
    found: list[Any] = []
    for value in values:
        if value is not None and not any(same(value, one) for one in found):
            found.append(value)
    return tuple(found)


def _called(person: Person) -> str:
    return printable(person.person_id or person.global_id or person.key, 80)


def _project(view: RegistryView, key: str) -> str:
    row = view.project(key)
    return printable((row and (row.project_id or row.grant_number)) or key, 80)
