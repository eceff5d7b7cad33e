"""Judging what a packet of a site carries, whatever it answers."""

from collections.abc import Iterator

from amierules.diagnostics import printable
from amierules.protocol.catalogue import PacketType, catalogue
from amierules.protocol.charset import first_other
from amierules.protocol.constraints import violations as broken_constraints
from amierules.protocol.packet import Body
from amierules.protocol.required import missing_tags
from amierules.protocol.rows import body_to_rows
from amierules.protocol.values import typed_body
from amierules.tgcdb.protocol_rules import Violation
from amierules.tgcdb.records import COMPLETE

_RESOURCES = "ResourceList"


def judge_content(type_: PacketType, body: Body, *, reply: bool) -> Iterator[Violation]:
    """What is wrong with the tags of a packet that answers another one, or starts a transaction."""
    required = type_.required_in_reply if reply else type_.required_when_originated
    for group in missing_tags(type_, required, body.keys(), body):
        yield Violation("T10", f"{type_.name} must have a value for {' or '.join(group)}", group[0])
    for problem in typed_body(type_, body)[1]:
        yield Violation("T11", problem.message, problem.tag)
    for tag, message in broken_constraints(body, sent=True):
        yield Violation("T13" if tag == _RESOURCES else "T12", message, tag)
    yield from _broken_elements(body)
    yield from _odd_characters(body)
    for tag in body:
        if tag not in type_.allowed_tags:
            yield Violation("T18", f"{printable(tag, 40)} is no tag of {type_.name}", tag)
    if type_.name == COMPLETE:
        yield from _silent_failure(body)
    if type_.name == "notify_user_modify":
        yield from _illegal_change(body)


def _broken_elements(body: Body) -> Iterator[Violation]:
    known = catalogue()
    for name, value in body.items():
        tag = known.tag(name)
        if tag is None or not tag.required_subtags or isinstance(value, str):
            continue
        for element in value if isinstance(value, list) else [value]:
            lacking = [
                subtag for subtag in tag.required_subtags if isinstance(element, dict) and not element.get(subtag)
            ]
            if lacking:
                yield Violation("T17", f"{name} has an element without {', '.join(lacking)}", name)


def _odd_characters(body: Body) -> Iterator[Violation]:
    for row in body_to_rows(body):
        other = first_other(row.value or "")
        if other is not None:
            message = f"{printable(row.tag, 40)} has the character U+{ord(other):04X}"
            yield Violation("T16", message, row.tag)


def _silent_failure(body: Body) -> Iterator[Violation]:
    message = str(body.get("Message", ""))
    if body.get("StatusCode") == "Failure" and message.strip().upper() in ("", "OK", "FAILURE", "FAILED", "ERROR"):
        yield Violation("T19", f"the Message of this Failure is '{printable(message, 40)}'", "Message")


def _illegal_change(body: Body) -> Iterator[Violation]:
    action = body.get("ActionType")
    if action == "replace" and "DnList" in body:
        yield Violation("T36", "DnList cannot be replaced: add and delete DNs", "DnList")
    if action == "delete" and "LastName" in body:
        yield Violation("T36", "LastName cannot be deleted", "LastName")
