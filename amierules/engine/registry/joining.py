"""A site's Unix accounts and groups joined with its registry: which persons, projects and accounts they mean.

What files or the registry say already is not said again: accounts add what is missing, and where they say another
thing, that is a finding.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from amierules.database.rows import Person, Project
from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.engine.registry.fields import Entry
from amierules.engine.registry.stock import Stock
from amierules.engine.registry.unix_accounts import UnixAccount, UnixAccounts, UnixGroup
from amierules.rulebook.configuration import Configuration

_USUAL_UIDS = ((1000, 59999),)
_PROJECT_IDS = ("project_id", "grant_number")
_NAMES = (("LastName",), ("FirstName", "LastName"), ("FirstName", "MiddleName", "LastName"))


@dataclass(frozen=True)
class JoinOptions:
    """What people say of how accounts become persons, and groups projects."""

    uids: tuple[tuple[int, int], ...] = ()
    """The uids of persons whom nothing else names; the configuration's by default."""
    person_id: str = "uid"
    """What becomes the PersonID of a new person: `uid` or `login`."""
    projects: re.Pattern[str] | None = None
    """The groups that are projects, by their whole names; its groups `project_id` and `grant_number` name them."""
    resource: str | None = None
    """The only resource of the accounts that memberships mean; all resources of the project by default."""


@dataclass(frozen=True)
class _Known:
    """A person or project that is in a file, in the registry, or in both."""

    name: str
    """The id by which other entries of the import name it."""
    entry: Entry | None
    row: Person | Project | None


class Join:
    """Joins accounts and groups with the entries of files and with the registry."""

    def __init__(
        self, entries: Iterable[Entry], stock: Stock, configuration: Configuration, options: JoinOptions
    ) -> None:
        self.entries = list(entries)
        self.findings: list[Finding] = []
        self.files: set[str] = set()
        """The files that accounts and groups came from."""
        self._stock = stock
        self._configuration = configuration
        self._options = options
        self._uids = options.uids or configuration.ids.uid.ranges or _USUAL_UIDS
        self._persons: dict[tuple[str, object], _Known] = {}
        self._projects: dict[tuple[str, object], _Known] = {}
        for row in stock.of(Person):
            self._add_person(_Known(stock.person_name(row.key) or "", None, row))
        for project in stock.of(Project):
            self._add_project(_Known(stock.project_name(project.key) or "", None, project))
        for entry in self.entries:
            self._add_entry(entry)

    def take(self, unix: UnixAccounts) -> None:
        """Adds what accounts and groups say to `entries`, and what they say otherwise to `findings`."""
        self.findings += unix.findings
        self.files |= {one.place.file for one in unix.accounts} | {one.place.file for one in unix.groups}
        for account in unix.accounts:
            self._account(account)
        given = {self._membership(entry) for entry in self.entries if entry.kind == "accounts"}
        for group in unix.groups:
            self._group(group, unix, given)

    # -------------------------------------------------------------- what is known

    def _add_entry(self, entry: Entry) -> None:
        if entry.kind == "persons":
            before = self._one(self._persons, (("id", entry.values.get(name)) for name in ("person_id", "global_id")))
            name = entry.values.get("person_id") or entry.values.get("global_id") or ""
            self._add_person(_Known(name, entry, before.row if before else None))
        elif entry.kind == "projects":
            before = self._one(
                self._projects, (("id", entry.values.get(name)) for name in ("project_id", "grant_number"))
            )
            name = entry.values.get("project_id") or entry.values.get("grant_number") or ""
            self._add_project(_Known(name, entry, before.row if before else None))

    def _add_person(self, known: _Known) -> None:
        row, values = known.row, known.entry.values if known.entry else {}
        ids: list[object] = [values.get("person_id"), values.get("global_id"), *(values.get("ids") or ())]
        logins: list[object] = [values.get("login"), *(values.get("logins") or ())]
        if isinstance(row, Person):
            ids += [row.person_id, row.global_id, *row.ids]
            logins += row.logins
        self._persons.update({("id", one): known for one in ids if one})
        self._persons.update({("login", one): known for one in logins if one})

    def _add_project(self, known: _Known) -> None:
        row, values = known.row, known.entry.values if known.entry else {}
        ids = [values.get("project_id"), values.get("grant_number")]
        groups = [values.get("group")]
        if isinstance(row, Project):
            ids += [row.project_id, row.grant_number]
            groups += [row.group]
        self._projects.update({("id", one): known for one in ids if one})
        self._projects.update({("group", one): known for one in groups if one})

    @staticmethod
    def _one(found: dict[tuple[str, object], _Known], keys: Iterable[tuple[str, object]]) -> _Known | None:
        return next((found[key] for key in keys if key in found), None)

    # -------------------------------------------------------------- accounts

    def _account(self, account: UnixAccount) -> None:
        ids = {name: account.values[name] for name in ("person_id", "global_id") if name in account.values}
        known = self._persons.get(("login", account.login))
        by_login = known is not None
        wanted = {**({} if by_login else {"login": account.login}), "uid": account.uid}
        if known is None and ids:
            known = self._one(self._persons, (("id", one) for one in ids.values()))
        if known is None and not ids and not any(first <= account.uid <= last for first, last in self._uids):
            return
        person_id = str(account.uid) if self._options.person_id == "uid" else account.login
        if known is None and "person_id" not in ids:
            known = self._persons.get(("id", person_id))
        dns = {"dns": account.values["dns"]} if "dns" in account.values else {}
        if known is None:
            values = {"person_id": person_id, **ids, **wanted, **dns}
            self._new("persons", values, account.place, {**_names(account.name), **account.tags})
            return
        row, present = known.row, dict[str, object]()
        if isinstance(row, Person):
            present = {name: getattr(row, name) for name in ("person_id", "global_id", "login", "dns")}
            present["uid"] = row.uid_of(account.login) if by_login else row.uid
            if ids.get("person_id") in row.ids:
                del ids["person_id"]
        self._complete(known, "persons", {**wanted, **ids, **dns}, present, account.place, account.login)

    def _complete(
        self,
        known: _Known,
        kind: str,
        wanted: Mapping[str, object],
        present: Mapping[str, object],
        place: Place,
        called: str,
    ) -> None:
        """Says what a row lacks, of a list what is not in it; a finding where it has another value."""
        values = known.entry.values if known.entry else {}
        missing: dict[str, object] = {}
        for name, value in wanted.items():
            there = values.get(name, present.get(name))
            if isinstance(value, tuple):
                held = there if isinstance(there, tuple) else ()
                missing |= {name: tuple(dict.fromkeys((*held, *value)))} if set(value) - set(held) else {}
            elif there is None:
                missing[name] = value
            elif there != value:
                message = (
                    f"{printable(called, 60)} has {name} {printable(value, 60)} here, and "
                    f"{kind[:-1]} {printable(known.name, 60)} has {printable(there, 60)}"
                )
                self.findings.append(Finding("account-differs", message, place, "correct what is wrong of the two"))
                return
        if not missing:
            return
        if known.entry is not None:
            known.entry.values.update(missing)
            known.entry.places.update(dict.fromkeys(missing, place))
        elif known.row is not None:
            entry = Entry(kind, place, dict(missing), places=dict.fromkeys(missing, place), key=known.row.key)
            self.entries.append(entry)
            (self._add_person if kind == "persons" else self._add_project)(_Known(known.name, entry, known.row))

    def _new(self, kind: str, values: dict[str, object], place: Place, data: dict[str, object]) -> _Known:
        entry = Entry(kind, place, values, data, dict.fromkeys(values, place))
        self.entries.append(entry)
        known = _Known(str(next(iter(values.values()))), entry, None)
        (self._add_person if kind == "persons" else self._add_project)(known)
        return known

    # -------------------------------------------------------------- groups

    def _group(self, group: UnixGroup, unix: UnixAccounts, given: set[tuple[object, ...]]) -> None:
        known = self._project_of(group)
        if known is None:
            return
        primary = [account.login for account in unix.accounts if account.gid == group.gid]
        strangers = []
        there = {account.login for account in unix.accounts}
        for login in dict.fromkeys((*primary, *group.members)):
            person = self._persons.get(("login", login))
            if person is not None:
                self._memberships(person, known, login, group.place, given)
            elif login not in there:
                strangers.append(login)
        if strangers:
            some = printable(", ".join(strangers[:5]) + (f" and {len(strangers) - 5} more" if strangers[5:] else ""))
            message = f"the group {printable(group.name, 60)} lists logins of nobody: {some}"
            hint = "they get no account; import the persons, too, if they are some"
            self.findings.append(Finding("unknown-member", message, group.place, hint, Severity.WARNING))

    def _project_of(self, group: UnixGroup) -> _Known | None:
        ids: dict[str, object] = {name: group.values[name] for name in _PROJECT_IDS if name in group.values}
        wanted: dict[str, object] = {**ids, "group": group.name, "gid": group.gid}
        known = self._projects.get(("group", group.name))
        pattern = self._options.projects
        if known is None and not ids and pattern is not None and (matched := pattern.fullmatch(group.name)) is not None:
            ids = {name: value for name, value in matched.groupdict().items() if value} or {"project_id": group.name}
        if known is None:
            known = self._one(self._projects, (("id", value) for value in ids.values()))
        if known is not None:
            row, names = known.row, (*_PROJECT_IDS, "group", "gid")
            present = {name: getattr(row, name) for name in names} if isinstance(row, Project) else {}
            self._complete(known, "projects", wanted, present, group.place, group.name)
            return known
        title = {"title": group.values["title"]} if "title" in group.values else {}
        return self._new("projects", {**ids, **wanted, **title}, group.place, {}) if ids else None

    def _memberships(
        self, person: _Known, project: _Known, login: str, place: Place, given: set[tuple[object, ...]]
    ) -> None:
        in_use = person.entry.values.get("login") if person.entry else None
        if in_use is None and isinstance(person.row, Person):
            in_use = person.row.login
        for resource in self._resources(project):
            values = {"person": person.name, "project": project.name, "resource": resource}
            if login != in_use:
                values["login"] = login
            entry = Entry("accounts", place, dict(values), places=dict.fromkeys(values, place))
            membership = self._membership(entry)
            if membership not in given:
                given.add(membership)
                self.entries.append(entry)

    def _resources(self, project: _Known) -> Iterator[str]:
        if self._options.resource is not None:
            yield self._options.resource
        elif project.entry is not None and project.entry.values.get("resources"):
            yield from project.entry.values["resources"]
        elif isinstance(project.row, Project):
            yield from (presence.resource for presence in self._stock.presences(project.row.key))
        else:
            yield from self._configuration.resources

    def _membership(self, entry: Entry) -> tuple[object, ...]:
        """Whose account on what an entry is about, whatever ids it names them by."""
        person = self._persons.get(("id", entry.values.get("person")))
        project = self._projects.get(("id", entry.values.get("project")))
        resource = entry.values.get("resource") or next(iter(self._configuration.resources), None)
        return (person.name if person else None, project.name if project else None, resource)


def _names(full_name: str) -> dict[str, object]:
    """The tags of a full name: its first word, what is between, and its last."""
    words = full_name.split()
    parts = [words[0], " ".join(words[1:-1]), words[-1]] if len(words) > 2 else words
    return dict(zip(_NAMES[len(parts) - 1], parts, strict=True)) if parts else {}
