"""What finds a person or project in the registry."""

from collections.abc import Iterable

from amierules.database.rows import Person
from amierules.templating import Unknown


def searchable(what: str, value: object) -> str | int | Unknown | None:
    """A value that a row can have: whole numbers for uid and gid, text for all else; None for what no row can have."""
    if isinstance(value, Unknown):
        return value
    if what in {"uid", "gid"}:
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    return str(value) if isinstance(value, str | int) else None


def person_values(row: Person, what: str, value: object) -> Iterable[object]:
    """The ids of this kind that a person has; an email address that matches counts as the one that is searched."""
    if what == "person_id":
        return (row.person_id, *row.ids)
    if what == "global_id":
        return (row.global_id, *row.former_global_ids)
    if what == "login":
        return row.logins
    if what == "email":
        email = row.data.get("Email")
        matches = isinstance(email, str) and isinstance(value, str) and email.lower() == value.lower()
        return (value,) if matches or email is value else ()
    return (getattr(row, what),)
