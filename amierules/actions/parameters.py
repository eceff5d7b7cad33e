"""A kind's parameters after rendering: `none` dropped, types checked against the kind's schema."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from amierules.actions.base import Params
from amierules.actions.conversion import (
    WrongType,
    attribute_value,
    boolean,
    calendar_date,
    decimal,
    duration,
    integer,
    items,
    mapping,
    moment,
    row,
    text,
)
from amierules.diagnostics import printable
from amierules.templating import WITHHELD, Secret, Unknown, Withheld, secrets_in

Schema = Mapping[str, Any]

ROW_TYPES = frozenset({"row", "person", "project", "allocation", "account"})

_CONVERSIONS: Mapping[str, Callable[[object], object]] = {
    "text": text,
    "value": attribute_value,
    "integer": integer,
    "boolean": boolean,
    "date": calendar_date,
    "datetime": moment,
    "decimal": decimal,
    "duration": duration,
    **dict.fromkeys(ROW_TYPES, row),
}

_LIMITS: Mapping[str, tuple[Callable[[Any, Any], bool], str]] = {
    "minimum": (lambda value, limit: bool(value >= limit), "must be at least {}"),
    "maximum": (lambda value, limit: bool(value <= limit), "must be at most {}"),
    "minLength": (lambda value, limit: len(value) >= limit, "must have at least {} characters"),
    "maxLength": (lambda value, limit: len(value) <= limit, "must have at most {} characters"),
    "minItems": (lambda value, limit: len(value) >= limit, "must have at least {} items"),
}
_LIMITED: Mapping[str, type | tuple[type, ...]] = {
    "minimum": (int, Decimal),
    "maximum": (int, Decimal),
    "minLength": str,
    "maxLength": str,
    "minItems": list,
}


def check_params(schema: Schema, rendered: Mapping[str, Any]) -> tuple[Params, list[str]]:
    """The rendered parameters with the types that the schema asks for, and what is wrong with them.

    Parameters that are `none` are left out; `Unknown` values pass. A text of plain decimal digits counts as an integer
    where one is wanted, since the values of tags are texts; nothing else is converted. Each problem is a line that
    begins with the parameter's name. With problems, the parameters are not to be used.
    """
    problems: list[str] = []
    return _checked(schema, rendered, "", problems), problems


def _checked(schema: Schema, rendered: Mapping[str, Any], prefix: str, problems: list[str]) -> dict[str, Any]:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    params: dict[str, Any] = {}
    for name, value in rendered.items():
        shown = f"{prefix}{printable(name, 40)}"
        if name not in properties:
            problems.append(f"{shown}: there is no such parameter")
            continue
        wanted = properties[name]
        if value is None and wanted.get("x-none") == "refused":
            problems.append(f"{shown}: is none; leave it out, or make the step depend on it: `when: ...`")
            continue
        if value is None and wanted.get("x-compile") != "expression":
            continue
        try:
            params[name] = _converted(wanted, value, shown, problems)
        except WrongType as error:
            problems.append(f"{shown}: {error}")
    problems += [
        f"{prefix}{name}: is required" + (", and its value is none" if name in rendered else "")
        for name in schema.get("required", ())
        if name not in rendered or (name not in params and rendered[name] is None)
    ]
    return params


def _converted(schema: Schema, value: object, shown: str, problems: list[str]) -> object:
    """The value as the schema wants it. Raises `WrongType`."""
    if isinstance(value, Unknown):
        return value
    if isinstance(value, Secret) and schema.get("x-type") in _CONVERSIONS:
        if not schema.get("x-secret"):
            raise WrongType("must not be a secret")
        if isinstance(value, Withheld):
            raise WrongType(WITHHELD)
        return value
    if isinstance(value, str) and value in schema.get("x-words", ()):
        return value
    converted = _by_type(schema, value, shown, problems)
    _check_limits(schema, converted)
    return converted


def _by_type(schema: Schema, value: object, shown: str, problems: list[str]) -> object:
    match schema.get("x-type"):
        case "texts":
            return [_part({"x-type": "text"}, one, shown, problems) for one in _one_or_several(value)]
        case "values":
            listed = value if isinstance(value, list | tuple) else [value]
            of: Schema = {"x-type": "value", "x-secret": True}
            return [_part(of, one, shown, problems) for one in listed]
        case "list":
            of = {"x-type": "text", **schema.get("x-items", {})}
            return [_part(of, item, f"{shown}[{at}]", problems) for at, item in enumerate(items(value))]
        case "words":
            of = {"x-type": "text", "x-secret": True}
            return [_part(of, item, f"{shown}[{at}]", problems) for at, item in enumerate(items(value))]
        case "mapping" if "properties" in schema:
            return _checked(schema, mapping(value), f"{shown}.", problems)
        case "mapping":
            of = schema.get("x-values-type", {})
            given = {key: item for key, item in mapping(value).items() if item is not None}
            return {key: _part(of, item, f"{shown}.{printable(key, 40)}", problems) for key, item in given.items()}
        case str(kind) if kind in _CONVERSIONS:
            return _CONVERSIONS[kind](value)
        case _:
            return value if schema.get("x-secret") else _without_secrets(value)


def _without_secrets(value: object) -> object:
    """A value of any type, unless it is or holds a secret: what may be given in secret says so. Raises `WrongType`."""
    if secrets_in(value):
        raise WrongType("must not hold a secret")
    return value


def _one_or_several(value: object) -> list[Any]:
    return [value] if isinstance(value, str) else items(value)


def _part(schema: Schema, value: object, shown: str, problems: list[str]) -> object:
    """An item of a list or mapping as its schema wants it; a wrong one becomes a problem of its own."""
    try:
        if value is None and schema:
            raise WrongType("must not be none")
        return _converted(schema, value, shown, problems)
    except WrongType as error:
        problems.append(f"{shown}: {error}")
        return value


def _check_limits(schema: Schema, value: object) -> None:
    """Check what a schema can only say of a rendered value. Raises `WrongType`."""
    allowed = schema.get("x-values") or schema.get("enum")
    if allowed is not None and value not in allowed:
        raise WrongType(f"must be one of {', '.join(map(str, allowed))}, not {printable(value, 60)!r}")
    for keyword, (holds, message) in _LIMITS.items():
        if keyword in schema and isinstance(value, _LIMITED[keyword]) and not holds(value, schema[keyword]):
            raise WrongType(message.format(schema[keyword]))
