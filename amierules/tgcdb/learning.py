"""What the central database learns from a reply that it takes."""

from amierules.protocol.packet import Body
from amierules.tgcdb.judging_world import judge_record
from amierules.tgcdb.knowledge import Knowledge, Presence
from amierules.tgcdb.records import CentralPacket
from amierules.tgcdb.subject import grant_of, nameless, person_of, resource_of, text_of, texts_of

_ACTIVE = {"notify_project_inactivate": False, "notify_project_reactivate": True}


def learn_request(request: Body, type_name: str, known: Knowledge) -> None:
    """A request goes out: a project that is asked for for the first time is under way."""
    grant, resource = text_of(request, "GrantNumber"), resource_of(request)
    if type_name == "request_project_create" and grant and resource and known.presence(grant, resource) is None:
        known.learn_presence(grant, resource, Presence())


def learn_reply(request: Body, type_name: str, body: Body, known: Knowledge) -> None:
    """A site has made or changed something; `request` is the reply itself where the site started it."""
    grant, resource = grant_of(request, known), resource_of(request)
    if type_name == "notify_project_create" and grant is not None:
        _learn_project(grant, resource, request, body, known)
    elif type_name == "notify_account_create" and grant is not None and resource is not None:
        person = _person(request, body, "User", known)
        _learn_person(person, request, body, "User", known)
        _learn_login(person, grant, resource, text_of(body, "UserRemoteSiteLogin"), known)
    elif type_name in _ACTIVE and grant is not None and resource is not None:
        known.learn_presence(grant, resource, Presence(here=True, settled=True, active=_ACTIVE[type_name]))


def learn_end(packets: list[CentralPacket], known: Knowledge) -> None:
    """A transaction of these packets has been completed."""
    opening = packets[0]
    request = opening.body
    if opening.type in ("request_project_create", "notify_project_create"):
        grant, resource = text_of(request, "GrantNumber"), resource_of(request)
        if grant is not None and resource is not None:
            known.learn_presence(grant, resource, Presence(here=True, settled=True))
    for packet in packets:
        if packet.type.startswith("data_") and packet.to_site:
            person_id = text_of(packet.body, "PersonID")
            person = known.owner(person_id) if person_id else None
            if person is not None:
                known.learn_dns(person, add=texts_of(packet.body, "DnList"))
    if opening.type in ("request_user_modify", "notify_user_modify"):
        _learn_modified(request, known)
    elif opening.type == "request_person_merge":
        _learn_merged(request, known)
    elif opening.type == "notify_person_ids":
        _learn_ids(request, known)


def _learn_project(grant: str, resource: str | None, request: Body, body: Body, known: Knowledge) -> None:
    record_id = text_of(request, "RecordID")
    if record_id is not None and known.record(record_id) is None and not list(judge_record(request, body, known)):
        known.learn_record(record_id, dict(body))
    if (project_id := text_of(body, "ProjectID")) is not None:
        known.learn_project(grant, project_id)
    person = _person(request, body, "Pi", known)
    _learn_person(person, request, body, "Pi", known)
    if resource is not None:
        before = known.presence(grant, resource) or Presence()
        known.learn_presence(grant, resource, Presence(here=True, settled=before.settled, active=True))
        _learn_login(person, grant, resource, text_of(body, "PiRemoteSiteLogin"), known)


def _person(request: Body, body: Body, prefix: str, known: Knowledge) -> str | None:
    if (named := text_of(request, f"{prefix}GlobalID") or text_of(body, f"{prefix}GlobalID")) is not None:
        return named
    person_id = text_of(body, f"{prefix}PersonID") or text_of(request, f"{prefix}PersonID")
    return None if person_id is None else known.owner(person_id) or nameless(person_id)


def _learn_person(person: str | None, request: Body, body: Body, prefix: str, known: Knowledge) -> None:
    if person is None:
        return
    if (person_id := text_of(body, f"{prefix}PersonID")) is not None:
        known.learn_person(person, person_id)
    known.learn_dns(person, add=[*texts_of(request, f"{prefix}DnList"), *texts_of(body, f"{prefix}DnList")])


def _learn_login(person: str | None, grant: str, resource: str, login: str | None, known: Knowledge) -> None:
    if person is not None and login is not None:
        known.learn_account(person, grant, resource, login)


def _learn_modified(body: Body, known: Knowledge) -> None:
    person = person_of("request_user_modify", body, known)
    if person is None:
        return
    dns = texts_of(body, "DnList")
    if text_of(body, "ActionType") == "delete":
        known.learn_dns(person, remove=dns)
    else:
        known.learn_dns(person, add=dns)


def _learn_merged(body: Body, known: Knowledge) -> None:
    keep, delete = text_of(body, "KeepGlobalID"), text_of(body, "DeleteGlobalID")
    keep_id = text_of(body, "KeepPersonID")
    if keep and delete and keep_id:
        known.merge(keep, delete, keep_id)


def _learn_ids(body: Body, known: Knowledge) -> None:
    person = known.owner(text_of(body, "PersonID") or "")
    if person is None:
        return
    primary = text_of(body, "PrimaryPersonID")
    for person_id in (primary, *texts_of(body, "PersonIDList"), *texts_of(body, "PersonIdList")):
        if person_id is not None:
            known.learn_person(person, person_id)
