"""Lock keys: what a packet must have to itself while it runs, by name."""

import hashlib

from amierules.database.rows import Person, Project

_LONGEST = 200


def indexable(value: str) -> str:
    """A text that any index can hold: an id that is longer than ids are is known by its digest."""
    if len(value) <= _LONGEST:
        return value
    return "sha256:" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def lock_key(kind: str, value: str | None) -> set[str]:
    """The key of a kind (`grant`, `project`, `person:id`, `person:global`) for an id; none for no id."""
    return {f"{kind}:{indexable(value)}"} if isinstance(value, str) and value else set()


def person_lock_keys(person: Person) -> set[str]:
    """The lock keys that mean this person: by key, by each PersonID, by GlobalID."""
    by_id = (lock_key("person:id", one) for one in (person.person_id, *person.ids))
    return {f"person:{person.key}"}.union(*by_id, lock_key("person:global", person.global_id))


def project_lock_keys(project: Project) -> set[str]:
    """The lock keys that mean this project: by GrantNumber, by ProjectID."""
    return lock_key("grant", project.grant_number) | lock_key("project", project.project_id)
