"""Values as JSON and back: what the journal keeps must come back as it was, dates and decimals too."""

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from amierules.database.rows import Account, Allocation, Person, Presence, Project, RegistryRow
from amierules.protocol.values import TagDate, TagDateTime, TagDecimal
from amierules.templating import Secret, Unknown

Json = Any
"""What `json.dumps` takes: None, bool, int, float, str, lists, and dicts with text keys."""

ROW_TYPES: Mapping[str, type[RegistryRow]] = {
    "person": Person,
    "project": Project,
    "presence": Presence,
    "allocation": Allocation,
    "account": Account,
}
"""The registry's tables, by the name that staged changes give them."""
TABLE_OF: Mapping[type, str] = {row_type: table for table, row_type in ROW_TYPES.items()}

_LISTED = frozenset({"ids", "logins", "dns"})


def as_json(value: object) -> Json:
    """`value` as JSON. Decimals, dates, datetimes, time spans and registry rows become `{"$decimal": "1.10"}` and the
    like; tuples become lists. Raises `TypeError` for anything else, above all for a `Secret` or an `Unknown`.
    """
    return _encoded(value, _refuse)


def can_be_kept(value: object) -> bool:
    """Whether `as_json` takes the value."""
    try:
        as_json(value)
    except TypeError:
        return False
    return True


def from_json(value: Json) -> Any:
    """The value that `as_json` was given, with lists in place of tuples. Raises `ValueError` for an unknown mark."""
    if isinstance(value, list):
        return [from_json(element) for element in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        mark, content = next(iter(value.items()))
        if mark.startswith("$"):
            if mark not in _READERS:
                raise ValueError(f"a value kept as JSON has the unknown mark {mark}")
            return _READERS[mark](content)
    return {name: from_json(element) for name, element in value.items()}


def row_as_json(row: RegistryRow) -> dict[str, Json]:
    """A registry row's attributes as JSON. `Unknown` values stay as they are: a dry run keeps its rows in memory."""
    return {field.name: _encoded(getattr(row, field.name), _keep_unknown) for field in fields(row)}


def row_from_json(table: str, attributes: Mapping[str, Json]) -> RegistryRow:
    """The registry row that `row_as_json` was given; `table` is a key of `ROW_TYPES`."""
    values: dict[str, Any] = {name: from_json(value) for name, value in attributes.items()}
    return ROW_TYPES[table](**values | {name: tuple(values[name]) for name in _LISTED & values.keys()})


def same(one: object, other: object) -> bool:
    """Whether two values are equal. An `Unknown` equals itself only, and is neither compared, hashed nor converted."""
    if isinstance(one, Unknown) or isinstance(other, Unknown):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    return one == other


def _encoded(value: object, otherwise: Callable[[object], Json]) -> Json:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, Mapping):
        return _mapping(value, otherwise)
    if isinstance(value, list | tuple):
        return [_encoded(element, otherwise) for element in value]
    for kind, mark, write in _WRITERS:
        if isinstance(value, kind):
            return _as_it_came(value) or {mark: write(value)}
    if isinstance(value, RegistryRow):
        return {"$row": [TABLE_OF[type(value)], row_as_json(value)]}
    return otherwise(value)


def _mapping(value: Mapping[Any, Any], otherwise: Callable[[object], Json]) -> Json:
    pairs = [(name, _encoded(element, otherwise)) for name, element in value.items()]
    if all(isinstance(name, str) for name, _ in pairs) and not any(name.startswith("$") for name, _ in pairs):
        return {str.__str__(name): element for name, element in pairs}
    return {"$map": [[_encoded(name, otherwise), element] for name, element in pairs]}


def _as_it_came(value: object) -> Json:
    """A tag's value as the text that it came as; None for all else."""
    for kind, mark in _TAG_MARKS.items():
        if isinstance(value, kind) and same(_parsed(kind, value), value):
            return {mark: str(value)}
    return None


def _parsed(kind: type[TagDecimal | TagDate | TagDateTime], value: object) -> object:
    try:
        return kind.parse(str(value))
    except ValueError:
        return None


def _refuse(value: object) -> Json:
    if isinstance(value, Secret):
        raise TypeError("a secret cannot be recorded")
    if isinstance(value, Unknown):
        raise TypeError("a value that is not known yet cannot be recorded")
    raise TypeError(f"a {type(value).__name__} cannot be recorded")


def _keep_unknown(value: object) -> Json:
    return value if isinstance(value, Unknown) else _refuse(value)


# datetime before date, which it is a subclass of; the base classes' own methods, since subclasses print as they came.
_WRITERS: tuple[tuple[type[Any], str, Callable[[Any], Json]], ...] = (
    (Decimal, "$decimal", Decimal.__str__),
    (datetime, "$datetime", datetime.isoformat),
    (date, "$date", date.isoformat),
    (timedelta, "$timedelta", lambda span: [span.days, span.seconds, span.microseconds]),
)
_TAG_MARKS: Mapping[type[TagDecimal | TagDate | TagDateTime], str] = {
    TagDecimal: "$tag_decimal",
    TagDate: "$tag_date",
    TagDateTime: "$tag_datetime",
}
_READERS: Mapping[str, Callable[[Json], Any]] = {
    "$decimal": Decimal,
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$tag_decimal": TagDecimal.parse,
    "$tag_date": TagDate.parse,
    "$tag_datetime": TagDateTime.parse,
    "$timedelta": lambda content: timedelta(*content),
    "$float": float,
    "$map": lambda content: {from_json(name): from_json(element) for name, element in content},
    "$row": lambda content: row_from_json(content[0], content[1]),
}
