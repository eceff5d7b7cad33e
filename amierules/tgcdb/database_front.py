"""The database front: packets into and out of a site's AMIE tables, as the AMIE program carries them."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from amierules.database.connection import Database
from amierules.protocol.packet import IN_PROGRESS
from amierules.protocol.rows import rows_to_body
from amierules.tgcdb import amie_rows, rows
from amierules.tgcdb.amie_rows import SitePacket
from amierules.tgcdb.answering import over
from amierules.tgcdb.central import Central, Submitted, Taken
from amierules.tgcdb.protocol_rules import Violation
from amierules.tgcdb.records import COMPLETE, COMPLETED, FAILED, CentralPacket, Transaction
from amierules.tgcdb.row_rules import judge_rows
from amierules.tgcdb.tables import carried, packet

_LOOK_BACK = 1000
"""A packet may be committed later than others whose keys are higher."""


@dataclass(frozen=True)
class DatabaseFront:
    """Carries packets between the central database and the AMIE tables of one site."""

    central: Central
    database: Database
    site: str
    crash_point: Callable[[str], None] = lambda name: None
    """Tests end the process at it."""

    def carry(self) -> None:
        """Collects what the site has written, and delivers what is for it, until neither brings more.

        Raises `Unavailable` where the site's database is not to be had.
        """
        self._end_what_was_taken()
        while self._collect() + self._deliver():
            pass

    def _deliver(self) -> int:
        """Writes each packet for the site that is not there yet, and each that the site has set failed unanswered."""
        with self.central.store.begin() as connection:
            columns = packet.c
            statement = (
                select(packet)
                .where(columns.site == self.site, columns.to_site, columns.local_rec_id.is_(None))
                .order_by(columns.packet_rec_id)
            )
            waiting = [rows.read_packet(row) for row in connection.execute(statement).mappings()]
            found = {
                one.trans_rec_id: rows.find_transaction(connection, self.site, one.trans_rec_id) for one in waiting
            }
        for one in waiting:
            within = found[one.trans_rec_id]
            if within is not None:
                self._deliver_one(within, one)
        return len(waiting)

    def _deliver_one(self, within: Transaction, sent: CentralPacket) -> None:
        with self.database.begin() as connection:
            local = amie_rows.deliver(connection, within, sent)
            self.crash_point("in delivery")
        # A crash in between is no harm: the packet is there already when it is delivered again.
        self.crash_point("after delivery")
        with self.central.store.begin() as connection:
            statement = update(packet).where(packet.c.packet_rec_id == sent.packet_rec_id)
            connection.execute(statement.values(local_rec_id=local))
        self.crash_point("after mark")

    def _collect(self) -> int:
        """Takes what the site has written; what became of it is written into the site's tables."""
        _, new = self._written()
        for one in new:
            self._collect_one(one)
        return len(new)

    def _end_what_was_taken(self) -> None:
        """Writes what became of packets into the site's tables where a front has died before it came to that."""
        known, _ = self._written()
        for one in known:
            if one.state == IN_PROGRESS:
                self._write_back(one, refused=not self._was_taken(one))

    def _written(self) -> tuple[list[SitePacket], list[SitePacket]]:
        """The packets that the site has written lately: those that were carried, and the others."""
        with self.central.store.begin() as connection:
            of_site = carried.c.site == self.site
            known = set(connection.execute(select(carried.c.local_rec_id).where(of_site)).scalars())
        after = max(known, default=0) - _LOOK_BACK
        with self.database.read() as connection:
            written = amie_rows.sent_by_site(connection, after, self.site)
        return (
            [one for one in written if one.packet_rec_id in known],
            [one for one in written if one.packet_rec_id not in known],
        )

    def _was_taken(self, written: SitePacket) -> bool:
        with self.central.store.begin() as connection:
            within = rows.find_by_id(connection, self.site, written.originating, written.transaction_id)
            listed = rows.packets_of(connection, within.trans_rec_id) if within is not None else []
        return any(not one.to_site and one.packet_id == written.packet_id for one in listed)

    def _collect_one(self, written: SitePacket) -> None:
        within, request, local = self._answered(written)
        broken = list(judge_rows(written, self.site))
        if local is not None and not broken:
            broken += self._not_ended(local)
        body, _ = rows_to_body(written.rows)
        own = written.originating == self.site and request is None
        sent = Submitted(
            written.type,
            body,
            # There is no packet 0: what answers nothing that was sent is refused as such.
            in_reply_to=request.packet_rec_id if request is not None else None if own else 0,
            transaction_id=written.transaction_id if own else None,
            packet_id=written.packet_id,
            broken=tuple(broken),
        )

        def keep(connection: Connection, taken: Taken) -> None:
            values = {"site": self.site, "local_rec_id": written.packet_rec_id}
            connection.execute(insert(carried).values(values))
            if taken.packet_rec_id is None and within is not None and within.is_open:
                # Any packet that fails fails its transaction (The AMIE Model).
                now = self.central.clock.now()
                over(connection, within, FAILED, now)
                rows.end_open_packets(connection, within.trans_rec_id, FAILED, now)
            self.crash_point("in taking")

        taken = self.central.take(self.site, sent, keep)
        self.crash_point("after taking")
        self._write_back(written, refused=taken.packet_rec_id is None)
        self.crash_point("after writing back")

    def _answered(self, written: SitePacket) -> tuple[Transaction | None, CentralPacket | None, int | None]:
        """The transaction of a packet of the site, and the packet that it answers with its local key.

        The tables do not name it: it is the one that was delivered and is open, else the last one.
        """
        with self.central.store.begin() as connection:
            within = rows.find_by_id(connection, self.site, written.originating, written.transaction_id)
            if within is None:
                return None, None, None
            columns = packet.c
            statement = select(packet).where(columns.trans_rec_id == within.trans_rec_id, columns.to_site)
            delivered = statement.where(columns.local_rec_id.is_not(None)).order_by(columns.packet_rec_id)
            sent = connection.execute(delivered).mappings().all()
        if not sent:
            return within, None, None
        row = next((one for one in reversed(sent) if one["state"] == IN_PROGRESS), sent[-1])
        return within, rows.read_packet(row), row["local_rec_id"]

    def _not_ended(self, local: int) -> list[Violation]:
        with self.database.read() as connection:
            state = amie_rows.state_of(connection, local)
        return [Violation("T42", f"packet {local} is still {state}")] if state == IN_PROGRESS else []

    def _write_back(self, written: SitePacket, *, refused: bool) -> None:
        with self.database.begin() as connection:
            if refused:
                amie_rows.set_packet(connection, written.packet_rec_id, FAILED)
                amie_rows.end_transaction(connection, written.trans_rec_id, FAILED)
            elif written.type == COMPLETE:
                failure = any(row.tag == "StatusCode" and row.value == "Failure" for row in written.rows)
                amie_rows.end_transaction(connection, written.trans_rec_id, FAILED if failure else COMPLETED)
            self.crash_point("in writing back")
