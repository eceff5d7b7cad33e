"""The bodies of the central database's requests, from a step of a scenario, its cast, and what the site has said."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from amierules.tgcdb.cast import Cast, Person
from amierules.tgcdb.knowledge import Knowledge

Step = Mapping[str, Any]
_DAY = re.compile(r"today([+-][0-9]+)d")


def build(step: Step, position: int, cast: Cast, known: Knowledge) -> dict[str, Any] | None:
    """The body of the request that a step sends; None where the site has not said what it needs."""
    content = _BUILDERS[step["send"]](step, position, cast, known) if "body" not in step else dict(step["body"])
    if content is None:
        return None
    content |= {tag: _value(value, cast) for tag, value in step.get("set", {}).items()}
    return {tag: value for tag, value in content.items() if tag not in step.get("drop", ())}


def _value(value: Any, cast: Cast) -> Any:
    found = _DAY.fullmatch(value) if isinstance(value, str) else None
    return (cast.today + timedelta(days=int(found[1]))).isoformat() if found else value


def _project_create(step: Step, position: int, cast: Cast, known: Knowledge) -> dict[str, Any]:
    project = cast.project(step.get("project", 1))
    resource = cast.resource(step.get("resource", 0))
    pi = cast.person(step.get("person", 1))
    content: dict[str, Any] = {
        "AllocationType": "new", "GrantNumber": project.grant_number, "GrantType": "Research",
        "ProjectTitle": project.title, "Abstract": f"{project.title}, made up for a test.", "BoardType": "Startup",
        "RequestType": "new", "ProposalNumber": f"TST{position:06d}",
        "PfosNumber": project.field["Number"], "Sfos": [{"Number": "0"}],
        "StartDate": project.start.isoformat(), "EndDate": project.end.isoformat(),
        "ServiceUnitsAllocated": str(project.units), "RecordID": cast.record_id(step.get("record", position)),
        "ResourceList": [resource], "AllocatedResource": resource, "RoleList": ["pi"],
    }  # fmt: skip
    content |= _person(pi, "Pi", known)
    if (project_id := known.project_id(project.grant_number)) is not None:
        content["ProjectID"] = project_id
    return content


def _account_create(step: Step, position: int, cast: Cast, known: Knowledge) -> dict[str, Any]:
    project = cast.project(step.get("project", 1))
    resource = cast.resource(step.get("resource", 0))
    content: dict[str, Any] = {
        "GrantNumber": project.grant_number, "ResourceList": [resource], "AllocatedResource": resource,
        "RoleList": [step.get("role", "user")], "UserPasswordAccessEnable": "1",
    }  # fmt: skip
    content |= _person(cast.person(step.get("person", 1)), "User", known)
    if (project_id := known.project_id(project.grant_number)) is not None:
        content["ProjectID"] = project_id
    return content


def _person(person: Person, prefix: str, known: Knowledge) -> dict[str, Any]:
    """The tags of a person; the site's own id where it has told one."""
    ids = known.person_ids(person.global_id)
    site_ids = [{"Site": site, "PersonID": person.portal_login} for site in ("X-PORTAL", "XD-ALLOCATIONS")]
    dns = dict.fromkeys((*person.dns, *known.dns(person.global_id)))
    return {
        **{f"{prefix}{tag}": value for tag, value in person.tags.items()},
        f"{prefix}GlobalID": person.global_id,
        f"{prefix}RequestedLoginList": ["", person.portal_login],
        f"{prefix}DnList": list(dns),
        "AcademicDegree": [person.degree],
        "NsfStatusCode": person.status,
        "SitePersonId": site_ids,
        **({f"{prefix}PersonID": ids[0]} if ids else {}),
    }


def _about_project(step: Step, position: int, cast: Cast, known: Knowledge) -> dict[str, Any] | None:
    project = cast.project(step.get("project", 1))
    project_id = known.project_id(project.grant_number)
    if project_id is None:
        return None
    resource = cast.resource(step.get("resource", 0))
    ids = known.person_ids(cast.person(step.get("person", 1)).global_id)
    return {
        "ProjectID": project_id, "GrantNumber": project.grant_number, "ResourceList": [resource],
        "AllocatedResource": resource, "StartDate": project.start.isoformat(), "EndDate": project.end.isoformat(),
        "ServiceUnitsAllocated": str(project.units), "ServiceUnitsRemaining": str(step.get("remaining", 0)),
        "Comment": "", **({"PersonID": ids[0]} if ids else {}),
    }  # fmt: skip


def _about_account(step: Step, position: int, cast: Cast, known: Knowledge) -> dict[str, Any] | None:
    project_id = known.project_id(cast.project(step.get("project", 1)).grant_number)
    ids = known.person_ids(cast.person(step.get("person", 1)).global_id)
    if project_id is None or not ids:
        return None
    resource = cast.resource(step.get("resource", 0))
    return {
        "PersonID": ids[0], "ProjectID": project_id, "ResourceList": [resource], "AllocatedResource": resource,
        "Comment": "",
    }  # fmt: skip


def _user_modify(step: Step, position: int, cast: Cast, known: Knowledge) -> dict[str, Any] | None:
    person = cast.person(step.get("person", 1))
    ids = known.person_ids(person.global_id)
    if not ids:
        return None
    action = step.get("action", "replace")
    content: dict[str, Any] = {"ActionType": action, "PersonID": ids[0]}
    if action == "delete":
        return {**content, "DnList": known.dns(person.global_id)[:1] or ["/C=US/O=Example Grid/CN=Never Known"]}
    named = ("FirstName", "LastName", "Organization", "OrgCode", "Email", "BusinessPhoneNumber", "Country")
    content |= {tag: person.tags[tag] for tag in named}
    return {**content, "AcademicDegree": [person.degree], "NsfStatusCode": person.status}


def _person_merge(step: Step, position: int, cast: Cast, known: Knowledge) -> dict[str, Any] | None:
    keep, delete = cast.person(step.get("person", 1)), cast.person(step.get("other", 2))
    kept, deleted = known.person_ids(keep.global_id), known.person_ids(delete.global_id)
    if not kept or not deleted:
        return None
    return {
        "KeepGlobalID": keep.global_id, "KeepPersonID": kept[0], "KeepPortalLogin": keep.portal_login,
        "DeleteGlobalID": delete.global_id, "DeletePersonID": deleted[0], "DeletePortalLogin": delete.portal_login,
    }  # fmt: skip


_BUILDERS: Mapping[str, Callable[[Step, int, Cast, Knowledge], dict[str, Any] | None]] = {
    "request_project_create": _project_create,
    "request_account_create": _account_create,
    "request_project_inactivate": _about_project,
    "request_project_reactivate": _about_project,
    "request_account_inactivate": _about_account,
    "request_account_reactivate": _about_account,
    "request_user_modify": _user_modify,
    "request_person_merge": _person_merge,
}
"""How each type is made; any other comes with a `body` of its own."""
