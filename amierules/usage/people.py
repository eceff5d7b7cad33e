"""The registry as usage rules ask it: whose project an account is, and what its user is called there."""

from collections.abc import Iterable, Mapping
from typing import Any, Self

from sqlalchemy import Connection

from amierules.database.registry_all import read_all
from amierules.database.rows import Account, Person, Project


class Book:
    """All projects and accounts, read once."""

    def __init__(self, rows: Iterable[object]) -> None:
        self._projects: dict[str, Mapping[str, Any]] = {}
        self._keys: dict[str, str] = {}
        self._accounts: dict[tuple[str, str, str], str] = {}
        self._persons: dict[str, str] = {}
        self._of_person: dict[tuple[str, str, str], str] = {}
        self._pi: dict[str, str] = {}
        groups: dict[str, Mapping[str, Any]] = {}
        for row in rows:
            if isinstance(row, Project):
                self._add_project(row, groups)
            elif isinstance(row, Account):
                self._accounts[row.login, row.project, row.resource] = row.login
                self._of_person[row.person, row.project, row.resource] = row.login
            elif isinstance(row, Person):
                self._persons.update(dict.fromkeys(row.logins, row.key))
        # A group goes before another project's id of the same letters.
        self._projects.update(groups)

    @classmethod
    def read(cls, connection: Connection) -> Self:
        """The registry as it stands."""
        return cls(read_all(connection))

    def _add_project(self, row: Project, groups: dict[str, Mapping[str, Any]]) -> None:
        shown = {
            "project_id": row.project_id,
            "grant_number": row.grant_number,
            "group": row.group,
            "gid": row.gid,
            "title": row.title,
            "data": row.data,
        }
        if row.project_id is None:
            return
        self._keys[row.project_id] = row.key
        if row.pi is not None:
            self._pi[row.project_id] = row.pi
        # Slurm writes the names of accounts in small letters.
        self._projects[row.project_id.lower()] = shown
        if row.group is not None:
            groups[row.group.lower()] = shown

    @property
    def groups(self) -> list[str]:
        """The accounts in Slurm that are projects' groups, or else their ids."""
        return sorted({str(project["group"] or project["project_id"]).lower() for project in self._projects.values()})

    def project(self, account: str) -> Mapping[str, Any] | None:
        """The project whose group, or else whose ProjectID, is this account."""
        return self._projects.get(account.lower())

    def login(self, login: str, project_id: str, resource: str) -> str | None:
        """What a user is called on a project and resource; a person's other login stands for the account's.

        Without a login that of the project's PI.
        """
        key = self._keys.get(project_id, "")
        if found := self._accounts.get((login, key, resource)):
            return found
        person = self._persons.get(login, "") if login else self._pi.get(project_id, "")
        return self._of_person.get((person, key, resource))
