"""The numbered rules of the protocol that a site is held to, read from `schemas/tgcdb/protocol-rules.json`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from amierules.shipped import read_schema


@dataclass(frozen=True)
class ProtocolRule:
    """One rule of the protocol. Its number is stable."""

    number: str
    name: str
    rule: str
    then: str
    """What a packet that breaks it comes to: `refused`, `taken`, or `advice` (taken, and no violation)."""
    source: str


@dataclass(frozen=True)
class Violation:
    """A rule that a packet breaks, and how: one line of visible characters."""

    rule: str
    message: str
    tag: str | None = None

    @property
    def refuses(self) -> bool:
        """Whether the packet is not taken because of it."""
        return protocol_rules()[self.rule].then == "refused"

    def __str__(self) -> str:
        return f"{self.rule} {protocol_rules()[self.rule].name}: {self.message}"


@cache
def protocol_rules() -> Mapping[str, ProtocolRule]:
    """All rules by number."""
    listed = read_schema("tgcdb/protocol-rules")["rules"]
    return MappingProxyType({one["number"]: ProtocolRule(**one) for one in listed})


def refused(violations: Iterable[Violation]) -> bool:
    """Whether any of the violations keeps a packet from being taken."""
    return any(one.refuses for one in violations)
