"""A test's packets into the database: what they do not say of themselves is filled in."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from amierules.database import packets
from amierules.database.amie_tables import STATE_IDS, transaction_tbl
from amierules.database.packet_rows import Content, NewPacket, insert_contents, insert_packet, type_ids
from amierules.database.upsert import conflict_insert
from amierules.diagnostics import Finding, Severity
from amierules.engine.loading import load_files
from amierules.engine.site import Site
from amierules.protocol.catalogue import catalogue
from amierules.protocol.rows import normalise
from amierules.testing.model import EarlierPacket, GivenPacket

_FIRST_REMOTE, _FIRST_TRANSACTION = 9001, 3001


@dataclass
class PacketDesk:
    """Numbers packets and transactions as the other side would."""

    site: Site
    _transactions: dict[str, int] = field(default_factory=dict)
    _packet_ids: dict[int, int] = field(default_factory=dict)
    """The last packet_id of theirs in each transaction."""
    _count: int = 0
    _made: int = 0
    """How many transactions have got a number here."""

    def load(self, given: GivenPacket) -> tuple[int | None, list[Finding]]:
        """Store a numbered packet as `amierules load` does; its packet_rec_id, or why it was refused."""
        header = self._header(given)
        whole = {"DATA_TYPE": "Packet", "type": given.type, "header": header, "body": dict(given.body)}
        loaded = load_files(self.site, [("packet", json.dumps(whole).encode())])
        with self.site.database.read() as connection:
            number = packets.resolve_id(connection, f"r:{header['packet_rec_id']}")
        refused = [one for one in loaded.findings if one.severity is Severity.ERROR or number is None]
        return number, refused

    def put_earlier(self, earlier: Sequence[EarlierPacket], first: GivenPacket) -> None:
        """The earlier packets of the first packet's transaction: answered, and not to be worked on."""
        if not earlier:
            return
        transaction = first.header["transaction_id"]
        now = self.site.world.clock.now()
        sent = 0
        with self.site.database.begin() as connection:
            trans_rec_id = self._store_transaction(connection, first, transaction, now)
            for one in earlier:
                if one.ours:
                    sent += 1
                packet_id = sent if one.ours else self._next_packet_id(transaction)
                _store(connection, one, trans_rec_id, packet_id, now)

    def _header(self, given: GivenPacket) -> dict[str, Any]:
        self._count += 1
        transaction = given.header["transaction_id"]
        ours, theirs = self.site.name, self.site.configuration.remote_site_names[0]
        now = self.site.world.clock.now()
        return {
            "packet_rec_id": _FIRST_REMOTE - 1 + self._count,
            "trans_rec_id": transaction,
            "packet_id": given.header.get("packet_id") or self._next_packet_id(transaction),
            "originating_site_name": theirs,
            "remote_site_name": theirs,
            "packet_timestamp": now.isoformat(),
            **given.header,
            "local_site_name": ours,
            "outgoing_flag": 0,
            "packet_state": "in-progress",
            "transaction_state": "in-progress",
        }

    def numbered(self, given: GivenPacket) -> GivenPacket:
        """The packet with the number of its transaction."""
        number = given.header.get("transaction_id")
        if number is None:
            number = self._transactions.get(given.transaction or "")
        if number is None:
            number = _FIRST_TRANSACTION + self._made
            self._made += 1
        if given.transaction is not None:
            self._transactions.setdefault(given.transaction, number)
        return replace(given, header={**given.header, "transaction_id": number})

    def _next_packet_id(self, transaction: int) -> int:
        self._packet_ids[transaction] = self._packet_ids.get(transaction, 0) + 1
        return self._packet_ids[transaction]

    def _store_transaction(self, connection: Connection, first: GivenPacket, number: int, now: datetime) -> int:
        theirs = self.site.configuration.remote_site_names[0]
        row = {
            "originating_site_name": first.header.get("originating_site_name", theirs),
            "transaction_id": number,
            "local_site_name": self.site.name,
            "remote_site_name": first.header.get("remote_site_name", theirs),
            "state_id": STATE_IDS["in-progress"],
            "ts": now,
        }
        statement = conflict_insert(connection, transaction_tbl).values(row).returning(transaction_tbl.c.trans_rec_id)
        return int(connection.execute(statement).scalar_one())


def _store(connection: Connection, one: EarlierPacket, trans_rec_id: int, packet_id: int, now: datetime) -> None:
    replies = catalogue().types[one.type].expected_replies
    known = type_ids(connection, [one.type, *(reply.type for reply in replies)])
    new = NewPacket(trans_rec_id, packet_id, known[one.type], "completed", outgoing=one.ours, ts=now)
    number = insert_packet(connection, new)
    assert number is not None  # noqa: S101 - the packet_ids are counted
    body: Mapping[str, Any] = normalise(one.body)
    insert_contents(connection, {number: Content.of(body, replies, known)})
