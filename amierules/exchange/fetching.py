"""Fetching the packets that a server lists into the AMIE database. One that cannot be read keeps no other out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from amierules.database import exchange_marks, posts
from amierules.database.exchange_marks import Mark, as_unreadable
from amierules.database.incoming import Stored, StoredKind, store_all_incoming
from amierules.database.remote_ids import Known, end_as_remote, fail_as_remote, kept_keys, known_packets
from amierules.database.transactions import find_transactions
from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.engine.site import CrashPoint, Site
from amierules.exchange.posting import UNNAMED
from amierules.exchange.remote import Remote, header_of, key_in, state_in
from amierules.protocol.json_form import read_packet
from amierules.protocol.json_header import Refused as Unreadable
from amierules.protocol.packet import IN_PROGRESS, Packet

_BATCH = 100
"""So many packets are stored in one commit."""
_OVERLAP = timedelta(minutes=1)
"""What has changed so long before the last look is asked for again: the server may have committed it later."""
_FINAL = ("completed", "failed")
_COMPLETE = "inform_transaction_complete"


@dataclass
class Fetched:
    """What came of fetching."""

    new: int = 0
    kept: int = 0
    """Of unknown types."""
    known: int = 0
    ended: int = 0
    """Packets and transactions that had ended at the server, and were in progress here."""
    unreadable: int = 0
    full: bool = False
    findings: list[Finding] = field(default_factory=list)
    """One for each packet that cannot be read and was not known as such, and for what is worth a note."""

    def add(self, more: "Fetched") -> None:
        """Counts more."""
        for name in ("new", "kept", "known", "ended", "unreadable"):
            setattr(self, name, getattr(self, name) + getattr(more, name))
        self.findings += more.findings


@dataclass
class Fetcher:
    """Fetches from one server."""

    site: Site
    remote: Remote
    crash_point: CrashPoint = lambda name: None

    def fetch(self, *, full: bool = False) -> Fetched:
        """Stores what is new. Without `full` only what has changed is asked for, where a full load is not due.

        Raises `SendingFault` where the server does not answer as it should, and `Unavailable`.
        """
        now = self.site.world.clock.now()
        with self.site.database.read() as connection:
            mark = exchange_marks.fetch_mark(connection, self._name)
        whole = full or mark is None or not timedelta() <= now - mark.full_at < self._full_load
        listed = self.remote.listed(None if whole or mark is None else mark.since - _OVERLAP)
        fetched = Fetched(full=whole)
        known, unsettled = self._store_all(listed.packets, fetched)
        self._end_what_ended(known, fetched)
        self.crash_point("before mark")
        if not unsettled:
            at = min(listed.at or now, now + timedelta(days=1))
            self._note(Mark(at, now if whole or mark is None else mark.full_at), now if whole else None)
        self.crash_point("after mark")
        return fetched

    @property
    def _name(self) -> str:
        return self.remote.server.name

    @property
    def _full_load(self) -> timedelta:
        return timedelta(seconds=self.remote.server.full_load)

    def _note(self, mark: Mark, whole_at: datetime | None) -> None:
        sites = self.remote.server.remote_site_names
        with self.site.database.begin() as connection:
            exchange_marks.set_fetch_mark(connection, self._name, mark)
            if whole_at is not None:
                exchange_marks.forget_unreadable(connection, sites, seen_before=whole_at)

    def _store_all(self, elements: Sequence[Any], fetched: Fetched) -> tuple[list[tuple[Any, Known]], bool]:
        """Stores what is not here; returns what is, and whether anything has to be asked for again."""
        sites = self.remote.server.remote_site_names
        keys = {key for element in elements if (key := key_in(element, "packet_rec_id")) is not None}
        with self.site.database.read() as connection:
            known = known_packets(connection, sites, keys)
            kept = kept_keys(connection, sites)
            starts = bool(posts.unnamed_starts(connection, sites, self.site.world.clock.now() - UNNAMED))
        fresh, there, unsettled = [], [], False
        for element in elements:
            key = key_in(element, "packet_rec_id")
            here = known.get(key) if key is not None else None
            if here is not None and not _may_replace(element, here):
                there.append((element, here))
            elif key is not None and key in kept:
                fetched.known += 1
            elif starts and self._is_of_ours(element):
                # Of which transaction it is, is known once it is known what became of our own packet.
                unsettled = True
            else:
                fresh.append(element)
        fetched.known += len(there)
        for start in range(0, len(fresh), _BATCH):
            self._store_batch(fresh[start : start + _BATCH], fetched)
        return there, unsettled

    def _is_of_ours(self, element: Any) -> bool:
        names = (self.site.name, self.remote.server.site)
        return header_of(element).get("originating_site_name") in names

    def _store_batch(self, elements: Sequence[Any], fetched: Fetched) -> None:
        try:
            batch = Fetched()
            with self.site.database.begin() as connection:
                self._store(connection, elements, batch)
                self.crash_point("in fetch")
        except (IntegrityError, DataError, ValueError) as error:
            if len(elements) > 1:
                # One that is refused is soon found, and the others are still stored many at a time.
                middle = len(elements) // 2
                for half in (elements[:middle], elements[middle:]):
                    self._store_batch(half, fetched)
                return
            batch = Fetched()
            said = printable(str(getattr(error, "orig", None) or error).strip().partition("\n")[0])
            with self.site.database.begin() as connection:
                reason = f"is refused by the database: {said}"
                self._cannot_be_read(connection, elements[0], "refused-by-database", reason, "", batch)
        fetched.add(batch)
        self.crash_point("after fetch")

    def _store(self, connection: Connection, elements: Sequence[Any], batch: Fetched) -> None:
        now = self.site.world.clock.now()
        read = list(self._read(connection, elements, now, batch))
        going = [one for one in read if one[1].header.packet_state == IN_PROGRESS]
        self._count(going, store_all_incoming(connection, [packet for _, packet in going], now), batch)
        ended = _ended_unseen(connection, read)
        self._count(ended, store_all_incoming(connection, [packet for _, packet in ended], now), batch)

    def _read(
        self, connection: Connection, elements: Sequence[Any], now: datetime, batch: Fetched
    ) -> Iterator[tuple[Any, Packet]]:
        """The elements that are packets for us, each with its packet; the others are noted."""
        side = self.remote.side(self.site.configuration, now)
        for element in elements:
            try:
                yield element, read_packet(element, side)
            except Unreadable as refused:
                if refused.code != "own-packet":
                    hint = refused.hint if "--as-site" not in refused.hint else ""
                    self._cannot_be_read(connection, element, refused.code, refused.message, hint, batch)

    def _count(self, came: Sequence[tuple[Any, Packet]], stored: Sequence[Stored], batch: Fetched) -> None:
        for (element, packet), one in zip(came, stored, strict=True):
            if one.kind in (StoredKind.NEW, StoredKind.RESENT):
                batch.new += 1
            elif one.kind is StoredKind.KEPT:
                batch.kept += 1
                shown = printable(packet.header.type, 60)
                message = f"{_label(element)} has the unknown type {shown}: it is kept, parked"
                batch.findings.append(self._finding("unknown-type", message, severity=Severity.WARNING))
            else:
                batch.known += 1

    def _cannot_be_read(
        self, connection: Connection, element: Any, code: str, reason: str, hint: str, batch: Fetched
    ) -> None:
        batch.unreadable += 1
        site = self.remote.server.remote_site_names[0]
        one = as_unreadable(site, key_in(element, "packet_rec_id"), element, code, reason)
        if exchange_marks.note_unreadable(connection, one, self.site.world.clock.now()):
            batch.findings.append(self._finding(code, f"{_label(element)} {reason}", hint))

    def _finding(self, code: str, message: str, hint: str = "", severity: Severity = Severity.ERROR) -> Finding:
        return Finding(code, message, Place(self._name), hint, severity)

    def _end_what_ended(self, there: Sequence[tuple[Any, Known]], fetched: Fetched) -> None:
        """Ends here what has ended there: somebody else has answered it, or has failed its transaction."""
        ended = list(_ended(there))
        if not ended:
            return
        now = self.site.world.clock.now()
        with self.site.database.begin() as connection:
            for here, state in ended:
                if state is None:
                    fetched.ended += fail_as_remote(connection, here, now)
                else:
                    fetched.ended += end_as_remote(connection, here, state, "it is so at the remote site", now)


def _ended(there: Sequence[tuple[Any, Known]]) -> Iterator[tuple[Known, str | None]]:
    """What has ended there and not here, with its state; None for a transaction that has failed."""
    for element, here in there:
        state = state_in(element, "packet_state")
        # An inform_transaction_complete is no question: whether we have seen to it, we say ourselves.
        if state in _FINAL and here.state == IN_PROGRESS and element.get("type") != _COMPLETE:
            yield here, state
        if state_in(element, "transaction_state") == "failed" and here.transaction_state == IN_PROGRESS:
            yield here, None


def _ended_unseen(connection: Connection, read: Sequence[tuple[Any, Packet]]) -> list[tuple[Any, Packet]]:
    """The inform_transaction_complete packets that are over, as ones in progress, where their transactions are here.

    One needs no answer: its state at the server does not say whether we have seen it. Other packets that have ended
    before we could know them are left out.
    """
    over = [one for one in read if one[1].header.type == _COMPLETE and one[1].header.packet_state != IN_PROGRESS]
    found = find_transactions(connection, [packet.header for _, packet in over])
    return [
        (element, replace(packet, header=replace(packet.header, packet_state=IN_PROGRESS)))
        for (element, packet), within in zip(over, found, strict=True)
        if within is not None
    ]


def _may_replace(element: Any, here: Known) -> bool:
    """Whether a packet that is here and has failed may have been resent under its old key."""
    if here.outgoing or here.state != "failed" or state_in(element, "packet_state") not in (None, IN_PROGRESS):
        return False
    stamp = header_of(element).get("packet_timestamp")
    try:
        moment = datetime.fromisoformat(stamp) if isinstance(stamp, str) else None
    except ValueError:
        return False
    if moment is None:
        return False
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment) > here.ts


def _label(element: Any) -> str:
    key = key_in(element, "packet_rec_id")
    return "a packet without packet_rec_id" if key is None else f"packet r:{key}"
