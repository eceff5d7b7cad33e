"""Packets and rows for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from amierules.database.connection import Database
from amierules.database.incoming import store_incoming
from amierules.protocol.packet import Body, Header, Packet

SITE = "TestSite"
CENTRAL = "TGCDB"
NOW = datetime(2025, 10, 16, 9, 0, tzinfo=UTC)
START = datetime(2025, 10, 15, 18, 3, 55, 689000, tzinfo=UTC)


def incoming(type_name: str = "request_project_create", body: Body | None = None, **header: Any) -> Packet:
    """An incoming packet of the central database; header fields as given, else unremarkable ones."""
    number = header.get("transaction_id", 232)
    fields: dict[str, Any] = {
        "type": type_name,
        "transaction_id": number,
        "packet_id": 1,
        "originating_site_name": CENTRAL,
        "local_site_name": SITE,
        "remote_site_name": CENTRAL,
        "timestamp": START + timedelta(minutes=number % 1000),
        "outgoing": False,
    }
    return Packet(Header(**(fields | header)), {"GrantNumber": "NNT259276"} if body is None else body)


def store(database: Database, *packets: Packet) -> list[int]:
    """Stores the packets; returns the packet_rec_ids of those that have one."""
    with database.begin() as connection:
        ids = [store_incoming(connection, packet, NOW).packet_rec_id for packet in packets]
    return [number for number in ids if number is not None]
