"""Tags of packets in templates, each with a value of its own: so few packets bring every value in every tag."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amierules.protocol.catalogue import PacketType, Tag, TagKind, catalogue
from amierules.protocol.rows import normalise
from tests.support.hostile import VALUES

SCALARS = (TagKind.DECIMAL, TagKind.DATE, TagKind.DATETIME)
"""What has to be read before a rule sees it."""


@dataclass(frozen=True)
class Spot:
    """Where texts stand in a packet: a tag, or one subtag of it."""

    tag: Tag
    subtag: str | None = None

    @property
    def many(self) -> str:
        """An expression that yields the texts that stand here, as a list."""
        name = f"packet.{self.tag.name}"
        if self.subtag is None:
            return name if self.tag.is_list else f"[{name}]"
        listed = name if self.tag.is_list else f"[{name}]"
        return f"{listed} | map(attribute='{self.subtag}') | list"

    @property
    def one(self) -> str:
        """An expression that yields the first of them."""
        return f"packet.{self.tag.name}" if not self.tag.is_list and self.subtag is None else f"({self.many})[0]"


def spots(packet_type: PacketType) -> tuple[Spot, ...]:
    """All places for texts of any kind in packets of a type."""
    found = []
    for tag in packet_type.tags():
        if tag.kind in SCALARS:
            continue
        found += [Spot(tag, subtag) for subtag in tag.subtags] if tag.subtags else [Spot(tag)]
    return tuple(found)


def newly_seen() -> Mapping[str, tuple[Spot, ...]]:
    """The types that come to a site or are used by nobody, each with the places that no type before it has."""
    known: set[tuple[str, str | None]] = set()
    found = {}
    for name, packet_type in catalogue().types.items():
        if packet_type.direction == "from_site":
            continue
        mine = [spot for spot in spots(packet_type) if (spot.tag.name, spot.subtag) not in known]
        known |= {(spot.tag.name, spot.subtag) for spot in mine}
        if mine:
            found[name] = tuple(mine)
    return found


def bodies(places: Sequence[Spot]) -> Iterator[tuple[Mapping[str, Any], list[str]]]:
    """Bodies, and the text at each place: over all of them each value has stood at each place."""
    values = [value for value in VALUES if value]
    for turn in range(len(values)):
        texts = [_given(spot, values[(turn + at * 7) % len(values)]) for at, spot in enumerate(places)]
        given: dict[str, Any] = {}
        for spot, text in zip(places, texts, strict=True):
            if spot.subtag is None:
                given[spot.tag.name] = [text] if spot.tag.is_list else text
            elif spot.tag.is_list:
                given.setdefault(spot.tag.name, [{}])[0][spot.subtag] = text
            else:
                given.setdefault(spot.tag.name, {})[spot.subtag] = text
        yield normalise(given), texts


def _given(spot: Spot, text: str) -> str:
    # A field of science with this number means that there is none.
    return "00" if (spot.tag.name, spot.subtag, text) == ("Sfos", "Number", "0") else text
