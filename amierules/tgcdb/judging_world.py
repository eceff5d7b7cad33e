"""Judging what a site says of its projects, persons and accounts against all that it has said before."""

from collections.abc import Iterator

from amierules.diagnostics import printable
from amierules.protocol.charset import first_other
from amierules.protocol.packet import Body
from amierules.tgcdb.knowledge import Knowledge, Presence
from amierules.tgcdb.protocol_rules import Violation
from amierules.tgcdb.subject import grant_of, resource_of, text_of, texts_of

_PROJECT, _ACCOUNT = "request_project_create", "request_account_create"
_CHANGES = ("transfer", "adjustment")
_OF_RECORD = ("ProjectID", "PiPersonID", "PiRemoteSiteLogin", "GrantNumber", "ResourceList")


def cannot_be_done(request: Body, presence: Presence | None) -> bool:
    """Whether a request_project_create changes an allocation that is not there."""
    type_ = text_of(request, "AllocationType")
    taken_away = type_ in _CHANGES and (text_of(request, "ServiceUnitsAllocated") or "").startswith("-")
    return (type_ == "extension" or taken_away) and not (presence and presence.here)


def judge_project(request: Body, body: Body, known: Knowledge) -> Iterator[Violation]:
    """notify_project_create, as the answer to a request or (with itself as request) as the site's own."""
    grant = text_of(request, "GrantNumber") or ""
    yield from _project_id(grant, body, known)
    person = text_of(request, "PiGlobalID")
    yield from _person(person, text_of(body, "PiPersonID"), "PiPersonID", known)
    yield from _login(person, grant, body, "PiRemoteSiteLogin", known)
    yield from _all_dns(person, request, body, "Pi", known)
    resource = resource_of(request)
    if resource is not None and cannot_be_done(request, known.presence(grant, resource)):
        change = printable(text_of(request, "AllocationType") or "", 20)
        yield Violation(
            "T33", f"{change} of {printable(grant, 40)}, which has no allocation on {printable(resource, 80)}"
        )


def judge_record(request: Body, body: Body, known: Knowledge) -> Iterator[Violation]:
    """The reply to a RecordID that came before."""
    record_id = text_of(request, "RecordID")
    first = None if record_id is None else known.record(record_id)
    for tag in _OF_RECORD if first else ():
        if first and body.get(tag) != first.get(tag):
            message = f"{tag} of RecordID {printable(record_id or '', 60)} was another one the first time"
            yield Violation("T24", message, tag)


def judge_account(request: Body, body: Body, known: Knowledge) -> Iterator[Violation]:
    """notify_account_create, as the answer to a request or (with itself as request) as the site's own."""
    grant, resource = grant_of(request, known), resource_of(request)
    person = text_of(request, "UserGlobalID")
    asked = text_of(request, "UserPersonID")
    if person is None and asked is not None:
        person = known.owner(asked)
    yield from _person(person, text_of(body, "UserPersonID"), "UserPersonID", known)
    yield from _login(person, grant or "", body, "UserRemoteSiteLogin", known)
    yield from _all_dns(person, request, body, "User", known)
    if grant is not None and resource is not None:
        presence = known.presence(grant, resource)
        if presence is not None and not presence.settled:
            message = f"the request_project_create of {printable(grant, 40)} on {printable(resource, 80)} is under way"
            yield Violation("T32", message)


def judge_known(type_name: str, body: Body, known: Knowledge) -> Iterator[Violation]:
    """A packet that the site starts a transaction with, about what is there already."""
    project_id = text_of(body, "ProjectID")
    if project_id is not None and known.grant_of(project_id) is None:
        yield Violation("T20", f"ProjectID {printable(project_id, 60)} was never given to a project", "ProjectID")
    person_id = text_of(body, "PersonID")
    if person_id is not None and known.owner(person_id) is None:
        yield Violation("T25", f"PersonID {printable(person_id, 60)} was never given to a person", "PersonID")
    grant, resource = grant_of(body, known), resource_of(body)
    person = known.owner(person_id) if person_id else None
    if not (type_name.startswith("notify_account_") and grant and resource and person):
        return
    if known.login(person, grant, resource) is None:
        yield Violation("T37", f"{printable(person_id or '', 60)} has no account of {printable(grant, 40)} there")


def _project_id(grant: str, body: Body, known: Knowledge) -> Iterator[Violation]:
    given, before = text_of(body, "ProjectID"), known.project_id(grant)
    if given is None:
        return
    if before is not None and before != given:
        message = f"grant {printable(grant, 40)} has ProjectID {printable(before, 60)}, not {printable(given, 60)}"
        yield Violation("T21", message, "ProjectID")
    other = known.grant_of(given)
    if other is not None and other != grant:
        message = f"ProjectID {printable(given, 60)} is that of grant {printable(other, 40)}"
        yield Violation("T22", message, "ProjectID")


def _person(person: str | None, given: str | None, tag: str, known: Knowledge) -> Iterator[Violation]:
    if given is None or person is None:
        return
    ids, owner = known.person_ids(person), known.owner(given)
    if owner is not None and owner != person and known.person_ids(owner) != ids:
        message = f"{tag} {printable(given, 60)} is that of the person with GlobalID {printable(owner, 40)}"
        yield Violation("T27", message, tag)
    elif ids and given not in ids:
        message = (
            f"the person with GlobalID {printable(person, 40)} is {printable(ids[0], 60)}, not {printable(given, 60)}"
        )
        yield Violation("T26", message, tag)


def _login(person: str | None, grant: str, body: Body, tag: str, known: Knowledge) -> Iterator[Violation]:
    given, resource = text_of(body, tag), resource_of(body)
    if given is None or resource is None or person is None:
        return
    owner, before = known.login_owner(resource, given), known.login(person, grant, resource)
    if owner is not None and owner != person and known.person_ids(owner) != known.person_ids(person):
        message = f"login {printable(given, 40)} is that of the person with GlobalID {printable(owner, 40)}"
        yield Violation("T30", message, tag)
    elif before is not None and before != given and owner is None:
        yield Violation("T29", f"the account has the login {printable(before, 40)}, not {printable(given, 40)}", tag)


def _all_dns(person: str | None, request: Body, body: Body, prefix: str, known: Knowledge) -> Iterator[Violation]:
    sent = [*texts_of(request, f"{prefix}DnList"), *(known.dns(person) if person else ())]
    listed = set(texts_of(body, f"{prefix}DnList"))
    missing = [dn for dn in dict.fromkeys(sent) if dn not in listed and first_other(dn) is None]
    if missing:
        yield Violation(
            "T31",
            f"{len(missing)} of {len(dict.fromkeys(sent))} DNs are missing, such as {printable(missing[0], 80)}",
            f"{prefix}DnList",
        )
