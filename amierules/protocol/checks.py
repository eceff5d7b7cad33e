"""Checks of packets that come in: what parks them, and what is only worth an event."""

from amierules.diagnostics import printable
from amierules.protocol.catalogue import PacketType, catalogue
from amierules.protocol.constraints import violations
from amierules.protocol.outgoing import Prepared, prepare_outgoing
from amierules.protocol.packet import Body, Packet
from amierules.protocol.problem import Problem
from amierules.protocol.required import missing_tags
from amierules.protocol.values import typed_body

__all__ = ["Prepared", "Problem", "check_incoming", "prepare_outgoing"]


def check_incoming(packet: Packet, of_kinds: list[Problem] | None = None) -> list[Problem]:
    """What is wrong with a packet's type and (normalised) body.

    An unknown type, a missing required tag and a value of a wrong kind park it; a violated value constraint and a tag
    that the type does not know do not. `of_kinds` is what `typed_body` found, where the caller has asked it already.
    """
    type_ = catalogue().types.get(packet.header.type)
    problems = [] if type_ else [_unknown_type(packet.header.type)]
    problems += typed_body(type_, packet.body)[1] if of_kinds is None else of_kinds
    if type_:
        problems += _missing(type_, packet.body)
    problems += [Problem("constraint", message, tag, False) for tag, message in violations(packet.body, sent=False)]
    if type_:
        problems += [_unknown_tag(tag, type_) for tag in packet.body if tag not in type_.allowed_tags]
    return problems


def _unknown_type(name: str) -> Problem:
    return Problem("unknown-type", f"{printable(name, 60)} is no packet type of AMIE")


def _unknown_tag(tag: str, type_: PacketType) -> Problem:
    message = f"{printable(tag, 40)} is no tag that {type_.name} is known to have; it is kept"
    return Problem("unknown-tag", message, tag, parks=False)


def _missing(type_: PacketType, body: Body) -> list[Problem]:
    return [
        Problem("missing-tag", f"{' or '.join(group)}: required in {type_.name}, has no value", group[0])
        for group in missing_tags(type_, type_.required, body.keys(), body)
    ]
