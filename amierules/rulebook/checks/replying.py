"""Whether a reply has what its type requires, and values that the type allows."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime

from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.protocol.catalogue import PacketType, catalogue
from amierules.protocol.checks import prepare_outgoing
from amierules.protocol.problem import Problem
from amierules.protocol.required import missing_tags
from amierules.rulebook.checks.view import FileView
from amierules.rulebook.compiled import MappingValue
from amierules.rulebook.model import Reply, Rule
from amierules.rulebook.structure import mappings_in
from amierules.templating import Nothing, Static
from amierules.templating.static import NOT_CONSTANT
from amierules.templating.values import BOOLEAN, DATE, DATETIME, FUNCTION, LIST, MAPPING, NUMBER, SECRET

CLOSING = "inform_transaction_complete"
_CLOSING_TAGS = ("StatusCode", "DetailCode", "Message")
_SAMPLES: Mapping[str, object] = {
    BOOLEAN: True,
    NUMBER: 1,
    DATE: date(2025, 1, 1),
    DATETIME: datetime(2025, 1, 1, tzinfo=UTC),
    LIST: ["x", "x"],
    MAPPING: {"x": "x"},
}
"""A value of each kind, of which the protocol can say whether a tag takes such ones."""


def check_reply(
    packet: PacketType, view: FileView, rule: Rule, reply: Reply, fields: Static | None
) -> Iterator[Finding]:
    """What is wrong with the tags of a reply to a packet of this type."""
    expected = [one.type for one in packet.expected_replies]
    name = reply.type or (expected[0] if len(expected) == 1 else "")
    answer = catalogue().types.get(name)
    if answer is None or name not in expected:
        return
    given = dict(fields.attributes) if fields is not None and fields.attributes is not None else {}
    places = dict(_places(reply))
    if fields is None or fields.attributes is not None:
        missing = list(_missing(packet, answer, reply, given, _key_place(view, rule)))
        yield from missing or _perhaps_missing(packet, answer, reply, given, places)
    for tag, value in given.items():
        yield from _wrong_value(answer, tag, value, places.get(tag, reply.place))


def _places(reply: Reply) -> Iterator[tuple[str, Place]]:
    if isinstance(reply.fields, MappingValue):
        yield from ((tag, value.place) for tag, value in reply.fields.entries)


def _key_place(view: FileView, rule: Rule) -> Place:
    nodes = (node for node in mappings_in(view.root.get("rules")) if node.place == rule.place)
    return next((node.key_place("reply") for node in nodes), rule.outcome.place)


def _missing(
    packet: PacketType, answer: PacketType, reply: Reply, given: Mapping[str, Static], place: Place
) -> Iterator[Finding]:
    present = {
        tag for tag, value in given.items() if value.nothing is not Nothing.ALWAYS and value.constant not in ("", [])
    }
    present |= {tag for tag in reply.copy if tag in packet.allowed}
    present |= set(_CLOSING_TAGS) if answer.name == CLOSING else set()
    texts = {tag: value.constant for tag, value in given.items() if isinstance(value.constant, str)}
    groups = missing_tags(answer, answer.required_in_reply, present, texts)
    if groups:
        lacking = [" or ".join(group) for group in groups]
        message = printable(f"{answer.name} must have {', '.join(lacking)}, which nothing here fills")
        takeable = [tag for group in groups for tag in group if tag in packet.required]
        hint = f"`copy: [{', '.join(takeable)}]` takes over what {packet.name} has" if takeable else ""
        yield Finding("missing-tag", message, place, printable(hint or "give the values under `fields`"))


def _perhaps_missing(
    packet: PacketType,
    answer: PacketType,
    reply: Reply,
    given: Mapping[str, Static],
    places: Mapping[str, Place],
) -> Iterator[Finding]:
    for tag in answer.required_in_reply:
        copied = tag in reply.copy and tag in packet.allowed and tag not in packet.required and tag not in given
        optional = tag in given and given[tag].nothing is Nothing.MAYBE
        if copied or optional:
            reason = f"{packet.name} may lack it" if copied else given[tag].why or "its value may be none"
            message = f"{answer.name} must have {tag}, and {reason}: then the packet is parked"
            hint = "give it under `fields`, with a default by `or`" if copied else "give it a default with `or`"
            yield Finding("may-lack-tag", message, places.get(tag, reply.place), hint, Severity.WARNING)


def _wrong_value(answer: PacketType, tag: str, value: Static, place: Place) -> Iterator[Finding]:
    if value.kind == FUNCTION:
        yield Finding("not-called", f"{tag} is given a function", place, "call it with ()")
        return
    if value.kind == SECRET:
        yield Finding("secret-shown", f"{tag} must not be a secret: the other side would read it", place)
        return
    known = catalogue().tag(tag)
    if value.constant not in (NOT_CONSTANT, None):
        sample = value.constant
    elif value.kind is not None and value.kind in _SAMPLES:
        sample = _element_sample(value) if value.kind == LIST else _SAMPLES[value.kind]
    else:
        sample = "x" if value.kind == "a text" and known is not None and _is_list(known.kind) else None
    if sample is None or known is None:
        return
    problem = _problem(answer, tag, sample)
    only_kind = value.constant is NOT_CONSTANT
    if problem is None or (only_kind and problem.code != "wrong-kind"):
        return
    said = f"{tag} takes {_kinds(known.kind)}, and this is {value.kind}" if only_kind else problem.message
    # A list of one goes as the value itself.
    breaks = not (isinstance(sample, list) and _problem(answer, tag, sample[:1]) is None)
    severity = Severity.ERROR if breaks else Severity.WARNING
    yield Finding("reply-value", printable(said), place, _remedy(value.kind, known.kind), severity)


def _problem(answer: PacketType, tag: str, sample: object) -> Problem | None:
    found = prepare_outgoing(answer.name, {tag: sample}, reply=True).problems
    return next((problem for problem in found if problem.code != "missing-tag" and problem.tag == tag), None)


def _element_sample(value: Static) -> object:
    held = value.element.kind if value.element is not None else None
    return [_SAMPLES[MAPPING]] * 2 if held == MAPPING else ["x", "x"]


def _is_list(kind: str) -> bool:
    return kind in ("list", "objects", "object")


def _kinds(kind: str) -> str:
    return {
        "list": "a list of texts",
        "objects": "a list of mappings",
        "object": "a mapping",
        "decimal": "a number",
        "date": "a date",
        "datetime": "a datetime",
        "text": "a text",
    }[kind]


def _remedy(given: str | None, wanted: str) -> str:
    if given == LIST and wanted != "list":
        return "take an item of it: `| first`"
    return "write a list with it: [...]" if wanted in ("list", "objects") and given != LIST else ""
