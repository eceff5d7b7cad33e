"""Whom and what a packet speaks of: the person, the grant, the resource, the DNs."""

from amierules.protocol.catalogue import catalogue
from amierules.protocol.packet import Body
from amierules.tgcdb.knowledge import Knowledge


def text_of(body: Body, tag: str) -> str | None:
    """A tag's text; None where it has none."""
    value = body.get(tag)
    return value if isinstance(value, str) else None


def texts_of(body: Body, tag: str) -> list[str]:
    """A tag's list of texts."""
    value = body.get(tag, ())
    if isinstance(value, str):
        return [value]
    return [element for element in value if isinstance(element, str)] if isinstance(value, list) else []


def resource_of(body: Body) -> str | None:
    """The one resource of a packet."""
    return next(iter(texts_of(body, "ResourceList")), None)


def prefixed(type_name: str, tag: str) -> str:
    """A tag of the person that packets of this type speak of: PiPersonID, UserPersonID, PersonID."""
    return catalogue().types[type_name].subject_prefix + tag


def grant_of(body: Body, known: Knowledge) -> str | None:
    """The grant that a packet speaks of: by GrantNumber, else by ProjectID."""
    if (grant := text_of(body, "GrantNumber")) is not None:
        return grant
    project_id = text_of(body, "ProjectID")
    return None if project_id is None else known.grant_of(project_id)


def person_of(type_name: str, body: Body, known: Knowledge) -> str | None:
    """The person that a packet speaks of, as the central database calls that person: the GlobalID.

    A person who has none is called by the PersonID, with a mark before it.
    """
    if (person := text_of(body, prefixed(type_name, "GlobalID"))) is not None:
        return person
    person_id = text_of(body, prefixed(type_name, "PersonID"))
    return None if person_id is None else known.owner(person_id) or nameless(person_id)


def nameless(person_id: str) -> str:
    """What a person without GlobalID is called."""
    return f"@{person_id}"
