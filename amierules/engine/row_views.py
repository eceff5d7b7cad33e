"""Registry rows as rules see them: read-only mappings with the attributes that the rule language names."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from amierules.actions.base import expected
from amierules.database.registry import RegistryView
from amierules.database.registry_read import key_of
from amierules.database.rows import Account, Allocation, Person, Project, RegistryRow
from amierules.protocol.catalogue import catalogue, person_tags
from amierules.protocol.values import absent_value
from amierules.templating import Unknown


@dataclass(frozen=True)
class Registry:
    """The packet's view of the registry, and the resource that the packet speaks of."""

    view: RegistryView
    resource: str | None

    def as_it_stands(self) -> "Registry":
        """The registry without what is staged from now on."""
        return Registry(self.view.as_it_stands(), self.resource)


class RowView(Mapping[str, object]):
    """One row. Its own attributes are those of the row; accounts, allocations and the like are read when asked for."""

    def __init__(self, row: RegistryRow, registry: Registry) -> None:
        self.row = row
        self._registry = registry
        self._attributes = _ATTRIBUTES[type(row)]

    def __getitem__(self, name: str) -> object:
        attribute = self._attributes.get(name)
        if attribute is not None:
            return attribute(self.row, self._registry)
        if isinstance(self.row, Person) and (name in self.row.data or name in person_tags()):
            return self.row.data.get(name, absent(name))
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield from self._attributes
        if isinstance(self.row, Person):
            yield from (
                name for name in dict.fromkeys((*person_tags(), *self.row.data)) if name not in self._attributes
            )

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RowView) and key_of(self.row) == key_of(other.row)

    def __hash__(self) -> int:
        return hash(key_of(self.row))

    def __repr__(self) -> str:
        return f"<{type(self.row).__name__.lower()}>"


def view_of(row: RegistryRow | None, registry: Registry) -> RowView | None:
    """The row as rules see it; None for none."""
    return None if row is None else RowView(row, registry)


def person_finder(registry: Registry) -> Callable[..., object]:
    """The function `find_person` of rules."""

    def find_person(
        person_id: str | None = None,
        global_id: str | None = None,
        email: str | None = None,
        login: str | None = None,
    ) -> object:
        wanted = {"person_id": person_id, "global_id": global_id, "email": email, "login": login}
        given = {name: str(value) for name, value in wanted.items() if value is not None}
        return view_of(registry.view.find_person(**given) if given else None, registry)

    return find_person


def absent(tag: str) -> object:
    """The value of a tag that a packet or person lacks: None, or `[]` for a list tag."""
    known = catalogue().tag(tag)
    return absent_value(known) if known is not None else None


def _views(rows: list[Any], registry: Registry) -> list[RowView]:
    return [RowView(row, registry) for row in rows]


def _own(name: str) -> Callable[[Any, Registry], object]:
    return lambda row, _registry: getattr(row, name)


def _created(row: Any, registry: Registry) -> object:
    return registry.view.created(row)


def _uid(account: Account, registry: Registry) -> object:
    person = registry.view.person(account.person)
    return person.uid_of(account.login) if person is not None else None


def _uids(person: Person, _registry: Registry) -> object:
    return {login: person.uid_of(login) for login in person.logins if isinstance(login, str)}


def _in_order(accounts: Iterable[Account], registry: Registry) -> list[RowView]:
    """Accounts in the order of their projects, resources and logins: the keys of the rows are random."""

    def place(account: Account) -> tuple[str, ...]:
        project = registry.view.project(account.project)
        names = (project.project_id if project is not None else None, account.resource, account.login)
        return tuple("" if isinstance(name, Unknown) else str(name) for name in map(expected, names))

    return _views(sorted(accounts, key=place), registry)


def _person_accounts(person: Person, registry: Registry) -> object:
    return _in_order(registry.view.accounts(person=person.key), registry)


def _others(account: Account, registry: Registry) -> object:
    rows = registry.view.accounts(person=account.person)
    return _in_order([row for row in rows if row.active and key_of(row) != key_of(account)], registry)


def _active(project: Project, registry: Registry) -> object:
    presence = registry.view.presence(project.key, registry.resource) if registry.resource else None
    return presence is not None and presence.active


def _resources(project: Project, registry: Registry) -> object:
    return [row.resource for row in registry.view.presences(project.key)]


def _project_accounts(project: Project, registry: Registry) -> object:
    return _in_order(registry.view.accounts(project=project.key, resource=registry.resource), registry)


def _allocations(project: Project, registry: Registry) -> object:
    return _views(registry.view.allocations(project.key, registry.resource) if registry.resource else [], registry)


def _uid_as_tag(person: Person, _registry: Registry) -> object:
    uid: object = person.uid  # not known yet, in a dry run
    return str(uid) if isinstance(uid, int) else uid


def _ids(person: Person, _registry: Registry) -> object:
    return [other for other in (person.person_id, *person.ids) if other is not None]


_ATTRIBUTES: Mapping[type, Mapping[str, Callable[[Any, Registry], object]]] = {
    Person: {
        "person_id": _own("person_id"),
        "ids": _ids,
        "global_id": _own("global_id"),
        "login": _own("login"),
        "logins": lambda row, _registry: list(row.logins),
        "uid": _own("uid"),
        "uids": _uids,
        "dns": lambda row, _registry: list(row.dns),
        "state": _own("state"),
        "data": _own("data"),
        "accounts": _person_accounts,
        "created": _created,
        # Tags whose value the row has under a name of its own: without these they would be none.
        "PersonID": _own("person_id"),
        "GlobalID": _own("global_id"),
        "DnList": lambda row, _registry: list(row.dns),
        "RemoteSiteLogin": _own("login"),
        "UID": _uid_as_tag,
    },
    Project: {
        "project_id": _own("project_id"),
        "grant_number": _own("grant_number"),
        "group": _own("group"),
        "gid": _own("gid"),
        "title": _own("title"),
        "pi": lambda row, registry: view_of(registry.view.person(row.pi) if row.pi else None, registry),
        "data": _own("data"),
        "active": _active,
        "resources": _resources,
        "accounts": _project_accounts,
        "allocations": _allocations,
        "created": _created,
    },
    Allocation: {"start": _own("start"), "end": _own("end"), "units": _own("units"), "created": _created},
    Account: {
        "login": _own("login"),
        "uid": _uid,
        "active": _own("active"),
        "person": lambda row, registry: view_of(registry.view.person(row.person), registry),
        "project": lambda row, registry: view_of(registry.view.project(row.project), registry),
        "resource": _own("resource"),
        "others": _others,
        "created": _created,
    },
}
