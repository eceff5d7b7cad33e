"""Attributes, items, slices and calls: an item comes first, and Python's own attributes are never reached."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from jinja2.runtime import LoopContext
from jinja2.utils import Namespace

from amierules.diagnostics import printable
from amierules.templating.limits import check_length
from amierules.templating.problems import EvaluationError, meant
from amierules.templating.unknown import Unknown, UnknownUsed
from amierules.templating.values import LIST, TEXT, kind_of, not_called

TEXT_METHODS: Final = (
    "capitalize", "casefold", "count", "endswith", "find", "isalnum", "isalpha", "isdecimal", "isdigit", "islower",
    "isnumeric", "isspace", "isupper", "ljust", "lower", "lstrip", "partition", "removeprefix", "removesuffix",
    "replace", "rfind", "rjust", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip",
    "swapcase", "title", "upper", "zfill",
)  # fmt: skip
DATE_PARTS = ("day", "month", "year")
TIME_PARTS = (*DATE_PARTS, "hour", "microsecond", "minute", "second")
DURATION_PARTS = ("days", "seconds")
_LOOP_PARTS = (
    "changed", "cycle", "depth", "depth0", "first", "index", "index0", "last", "length", "nextitem", "previtem",
    "revindex", "revindex0",
)  # fmt: skip
_GROUP_PARTS = ("grouper", "list")


class TextMethod:
    """A method of a text, before it is called."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self.__name__ = name

    def __call__(self, *args: Any, **named: Any) -> object:
        """What the method returns; the arguments are those of Python's method."""
        if self.__name__ in {"ljust", "rjust", "zfill"} and args and isinstance(args[0], int):
            check_length(args[0])
        if self.__name__ == "replace":
            return replaced(self._text, *args, **named)
        return getattr(self._text, self.__name__)(*args, **named)

    def __bool__(self) -> bool:
        raise not_called(self)


def replaced(text: str, old: str, new: str, count: int | None = None) -> str:
    """`text` with `old` replaced by `new`, the first `count` times only where it is given."""
    times = text.count(old) if count is None or count < 0 else min(count, text.count(old))
    check_length(len(text) + times * len(new))
    return text.replace(old, new, times)


def attribute_of(value: object, name: str) -> object:
    """`value.name`: a mapping's item, a text's method, a part of a date. Raises `UnknownUsed`, `EvaluationError`."""
    if isinstance(value, Mapping):
        return _item_of_mapping(value, name)
    kind = kind_of(value)
    if isinstance(value, str):
        if name in TEXT_METHODS:
            return TextMethod(value, name)
        raise _no_attribute(kind, name, TEXT_METHODS)
    if isinstance(value, Namespace):
        return _of_namespace(value, name)
    known = _parts(value)
    if name in known:
        return getattr(value, name)
    raise _no_attribute(kind, name, known)


def _parts(value: object) -> Sequence[str]:
    if isinstance(value, datetime):
        return TIME_PARTS
    if isinstance(value, date):
        return DATE_PARTS
    if isinstance(value, timedelta):
        return DURATION_PARTS
    if isinstance(value, LoopContext):
        return _LOOP_PARTS
    # What the filter `groupby` makes.
    return _GROUP_PARTS if isinstance(value, tuple) and getattr(value, "_fields", ()) == _GROUP_PARTS else ()


def _of_namespace(value: Namespace, name: str) -> object:
    if not name.startswith("_"):
        try:
            return getattr(value, name)
        except AttributeError:
            pass
    raise _no_attribute("the namespace", name, ())


def _item_of_mapping(value: Mapping[Any, object], name: object) -> object:
    try:
        return value[name]
    except KeyError:
        # A mapping that computes its values may lack something else.
        if name in value:
            raise
    raise _no_attribute("the mapping", str(name), value)


def _no_attribute(kind: str, name: str, choices: object) -> EvaluationError:
    listed = list(choices) if isinstance(choices, (Mapping, Sequence, frozenset)) else []
    shown = printable(name, 60)
    message = f"{kind} has no attribute {shown}{meant(name, listed)}"
    return EvaluationError(message, "undefined-attribute", name)


def item_of(value: object, key: object) -> object:
    """`value[key]`: as `attribute_of` for a text key, an element for a whole number."""
    if isinstance(key, Unknown):
        raise UnknownUsed(key.step)
    if isinstance(value, Mapping):
        return _item_of_mapping(value, key)
    if isinstance(key, str):
        return attribute_of(value, key)
    kind = kind_of(value)
    if not isinstance(value, Sequence) or kind not in {LIST, TEXT}:
        raise EvaluationError(f"{kind} has no items", "undefined-attribute", printable(key, 60))
    if not isinstance(key, int) or isinstance(key, bool):
        raise EvaluationError(f"{kind_of(key)} is no position in {kind}", "different-types")
    if not -len(value) <= key < len(value):
        raise EvaluationError(f"{kind} of {len(value)} has no item {key}", "undefined-attribute", str(key))
    element: object = value[key]
    return element


def slice_of(value: object, start: object, stop: object, step: object) -> object:
    """`value[start:stop:step]` of a text or list. Raises `UnknownUsed`, and `EvaluationError` for anything else."""
    bounds = slice(_bound(start), _bound(stop), _bound(step))
    kind = kind_of(value)
    if not isinstance(value, Sequence) or kind not in {LIST, TEXT}:
        raise EvaluationError(f"{kind} cannot be sliced", "different-types")
    part: object = value[bounds]
    return part


def _bound(value: object) -> int | None:
    kind = kind_of(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise EvaluationError(f"{kind} is no position", "different-types")
