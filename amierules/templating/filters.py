"""The filters: Jinja's without those for HTML, chance and Python's insides; those that guess are strict here."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final, SupportsAbs

from jinja2 import Environment as Jinja
from jinja2 import pass_environment
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.filters import make_attrgetter

from amierules.diagnostics import printable
from amierules.protocol.values import wire_text
from amierules.templating.access import replaced
from amierules.templating.guards import guarded
from amierules.templating.limits import check_bits, check_length
from amierules.templating.problems import EvaluationError
from amierules.templating.secret import Secret, secret_text
from amierules.templating.unknown import Unknown, UnknownUsed
from amierules.templating.values import LIST, NUMBER, as_text, kind_of

OPTION: Final = "option"
"""The filter that marks a command's word as an option on purpose."""

_FROM_JINJA = (
    "batch", "count", "dictsort", "first", "groupby", "items", "last", "length", "list", "map", "max", "min", "reject",
    "rejectattr", "round", "select", "selectattr", "slice", "sort", "sum", "unique",
)  # fmt: skip
_ON_TEXT = (
    "capitalize", "indent", "lower", "title", "trim", "truncate", "upper", "urlencode", "wordcount", "wordwrap",
)  # fmt: skip
_SIZED = frozenset({"batch", "indent", "round", "slice", "truncate", "wordwrap"})
_CONVERSION = re.compile(r"%(?:\(\w+\))?[-+ 0#]*(?:\d{1,3})?(?:\.\d{1,3})?([sdifeEgGxXo%])")


def _sized(function: Callable[..., Any]) -> Callable[..., Any]:
    def filter_of_limited_size(*args: object, **named: object) -> object:
        for value in (*args[1:], *named.values()):
            if isinstance(value, int) and abs(value) > 10_000:
                raise EvaluationError("the value would be too large", "too-large")
        return function(*args, **named)

    filter_of_limited_size.__dict__.update(function.__dict__)
    return filter_of_limited_size


def _on_text(function: Callable[..., Any]) -> Callable[..., Any]:
    position = 1 if hasattr(function, "jinja_pass_arg") else 0

    def filter_on_text(*args: object, **named: object) -> object:
        return function(*args[:position], as_text(args[position]), *args[position + 1 :], **named)

    filter_on_text.__dict__.update(function.__dict__)
    return filter_on_text


def _default(value: object, default_value: object = "", boolean: bool = False) -> object:
    # A name that does not exist is an error before this is asked; what may be missing is `none`.
    return default_value if value is None or (boolean and not value) else value


def _integer(value: object, default: object = Unknown, base: int = 10) -> object:
    try:
        if isinstance(value, str):
            return int(value.strip(), base)
        if isinstance(value, Decimal) and value.is_finite():
            check_bits(abs(value.adjusted()) * 4)
        if kind_of(value) == NUMBER:
            return int(value)  # type: ignore[call-overload]
    except (ValueError, OverflowError):
        pass
    return _or_default(value, default, "whole number")


def _float(value: object, default: object = Unknown) -> object:
    try:
        if isinstance(value, str) or kind_of(value) == NUMBER:
            return float(value)  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        pass
    return _or_default(value, default, "number")


def _or_default(value: object, default: object, wanted: str) -> object:
    if default is Unknown:
        shown = f"'{printable(value, 40)}'" if isinstance(value, str) else kind_of(value)
        raise EvaluationError(f"{shown} is no {wanted}")
    return default


@pass_environment
def _join(environment: Jinja, value: Iterable[Any], d: object = "", attribute: str | int | None = None) -> str | Secret:
    if kind_of(value) != LIST:
        raise EvaluationError(f"join works on a list, not on {kind_of(value)}", "different-types")
    elements = map(make_attrgetter(environment, attribute), value) if attribute is not None else value
    texts = [as_text(element) for element in elements]
    between = as_text(d)
    spread: list[str | Secret] = [part for text in texts for part in (between, text)][1:]
    check_length(sum(len(part) for part in spread if isinstance(part, str)))
    return secret_text(spread)


def _format(value: str, *args: object, **named: object) -> str:
    if _CONVERSION.sub("", value).count("%"):
        raise EvaluationError("format knows only %s %d %i %f %e %g %x %o, and widths up to 999")
    if args and named:
        raise EvaluationError("format takes either positional or named values")
    fields = {key: _formatted(given) for key, given in named.items()}
    return value % (fields or tuple(_formatted(given) for given in args))


def _formatted(value: object) -> object:
    return value if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) else as_text(value)


def _to_json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False, default=_json_value)


def _json_value(value: object) -> object:
    if isinstance(value, Unknown):
        raise UnknownUsed(value.step)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date):
        return wire_text(value)
    if isinstance(value, Mapping):
        return dict(value)
    if kind_of(value) == LIST:
        return list(value)  # type: ignore[call-overload]
    raise EvaluationError(f"{kind_of(value)} cannot be written as JSON", "secret-used")


def _reverse(value: Sequence[object]) -> object:
    return value[::-1] if isinstance(value, str) else list(reversed(value))


def _option(value: object) -> object:
    return value


def _absolute(value: object) -> object:
    if kind_of(value) != NUMBER or not isinstance(value, SupportsAbs):
        raise EvaluationError(f"abs works on a number, not on {kind_of(value)}", "different-types")
    return abs(value)


def filters() -> dict[str, Callable[..., Any]]:
    """Every filter by its name, guarded."""
    plain: dict[str, Callable[..., Any]] = {name: JINJA_FILTERS[name] for name in _FROM_JINJA}
    plain |= {name: _on_text(JINJA_FILTERS[name]) for name in _ON_TEXT}
    plain |= {name: _sized(plain[name]) for name in _SIZED}
    plain |= {
        "abs": _absolute,
        "float": _float,
        "format": _on_text(_format),
        "int": _integer,
        "join": _join,
        "replace": _on_text(replaced),
        "reverse": _reverse,
    }
    listed = {name: guarded(f"the filter {name}", function) for name, function in plain.items()}
    listed["string"] = guarded("the filter string", as_text, takes_secret=True)
    listed["join"] = guarded("the filter join", _join, takes_secret=True)
    listed["tojson"] = guarded("the filter tojson", _to_json, takes_none=True)
    for name, function in (("default", _default), ("d", _default), (OPTION, _option)):
        listed[name] = guarded(f"the filter {name}", function, takes_none=True, takes_secret=True)
    return listed
