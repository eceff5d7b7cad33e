"""A packet's view of the registry: the database's rows, with the changes that the packet has staged on top."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import date
from typing import TypeVar

from sqlalchemy import Connection

from amierules.database import registry_read
from amierules.database.json_values import TABLE_OF, row_as_json, same
from amierules.database.lock_keys import person_lock_keys, project_lock_keys
from amierules.database.registry_match import person_values, searchable
from amierules.database.registry_read import Ref, key_of
from amierules.database.registry_seed import Seed
from amierules.database.registry_staged import StagedChange, restaged, row_values
from amierules.database.registry_write import write_rows
from amierules.database.rows import Account, Allocation, Person, Presence, Project, RegistryRow
from amierules.templating import Unknown

ConnectionSource = Callable[[], AbstractContextManager[Connection]]
"""Opens a connection to read from, such as `Database.read`."""

Row = TypeVar("Row", bound=RegistryRow)


class RegistryView:
    """The registry as one packet sees it. Rows are read when first asked for and stay as they were then.

    Nothing is written before `flush`. What a `seed` has was read already.
    Values may be `Unknown` (in a dry run): they match only themselves.
    """

    def __init__(self, source: ConnectionSource, seed: Seed | None = None) -> None:
        self._source = source
        self._read: dict[Ref, RegistryRow | None] = seed.rows if seed else {}
        self._put: dict[Ref, RegistryRow | None] = {}
        self._asked: set[tuple[object, ...]] = seed.asked if seed else set()
        self._changes: list[StagedChange] = []
        self._mark = 0

    # ------------------------------------------------------------------ persons

    def person(self, key: str) -> Person | None:
        """The person with this key."""
        return self._by_ref(Person, ("person", (key,)))

    def find_person(
        self,
        person_id: object = None,
        global_id: object = None,
        email: object = None,
        login: object = None,
    ) -> Person | None:
        """The person that the first matching criterion names, in the order of the parameters; None where none does.

        `person_id` also matches former ids; `email` ignores case, and counts only where a single person has it.
        """
        found = self._person_where("person_id", person_id)
        found = found or self._person_where("global_id", global_id)
        found = found or self._person_where("email", email)
        return found or self._person_where("login", login)

    def login_owner(self, login: object) -> Person | None:
        """The person who has this login."""
        return self._person_where("login", login)

    def _person_where(self, what: str, given: object) -> Person | None:
        value = searchable(what, given)
        if value is None:
            return None
        self._ask(what, value, lambda connection: registry_read.persons_where(connection, what, value))
        found = [row for row in self._rows(Person) if any(same(one, value) for one in person_values(row, what, value))]
        return found[0] if len(found) == 1 or (found and what != "email") else None

    # ------------------------------------------------------------------ projects, allocations, accounts

    def project(self, key: str) -> Project | None:
        """The project with this key."""
        return self._by_ref(Project, ("project", (key,)))

    def find_project(self, grant_number: object = None, project_id: object = None) -> Project | None:
        """The project with this GrantNumber, else the one with this ProjectID; None where neither is given or known."""
        found = self._project_where("grant_number", grant_number)
        return found or self._project_where("project_id", project_id)

    def projects_of_pi(self, person_key: str) -> list[Project]:
        """The projects whose PI is the person with this key."""
        self._ask("pi", person_key, lambda connection: registry_read.projects_where(connection, "pi", person_key))
        return sorted((row for row in self._rows(Project) if row.pi == person_key), key=key_of)

    def project_by_group(self, group: object) -> Project | None:
        """The project with this Unix group."""
        return self._project_where("group", group)

    def _project_where(self, what: str, given: object) -> Project | None:
        value = searchable(what, given)
        if value is None:
            return None
        self._ask(what, value, lambda connection: registry_read.projects_where(connection, what, value))
        return next((row for row in self._rows(Project) if same(getattr(row, what), value)), None)

    def presence(self, project_key: str, resource: str) -> Presence | None:
        """Whether and how a project is on a resource."""
        return self._by_ref(Presence, ("presence", (project_key, resource)))

    def presences(self, project_key: str) -> list[Presence]:
        """Where a project is or was, in the order of the resources' names."""
        self._ask("presences", project_key, lambda connection: registry_read.presences(connection, project_key))
        return sorted((row for row in self._rows(Presence) if row.project == project_key), key=key_of)

    def allocations(self, project_key: str, resource: str) -> list[Allocation]:
        """All allocation periods of a project on a resource, in order of their start."""
        self._ask(
            "allocations",
            (project_key, resource),
            lambda connection: registry_read.allocations(connection, project_key, resource),
        )
        found = [row for row in self._rows(Allocation) if (row.project, row.resource) == (project_key, resource)]
        return sorted(found, key=_start_for_order)

    def accounts(
        self, *, person: str | None = None, project: str | None = None, resource: str | None = None
    ) -> list[Account]:
        """The accounts of a person, on a project (both by key) and on a resource, each where it is given."""
        wanted = {"person": person, "project": project, "resource": resource}
        given = {name: value for name, value in wanted.items() if value is not None}
        self._ask("accounts", tuple(given.items()), lambda connection: registry_read.accounts(connection, given))
        found = [
            row for row in self._rows(Account) if all(getattr(row, name) == value for name, value in given.items())
        ]
        return sorted(found, key=key_of)

    def id_taken(self, what: str, value: object) -> str | None:
        """The key of the person or project that has this id; None where it is free.

        `what` is uid, gid, person_id, global_id, login, group, project_id or grant_number.
        """
        if value is None:
            return None
        if what in _PROJECT_IDS:
            project = self._project_where(what, value)
            return project.key if project else None
        found = self._person_where(what, value)
        if found is None and what == "login" and not isinstance(value, Unknown):
            text = str(value)
            self._ask("account_login", text, lambda connection: registry_read.accounts(connection, {"login": text}))
            return next((row.person for row in self._rows(Account) if same(row.login, value)), None)
        return found.key if found else None

    # ------------------------------------------------------------------ changes

    def new_key(self) -> str:
        """A key for a new person or project."""
        key = uuid.uuid4().hex
        self._read[("person", (key,))] = self._read[("project", (key,))] = None
        return key

    def row(self, ref: Ref) -> RegistryRow | None:
        """The row of a table and key (`key_of` gives a row's)."""
        return self._effective(ref)

    def put(self, row: RegistryRow) -> list[StagedChange]:
        """Stages the row as new or changed; returns the change, or nothing where the row is as it was."""
        ref = key_of(row)
        before = self._effective(ref)
        if before is not None and same(row_values(before), row_values(row)):
            return []
        change = StagedChange(
            table=ref[0],
            key=list(ref[1]),
            before=None if before is None else row_as_json(before),
            after=row_as_json(row),
        )
        self._put[ref] = row
        self._changes.append(change)
        return [change]

    def remove(self, row: RegistryRow) -> list[StagedChange]:
        """Stages that the row goes; returns the change, or nothing where it is not there."""
        ref = key_of(row)
        before = self._effective(ref)
        if before is None:
            return []
        change = StagedChange(table=ref[0], key=list(ref[1]), before=row_as_json(before), after=None)
        self._put[ref] = None
        self._changes.append(change)
        return [change]

    def restage(self, changes: Iterable[StagedChange]) -> None:
        """Stages changes that a journal kept. What they left alone keeps its present value; to an amount that somebody
        else has changed meanwhile, the difference that they made is added.
        """
        for change in changes:
            present = self._effective((change["table"], tuple(change["key"])))
            after = restaged(change, present)
            if after is not None:
                self.put(after)
            elif present is not None:
                self.remove(present)

    def preset(self, row: RegistryRow) -> None:
        """Takes the row as read, whatever the database has: a former pass saw it so."""
        self._read[key_of(row)] = row

    @property
    def staged(self) -> list[StagedChange]:
        """The changes staged since the last `mark`."""
        return self._changes[self._mark :]

    def mark(self) -> None:
        """Lets `staged` begin anew."""
        self._mark = len(self._changes)

    def created(self, row: RegistryRow | str) -> bool:
        """Whether this view made the row; a person or project may be named by its key."""
        if not isinstance(row, str):
            return self._is_new(key_of(row))
        return self._is_new(("person", (row,))) or self._is_new(("project", (row,)))

    def changed(self) -> Iterator[RegistryRow]:
        """The rows that a staged change makes or alters."""
        return (row for row in self._put.values() if row is not None)

    def touched(self) -> set[str]:
        """The lock keys of every person and project that a staged change is about."""
        keys: set[str] = set()
        for ref, staged in self._put.items():
            row = staged or self._read.get(ref)
            if isinstance(row, Person):
                keys |= person_lock_keys(row)
            elif isinstance(row, Project):
                keys |= project_lock_keys(row)
            elif row is not None:
                project = self.project(row.project)
                keys |= project_lock_keys(project) if project else set()
                person = self.person(row.person) if isinstance(row, Account) else None
                keys |= person_lock_keys(person) if person else set()
        return keys

    def as_it_stands(self) -> "RegistryView":
        """A view that shares what was read, and does not see what is staged from now on."""
        other = RegistryView(self._source)
        other._read, other._asked, other._put = self._read, self._asked, dict(self._put)
        return other

    def flush(self, connection: Connection) -> None:
        """Writes every staged change. Raises `RegistryConflict` where an id belongs to another row; the caller then
        rolls the transaction back.
        """
        rows = [(self._read.get(ref), row) for ref, row in self._put.items() if row is not None]
        read = (self._read.get(ref) for ref, row in self._put.items() if row is None)
        write_rows(connection, rows, [row for row in read if row is not None])

    # ------------------------------------------------------------------ rows

    def _is_new(self, ref: Ref) -> bool:
        return self._put.get(ref) is not None and self._read.get(ref) is None

    def _effective(self, ref: Ref) -> RegistryRow | None:
        if ref in self._put:
            return self._put[ref]
        if ref not in self._read:
            with self._source() as connection:
                self._read[ref] = registry_read.one(connection, ref)
        return self._read[ref]

    def _by_ref(self, kind: type[Row], ref: Ref) -> Row | None:
        row = self._effective(ref)
        return row if isinstance(row, kind) else None

    def _rows(self, kind: type[Row]) -> Iterator[Row]:
        table = TABLE_OF[kind]
        for ref in dict.fromkeys((*self._read, *self._put)):
            row = self._put[ref] if ref in self._put else self._read[ref]
            if ref[0] == table and isinstance(row, kind):
                yield row

    def _ask(self, what: str, value: object, query: Callable[[Connection], Iterable[RegistryRow]]) -> None:
        """Reads rows into the view, once for each question. What the view has already read stays as it is."""
        if isinstance(value, Unknown) or (what, value) in self._asked:
            return
        with self._source() as connection:
            for row in query(connection):
                self._read.setdefault(key_of(row), row)
        self._asked.add((what, value))


_PROJECT_IDS = frozenset({"gid", "group", "project_id", "grant_number"})


def _start_for_order(row: Allocation) -> date:
    return date.max if isinstance(row.start, Unknown) else row.start
