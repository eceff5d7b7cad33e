"""What the registry's kinds share: rows in scope, ids that belong to one row only, changes as values."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from amierules.actions.base import ActionError, Change, Conflict, Params, Surroundings
from amierules.database.rows import RegistryRow
from amierules.diagnostics import printable
from amierules.templating import Unknown, UnknownUsed

Row = TypeVar("Row", bound=RegistryRow)


def row_in_scope(surroundings: Surroundings, name: str) -> Any:
    """The row in scope; None where there is none. Raises `UnknownUsed` where only a run can tell."""
    row = surroundings.rows.get(name)
    if isinstance(row, Unknown):
        raise UnknownUsed(row.step)
    return row


def row_meant(params: Params, surroundings: Surroundings, name: str) -> Any:
    """The row that a parameter names, else the one in scope; None where there is none. Raises `UnknownUsed`."""
    given = params.get(name)
    return given if given is not None else row_in_scope(surroundings, name)


def row_needed(params: Params, surroundings: Surroundings, name: str) -> Any:
    """Like `row_meant`, but there must be one. Raises `ActionError`."""
    row = row_meant(params, surroundings, name)
    if row is None:
        raise ActionError(f"there is no {name} in scope")
    return row


def resource_needed(surroundings: Surroundings) -> str:
    """The name of the packet's resource. Raises `ActionError` where it has none that the site knows."""
    if surroundings.resource is None:
        raise ActionError("the packet names no resource that the configuration knows")
    return surroundings.resource


def refuse_taken(surroundings: Surroundings, what: str, value: Any, own_key: str | None) -> None:
    """Raises `Conflict` where another row of the registry has this id."""
    if value is None or isinstance(value, Unknown):
        return
    owner = surroundings.registry.id_taken(what, value)
    if owner is not None and owner != own_key:
        raise Conflict(f"{what} {printable(value)} belongs to another row of the registry")


def changed(row: Row, values: dict[str, Any]) -> Row:
    """`row` with the values that were given (those that are None are left as they are)."""
    return replace(row, **{name: value for name, value in values.items() if value is not None})


def row_change(
    target: str, before: RegistryRow | None, after: RegistryRow, also: Mapping[str, tuple[Any, Any]] | None = None
) -> tuple[Change, ...]:
    """The change from one row to another, with the attributes that differ; none where nothing does.

    Keys of other rows mean nothing to people; `also` has (old, new) pairs of what to show in their place.
    """
    old = {} if before is None else {**_shown(before), **{name: pair[0] for name, pair in (also or {}).items()}}
    new = {**_shown(after), **{name: pair[1] for name, pair in (also or {}).items()}}
    names = [name for name in {**old, **new} if not _same(old.get(name), new.get(name)) and not _empty(old, new, name)]
    if before is not None and not names:
        return ()
    verb = "create" if before is None else "modify"
    return (
        Change(
            summary=f"{verb} {target}",
            op=verb,
            target=target,
            before=None if before is None else {name: old.get(name) for name in names},
            after={name: new.get(name) for name in names},
        ),
    )


_KEYS = frozenset({"key", "pi", "person", "project"})


def _shown(row: RegistryRow) -> dict[str, Any]:
    shown = {field.name: getattr(row, field.name) for field in fields(row) if field.name not in _KEYS}
    return {**shown.pop("data", {}), **shown}


def _empty(old: dict[str, Any], new: dict[str, Any], name: str) -> bool:
    return not any(
        isinstance(value, Unknown) or value not in (None, (), {}) for value in (old.get(name), new.get(name))
    )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Unknown) or isinstance(other, Unknown):
        return one is other
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)
