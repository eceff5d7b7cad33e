"""The usual names of directories, as `schemas/directory.json` lists them."""

from functools import cache

from amierules.shipped import read_schema


@cache
def usual(what: str) -> frozenset[str]:
    """The names of one of its lists: `bases`, `object_classes` or `attributes`."""
    return frozenset(read_schema("directory")[what])


@cache
def secret_attributes() -> frozenset[str]:
    """The attributes whose values are shown nowhere, in lower case."""
    return frozenset(name.lower() for name in read_schema("directory")["secret_attributes"])


@cache
def beginnings(attribute: str) -> frozenset[str]:
    """What the values of an attribute usually are, or begin with where it ends with `/`; empty for most."""
    listed = read_schema("directory")["beginnings"]
    return frozenset(next((listed[name] for name in listed if name.lower() == attribute.lower()), ()))
