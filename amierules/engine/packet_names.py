"""The names that a packet brings into scope: tags, header, subject, resource, transaction, record, registry rows."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from amierules.database.registry import RegistryView
from amierules.database.rows import Account, Allocation, Person, Project
from amierules.engine.decision import Decision, Stop
from amierules.engine.packet_case import PacketCase, Pinned
from amierules.engine.row_views import Registry, absent
from amierules.engine.scope import PacketNames, Rows, Scope
from amierules.engine.site import Site
from amierules.protocol.catalogue import catalogue, person_tags
from amierules.protocol.packet import Packet
from amierules.protocol.values import typed_body
from amierules.rulebook.model import RuleFile
from amierules.templating import EvaluationError, Secret, SecretName, Unread

_MERGE = "request_person_merge"
_KEPT = {"PersonID": "KeepPersonID", "GlobalID": "KeepGlobalID"}


def packet_scope(site: Site, case: PacketCase, view: RegistryView, rule_file: RuleFile) -> Scope:
    """The scope of a packet's rule file. Raises `Stop` where the packet's ids name different rows."""
    resource = _resource(site, case)
    registry = Registry(view, resource["name"] if resource else None)
    rows = _rows(case, registry) if case.pinned is None else _pinned_rows(case.pinned, view)
    known = case.pinned.variables if case.pinned else None
    return Scope(PacketNames(name_makers(site, case, rule_file.asked)), rows, registry).enter(
        rule_file.variables, known=known
    )


def name_makers(site: Site, case: PacketCase, asked: Collection[str] = ()) -> dict[str, Callable[[], object]]:
    """What makes the value of each name that a packet brings along, but for the registry's rows.

    `asked` are the names of the values that the holds of its rule file ask for.
    """
    packet = case.typed
    resource = _resource(site, case)
    settings = site.configuration.settings if case.pinned is None else case.pinned.settings
    return {
        "packet": lambda: packet,
        "header": lambda: _header(case.packet),
        "subject": lambda: _subject(case.packet, packet),
        "resource": lambda: resource,
        "site": lambda: settings,
        "secret": lambda: Secrets(site.configuration.secrets),
        "transaction": lambda: _transaction(case),
        "record": lambda: (
            {"packet": typed(case.record.packet), "reply": dict(case.record.reply)} if case.record else None
        ),
        "approval": lambda: _approval(case, asked),
        "now": lambda: lambda: case.now,
        "today": lambda: lambda: case.now.date(),
    }


def typed(packet: Packet) -> Mapping[str, Any]:
    """A packet's tags with the types that the catalogue gives them; absent ones are None, absent lists `[]`."""
    values, _problems = typed_body(catalogue().types.get(packet.header.type), packet.body)
    return values


def persons_named(packet: Packet) -> list[tuple[str | None, str | None]]:
    """PersonID and GlobalID of the person that a packet speaks of, and then of one to be merged into that one."""
    named = [(_id_of_subject(packet, "PersonID"), _id_of_subject(packet, "GlobalID"))]
    if packet.header.type == _MERGE:
        named.append((_text(packet, "DeletePersonID"), _text(packet, "DeleteGlobalID")))
    return named


def resource_name(case: PacketCase) -> str | None:
    """The resource of the packet's ResourceList, or of its transaction's first packet."""
    for packet in (case.packet, case.first_packet()):
        listed = packet.body.get("ResourceList")
        if isinstance(listed, list) and listed:
            return str(listed[0])
    return None


def _id_of_subject(packet: Packet, tag: str) -> Any:
    """One tag of `_subject`, as the packet's body has it."""
    if packet.header.type == _MERGE:
        return packet.body.get(_KEPT[tag])
    return packet.body.get(_prefix(packet) + tag) or packet.body.get(tag)


def _prefix(packet: Packet) -> str:
    # Tables that were found may know types that AMIE does not.
    known = catalogue().types.get(packet.header.type)
    return known.subject_prefix if known else ""


def _subject(packet: Packet, values: Mapping[str, Any]) -> dict[str, Any]:
    prefix = _prefix(packet)
    subject: dict[str, Any] = {}
    for tag in person_tags():
        value = values.get(prefix + tag)
        subject[tag] = values.get(tag, absent(tag)) if value in (None, []) else value
    if packet.header.type == _MERGE:
        subject |= {tag: values.get(kept) for tag, kept in _KEPT.items()}
    return subject


def _resource(site: Site, case: PacketCase) -> dict[str, Any] | None:
    name = resource_name(case)
    known = site.configuration.resources.get(name) if name is not None else None
    return None if known is None else {**known, "name": name}


def _rows(case: PacketCase, registry: Registry) -> Rows:
    person = _person(case.packet, registry.view)
    project = _project(case.packet, registry.view)
    start = case.typed.get("StartDate")
    allocation = _allocation(project, start if isinstance(start, date) else case.now.date(), registry)
    account = _account(person, project, registry)
    return {"person": person, "project": project, "allocation": allocation, "account": account}


def _pinned_rows(pinned: Pinned, view: RegistryView) -> Rows:
    """The rows of the first pass; the view too has them as they were then."""
    for row in pinned.rows.values():
        if row is not None:
            view.preset(row)
    return dict(pinned.rows)


def _person(packet: Packet, view: RegistryView) -> Person | None:
    person_id, global_id = persons_named(packet)[0]
    by_id = view.find_person(person_id=person_id) if person_id else None
    by_global = view.find_person(global_id=global_id) if global_id else None
    if by_id and by_global and by_id.key != by_global.key:
        raise Stop(
            Decision("hold", f"PersonID {person_id} and GlobalID {global_id} are different persons in the registry")
        )
    return by_id or by_global


def _project(packet: Packet, view: RegistryView) -> Project | None:
    grant, project_id = _text(packet, "GrantNumber"), _text(packet, "ProjectID")
    by_grant = view.find_project(grant_number=grant) if grant else None
    by_id = view.find_project(project_id=project_id) if project_id else None
    if by_id and grant and by_id.grant_number not in (None, grant):
        raise Stop(
            Decision("hold", f"GrantNumber {grant} and ProjectID {project_id} are different projects in the registry")
        )
    return by_grant or by_id


def _text(packet: Packet, tag: str) -> str | None:
    value = packet.body.get(tag)
    return value if isinstance(value, str) else None


def _allocation(project: Project | None, day: date, registry: Registry) -> Allocation | None:
    if project is None or registry.resource is None:
        return None
    begun = [row for row in registry.view.allocations(project.key, registry.resource) if row.start <= day]
    return begun[-1] if begun else None


def _account(person: Person | None, project: Project | None, registry: Registry) -> Account | None:
    if person is None or project is None or registry.resource is None:
        return None
    found = registry.view.accounts(person=person.key, project=project.key, resource=registry.resource)
    return found[0] if found else None


def _header(packet: Packet) -> dict[str, object]:
    header = packet.header
    return {
        "packet_rec_id": header.packet_rec_id,
        "remote_packet_rec_id": header.remote_packet_rec_id,
        "trans_rec_id": header.trans_rec_id,
        "transaction_id": header.transaction_id,
        "packet_id": header.packet_id,
        "type": header.type,
        "originating_site_name": header.originating_site_name,
        "local_site_name": header.local_site_name,
        "remote_site_name": header.remote_site_name,
        "timestamp": header.timestamp,
    }


def _transaction(case: PacketCase) -> dict[str, object]:
    newest = {packet.header.type: typed(packet) for packet in case.earlier}
    return {**dict.fromkeys(catalogue().types), **newest, "first": typed(case.first_packet())}


def _approval(case: PacketCase, asked: Iterable[str]) -> dict[str, object] | None:
    """What was said with approvals; what a hold asks for, and nobody has answered yet, is none."""
    said = case.approval()
    return None if said is None else {**dict.fromkeys(asked), **said}


class Secrets(Mapping[str, object]):
    """The configuration's secrets by name, each read from its file or variable when a rule asks for it.

    `may_lack`: one that cannot be read is a handle all the same, for what needs its text elsewhere or later.
    """

    def __init__(self, sources: Mapping[str, Mapping[str, str]], *, may_lack: bool = False) -> None:
        self._sources = sources
        self._may_lack = may_lack

    def __getitem__(self, name: str) -> Secret:
        source = self._sources[name]
        try:
            text = os.environ[source["env"]] if "env" in source else Path(source["file"]).read_text("utf-8").strip()
            return Secret(text, recipe=(SecretName(name),))
        except (KeyError, OSError, UnicodeDecodeError) as error:
            where = source.get("file") or f"the variable {source.get('env')}"
            lacking = EvaluationError(f"the secret {name} cannot be read from {where}", code="secret", name=name)
            if self._may_lack:
                return Unread((SecretName(name),), lacking)
            raise lacking from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)
