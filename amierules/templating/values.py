"""Kinds of values: what a value is called, how it is written into a text, how two are compared."""

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from amierules.diagnostics import printable
from amierules.protocol.values import wire_text
from amierules.templating.problems import EvaluationError
from amierules.templating.secret import Secret
from amierules.templating.unknown import Unknown, UnknownUsed

NONE: Final = "none"
BOOLEAN: Final = "a boolean"
NUMBER: Final = "a number"
TEXT: Final = "a text"
DATETIME: Final = "a datetime"
NAIVE_DATETIME: Final = "a datetime without zone"
DATE: Final = "a date"
DURATION: Final = "a duration"
LIST: Final = "a list"
MAPPING: Final = "a mapping"
SECRET: Final = "a secret"  # noqa: S105 - the word for messages
FUNCTION: Final = "a function"
OBJECT: Final = "an object"

_BY_TYPE: dict[type, str] = {
    type(None): NONE, bool: BOOLEAN, int: NUMBER, float: NUMBER, Decimal: NUMBER, str: TEXT, date: DATE,
    timedelta: DURATION, list: LIST, tuple: LIST, range: LIST, dict: MAPPING, Secret: SECRET,
}  # fmt: skip

# The order matters: bool is an int, and datetime a date.
_BY_BASE: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, BOOLEAN),
    ((int, float, Decimal), NUMBER),
    (str, TEXT),
    (date, DATE),
    (timedelta, DURATION),
    (Secret, SECRET),
    (Mapping, MAPPING),
    ((bytes, bytearray, memoryview), OBJECT),
    (Sequence, LIST),
)


def kind_of(value: object) -> str:
    """What a value is called in messages; values of one kind can be compared. Raises `UnknownUsed`."""
    kind = _BY_TYPE.get(type(value))
    if kind is not None:
        return kind
    if isinstance(value, Unknown):
        raise UnknownUsed(value.step)
    if isinstance(value, datetime):
        return DATETIME if value.utcoffset() is not None else NAIVE_DATETIME
    for base, name in _BY_BASE:
        if isinstance(value, base):
            return name
    return FUNCTION if callable(value) else OBJECT


def refuse_unknown(value: object) -> None:
    """Raise `UnknownUsed` if the value is unknown, or a list or mapping (however deep) that holds an unknown one."""
    if isinstance(value, Unknown):
        raise UnknownUsed(value.step)
    if isinstance(value, (list, tuple)):
        for element in value:
            refuse_unknown(element)
    elif isinstance(value, (dict, MappingProxyType)):
        for element in value.values():
            refuse_unknown(element)


def not_called(value: object) -> EvaluationError:
    """The error for a function that stands where a value is needed."""
    name = str(getattr(value, "__name__", "it"))
    return EvaluationError(f"{name} is a function: call it with ()", "not-called", name)


def as_text(value: object) -> str | Secret:
    """A value as a text shows it: datetimes in UTC with Z, tags as they came, booleans `true` and `false`.

    Raises `UnknownUsed`, and `EvaluationError` for `none`, lists, mappings and whatever else is no text.
    """
    if type(value) is str:
        return value
    kind = kind_of(value)
    if kind == NONE:
        raise EvaluationError("none inside a text; give a default with `or`", "none-in-text")
    if kind == FUNCTION:
        raise not_called(value)
    if isinstance(value, Secret):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind in {TEXT, NUMBER, DATE, DATETIME, NAIVE_DATETIME}:
        try:
            return wire_text(value)
        except ValueError as error:
            raise EvaluationError(f"{kind} that cannot be written: {printable(error, 120)}", "not-text") from error
    remedy = "; join it, or take an item of it" if kind == LIST else ""
    raise EvaluationError(f"{kind} cannot be put into a text{remedy}", "not-text")


_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
}
ORDERED = frozenset({NUMBER, TEXT, DATE, DATETIME, DURATION, LIST})


def compare(operation: str, left: object, right: object) -> bool:
    """`left OPERATION right`, where the operation is `eq ne lt lteq gt gteq in notin` (Jinja's own words).

    Raises `UnknownUsed` if either is or holds an unknown value, `EvaluationError` where the types differ.
    """
    refuse_unknown(left)
    refuse_unknown(right)
    if operation == "eq":
        return _equal_of_one_kind(left, right)
    if operation == "ne":
        return not _equal_of_one_kind(left, right)
    if operation == "in":
        return _contains(right, left)
    if operation == "notin":
        return not _contains(right, left)
    kind = _common_kind(left, right)
    if kind not in ORDERED:
        raise EvaluationError(f"{kind} has no order", "different-types")
    if kind == LIST:
        left, right = list(left), list(right)  # type: ignore[call-overload]
    return _ORDERINGS[operation](*same_numbers(left, right))


def same_numbers(left: object, right: object) -> tuple[Any, Any]:
    """Both values; a float beside a Decimal becomes the decimal number that it prints as."""
    if isinstance(left, float) and isinstance(right, Decimal):
        return Decimal(repr(left)), right
    if isinstance(right, float) and isinstance(left, Decimal):
        return left, Decimal(repr(right))
    return left, right


def _common_kind(left: object, right: object) -> str:
    kind, other = kind_of(left), kind_of(right)
    for one, value in ((kind, left), (other, right)):
        if one == FUNCTION:
            raise not_called(value)
    if kind != other:
        raise EvaluationError(f"{kind} is compared with {other}", "different-types")
    if kind == SECRET:
        raise EvaluationError("a secret cannot be compared", "secret-used")
    return kind


def _equal_of_one_kind(left: object, right: object) -> bool:
    if left is None or right is None:
        for value in (left, right):
            if kind_of(value) == FUNCTION:
                raise not_called(value)
        return left is right
    _common_kind(left, right)
    return _equal(left, right)


def _equal(left: object, right: object) -> bool:
    kind = kind_of(left)
    if kind != kind_of(right):
        return False
    if isinstance(left, Sequence) and isinstance(right, Sequence) and kind == LIST:
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, (dict, MappingProxyType)) and isinstance(right, (dict, MappingProxyType)):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    if kind == MAPPING:
        # Registry rows point at each other; walking through them would not end.
        return left is right or bool(left == right)
    first, second = same_numbers(left, right)
    return bool(first == second)


def _contains(haystack: object, needle: object) -> bool:
    kind = kind_of(haystack)
    if isinstance(haystack, str):
        if not isinstance(needle, str):
            raise EvaluationError(f"{kind_of(needle)} is looked for in a text", "different-types")
        return needle in haystack
    if isinstance(haystack, Mapping):
        return kind_of(needle) == TEXT and needle in haystack
    if isinstance(haystack, Sequence) and kind == LIST:
        if kind_of(needle) == FUNCTION:
            raise not_called(needle)
        if kind_of(needle) == SECRET:
            raise EvaluationError("a secret cannot be compared", "secret-used")
        return any(_equal(needle, element) for element in haystack)
    raise EvaluationError(f"nothing can be looked for in {kind}", "different-types")
