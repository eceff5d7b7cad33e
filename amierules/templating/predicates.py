"""The tests behind `is`: Jinja's without those that look at Python's insides; comparisons are the guarded ones."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from jinja2.tests import TESTS as JINJA_TESTS

from amierules.templating.guards import guarded
from amierules.templating.values import NUMBER, as_text, compare, kind_of

_COMPARISONS = {
    "eq": ("eq", "equalto", "=="),
    "ne": ("ne", "!="),
    "lt": ("lt", "lessthan", "<"),
    "lteq": ("le", "<="),
    "gt": ("gt", "greaterthan", ">"),
    "gteq": ("ge", ">="),
}
_ABOUT_ANYTHING = "boolean defined false float integer iterable mapping none number sequence string true undefined"
_JINJA: Mapping[str, Any] = JINJA_TESTS
_ON_NUMBERS = ("divisibleby", "even", "odd")


def _contained(value: object, collection: object) -> bool:
    return compare("in", value, collection)


def _cased(name: str) -> Callable[[object], bool]:
    def test(value: object) -> bool:
        text = as_text(value)
        return text.islower() if name == "lower" else text.isupper()  # type: ignore[union-attr]

    return test


def _of_number(name: str) -> Callable[..., bool]:
    function: Callable[..., Any] = _JINJA[name]

    def test(value: object, *args: object) -> bool:
        if any(kind_of(one) != NUMBER for one in (value, *args)):
            raise TypeError
        return bool(function(value, *args))

    return test


def predicates() -> dict[str, Callable[..., Any]]:
    """Every test by its name, guarded."""
    listed = {}
    for operation, names in _COMPARISONS.items():
        compared = partial(compare, operation)
        for name in names:
            listed[name] = guarded(f"the test {name}", compared, takes_none=True, takes_secret=True)
    listed["in"] = guarded("the test in", _contained, takes_none=True, takes_secret=True)
    for name in _ABOUT_ANYTHING.split():
        listed[name] = guarded(f"the test {name}", _JINJA[name], takes_none=True, takes_secret=True)
    for name in _ON_NUMBERS:
        listed[name] = guarded(f"the test {name}", _of_number(name))
    for name in ("lower", "upper"):
        listed[name] = guarded(f"the test {name}", _cased(name))
    return listed
