"""What many packets name in the registry, read at once: each packet's view begins with its part of it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from amierules.database import registry_read
from amierules.database.registry_read import Ref, key_of
from amierules.database.rows import Person, Project, RegistryRow


@dataclass(frozen=True)
class Named:
    """The ids in one packet that a person or project may have, and the resource that it speaks of."""

    person_ids: Sequence[str]
    global_ids: Sequence[str]
    grant_number: str | None
    project_id: str | None
    resource: str | None


@dataclass
class Seed:
    """What a view has read before it is first asked."""

    rows: dict[Ref, RegistryRow | None] = field(default_factory=dict)
    asked: set[tuple[object, ...]] = field(default_factory=set)

    def add(self, question: tuple[object, ...], rows: Iterable[RegistryRow]) -> None:
        """Takes in the answer to a question."""
        self.asked.add(question)
        for row in rows:
            self.rows.setdefault(key_of(row), row)


def seeds(connection: Connection, named: Sequence[Named]) -> list[Seed]:
    """A seed for each packet, in their order, with at most seven statements for all."""
    found = [Seed() for _ in named]
    wanted = {
        "person_ids": {one for packet in named for one in packet.person_ids},
        "global_ids": {one for packet in named for one in packet.global_ids},
        "grants": {packet.grant_number for packet in named if packet.grant_number},
        "project_ids": {packet.project_id for packet in named if packet.project_id},
    }
    if any(wanted.values()):
        persons, projects = registry_read.named(connection, **wanted)
        _persons(persons, named, found)
        _projects(projects, named, found)
        _on_resources(connection, named, found)
    return found


def _persons(persons: Iterable[Person], named: Sequence[Named], found: Sequence[Seed]) -> None:
    by_id: defaultdict[str, list[Person]] = defaultdict(list)
    for person in persons:
        for one in dict.fromkeys(filter(None, (person.person_id, *person.ids))):
            by_id[one].append(person)
    by_global = {one: person for person in persons for one in (person.global_id, *person.former_global_ids)}
    for packet, seed in zip(named, found, strict=True):
        for one in packet.person_ids:
            seed.add(("person_id", one), by_id.get(one, ()))
        for one in packet.global_ids:
            seed.add(("global_id", one), [by_global[one]] if one in by_global else ())


def _projects(projects: Sequence[Project], named: Sequence[Named], found: Sequence[Seed]) -> None:
    by_grant = {project.grant_number: project for project in projects}
    by_id = {project.project_id: project for project in projects}
    for packet, seed in zip(named, found, strict=True):
        if packet.grant_number:
            seed.add(("grant_number", packet.grant_number), _those(by_grant.get(packet.grant_number)))
        if packet.project_id:
            seed.add(("project_id", packet.project_id), _those(by_id.get(packet.project_id)))


def _those(project: Project | None) -> tuple[Project, ...]:
    return () if project is None else (project,)


def _on_resources(connection: Connection, named: Sequence[Named], found: Sequence[Seed]) -> None:
    """Presence, allocations and accounts of the projects that were found, each on its packet's resource."""
    wanted: dict[tuple[str, str], list[Seed]] = defaultdict(list)
    for packet, seed in zip(named, found, strict=True):
        for row in list(seed.rows.values()):
            if isinstance(row, Project) and packet.resource:
                wanted[row.key, packet.resource].append(seed)
    if not wanted:
        return
    presences, allocations, accounts = registry_read.on_resources(connection, list(wanted))
    for place, its_seeds in wanted.items():
        project, resource = place
        of_place = [one for one in accounts if (one.project, one.resource) == place]
        for seed in its_seeds:
            seed.rows[("presence", place)] = next(
                (one for one in presences if (one.project, one.resource) == place), None
            )
            seed.add(("allocations", place), [one for one in allocations if (one.project, one.resource) == place])
            for person in [row for row in seed.rows.values() if isinstance(row, Person)]:
                question = (("person", person.key), ("project", project), ("resource", resource))
                seed.add(("accounts", question), [one for one in of_place if one.person == person.key])
