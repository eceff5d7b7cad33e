"""Whether the values of an action's parameters are of the kinds that its schema wants."""

from collections.abc import Mapping
from typing import Any

from amierules.diagnostics import Finding, Place, printable
from amierules.diagnostics.suggest import hint_for
from amierules.protocol.catalogue import person_tags
from amierules.templating import Nothing, Static
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
    SECRET,
    TEXT,
)

_ACCEPTED: Mapping[str, frozenset[str]] = {
    "text": frozenset({TEXT, NUMBER, DATE, DATETIME}),
    "integer": frozenset({NUMBER, TEXT}),
    "decimal": frozenset({NUMBER, TEXT}),
    "boolean": frozenset({BOOLEAN}),
    "date": frozenset({DATE, TEXT}),
    "datetime": frozenset({DATETIME, TEXT}),
    "list": frozenset({LIST}),
    "texts": frozenset({LIST, TEXT}),
    "mapping": frozenset({MAPPING}),
    **dict.fromkeys(("person", "project", "allocation", "account", "row"), frozenset({MAPPING})),
}
_WANTED = {
    "text": "a text",
    "integer": "a whole number",
    "decimal": "a number",
    "boolean": "true or false",
    "date": "a date",
    "datetime": "a datetime",
    "list": "a list",
    "texts": "a text or a list of texts",
    "mapping": "a mapping",
    "row": "a row",
}
_ROWS = {"person": "a person", "project": "a project", "allocation": "an allocation", "account": "an account"}
_REMEDIES = {
    (LIST, "text"): "take an item of it (`| first`), or join it (`| join(', ')`)",
    (TEXT, "list"): "write a list with it: [...]",
    (MAPPING, "text"): "write an attribute of it",
    (TEXT, "boolean"): "write a condition, like `x == 'yes'`",
}


def check_parameter(name: str, schema: Mapping[str, Any], value: Static, place: Place) -> list[Finding]:
    """What is wrong with a value for a parameter of this schema."""
    if schema.get("x-keys-are") == "person tags":
        return _check_person_tags(name, value, place)
    wanted = str(schema.get("x-type"))
    if wanted not in _ACCEPTED or value.kind is None or value.kind == NONE or value.nothing is Nothing.ALWAYS:
        return []
    if value.kind == FUNCTION:
        return [Finding("not-called", f"'{name}' is given a function", place, "call it with ()")]
    if value.kind == SECRET:
        allowed = schema.get("x-secret") or wanted in ("list", "mapping")
        return [] if allowed else [Finding("secret-shown", f"'{name}' must not be a secret", place)]
    if value.kind not in _ACCEPTED[wanted]:
        message = f"'{name}' must be {_WANTED.get(wanted) or _ROWS[wanted]}, and this is {value.kind}"
        row = f'a row is written "{{{{ {wanted} }}}}"' if wanted in _ROWS else ""
        hint = _REMEDIES.get((value.kind, wanted), row)
        if wanted == "person" and value.kind == TEXT:
            hint = f"{row}, or found by find_person(…)"
        return [Finding("wrong-type", message, place, hint)]
    if wanted in _ROWS and value.what in _ROWS.values() and value.what != _ROWS[wanted]:
        return [Finding("wrong-type", f"'{name}' must be {_ROWS[wanted]}, and this is {value.what}", place)]
    return _check_items(name, wanted, value, place)


def _check_items(name: str, wanted: str, value: Static, place: Place) -> list[Finding]:
    held = value.element.kind if value.element is not None else None
    if wanted not in ("list", "texts") or held not in (LIST, MAPPING, BOOLEAN, DURATION):
        return []
    hint = "take an attribute of each: `| map(attribute='...') | list`" if held == MAPPING else ""
    return [Finding("wrong-type", f"'{name}' must be a list of texts, and this holds {held} each", place, hint)]


def _check_person_tags(name: str, value: Static, place: Place) -> list[Finding]:
    unknown = [tag for tag in value.attributes or () if tag not in person_tags()]
    messages = (f"'{name}' knows no tag {printable(tag, 60)} of a person" for tag in unknown)
    return [
        Finding("unknown-tag", message, place, hint_for(tag, person_tags()))
        for tag, message in zip(unknown, messages, strict=True)
    ]
