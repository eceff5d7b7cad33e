"""Our packets in the form in which they are posted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from amierules.database.packets import StoredPacket, read_packets
from amierules.database.posts import ACKNOWLEDGEMENT, START, ToPost
from amierules.protocol.packet import Header

_THANKS = {"StatusCode": "Success", "DetailCode": "1", "Message": "received"}


@dataclass(frozen=True)
class Message:
    """What is posted, in AMIE's JSON form. The server gives it all keys by itself."""

    content: Mapping[str, Any]
    to: Header | None
    """The header of the incoming packet that it answers; None for one that starts a transaction."""
    cannot: str = ""
    """Why it cannot be posted, whatever the server says."""


def messages(connection: Connection, them: Sequence[ToPost], site_name: str) -> dict[int, Message]:
    """What is posted for each, by packet_rec_id."""
    ours = read_packets(connection, [one.packet_rec_id for one in them if one.what != ACKNOWLEDGEMENT], site_name)
    answered = {one.packet_rec_id: _answered(one, ours.get(one.packet_rec_id)) for one in them}
    incoming = read_packets(connection, [number for number in answered.values() if number is not None], site_name)
    found = {}
    for one in them:
        number = answered[one.packet_rec_id]
        to = incoming.get(number) if number is not None else None
        found[one.packet_rec_id] = _message(one, ours.get(one.packet_rec_id), to)
    return found


def _answered(one: ToPost, stored: StoredPacket | None) -> int | None:
    """The local key of the incoming packet that it answers."""
    if one.what == ACKNOWLEDGEMENT:
        return one.packet_rec_id
    return None if stored is None else stored.in_reply_to


def _message(one: ToPost, ours: StoredPacket | None, to: StoredPacket | None) -> Message:
    if one.what != ACKNOWLEDGEMENT and ours is None:
        return Message({}, None, "it is no longer in the database")
    if one.what != START and to is None:
        return Message({}, None, "the packet that it answers is no longer in the database")
    header: dict[str, Any] = {}
    if to is not None:
        header["in_reply_to"] = to.packet.header.remote_packet_rec_id
        if header["in_reply_to"] is None:
            number = to.packet.header.packet_rec_id
            return Message({}, None, f"it answers packet {number}, which came without a packet_rec_id of the server's")
    body: Mapping[str, Any] = _THANKS
    if ours is not None:
        body = dict(ours.packet.body)
        replies = ours.packet.header.expected_replies
        header["expected_reply_list"] = [{"type": reply.type, "timeout": reply.timeout} for reply in replies]
    content = {"DATA_TYPE": "Packet", "type": one.type, "header": header, "body": body}
    return Message(content, to.packet.header if to is not None else None)
