"""What a packet must have to itself while it runs: its transaction, its grant, its person."""

from dataclasses import dataclass

from amierules.database.intake import Needs
from amierules.database.lock_keys import lock_key, person_lock_keys, project_lock_keys
from amierules.database.registry import RegistryView
from amierules.database.registry_seed import Named
from amierules.database.rows import Person
from amierules.engine.packet_names import persons_named
from amierules.protocol.packet import Packet

CREATES_PERSON = frozenset({"request_project_create", "request_account_create"})
PERSON_CREATE = "person-create"
"""The key of whoever may make persons."""


@dataclass(frozen=True)
class PacketKeys:
    """A packet's lock keys, and what its order among other packets depends on."""

    keys: frozenset[str]
    grant_number: str | None
    resource: str | None
    record_id: str | None
    makes_person: bool
    """Whether the packet may make a person: only one such packet runs at a time."""

    @property
    def needs(self) -> Needs:
        """What its work row keeps."""
        return Needs(self.keys, self.grant_number, self.resource, self.record_id)


def packet_keys(packet: Packet, view: RegistryView) -> PacketKeys:
    """The keys of a packet. A ProjectID is resolved to its grant through the registry."""
    grant, project_id = _text(packet, "GrantNumber"), _text(packet, "ProjectID")
    project = view.find_project(grant_number=grant, project_id=project_id)
    persons = [_person(view, *ids) for ids in persons_named(packet)]
    keys = {f"trans:{packet.header.trans_rec_id}"}
    keys |= lock_key("grant", grant) | lock_key("project", project_id)
    keys |= project_lock_keys(project) if project else set()
    for person_id, global_id in persons_named(packet):
        keys |= lock_key("person:id", person_id) | lock_key("person:global", global_id)
    for person in filter(None, persons):
        keys |= person_lock_keys(person)
    for person in filter(None, persons[1:]):
        keys |= _of_projects(view, person)
    return PacketKeys(
        keys=frozenset(keys),
        grant_number=grant or (project.grant_number if project else None),
        resource=_resource(packet),
        record_id=_text(packet, "RecordID"),
        makes_person=persons[0] is None and packet.header.type in CREATES_PERSON,
    )


def named(packet: Packet) -> Named:
    """What a packet names in the registry."""
    persons = persons_named(packet)
    return Named(
        person_ids=[one for one, _ in persons if isinstance(one, str) and one],
        global_ids=[one for _, one in persons if isinstance(one, str) and one],
        grant_number=_text(packet, "GrantNumber"),
        project_id=_text(packet, "ProjectID"),
        resource=_resource(packet),
    )


def _resource(packet: Packet) -> str | None:
    listed = packet.body.get("ResourceList")
    return str(listed[0]) if isinstance(listed, list) and listed else None


def _person(view: RegistryView, person_id: str | None, global_id: str | None) -> Person | None:
    return view.find_person(person_id=person_id) or view.find_person(global_id=global_id)


def _of_projects(view: RegistryView, person: Person) -> set[str]:
    """The keys of the projects of a person who may be merged into another: their accounts and PIs change."""
    accounts = (view.project(account.project) for account in view.accounts(person=person.key))
    projects = filter(None, (*accounts, *view.projects_of_pi(person.key)))
    return {key for project in projects for key in project_lock_keys(project)}


def _text(packet: Packet, tag: str) -> str | None:
    value = packet.body.get(tag)
    return value if isinstance(value, str) else None
