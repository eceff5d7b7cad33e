"""Packets and transactions in the JSON form of ACCESS: written from the central database's side."""

from datetime import UTC, datetime
from typing import Any

from amierules.protocol.packet import IN_PROGRESS
from amierules.tgcdb.records import COMPLETE, CentralPacket, Transaction
from amierules.tgcdb.rows import CENTRAL


def packet_json(packet: CentralPacket, within: Transaction, *, listed_again: bool = False) -> dict[str, Any]:
    """A packet; one that is `listed_again` looks as if it had not been answered."""
    state = IN_PROGRESS if listed_again else packet.state
    # As captured packets have it: the end of a transaction comes in a transaction that is still in progress.
    ends = packet.type == COMPLETE and packet.to_site and packet.state == IN_PROGRESS
    return {
        "DATA_TYPE": "Packet",
        "type": packet.type,
        "header": {
            "expected_reply_list": [{"type": one.type, "timeout": one.timeout} for one in packet.expects],
            "packet_id": packet.packet_id,
            "trans_rec_id": packet.trans_rec_id,
            "transaction_id": within.transaction_id,
            "remote_site_name": within.site,
            "local_site_name": CENTRAL,
            "originating_site_name": within.originating,
            "outgoing_flag": int(packet.to_site),
            "packet_rec_id": packet.packet_rec_id,
            "packet_timestamp": moment(packet.ts),
            "in_reply_to": packet.in_reply_to,
            "client_state": packet.client_state,
            "packet_state": state,
            "client_json": packet.client_json,
            "transaction_state": IN_PROGRESS if listed_again or ends else within.state,
        },
        "body": dict(packet.content),
    }


def transaction_json(within: Transaction, packets: list[CentralPacket]) -> dict[str, Any]:
    """A transaction with its packets."""
    return {
        "DATA_TYPE": "Transaction",
        "trans_rec_id": within.trans_rec_id,
        "transaction_id": within.transaction_id,
        "originating_site_name": within.originating,
        "local_site_name": CENTRAL,
        "remote_site_name": within.site,
        "state": within.state,
        "timestamp": moment(within.started_at),
        "DATA": [packet_json(packet, within) for packet in packets],
    }


def moment(at: datetime) -> str:
    """A moment as ACCESS writes it: UTC with milliseconds and Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
