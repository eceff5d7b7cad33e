"""What is known of the names that every rule sees: packet, header, subject, site, resource and the like."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from amierules.protocol.catalogue import PacketType, catalogue, person_tags
from amierules.rulebook.checks.row_types import row, tag_type
from amierules.rulebook.configuration import LOGIN_NODES, Configuration
from amierules.templating.static import (
    A_LIST,
    A_NUMBER,
    A_TEXT,
    Nothing,
    Static,
    constant,
    either,
    function_of,
    of_data,
)
from amierules.templating.values import DATE, DATETIME, MAPPING, NUMBER, SECRET, TEXT

_KEPT = {"PersonID": "KeepPersonID", "GlobalID": "KeepGlobalID"}
_FINDER_PARAMETERS = ("person_id", "global_id", "email", "login")
ROWS = ("person", "project", "allocation", "account")


@cache
def packet(packet_type: PacketType | None, nothing: Nothing = Nothing.NEVER, why: str = "") -> Static:
    """A packet of a type; of an unknown type (None) any known tag may be there."""
    if packet_type is None:
        tags = {name: tag_type(tag, Nothing.UNSURE) for name, tag in catalogue().tags.items()}
        return Static(MAPPING, nothing, attributes=tags, what="AMIE", code="unknown-tag", why=why)
    required = set(packet_type.required)
    tags = {
        tag.name: tag_type(tag, Nothing.NEVER if tag.name in required else Nothing.MAYBE) for tag in packet_type.tags()
    }
    return Static(MAPPING, nothing, attributes=tags, what=packet_type.name, code="unknown-tag", why=why)


@cache
def subject(packet_type: PacketType | None) -> Static:
    """The person that a packet speaks of."""
    attributes = {name: _of_subject(name, packet_type) for name in person_tags()}
    return Static(MAPPING, Nothing.NEVER, attributes=attributes, what="the subject", code="unknown-tag")


def _of_subject(name: str, packet_type: PacketType | None) -> Static:
    tag = catalogue().tag(name) or catalogue().tag(f"User{name}") or catalogue().tag(f"Pi{name}")
    if packet_type is None:
        return tag_type(tag, Nothing.UNSURE)
    names = [packet_type.subject_prefix + name, name]
    if packet_type.name == "request_person_merge" and name in _KEPT:
        names.append(_KEPT[name])
    if any(one in packet_type.required for one in names):
        return tag_type(tag, Nothing.NEVER)
    carried = any(one in packet_type.allowed for one in names)
    return tag_type(tag, Nothing.MAYBE if carried else Nothing.UNSURE)


def header(packet_type: PacketType | None) -> Static:
    """The header, always from our side."""
    number, text = Static(NUMBER), A_TEXT
    return Static(
        MAPPING,
        Nothing.NEVER,
        what="the header",
        attributes={
            **dict.fromkeys(("packet_rec_id", "remote_packet_rec_id", "trans_rec_id"), number),
            **dict.fromkeys(("transaction_id", "packet_id"), A_NUMBER),
            **dict.fromkeys(("originating_site_name", "local_site_name", "remote_site_name"), text),
            "type": constant(packet_type.name) if packet_type is not None else A_TEXT,
            "timestamp": Static(DATETIME, Nothing.NEVER),
        },
    )


def resource(configuration: Configuration | None, nothing: Nothing) -> Static:
    """The resource that the packet speaks of: what all configured ones have, and what only some have."""
    why = "it may be none of this site's"
    if configuration is None or not configuration.resources:
        return Static(MAPPING, nothing, what="a resource", why=why)
    values = configuration.resources
    keys = dict.fromkeys(key for resource in values.values() for key in resource)
    attributes = {key: either([of_data(one[key]) for one in values.values() if key in one]) for key in keys}
    lacking = {key: [name for name, one in values.items() if key not in one] for key in keys}
    partly = {key: f"the resource {names[0]} has none" for key, names in lacking.items() if names}
    attributes["name"] = A_TEXT
    # Whether this site's resources all have some or not: rules that ask are right to.
    attributes[LOGIN_NODES] = either([A_TEXT, of_data(None)])
    what = "a resource of the configuration"
    return Static(MAPPING, nothing, attributes=attributes, what=what, why=why, partly=partly)


def site(configuration: Configuration | None) -> Static:
    """The configuration's settings."""
    attributes = None
    if configuration is not None:
        attributes = {name: of_data(value) for name, value in configuration.settings.items()}
    return Static(MAPPING, Nothing.NEVER, attributes=attributes, what="the configuration", code="unknown-setting")


class _AnySecret(Mapping[str, Static]):
    """The attributes of `secret` where no configuration says which there are."""

    def __getitem__(self, name: str) -> Static:
        return Static(SECRET, Nothing.NEVER)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _secret(configuration: Configuration | None) -> Static:
    attributes: Mapping[str, Static] = _AnySecret()
    if configuration is not None:
        attributes = {name: Static(SECRET, Nothing.NEVER) for name in configuration.secrets}
    remedy = "name it there, and where it is: NAME: {env: VARIABLE} or {file: PATH}"
    return Static(MAPPING, Nothing.NEVER, attributes=attributes, what="the configuration's 'secrets'", remedy=remedy)


class _EarlierPackets(Mapping[str, Static]):
    """The attributes of `transaction`, made when they are asked for."""

    def __getitem__(self, name: str) -> Static:
        if name == "first":
            return Static(MAPPING, Nothing.NEVER)
        return packet(catalogue().types[name], Nothing.MAYBE, "the transaction may have no such packet")

    def __iter__(self) -> Iterator[str]:
        yield "first"
        yield from catalogue().types

    def __len__(self) -> int:
        return 1 + len(catalogue().types)


def known_names(
    packet_type: PacketType | None, configuration: Configuration | None, asked: Iterable[str] | None
) -> dict[str, Static]:
    """The names of a packet type (None: of any) at a site. `asked` are the values that `hold` asks for, if known."""
    this = packet(packet_type)
    # What a block is used for is known where it is used.
    in_scope = Nothing.MAYBE if packet_type is not None else Nothing.UNSURE
    record = {"packet": this, "reply": Static(MAPPING, Nothing.NEVER)}
    approval: dict[str, Any] | None = None
    if asked is not None:
        approval = {"by": A_TEXT, "reason": A_TEXT, **dict.fromkeys(asked, Static(TEXT))}
    return {
        "packet": this,
        "header": header(packet_type),
        "subject": subject(packet_type),
        "site": site(configuration),
        "secret": _secret(configuration),
        "resource": resource(configuration, in_scope),
        "transaction": Static(MAPPING, Nothing.NEVER, attributes=_EarlierPackets(), what="a transaction"),
        "record": Static(MAPPING, in_scope, attributes=record, what="a record", why="the RecordID may be new"),
        "approval": Static(MAPPING, Nothing.UNSURE, attributes=approval, what="an approval"),
        "now": function_of(Static(DATETIME, Nothing.NEVER), ()),
        "today": function_of(Static(DATE, Nothing.NEVER), ()),
        "find_person": function_of(row("person", Nothing.MAYBE, "nobody may be found"), _FINDER_PARAMETERS),
        "range": function_of(A_LIST),
        "dict": function_of(Static(MAPPING, Nothing.NEVER)),
        "namespace": function_of(Static()),
        **{name: row(name, in_scope, "the registry may not have it") for name in ROWS},
    }
