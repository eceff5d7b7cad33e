"""What AMIE says: the packet catalogue, bodies and rows, typed values, and checks of what comes in and goes out."""

from amierules.protocol.catalogue import Catalogue, ExpectedReply, PacketType, Tag, TagKind, catalogue
from amierules.protocol.checks import Prepared, Problem, check_incoming, prepare_outgoing
from amierules.protocol.json_form import packet_as_json, read_packets
from amierules.protocol.packet import Body, BodyValue, Header, Packet
from amierules.protocol.rows import Row, body_to_rows, normalise, rows_to_body
from amierules.protocol.values import TagDate, TagDateTime, TagDecimal, typed_body, typed_value, wire_text

__all__ = [
    "Body",
    "BodyValue",
    "Catalogue",
    "ExpectedReply",
    "Header",
    "Packet",
    "PacketType",
    "Prepared",
    "Problem",
    "Row",
    "Tag",
    "TagDate",
    "TagDateTime",
    "TagDecimal",
    "TagKind",
    "body_to_rows",
    "catalogue",
    "check_incoming",
    "normalise",
    "packet_as_json",
    "prepare_outgoing",
    "read_packets",
    "rows_to_body",
    "typed_body",
    "typed_value",
    "wire_text",
]
