"""Packets in AMIE's JSON form, written from either side's perspective, as packets seen from our side."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.protocol.catalogue import catalogue
from amierules.protocol.json_header import HeaderReader, Refused, checked_text
from amierules.protocol.json_text import JsonObject, parse_json, plain_json
from amierules.protocol.packet import Body, Header, Packet
from amierules.protocol.rows import TooDeepError, body_to_rows, normalise
from amierules.protocol.sizes import oversize


@dataclass(frozen=True)
class Side:
    """Whose packets are read."""

    site_name: str
    """Our name in AMIE."""
    remote_site_names: Sequence[str]
    as_site: str | None
    """A name that counts as ours, too."""
    now: datetime
    """What stands for a missing time stamp; aware."""


def read_packets(
    text: str | bytes,
    *,
    file: str,
    site_name: str,
    remote_site_names: Sequence[str],
    as_site: str | None = None,
    now: datetime | None = None,
) -> tuple[list[Packet], list[Finding]]:
    """The incoming packets in `text`, and one finding for each packet that is refused.

    `text` is one packet, a list of packets, or the envelope `{"result": ...}` around either. With `as_site`, packets of
    that site count as ours. A packet that our site sent is left out with a note. `now` stands for a missing timestamp.
    Nothing is raised for any input.
    """
    data, finding = parse_json(text, file)
    if finding:
        return [], [finding]
    elements = packets_in(data)
    if not elements:
        return [], [Finding("no-packet", "the file holds no packet", Place(file))]
    side = Side(site_name, remote_site_names, as_site, now or datetime.now(UTC))
    packets, findings = [], []
    for position, element in enumerate(elements, 1):
        try:
            packets.append(read_packet(element, side))
        except Refused as refused:
            severity = Severity.NOTE if refused.code == "own-packet" else Severity.ERROR
            message = f"{_label(element, position)} {refused.message}"
            findings.append(Finding(refused.code, message, Place(file), refused.hint, severity))
    return packets, findings


def packets_in(data: object) -> list[Any]:
    """The packets in data that is one, a list of them, or the envelope around either: each as it stands there."""
    if isinstance(data, dict) and "result" in data and "header" not in data:
        data = data["result"]
    if data is None:
        return []
    return data if isinstance(data, list) else [data]


def _label(element: object, position: int) -> str:
    header = element.get("header") if isinstance(element, dict) else None
    number = header.get("packet_rec_id") if isinstance(header, dict) else None
    if isinstance(number, int | str) and not isinstance(number, bool) and number != "":
        return f"packet {printable(number, 40)}"
    return f"the file's packet no. {position}"


def read_packet(element: object, side: Side) -> Packet:
    """One incoming packet. Raises `json_header.Refused`, for a packet of our own, too (`own-packet`)."""
    try:
        return _read(element, side)
    except (RecursionError, TooDeepError):
        raise Refused("too-deep", "is nested more deeply than an object in a list") from None


def read_header(element: object, side: Side) -> Header:
    """The header of one packet, which either side may have sent. Raises `json_header.Refused`."""
    if not isinstance(element, JsonObject) or element.get("DATA_TYPE", "Packet") != "Packet":
        raise Refused("not-a-packet", "is no packet: a packet is an object with type, header and body")
    if not isinstance(element.get("header"), JsonObject):
        raise Refused("not-a-packet", "has no header")
    _refuse_conflicts(element)
    _refuse_conflicts(element["header"])
    return HeaderReader(element, side.site_name, side.remote_site_names, side.as_site, side.now).read()


def _read(element: Any, side: Side) -> Packet:
    header = read_header(element, side)
    if header.outgoing:
        known = catalogue().types.get(header.type)
        if known and known.direction == "to_site":
            reason = f"contradicts itself: {header.type} comes to a site, its outgoing_flag says that a site sent it"
            raise Refused("bad-header-field", reason)
        raise Refused("own-packet", f"was sent by {printable(header.local_site_name)} itself and is not loaded")
    return Packet(header, _body(element), cast(dict[str, Any], plain_json(element)))


def _body(element: JsonObject) -> Body:
    source = element.get("body")
    if not isinstance(source, JsonObject):
        raise Refused("bad-body", "has no body" if source is None else "has a body that is no object")
    body = normalise(source)
    _refuse_conflicts(source)
    for value in source.values():
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, JsonObject):
                _refuse_conflicts(inner)
    for row in body_to_rows(body):
        for what, text in (("a tag", row.tag), ("a subtag", row.subtag), (f"tag {printable(row.tag, 40)}", row.value)):
            checked_text(what, text or "")
        if too_long := oversize(row.tag, row.subtag, row.value):
            raise Refused(too_long[0], f"has {too_long[1]}")
    return body


def _refuse_conflicts(source: JsonObject) -> None:
    if source.conflicts:
        keys = ", ".join(printable(key, 40) for key in source.conflicts[:3])
        raise Refused("duplicate-key", f"has different values for the same key: {keys}")


def packet_as_json(packet: Packet) -> dict[str, Any]:
    """The packet in AMIE's JSON form, from our perspective: local is our site; `read_packets` reads it back."""
    header = packet.header
    stamp = header.timestamp.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    replies = [{"type": reply.type, "timeout": reply.timeout} for reply in header.expected_replies]
    return {
        "DATA_TYPE": "Packet",
        "type": header.type,
        "header": {
            "packet_rec_id": header.remote_packet_rec_id,
            "trans_rec_id": header.remote_trans_rec_id,
            "packet_id": header.packet_id,
            "transaction_id": header.transaction_id,
            "originating_site_name": header.originating_site_name,
            "local_site_name": header.local_site_name,
            "remote_site_name": header.remote_site_name,
            "outgoing_flag": 1 if header.outgoing else 0,
            "packet_state": header.packet_state,
            "transaction_state": header.transaction_state,
            "packet_timestamp": stamp,
            "expected_reply_list": replies,
        },
        "body": dict(packet.body),
    }
