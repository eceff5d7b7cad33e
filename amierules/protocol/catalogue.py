"""The packet catalogue: the 31 packet types and their tags, read from `schemas/packets/` and `schemas/tags.json`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, cached_property
from types import MappingProxyType
from typing import Any

from amierules.shipped import ROOT, read_schema


class TagKind(StrEnum):
    """What a tag holds: one value, a list of texts, an object of subtags, or a list of such objects."""

    TEXT = "text"
    DECIMAL = "decimal"
    DATE = "date"
    DATETIME = "datetime"
    LIST = "list"
    OBJECT = "object"
    OBJECTS = "objects"


class Constraint(StrEnum):
    """What a tag's value must obey besides its kind."""

    ONE_OF = "one_of"
    EXACTLY_ONE = "exactly_one"
    POSITIVE_INTEGER = "positive_integer"
    BOOLEAN = "boolean"
    DURATION = "duration"
    CENTRAL_TABLE = "central_table"
    """The value must stand in a table of the central database; a site cannot check it."""


@dataclass(frozen=True)
class Tag:
    """A tag: its kind, its subtags and what its value must obey."""

    name: str
    kind: TagKind
    description: str = ""
    subtags: tuple[str, ...] = ()
    required_subtags: tuple[str, ...] = ()
    """Each element that is sent must have them; one that comes in may lack them."""
    constraint: Constraint | None = None
    values: tuple[str, ...] = ()
    """The values of `one_of`."""
    accepted_values: tuple[str, ...] = ()
    """Further values that may come in and are never sent."""
    sent_subtag_values: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """The values of a subtag that may be sent; others may come in."""
    needs: str | None = None
    """The tag without which this one must not stand."""
    kind_certain: bool = True
    """False where no sample shows the kind: a value of another kind is passed through."""

    @cached_property
    def is_list(self) -> bool:
        """Whether it holds a list, of texts or of objects."""
        return self.kind in (TagKind.LIST, TagKind.OBJECTS)

    @cached_property
    def is_free(self) -> bool:
        """Whether there is nothing that a value of its kind must obey."""
        return self.constraint is None and not self.needs and not self.sent_subtag_values


@dataclass(frozen=True)
class ExpectedReply:
    """A packet type that may answer a packet, and the minutes that the answer may take."""

    type: str
    timeout: int | None


@dataclass(frozen=True)
class ConditionalTags:
    """Tags that are required only where a tag has one of the values, or where any of the `present` tags has one."""

    required: tuple[str, ...]
    tag: str | None = None
    values: tuple[str, ...] = ()
    present: tuple[str, ...] = ()

    def applies(self, body: Mapping[str, object]) -> bool:
        """Whether the tags are required in this (normalised) body."""
        if self.tag is not None:
            return body.get(self.tag) in self.values
        return any(tag in body for tag in self.present)


@dataclass(frozen=True)
class PacketType:
    """What the protocol says about one packet type."""

    id: int
    name: str
    direction: str
    """Seen from a site: `to_site`, `from_site`, `both`, or `unused` (by both sides)."""
    expected_replies: tuple[ExpectedReply, ...]
    required: tuple[str, ...]
    """In a packet that comes in."""
    required_in_reply: tuple[str, ...]
    """Where the packet answers another one; the other side infers the rest."""
    required_when_originated: tuple[str, ...]
    """Where a transaction starts with this packet."""
    one_of: tuple[tuple[str, ...], ...]
    """Of each group at least one tag is required."""
    conditional: tuple[ConditionalTags, ...]
    allowed: tuple[str, ...]
    """All tags of the type, the required ones included."""
    subject_prefix: str
    """What stands before the tags of the person that the packet speaks of: `Pi`, `User` or nothing."""
    duty: str
    source: str

    @cached_property
    def allowed_tags(self) -> frozenset[str]:
        """`allowed`, for a quick look."""
        return frozenset(self.allowed)

    def tags(self) -> tuple[Tag, ...]:
        """All tags of the type, the required ones included."""
        known = catalogue().tags
        return tuple(known[name] for name in self.allowed)

    def absent(self) -> dict[str, object]:
        """What each tag of the type is in rules where it has no value; the lists are new ones."""
        return {name: [] if is_list else None for name, is_list in self._are_lists}

    @cached_property
    def _are_lists(self) -> tuple[tuple[str, bool], ...]:
        return tuple((tag.name, tag.is_list) for tag in self.tags())


@dataclass(frozen=True)
class Catalogue:
    """All packet types and tags."""

    types: Mapping[str, PacketType]
    by_id: Mapping[int, PacketType]
    tags: Mapping[str, Tag]

    @cached_property
    def constrained(self) -> Mapping[str, Tag]:
        """The tags whose values must obey more than their kind."""
        return {name: tag for name, tag in self.tags.items() if not tag.is_free}

    @cached_property
    def lists(self) -> frozenset[str]:
        """The names of the tags that hold lists."""
        return frozenset(name for name, tag in self.tags.items() if tag.is_list)

    def tag(self, name: str) -> Tag | None:
        """The tag of this name (names are case-sensitive), or None for one that no document knows."""
        return self.tags.get(name)


@cache
def catalogue() -> Catalogue:
    """The catalogue that amierules ships, read once."""
    tags = {name: _tag(name, data) for name, data in read_schema("tags")["tags"].items()}
    files = sorted((ROOT / "schemas" / "packets").glob("*.json"))
    types = sorted((_packet_type(read_schema(f"packets/{file.stem}")) for file in files), key=lambda type_: type_.id)
    return Catalogue(
        types=MappingProxyType({type_.name: type_ for type_ in types}),
        by_id=MappingProxyType({type_.id: type_ for type_ in types}),
        tags=MappingProxyType(tags),
    )


@cache
def person_tags() -> tuple[str, ...]:
    """The tags of a person, without the prefix `Pi` or `User` that packet types put before them.

    In the order of the catalogue, so that names come before addresses wherever they are shown.
    """
    tags = catalogue().tags
    prefixed = [tag.removeprefix(prefix) for tag in tags for prefix in ("Pi", "User") if tag.startswith(prefix)]
    named = [tag for tag in prefixed if tag[:1].isupper()]
    return tuple(dict.fromkeys([*named, "AcademicDegree", "NsfStatusCode", "SitePersonId", "RoleList"]))


def _tag(name: str, data: dict[str, Any]) -> Tag:
    sent = {subtag: tuple(values) for subtag, values in data.get("sent_subtag_values", {}).items()}
    return Tag(
        name=name,
        kind=TagKind(data["kind"]),
        description=data["description"],
        subtags=tuple(data.get("subtags", ())),
        required_subtags=tuple(data.get("required_subtags", ())),
        constraint=Constraint(data["constraint"]) if "constraint" in data else None,
        values=tuple(data.get("values", ())),
        accepted_values=tuple(data.get("accepted_values", ())),
        sent_subtag_values=MappingProxyType(sent),
        needs=data.get("needs"),
        kind_certain=data.get("kind_certain", True),
    )


def _packet_type(data: dict[str, Any]) -> PacketType:
    return PacketType(
        id=data["id"],
        name=data["name"],
        direction=data["direction"],
        expected_replies=tuple(ExpectedReply(reply["type"], reply["timeout"]) for reply in data["expected_replies"]),
        required=tuple(data["required"]),
        required_in_reply=tuple(data["required_in_reply"]),
        required_when_originated=tuple(data.get("required_when_originated", data["required"])),
        one_of=tuple(tuple(group) for group in data.get("one_of", ())),
        conditional=tuple(_conditional(entry) for entry in data.get("conditional", ())),
        allowed=tuple(data["allowed"]),
        subject_prefix=data["subject_prefix"],
        duty=data["duty"],
        source=data["source"],
    )


def _conditional(entry: dict[str, Any]) -> ConditionalTags:
    when = entry["when"]
    return ConditionalTags(
        required=tuple(entry["required"]),
        tag=when.get("tag"),
        values=tuple(when.get("values", ())),
        present=tuple(when.get("present", ())),
    )
