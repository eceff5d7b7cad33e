"""The registry's rows as values: what the site knows of persons, projects, allocations and accounts."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

FORMER_GLOBAL_IDS = "former_global_ids"
"""The free key of a person that lists the GlobalIDs of persons who were merged into this one."""
UIDS_OF_LOGINS = "uids"
"""The free key of a person that maps logins of merged persons to their uids, where these differ from the person's."""


@dataclass(frozen=True)
class Person:
    """A person. `data` holds the tags that AMIE sends of a person, without prefix (`FirstName`), and free keys."""

    key: str
    person_id: str | None = None
    global_id: str | None = None
    uid: int | None = None
    state: str = "active"
    data: dict[str, Any] = field(default_factory=dict)
    ids: tuple[str, ...] = ()
    """Further PersonIDs of this person, without `person_id` itself."""
    logins: tuple[str, ...] = ()
    """All logins, the one in use first."""
    dns: tuple[str, ...] = ()

    @property
    def login(self) -> str | None:
        """The login in use."""
        return self.logins[0] if self.logins else None

    @property
    def former_global_ids(self) -> tuple[str, ...]:
        """GlobalIDs that came by merges, and mean this person, too."""
        kept = self.data.get(FORMER_GLOBAL_IDS)
        return tuple(one for one in kept if isinstance(one, str)) if isinstance(kept, list | tuple) else ()

    def uid_of(self, login: Any) -> Any:
        """The uid of one of the person's logins: of one that came by a merge, the one that it had."""
        kept = self.data.get(UIDS_OF_LOGINS)
        return kept.get(login, self.uid) if isinstance(kept, dict) and isinstance(login, str) else self.uid


@dataclass(frozen=True)
class Project:
    """A project, on any resource. `pi` is a person's key."""

    key: str
    project_id: str | None = None
    grant_number: str | None = None
    group: str | None = None
    gid: int | None = None
    title: str | None = None
    pi: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Presence:
    """A project on one resource. `project` is a project's key."""

    project: str
    resource: str
    active: bool = True
    brought_by: int | None = None
    """The packet_rec_id of the request_project_create that brought it there; None where it came otherwise."""


@dataclass(frozen=True)
class Allocation:
    """One allocation period of a project on a resource; `units` in the resource's service units."""

    project: str
    resource: str
    start: date
    end: date | None = None
    units: Decimal = Decimal(0)


@dataclass(frozen=True)
class Account:
    """A person's account on a project and resource; `person` and `project` are keys."""

    person: str
    project: str
    resource: str
    login: str
    active: bool = True


RegistryRow = Person | Project | Presence | Allocation | Account
