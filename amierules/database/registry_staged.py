"""Changes of registry rows as the journal keeps them, and made again."""

from dataclasses import fields
from typing import Any, TypedDict

from amierules.database.json_values import ROW_TYPES, Json, row_from_json, same
from amierules.database.rows import Allocation, RegistryRow


class StagedChange(TypedDict):
    """One changed row, as the journal keeps it. `before` is None where the row is new, `after` where it goes."""

    table: str
    key: list[str]
    before: dict[str, Json] | None
    after: dict[str, Json] | None


def restaged(change: StagedChange, present: RegistryRow | None) -> RegistryRow | None:
    """The row that a change leads to, given the row as it is now; None where the row goes.

    What the change left alone keeps its present value; to an amount that somebody else has changed meanwhile, the
    difference that it made is added.
    """
    if change["after"] is None:
        return None
    after = row_from_json(change["table"], change["after"])
    if present is None or change["before"] is None:
        return after
    before, now = row_values(row_from_json(change["table"], change["before"])), row_values(present)
    kept = {name for name, value in before.items() if same(value, row_values(after)[name])}
    values = {name: now[name] if name in kept else value for name, value in row_values(after).items()}
    if isinstance(after, Allocation) and now["units"] != before["units"]:
        values["units"] = now["units"] + (after.units - before["units"])
    return ROW_TYPES[change["table"]](**values)


def row_values(row: RegistryRow) -> dict[str, Any]:
    """The attributes of a row by name."""
    return {field.name: getattr(row, field.name) for field in fields(row)}
