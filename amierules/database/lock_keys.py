"""The lock keys of registry rows: what a packet must have to itself while it runs."""

from amierules.database.rows import Person, Project


def person_lock_keys(person: Person) -> set[str]:
    """The lock keys that mean this person: by key, by each PersonID, by GlobalID."""
    ids = [one for one in (person.person_id, *person.ids) if isinstance(one, str)]
    keys = {f"person:{person.key}", *(f"person:id:{one}" for one in ids)}
    return keys | ({f"person:global:{person.global_id}"} if isinstance(person.global_id, str) else set())


def project_lock_keys(project: Project) -> set[str]:
    """The lock keys that mean this project: by GrantNumber, by ProjectID."""
    keys = {f"grant:{project.grant_number}"} if isinstance(project.grant_number, str) else set()
    return keys | ({f"project:{project.project_id}"} if isinstance(project.project_id, str) else set())
