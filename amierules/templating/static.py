"""What can be said of a value before it is there: its kind, whether it may be none, the attributes that it has."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from amierules.templating.values import BOOLEAN, FUNCTION, LIST, MAPPING, NONE, NUMBER, TEXT, kind_of


class Nothing(StrEnum):
    """Whether a value may be none."""

    NEVER = "never"
    MAYBE = "maybe"
    """It is known to be none at times, and whoever uses it has to ask."""
    UNSURE = "unsure"
    """Nobody can tell."""
    ALWAYS = "always"


class _NotConstant:
    """Stands for the value of what has none before it is evaluated."""


NOT_CONSTANT: Final = _NotConstant()


@dataclass(frozen=True, eq=False)
class Static:
    """What is known of a value. `kind` is one of `values`' kinds, or None where nobody can tell."""

    kind: str | None = None
    nothing: Nothing = Nothing.UNSURE
    attributes: Mapping[str, "Static"] | None = None
    """The attributes of a mapping; None where any may be there."""
    element: "Static | None" = None
    """What a list holds."""
    result: "Static | None" = None
    """What a function returns."""
    parameters: tuple[str, ...] | None = None
    """The names that a function's arguments may have."""
    constant: object = NOT_CONSTANT
    what: str = ""
    """How a message calls a mapping: `a person`, `request_account_create`."""
    why: str = ""
    """Why the value may be none: `the packet may lack it`."""
    code: str = "unknown-attribute"
    """The code of the finding for an attribute that is not there."""
    remedy: str = ""
    """What to do about an attribute that is not there and like none that is."""
    partly: Mapping[str, str] = field(default_factory=dict)
    """Attributes that are only sometimes there, each with the reason."""
    choices: tuple[str, ...] = ()
    """The only texts that it may be; empty where any may be."""
    told: bool = False
    """Whether it was a condition that told whether the value is none."""

    def known(self, nothing: Nothing) -> "Static":
        """The same value, of which a condition has told whether it is none."""
        return replace(self, nothing=nothing, told=True) if nothing is not self.nothing else self


ANYTHING: Final = Static()
A_BOOLEAN: Final = Static(BOOLEAN, Nothing.NEVER)
A_NUMBER: Final = Static(NUMBER, Nothing.NEVER)
A_TEXT: Final = Static(TEXT, Nothing.NEVER)
A_LIST: Final = Static(LIST, Nothing.NEVER)


def list_of(element: Static) -> Static:
    """A list of such values."""
    return Static(LIST, Nothing.NEVER, element=element)


def function_of(result: Static, parameters: tuple[str, ...] | None = None) -> Static:
    """A function that returns such a value."""
    return Static(FUNCTION, Nothing.NEVER, result=result, parameters=parameters)


def constant(value: object) -> Static:
    """A value that stands in the source itself."""
    if value is None:
        return Static(NONE, Nothing.ALWAYS, constant=None)
    return Static(kind_of(value), Nothing.NEVER, constant=value)


def of_data(value: object) -> Static:
    """What can be said of a value of the configuration: all but the value itself, which may be another tomorrow."""
    if value is None:
        return Static()
    if isinstance(value, Mapping):
        return Static(MAPPING, Nothing.NEVER, attributes={str(key): of_data(one) for key, one in value.items()})
    if isinstance(value, list):
        return list_of(either([of_data(one) for one in value]))
    return Static(kind_of(value), Nothing.NEVER)


def either(values: "list[Static]") -> Static:
    """What can be said of a value that is one of these."""
    present = [value for value in values if value.kind != NONE]
    if not values or not present:
        return values[0] if values else ANYTHING
    first = present[0]
    kinds = {value.kind for value in present}
    if len(present) > 1:
        same = all(value.attributes is first.attributes and value.element is first.element for value in present)
        listed = [value.element for value in present if value.element is not None and value.constant != []]
        element = either(listed) if kinds == {LIST} and listed else None
        first = Static(
            kind=first.kind if len(kinds) == 1 else None,
            attributes=first.attributes if same and len(kinds) == 1 else None,
            element=first.element if same and len(kinds) == 1 else element,
            what=first.what if same else "",
            code=first.code,
            partly=first.partly if same else {},
        )
    nothing, why = _nothing(values), next((value.why for value in values if value.why), "")
    return first if (nothing, why) == (first.nothing, first.why) else replace(first, nothing=nothing, why=why)


def _nothing(values: list[Static]) -> Nothing:
    given = {value.nothing for value in values}
    if given <= {Nothing.NEVER}:
        return Nothing.NEVER
    if given == {Nothing.ALWAYS}:
        return Nothing.ALWAYS
    # A rule that says `x if y else none` has thought of it.
    return Nothing.MAYBE if Nothing.MAYBE in given else Nothing.UNSURE
