"""The JSON Schemas of the kinds' parameters; reading them imports no kind."""

from typing import Any

from amierules.actions.own_kinds import own_kinds, shipped_names
from amierules.shipped import read_schema


def kind_schema(name: str) -> dict[str, Any]:
    """The schema of one kind's parameters. Raises `FileNotFoundError` for a kind that is not shipped."""
    return read_schema(f"kinds/{name}.schema")


def shipped_kind_schemas() -> dict[str, dict[str, Any]]:
    """The schemas of the kinds that amierules ships."""
    return {name: kind_schema(name) for name in sorted(shipped_names())}


def kind_schemas() -> dict[str, dict[str, Any]]:
    """The schemas of all kinds, those of installed packages too, as the rulebook's loader takes them."""
    return shipped_kind_schemas() | {name: dict(kind.schema) for name, kind in own_kinds().kinds.items()}
