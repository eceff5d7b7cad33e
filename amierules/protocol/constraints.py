"""What tag values must obey besides their kind (AMIE in XSEDE, 2012; Implementing AMIE, 2012)."""

import re
from collections.abc import Iterator

from amierules.diagnostics import printable
from amierules.protocol.catalogue import Constraint, Tag, catalogue
from amierules.protocol.packet import Body, BodyValue

_FORMS = {
    Constraint.POSITIVE_INTEGER: (re.compile(r"0*[1-9][0-9]*"), "is no positive whole number"),
    Constraint.BOOLEAN: (re.compile("[01]"), "is neither 1 nor 0"),
    Constraint.DURATION: (
        re.compile(r"PT(?=[0-9])([0-9]+H)?([0-9]+M)?([0-9]+(\.[0-9]+)?S)?"),
        "is no duration (PThHmMsS)",
    ),
}


def violations(body: Body, *, sent: bool) -> Iterator[tuple[str, str]]:
    """Each tag of the (normalised) body that breaks a constraint, with the message that says so.

    `sent`: the body is one that we send; some values are accepted and never sent. A value of a wrong kind is another
    matter and is left out.
    """
    constrained = catalogue().constrained
    for name, value in body.items():
        tag = constrained.get(name)
        if tag is None:
            continue
        for reason in _reasons(tag, value, sent=sent):
            yield name, f"{name}: {reason}"
        if tag.needs and tag.needs not in body:
            yield name, f"{name}: needs {tag.needs} beside it"


def _reasons(tag: Tag, value: BodyValue, *, sent: bool) -> Iterator[str]:
    if tag.constraint is Constraint.EXACTLY_ONE:
        if isinstance(value, list) and len(value) != 1:
            yield f"has {len(value)} elements; it must have exactly one"
    elif tag.constraint is Constraint.ONE_OF:
        accepted = tag.values if sent else tag.values + tag.accepted_values
        if isinstance(value, str) and value not in accepted:
            yield f"{_quoted(value)} is none of {', '.join(tag.values)}"
    elif tag.constraint in _FORMS:
        form, reason = _FORMS[tag.constraint]
        for text in _texts(value):
            if not form.fullmatch(text):
                yield f"{_quoted(text)} {reason}"
    if sent:
        yield from _subtag_reasons(tag, value)


def _texts(value: BodyValue) -> list[str]:
    if isinstance(value, dict):
        return list(value.values())
    return [value] if isinstance(value, str) else []


def _subtag_reasons(tag: Tag, value: BodyValue) -> Iterator[str]:
    elements = [element for element in value if isinstance(element, dict)] if isinstance(value, list) else []
    for subtag, values in tag.sent_subtag_values.items():
        for element in elements:
            if subtag in element and element[subtag] not in values:
                yield f"{subtag} {_quoted(element[subtag])} is none of {', '.join(values)}"


def _quoted(text: str) -> str:
    return f"'{printable(text, 60)}'"
