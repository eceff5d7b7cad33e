"""The tags that the REST API fills in itself where a reply lacks them (routes overview, 2021; amieclient, 2023)."""

from collections.abc import Mapping
from typing import Any

from amierules.protocol.packet import Body

INFERRED: Mapping[str, tuple[str, ...]] = {
    "notify_project_create": (
        "GrantNumber", "PfosNumber", "PiOrgCode", "ProjectTitle", "ResourceList", "ServiceUnitsAllocated", "StartDate",
    ),
    "notify_account_create": (
        "AcademicDegree", "UserFirstName", "UserLastName", "UserOrganization", "UserOrgCode", "UserPersonID",
    ),
    "notify_account_inactivate": ("PersonID", "ProjectID", "ResourceList"),
    "notify_project_inactivate": ("Comment", "PersonID", "ProjectID", "ResourceList"),
    "notify_project_reactivate": ("Comment", "PersonID", "ProjectID", "ResourceList"),
}  # fmt: skip
"""By the type of a reply, the tags that are taken over from the request."""

_EMPTY: tuple[Any, ...] = ("", None, [], {})


def with_inferred(type_name: str, content: Mapping[str, Any], request: Body) -> dict[str, Any]:
    """A reply's content with the tags that it lacks and the request has."""
    inferred = {tag: request[tag] for tag in INFERRED.get(type_name, ()) if tag in request}
    given = {tag: value for tag, value in content.items() if tag not in inferred or value not in _EMPTY}
    return {**inferred, **given}
