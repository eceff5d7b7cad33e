"""Typed tag values that print as they came, and how values are written to the wire."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Any, Never, Self, SupportsIndex

from amierules.diagnostics import printable
from amierules.protocol.catalogue import PacketType, Tag, TagKind, catalogue
from amierules.protocol.packet import Body, BodyValue
from amierules.protocol.problem import Problem

MAX_EXPONENT = 100
"""A number of more digits is none that a site means, and arithmetic on it would never end."""

_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(T00:00:00(\.0+)?(Z|[+-]00:00)?)?")
_DATETIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})?")


class TagDecimal(Decimal):
    """A decimal of a packet: computes and compares as a number, prints as it came."""

    _text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The number in `text`. Raises `ValueError` where there is none."""
        number = text.strip()
        if len(number) > MAX_EXPONENT or not _DECIMAL.fullmatch(number):
            raise ValueError(f"{_quoted(text)} is not a decimal number")
        value = cls(number)
        if abs(value.adjusted()) > MAX_EXPONENT:
            raise ValueError(f"{_quoted(text)} is not a number of a size that units have")
        value._text = text
        return value

    def __str__(self) -> str:
        return getattr(self, "_text", None) or Decimal.__str__(self)

    def __format__(self, spec: str, context: Context | None = None, /) -> str:
        return Decimal.__format__(self, spec) if spec else str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return TagDecimal.parse, (str(self),)


class TagDate(date):
    """A date of a packet (`yyyy-mm-dd`, midnight may follow): prints as it came."""

    _text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The date in `text`. Raises `ValueError` where there is none."""
        found = _DATE.fullmatch(text.strip())
        try:
            parsed = date.fromisoformat(found[1]) if found else None
        except ValueError:
            parsed = None
        if parsed is None:
            raise ValueError(f"{_quoted(text)} is not a date (yyyy-mm-dd)")
        value = cls(parsed.year, parsed.month, parsed.day)
        value._text = text
        return value

    def __str__(self) -> str:
        return getattr(self, "_text", None) or self.isoformat()

    def __format__(self, spec: str) -> str:
        return date.__format__(self, spec) if spec else str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return TagDate.parse, (str(self),)


class TagDateTime(datetime):
    """A point in time of a packet, with its zone: prints as it came."""

    _text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The time in `text`. Raises `ValueError` where there is none, or none with a zone."""
        found = _DATETIME.fullmatch(text.strip())
        if not found:
            raise ValueError(f"{_quoted(text)} is not a date and time (yyyy-mm-ddThh:mm:ssZ)")
        if not found[2]:
            raise ValueError(f"{_quoted(text)} has no time zone (Z or +hh:mm)")
        try:
            value = cls.fromisoformat(text.strip())
            value.astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValueError(f"{_quoted(text)} is not a date and time (yyyy-mm-ddThh:mm:ssZ)") from None
        value._text = text
        return value

    def __str__(self) -> str:
        return getattr(self, "_text", None) or wire_time(self)

    def __format__(self, spec: str) -> str:
        return datetime.__format__(self, spec) if spec else str(self)

    def __reduce_ex__(self, _protocol: SupportsIndex) -> tuple[Any, ...]:
        return TagDateTime.parse, (str(self),)


def wire_time(moment: datetime) -> str:
    """A point in time as AMIE wants it: UTC, whole seconds, `Z` (AMIE in XSEDE, 2012).

    Raises `ValueError` for one without a zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"the time {moment.isoformat()} has no time zone")
    try:
        utc = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"the time {moment.isoformat()} is not in the years 1 to 9999 of UTC") from None
    return datetime(utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second).isoformat() + "Z"


def wire_text(value: object) -> str:
    """A scalar that a rule made or a packet brought as the text on the wire.

    A tag's value as it came, times in UTC, dates as yyyy-mm-dd, decimals without exponent, true as 1 and false as 0.
    Raises `ValueError` for anything else.
    """
    match value:
        case str():
            return str.__str__(value)
        case TagDecimal() | TagDate() | TagDateTime():
            return str(value)
        case bool():
            return "1" if value else "0"
        case int():
            return _plain(Decimal(value)) if value.bit_length() < 1000 else _too_long()
        case float():
            return _plain(Decimal(repr(value)))
        case Decimal():
            return _plain(value)
        case datetime():
            return wire_time(value)
        case date():
            return value.isoformat()
    raise ValueError("neither text, number, date nor time")


def _too_long() -> Never:
    raise ValueError(f"a number of more than {MAX_EXPONENT} digits")


def _plain(number: Decimal) -> str:
    if not number.is_finite():
        raise ValueError("not a finite number")
    if abs(number.adjusted()) > MAX_EXPONENT or abs(int(number.as_tuple().exponent)) > 2 * MAX_EXPONENT:
        _too_long()
    return Decimal.__format__(number, "f")


def _quoted(text: str) -> str:
    return f"'{printable(text, 60)}'"


_SCALARS: Mapping[TagKind, Callable[[str], object]] = {
    TagKind.TEXT: lambda text: text,
    TagKind.DECIMAL: TagDecimal.parse,
    TagKind.DATE: TagDate.parse,
    TagKind.DATETIME: TagDateTime.parse,
}


def typed_value(tag: Tag, value: BodyValue) -> object:
    """The value of a known tag in its type: text, TagDecimal, TagDate, TagDateTime, list, or objects.

    An object has all of its tag's subtags; those that are absent are None. Raises `ValueError` with the reason where
    the value is of another kind.
    """
    if tag.kind in _SCALARS:
        if not isinstance(value, str):
            raise ValueError(f"has several values or subtags; it is one {tag.kind} value")
        return _SCALARS[tag.kind](value)
    if tag.kind is TagKind.OBJECT:
        if not isinstance(value, dict):
            raise ValueError("is not one object of subtags")
        return _with_all_subtags(tag, value)
    if not tag.kind_certain:
        return value
    if not isinstance(value, list):
        raise ValueError(f"is not a list of {'texts' if tag.kind is TagKind.LIST else 'objects'}")
    if tag.kind is TagKind.LIST:
        if any(not isinstance(element, str) for element in value):
            raise ValueError("has subtags; it is a list of texts")
        return list(value)
    objects = [element for element in value if isinstance(element, dict) and "" not in element]
    if len(objects) < len(value):
        raise ValueError(f"has elements without subtag; it is a list of objects with {', '.join(tag.subtags)}")
    return [_with_all_subtags(tag, element) for element in objects]


def _with_all_subtags(tag: Tag, element: dict[str, str]) -> dict[str, str | None]:
    if "" in element:
        raise ValueError(f"has a value without subtag; it is an object with {', '.join(tag.subtags)}")
    return {**dict.fromkeys(tag.subtags), **element}


def absent_value(tag: Tag) -> object:
    """What a tag without value is in rules: an empty list for list tags, else None."""
    return [] if tag.is_list else None


def typed_body(packet_type: PacketType | None, body: Body) -> tuple[Mapping[str, object], list[Problem]]:
    """The body as rules see it: all tags that the type allows, and the others that the packet brought.

    Absent tags are None, absent list tags []. A value of a wrong kind stays as it came and is a problem. `packet_type`
    is None for a type that the catalogue does not know.
    """
    tags = catalogue().tags
    typed = packet_type.absent() if packet_type else {}
    problems = []
    for name, value in body.items():
        typed[name] = value
        if (tag := tags.get(name)) and not (tag.kind is TagKind.TEXT and type(value) is str):
            try:
                typed[name] = typed_value(tag, value)
            except ValueError as error:
                problems.append(Problem("wrong-kind", f"{name}: {error}", name))
    return typed, problems
