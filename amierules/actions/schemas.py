"""The JSON Schemas of the kinds' parameters; reading them imports no kind."""

from functools import cache
from typing import Any

from amierules.shipped import ROOT, read_schema


def kind_schema(name: str) -> dict[str, Any]:
    """The schema of one kind's parameters. Raises `FileNotFoundError` for a kind that is not shipped."""
    return read_schema(f"kinds/{name}.schema")


def kind_schemas() -> dict[str, dict[str, Any]]:
    """The schemas of all kinds, as the rulebook's loader takes them."""
    return {name: kind_schema(name) for name in _kind_names()}


@cache
def _kind_names() -> tuple[str, ...]:
    files = (ROOT / "schemas" / "kinds").glob("*.schema.json")
    return tuple(sorted(path.name.removesuffix(".schema.json") for path in files))
