"""The operators `+ - * / // % **` and the signs: on which kinds they work, and how large a result may be."""

import operator
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from amierules.templating.limits import check_bits, check_length
from amierules.templating.problems import EvaluationError
from amierules.templating.secret import Secret, secret_text
from amierules.templating.values import (
    DATE,
    DATETIME,
    DURATION,
    LIST,
    NUMBER,
    SECRET,
    TEXT,
    kind_of,
    same_numbers,
)

BINARY: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
UNARY: Final[dict[str, Callable[[Any], Any]]] = {"+": operator.pos, "-": operator.neg}

BESIDE_NUMBERS = {
    "+": {(TEXT, TEXT), (LIST, LIST), (DATE, DURATION), (DATETIME, DURATION), (DURATION, DURATION)},
    "-": {(DATE, DATE), (DATETIME, DATETIME), (DATE, DURATION), (DATETIME, DURATION), (DURATION, DURATION)},
    "*": {(TEXT, NUMBER), (NUMBER, TEXT), (LIST, NUMBER), (NUMBER, LIST), (DURATION, NUMBER), (NUMBER, DURATION)},
}


def binary(sign: str, left: object, right: object) -> object:
    """`left SIGN right`. Raises `UnknownUsed`, and `EvaluationError` where the kinds do not fit."""
    kinds = kind_of(left), kind_of(right)
    if sign == "+" and SECRET in kinds and set(kinds) <= {SECRET, TEXT}:
        return secret_text(part for part in (left, right) if isinstance(part, (str, Secret)))
    if kinds != (NUMBER, NUMBER) and kinds not in BESIDE_NUMBERS.get(sign, ()):
        advice = "; join texts with ~" if sign == "+" and TEXT in kinds else ""
        raise EvaluationError(f"`{sign}` does not work on {kinds[0]} and {kinds[1]}{advice}", "different-types")
    if kinds == (NUMBER, NUMBER):
        left, right = same_numbers(left, right)
    elif kinds == (LIST, LIST):
        left, right = list(left), list(right)  # type: ignore[call-overload]
    _check_size(sign, left, right)
    return BINARY[sign](left, right)


def unary(sign: str, value: object) -> object:
    """`SIGN value`, for numbers and durations. Raises `UnknownUsed` and `EvaluationError`."""
    kind = kind_of(value)
    if kind not in {NUMBER, DURATION}:
        raise EvaluationError(f"`{sign}` does not work on {kind}", "different-types")
    return UNARY[sign](value)


def _check_size(sign: str, left: object, right: object) -> None:
    if sign == "+" and isinstance(left, Sequence) and isinstance(right, Sequence):
        check_length(len(left) + len(right))
    elif sign == "*":
        if isinstance(left, int) and isinstance(right, int):
            check_bits(left.bit_length() + right.bit_length())
        elif isinstance(left, Sequence) and isinstance(right, int):
            check_length(len(left) * right)
        elif isinstance(right, Sequence) and isinstance(left, int):
            check_length(len(right) * left)
    elif sign == "**" and isinstance(left, int) and isinstance(right, int):
        check_bits(left.bit_length() * max(right, 0) if abs(left) > 1 else 0)
    elif sign in {"//", "%"}:
        for value in (left, right):
            if isinstance(value, Decimal) and value.is_finite():
                check_bits(abs(value.adjusted()) * 4)
