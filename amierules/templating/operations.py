"""Which operators work on which kinds, said before there are values."""

from dataclasses import dataclass

from amierules.templating.arithmetic import BESIDE_NUMBERS
from amierules.templating.static import ANYTHING, NOT_CONSTANT, Nothing, Static
from amierules.templating.values import (
    BOOLEAN,
    DATE,
    DATETIME,
    DURATION,
    FUNCTION,
    LIST,
    MAPPING,
    NONE,
    NUMBER,
    ORDERED,
    SECRET,
    TEXT,
)


@dataclass(frozen=True)
class Clash:
    """Two values that do not go together; `breaks`: where they meet, the packet is parked."""

    message: str
    breaks: bool = True


_ONE_KIND = {
    frozenset({NUMBER, TEXT}): "write a number without quotes; `x | int` makes one of a text",
    frozenset({BOOLEAN, TEXT}): "a boolean is a condition by itself: ask `x` or `not x`",
    frozenset({LIST, TEXT}): "whether a list holds a text: `'a' in x`",
    frozenset({DATE, TEXT}): "a date is compared with a date, like today()",
    frozenset({DATETIME, TEXT}): "a datetime is compared with a datetime, like now()",
    frozenset({DATE, DATETIME}): "now() is a datetime, today() a date",
}


def one_kind(left: Static, right: Static) -> str:
    """What to do about a comparison of values of different kinds."""
    return _ONE_KIND.get(frozenset({left.kind or "", right.kind or ""}), "compare values of one kind")


def compared(operation: str, left: Static, right: Static) -> Clash | None:
    """Why a comparison makes no sense; None where it can, or where nobody can tell."""
    if left.kind is None or right.kind is None or FUNCTION in (left.kind, right.kind):
        return None
    if operation in ("in", "notin"):
        return _contained(left, right)
    if NONE in (left.kind, right.kind):
        return None
    if left.kind != right.kind:
        return Clash(f"{left.kind} is compared with {right.kind}")
    if left.kind == SECRET:
        return Clash("a secret cannot be compared")
    if operation not in ("eq", "ne") and left.kind not in ORDERED:
        return Clash(f"{left.kind} has no order")
    return None


def _contained(needle: Static, haystack: Static) -> Clash | None:
    if haystack.kind == TEXT and needle.kind not in (TEXT, NONE):
        return Clash(f"{needle.kind} is looked for in a text")
    if haystack.kind not in (TEXT, LIST, MAPPING, NONE):
        return Clash(f"nothing can be looked for in {haystack.kind}")
    element = haystack.element.kind if haystack.element is not None else None
    if haystack.kind == LIST and element is not None and NONE not in (element, needle.kind) and element != needle.kind:
        return Clash(f"{needle.kind} is looked for among values that are each {element}", breaks=False)
    return None


def computed(sign: str, left: Static, right: Static) -> tuple[Static, str | None]:
    """The result of `left SIGN right`, and why there is none where the kinds do not fit."""
    kinds = left.kind, right.kind
    if None in kinds or NONE in kinds or SECRET in kinds or FUNCTION in kinds:
        return ANYTHING, None
    if kinds == (NUMBER, NUMBER):
        return Static(NUMBER, Nothing.NEVER), None
    if kinds not in BESIDE_NUMBERS.get(sign, ()):
        return ANYTHING, f"`{sign}` does not work on {kinds[0]} and {kinds[1]}"
    return Static(_kind(sign, *kinds), Nothing.NEVER, element=_element(left, right), constant=NOT_CONSTANT), None


def _element(left: Static, right: Static) -> Static | None:
    if left.kind == right.kind == LIST:
        first, second = left.element, right.element
        same = first is not None and second is not None and first.kind == second.kind
        return first if same else None
    return left.element


def _kind(sign: str, left: str | None, right: str | None) -> str | None:
    if sign == "*":
        return right if left == NUMBER else left
    if sign == "-" and left in (DATE, DATETIME) and left == right:
        return DURATION
    return left
