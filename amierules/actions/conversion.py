"""Rendered values as the types that parameters have. Strict: what is not certain is an error."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from amierules.diagnostics import printable
from amierules.protocol.values import wire_text

_DIGITS = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]{1,38}(\.[0-9]{1,38})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DURATION = re.compile(r"([0-9]{1,9})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class WrongType(Exception):
    """A value that is not of the wanted type; the message continues `NAME: `."""


def described(value: object) -> str:
    """A value as messages name it: `the text 'x'`, `a list`."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f"the text '{printable(value, 60)}'"
        case int() | float() | Decimal():
            return f"the number {printable(value, 40)}"
        case date():
            return f"the date {wire_text(value)}"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "a mapping"
        case None:
            return "none"
        case _:
            return "something else"


def _wrong(wanted: str, value: object) -> WrongType:
    return WrongType(f"must be {wanted}, not {described(value)}")


def text(value: object) -> str:
    """A text; dates and decimals as they are written in packets."""
    if isinstance(value, str):
        return value
    if isinstance(value, date | Decimal):
        return wire_text(value)
    raise _wrong("a text", value)


def attribute_value(value: object) -> str:
    """A value of an attribute in a directory: a text, a whole number, or a boolean as LDAP writes it (RFC 4517)."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return str(value) if isinstance(value, int) else text(value)


def integer(value: object) -> int:
    """An integer, or a text of plain decimal digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str | Decimal) and _DIGITS.fullmatch(str(value)):
        return int(str(value))
    raise _wrong("an integer", value)


def boolean(value: object) -> bool:
    """True or false, and nothing that only looks like it."""
    if isinstance(value, bool):
        return value
    raise _wrong("true or false", value)


def decimal(value: object) -> Decimal:
    """A finite decimal, an integer, or a text of plain decimal digits."""
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, float) and _DECIMAL.fullmatch(repr(value)):
        return Decimal(repr(value))
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return Decimal(value)
    raise _wrong("a number", value)


def calendar_date(value: object) -> date:
    """A date, or a text `yyyy-mm-dd`."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise _wrong("a date", value) from None
    raise _wrong("a date (yyyy-mm-dd)", value)


def moment(value: object) -> datetime:
    """A datetime with a zone, or a text of one in ISO form."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if isinstance(found, datetime) and found.tzinfo is not None:
        return found
    raise _wrong("a date and time with a zone", value)


def duration(value: object) -> int:
    """Seconds, of a text like `10m`."""
    matched = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        raise _wrong("a duration (an integer and one of s, m, h, d)", value)
    return int(matched[1]) * _SECONDS[matched[2]]


def row(value: object) -> object:
    """A row of the registry."""
    if value is None or isinstance(value, str | bool | int | float | Decimal | date | list | tuple):
        raise _wrong("a row of the registry", value)
    return value


def items(value: object) -> list[Any]:
    """The items of a list."""
    if isinstance(value, list | tuple):
        return list(value)
    raise _wrong("a list", value)


def mapping(value: object) -> Mapping[str, Any]:
    """A mapping whose keys are texts."""
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return value
    raise _wrong("a mapping", value)
