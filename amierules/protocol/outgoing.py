"""What a rule wants to send, made ready for the wire, or the problems that forbid it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from amierules.diagnostics import printable
from amierules.protocol.catalogue import PacketType, Tag, TagKind, catalogue
from amierules.protocol.charset import Charset, first_other, transliterated
from amierules.protocol.constraints import violations
from amierules.protocol.packet import Body, BodyValue
from amierules.protocol.problem import Problem
from amierules.protocol.required import missing_tags
from amierules.protocol.rows import Element, TooDeepError, body_to_rows, normal_value
from amierules.protocol.sizes import oversize
from amierules.protocol.values import TagDate, TagDateTime, typed_value, wire_time

_Loose = str | Element | list[str | Element]


@dataclass(frozen=True)
class Prepared:
    """A body ready to send if there are no problems; `notes` say what was changed on the way (for the events)."""

    body: Body
    problems: list[Problem]
    notes: list[str]


@dataclass
class _Work:
    """What comes together while fields are prepared."""

    charset: Charset
    fields: dict[str, BodyValue] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def problem(self, code: str, tag: str, reason: str) -> None:
        self.problems.append(Problem(code, f"{printable(tag, 40)}: {reason}", tag))


def prepare_outgoing(
    type_name: str,
    fields: Mapping[str, object],
    *,
    charset: Charset = "transliterate",
    reply: bool,
    request: Body | None = None,
    pending: Collection[str] = (),
) -> Prepared:
    """The body of a packet that we send, from the values that a rule made.

    Values become text (`wire_text`), outer whitespace goes, then empty values and list elements that lack a required
    subtag; dates and times take AMIE's form. `reply`: it answers another packet, whose body `request` is (its
    ResourceList must be the same), else it starts a transaction; this decides which tags are required. Tags in
    `pending` have a value that is known only later. Nothing is raised.
    """
    work = _Work(charset)
    for tag, value in fields.items():
        if value is not None and tag not in pending:
            _prepare(tag, value, work)
    body = work.fields
    for row in body_to_rows(body):
        if too_long := oversize(row.tag, row.subtag, row.value):
            work.problem(too_long[0], row.tag, f"has {too_long[1]}")
    work.problems += [Problem("constraint", message, tag) for tag, message in violations(body, sent=True)]
    type_ = catalogue().types.get(type_name)
    if type_ is None:
        work.problems.append(Problem("unknown-type", f"{printable(type_name, 60)} is no packet type of AMIE"))
    else:
        _check_type(type_, body, reply, {*body, *pending}, work)
    asked = (request or {}).get("ResourceList")
    if asked and body.get("ResourceList", asked) != asked:
        work.problem("constraint", "ResourceList", "must be the same as in the request")
    return Prepared(body, work.problems, work.notes)


def _check_type(type_: PacketType, body: Body, reply: bool, present: Collection[str], work: _Work) -> None:
    required = type_.required_in_reply if reply else type_.required_when_originated
    missing = [" or ".join(group) for group in missing_tags(type_, required, present, body)]
    if missing:
        message = f"{type_.name} must have a value for {', '.join(missing)}"
        work.problems.append(Problem("missing-tag", message, missing[0]))
    work.notes += [
        f"{printable(tag, 40)} is no tag that {type_.name} is known to have; it is sent all the same"
        for tag in body
        if tag not in type_.allowed_tags
    ]


def _prepare(tag: str, value: object, work: _Work) -> None:
    known = catalogue().tag(tag)
    if known is not None and known.kind is TagKind.TEXT and type(value) is str and first_other(value) is None:
        # As most values are: what follows would come to the same.
        if text := value.strip():
            work.fields[tag] = text
        return
    try:
        texts = normal_value(tag, value)
    except TooDeepError as error:
        work.problem("too-deep", tag, f"has {error}; an object in a list is as deep as it goes")
        return
    except ValueError as error:
        work.problem("not-text", tag, f"cannot be sent: {error}")
        return
    if texts is None:
        return
    kept = _complete(known, _carried(tag, texts, work), work)
    normal = texts if kept == texts else normal_value(tag, kept)
    if normal is None:
        return
    work.fields[tag] = normal
    if known:
        try:
            work.fields[tag] = _canonical(known, normal)
        except ValueError as error:
            work.problem("wrong-kind", tag, str(error))


def _carried(tag: str, value: BodyValue, work: _Work) -> _Loose:
    if isinstance(value, str):
        return _carried_text(tag, value, work)
    if isinstance(value, dict):
        return _carried_element(tag, value, work)
    return [_carried_text(tag, e, work) if isinstance(e, str) else _carried_element(tag, e, work) for e in value]


def _carried_element(tag: str, element: Element, work: _Work) -> Element:
    return {subtag: _carried_text(tag, text, work) for subtag, text in element.items()}


def _carried_text(tag: str, text: str, work: _Work) -> str:
    text = text.strip()
    other = first_other(text)
    if other is None:
        return text
    if work.charset == "reject":
        work.problem(
            "character", tag, f"has the character {printable(other)} (U+{ord(other):04X}), which AMIE does not carry"
        )
        return text
    changed = transliterated(text).strip()
    work.notes.append(f"{printable(tag, 40)}: '{printable(text, 60)}' is sent as '{printable(changed, 60)}'")
    return changed


def _complete(tag: Tag | None, value: _Loose, work: _Work) -> _Loose:
    if tag is None or not tag.required_subtags or isinstance(value, str):
        return value
    if isinstance(value, dict):
        if lacking := _lacking(tag, value):
            work.problem("incomplete", tag.name, f"lacks {', '.join(lacking)}")
        return value
    kept = [element for element in value if not (isinstance(element, dict) and _lacking(tag, element))]
    if len(kept) < len(value):
        wanted = ", ".join(tag.required_subtags)
        work.notes.append(f"{tag.name}: {len(value) - len(kept)} without {wanted} left out")
    return kept


def _lacking(tag: Tag, element: Element) -> list[str]:
    return [subtag for subtag in tag.required_subtags if not element.get(subtag)]


def _canonical(tag: Tag, value: BodyValue) -> BodyValue:
    """The value in the form that AMIE wants of its kind. Raises `ValueError` for one of another kind."""
    typed = typed_value(tag, value)
    if isinstance(typed, TagDateTime):
        return wire_time(typed)
    return typed.isoformat() if isinstance(typed, TagDate) else value
