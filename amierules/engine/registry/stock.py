"""The whole registry in memory: found by what people call its rows."""

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

from amierules.database.registry_read import Ref, key_of
from amierules.database.rows import Account, Allocation, Person, Presence, Project, RegistryRow
from amierules.diagnostics import printable

Row = TypeVar("Row", bound=RegistryRow)


class Stock:
    """All rows of the registry. `add` puts a new or changed row in."""

    def __init__(self, rows: Iterable[RegistryRow] = ()) -> None:
        self.rows: dict[Ref, RegistryRow] = {}
        self._persons: dict[str, dict[str, str]] = {"person_id": {}, "global_id": {}, "login": {}}
        self._projects: dict[str, dict[str, str]] = {"project_id": {}, "grant_number": {}}
        self._presences: defaultdict[str, dict[str, Presence]] = defaultdict(dict)
        for row in rows:
            self.add(row)

    def add(self, row: RegistryRow) -> None:
        """Puts a row in, in the place of the one with its key; what it was called before still finds it."""
        self.rows[key_of(row)] = row
        if isinstance(row, Person):
            for other in filter(None, (row.person_id, *row.ids)):
                self._persons["person_id"].setdefault(other, row.key)
            for login in row.logins:
                self._persons["login"].setdefault(login, row.key)
            if row.global_id is not None:
                self._persons["global_id"].setdefault(row.global_id, row.key)
        elif isinstance(row, Project):
            for what, index in self._projects.items():
                value = getattr(row, what)
                if value is not None:
                    index.setdefault(value, row.key)
        elif isinstance(row, Presence):
            self._presences[row.project][row.resource] = row

    def of(self, kind: type[Row]) -> list[Row]:
        """All rows of a kind."""
        return [row for row in self.rows.values() if isinstance(row, kind)]

    def person(self, key: str) -> Person | None:
        """The person with this key."""
        row = self.rows.get(("person", (key,)))
        return row if isinstance(row, Person) else None

    def project(self, key: str) -> Project | None:
        """The project with this key."""
        row = self.rows.get(("project", (key,)))
        return row if isinstance(row, Project) else None

    def presences(self, project: str) -> list[Presence]:
        """Where a project (by key) is, in order of the resources' names."""
        found = self._presences.get(project, {})
        return [found[resource] for resource in sorted(found)]

    def person_key(self, what: str, value: object) -> str | None:
        """The key of the person with this person_id (present or former), global_id or login."""
        return self._persons[what].get(value) if isinstance(value, str) else None

    def project_key(self, what: str, value: object) -> str | None:
        """The key of the project with this project_id or grant_number."""
        return self._projects[what].get(value) if isinstance(value, str) else None

    def person_called(self, name: object, *, also_login: bool = False) -> str | None:
        """The key of the person that a file or a person at the keyboard means: by PersonID, else by GlobalID."""
        wanted = ("person_id", "global_id", "login") if also_login else ("person_id", "global_id")
        return next((key for what in wanted if (key := self.person_key(what, name)) is not None), None)

    def project_called(self, name: object) -> str | None:
        """The key of the project that is meant: by ProjectID, else by GrantNumber."""
        found = self.project_key("project_id", name)
        return self.project_key("grant_number", name) if found is None else found

    def person_name(self, key: str) -> str | None:
        """What `person_called` finds this person by; None where it has no id that is its alone."""
        person = self.person(key)
        names = (person.person_id, person.global_id) if person is not None else ()
        return next((name for name in names if name is not None and self.person_called(name) == key), None)

    def project_name(self, key: str) -> str | None:
        """What `project_called` finds this project by; None where it has no id that is its alone."""
        project = self.project(key)
        names = (project.project_id, project.grant_number) if project is not None else ()
        return next((name for name in names if name is not None and self.project_called(name) == key), None)

    def label(self, row: RegistryRow) -> str:
        """A row as messages call it: `person P1`, `account of P1 on PR1 at alpha.site.example`."""
        if isinstance(row, Person):
            return f"person {printable(self.person_name(row.key) or row.login or row.key, 80)}"
        if isinstance(row, Project):
            return f"project {printable(self.project_name(row.key) or row.key, 80)}"
        project = printable(self.project_name(row.project) or row.project, 80)
        resource = printable(row.resource, 80)
        if isinstance(row, Presence):
            return f"project {project} on {resource}"
        if isinstance(row, Allocation):
            return f"allocation of {project} on {resource} from {row.start.isoformat()}"
        return f"account of {printable(self.person_name(row.person) or row.person, 80)} on {project} at {resource}"


class Parts:
    """The allocations and accounts of a stock by project and person; made once for a whole listing."""

    def __init__(self, stock: Stock) -> None:
        self.allocations: defaultdict[tuple[str, str], list[Allocation]] = defaultdict(list)
        self.project_accounts: defaultdict[str, list[Account]] = defaultdict(list)
        self.person_accounts: defaultdict[str, list[Account]] = defaultdict(list)
        for allocation in sorted(stock.of(Allocation), key=key_of):
            self.allocations[allocation.project, allocation.resource].append(allocation)
        for account in stock.of(Account):
            self.project_accounts[account.project].append(account)
            self.person_accounts[account.person].append(account)
