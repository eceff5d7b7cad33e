"""What filters and methods return, as far as that is known without calling them."""

from collections.abc import Mapping
from typing import Final

from amierules.templating.access import TEXT_METHODS
from amierules.templating.static import (
    A_BOOLEAN,
    A_LIST,
    A_NUMBER,
    A_TEXT,
    ANYTHING,
    Nothing,
    Static,
    either,
    function_of,
    list_of,
)
from amierules.templating.values import LIST, TEXT

ON_TEXT: Final = frozenset(
    {
        *("capitalize", "format", "indent", "lower", "replace", "title", "trim", "truncate", "upper"),
        *("urlencode", "wordcount", "wordwrap"),
    }
)
"""The filters that work on a text."""

TAKES_NONE: Final = frozenset({"default", "d", "option", "tojson"})
"""The filters that work on none too."""

ON_LISTS: Final = frozenset({"join", "map", "select", "reject", "selectattr", "rejectattr"})
"""The filters that make little sense on anything but a list."""

_RESULTS: Mapping[str, Static] = {
    **dict.fromkeys(ON_TEXT - {"wordcount"}, A_TEXT),
    **dict.fromkeys(("join", "string", "tojson"), A_TEXT),
    **dict.fromkeys(("abs", "count", "float", "int", "length", "round", "sum", "wordcount"), A_NUMBER),
    **dict.fromkeys(("batch", "dictsort", "groupby", "items", "map", "slice"), A_LIST),
}
_SAME_LIST = frozenset({"list", "reject", "rejectattr", "select", "selectattr", "sort", "unique"})
_ONE_ELEMENT = frozenset({"first", "last", "max", "min"})

_METHOD_RESULTS: Mapping[str, Static] = {
    **dict.fromkeys(("count", "find", "rfind"), A_NUMBER),
    **dict.fromkeys(("partition", "rpartition", "rsplit", "split", "splitlines"), list_of(A_TEXT)),
    **dict.fromkeys((name for name in TEXT_METHODS if name.startswith("is") or name.endswith("swith")), A_BOOLEAN),
}


def method_of(name: str) -> Static | None:
    """The method of a text; None where texts have none of this name."""
    return function_of(_METHOD_RESULTS.get(name, A_TEXT)) if name in TEXT_METHODS else None


def filtered(name: str, value: Static, arguments: list[Static]) -> Static:
    """What a filter returns."""
    if name in ("default", "d"):
        given = arguments[0] if arguments else A_TEXT
        return either([value.known(Nothing.NEVER), given])
    if name == "option":
        return value
    if name in _SAME_LIST:
        return list_of(value.element or ANYTHING) if value.kind in (LIST, None) else A_LIST
    if name in _ONE_ELEMENT:
        return (value.element or ANYTHING) if value.kind == LIST else ANYTHING
    if name == "reverse":
        return value if value.kind in (LIST, TEXT) else ANYTHING
    return _RESULTS.get(name, ANYTHING)
