"""`dry-run`: what a run would do with each packet, against the present state; nothing is written."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from amierules.database import arrivals, intake, order, outbox, work
from amierules.database.lock_keys import indexable
from amierules.database.own_tables import FINAL_STATUSES
from amierules.database.registry import RegistryView
from amierules.database.work import WorkItem
from amierules.engine.ahead import Ahead, Stance
from amierules.engine.allocating import DryAllocator
from amierules.engine.decision import Decision, PacketReport
from amierules.engine.keys import packet_keys
from amierules.engine.left_over import settle_left_over
from amierules.engine.messages import messages_of
from amierules.engine.packet_case import PacketCase
from amierules.engine.packet_pass import Pass
from amierules.engine.prepared import Looked, look
from amierules.engine.site import Site
from amierules.engine.stands import standing
from amierules.protocol.packet import Header, Packet

_BATCH = 100
"""So many packets are read at once."""
_PLANNED = frozenset({"ready", "waiting", "deferred", "retrying", "running"})
_STATUS_AFTER = {"defer": "deferred", "hold": "held", "park": "parked", "doubt": "in_doubt", "wait": "waiting"}
"""How a packet will stand; one that a run would end still stands in the way until it has."""


@dataclass(frozen=True)
class _Read:
    """A batch of packets, as the database has them."""

    items: Mapping[int, WorkItem]
    looked: Mapping[int, Looked]
    """Those that may be planned."""
    keys: Mapping[int, Collection[str]]
    """Of those that stand as they are: their lock keys."""
    to_come: Collection[str]
    """The grants whose project may have to be waited for."""


@dataclass
class Planner:
    """Plans packets in the order in which a run would claim them; those that are in no database before the others."""

    site: Site
    _ahead: Ahead = field(default_factory=Ahead)

    def waiting(self, ids: Collection[int] | None = None) -> Iterator[PacketReport]:
        """The plans of the packets that a run would look at; with `ids` of these only, whatever their status."""
        with self.site.database.kept():
            line = self._line(ids)
            for start in range(0, len(line), _BATCH):
                yield from self._batch(line[start : start + _BATCH], ids)

    def given(self, found: Sequence[Packet]) -> Iterator[PacketReport]:
        """The plans of packets that are in no database, in order of time stamp and remote id."""
        ordered = sorted(found, key=lambda one: (one.header.timestamp, one.header.remote_packet_rec_id or 0))
        with self.site.database.kept():
            for packet in ordered:
                others = [one for one in ordered if one is not packet and _names(one.header) == _names(packet.header)]
                before = [one for one in others if one.header.timestamp <= packet.header.timestamp]
                case = PacketCase(packet, self._now().replace(microsecond=0), earlier=before)
                view = RegistryView(self.site.database.read)
                yield self._planned(Looked(case, packet_keys(packet, view), view, {}, None), None, None, ())

    # ------------------------------------------------------------------ reading

    def _line(self, ids: Collection[int] | None) -> list[int]:
        """All that a run would look at, in its order; with `ids` these, and what no run has taken in yet before them.

        All other packets stand as their work rows say.
        """
        with self.site.database.read() as connection:
            new = intake.not_taken_in(connection)
            if ids is None:
                return [number for _, number in sorted([*arrivals.open_places(connection), *new])]
            asked = [one.place for one in arrivals.arrivals(connection, ids)]
        return [number for _, number in sorted({*asked, *(place for place in new if asked and place < asked[-1])})]

    def _read(self, numbers: Sequence[int], ids: Collection[int] | None) -> _Read:
        with self.site.database.read() as connection:
            items = {item.packet_rec_id: item for item in work.among(connection, numbers)}
            as_they_are = {number for number, item in items.items() if ids is None and item.status not in _PLANNED}
            came = arrivals.arrivals(connection, [number for number in numbers if number not in as_they_are])
            looked = look(connection, self.site, items, {one.packet_rec_id: one.trans_rec_id for one in came})
            keys = work.keys_of_several(connection, as_they_are)
            grants = {one.keys.grant_number for one in looked.values() if one.case.type == order.NEEDS_PROJECT}
            to_come = order.grants_to_come(connection, {indexable(one) for one in grants if one})
        return _Read(items, looked, keys, to_come)

    def _batch(self, numbers: Sequence[int], ids: Collection[int] | None) -> Iterator[PacketReport]:
        read = self._read(numbers, ids)
        for number in numbers:
            if (one := read.looked.get(number)) is None:
                if number in read.keys:
                    self._ahead.add(_stance_of_row(read.items[number], read.keys[number]), number, str(number))
                continue
            item = read.items.get(number) or intake.as_taken_in(one.case.packet, one.keys.needs, self._now())
            if ids is None or number in ids:
                yield self._planned(one, item, ids, read.to_come)
            else:
                self._ahead.add(_stance(one, item), number, str(number))

    # ------------------------------------------------------------------ planning

    def _planned(
        self, one: Looked, item: WorkItem | None, ids: Collection[int] | None, to_come: Collection[str]
    ) -> PacketReport:
        """The packet's plan. Later ones may have to wait for it."""
        header = one.case.packet.header
        stance = _stance(one, item)
        report = PacketReport(header.packet_rec_id, header.remote_packet_rec_id, header.type)
        blocked = None
        if one.why_not is not None:
            report.decision = Decision("wait", one.why_not)
        elif (blocked := self._blocked(one, item, stance, ids, to_come)) is not None:
            report.decision = blocked
        else:
            report = self._pass(one, item)
        if item is None or item.status not in FINAL_STATUSES:
            status = _STATUS_AFTER.get(report.decision.kind, "ready")
            after = replace(stance, status=status, waits_for_another=blocked is not None)
            self._ahead.add(after, header.packet_rec_id, _label(header))
        return report

    def _blocked(
        self,
        one: Looked,
        item: WorkItem | None,
        stance: Stance,
        ids: Collection[int] | None,
        to_come: Collection[str],
    ) -> Decision | None:
        """What the packet has to wait for: one of this plan, or one that stands as the database says."""
        brought_by = one.brought_by()
        earlier = self._ahead.blocker(stance, brought_by=brought_by)
        if earlier is not None:
            return Decision("wait", f"waits for packet {earlier.label}", blocker=earlier.packet_rec_id)
        found = None
        needs_project = stance.type == order.NEEDS_PROJECT and brought_by != () and stance.grant_number in to_come
        if item is not None and (ids is not None or needs_project):
            with self.site.database.read() as connection:
                if ids is not None:
                    found = order.blocker(connection, item, one.keys.keys, brought_by=brought_by, besides=ids)
                else:
                    place = (item.ts, item.packet_rec_id)
                    grant, resource = stance.grant_number or "", stance.resource
                    found = order.unfinished_project(connection, grant, resource, place, brought_by)
        return None if found is None else Decision("wait", found.reason, blocker=found.packet_rec_id)

    def _pass(self, one: Looked, item: WorkItem | None) -> PacketReport:
        number = one.case.packet.header.packet_rec_id or 0
        promised: dict[tuple[str, str], int] = {}

        def allocator(path: str) -> DryAllocator:
            site = self.site
            return DryAllocator(site.database, site.configuration, number, path, site.world.processes, promised)

        one_pass = Pass(self.site, one.case, one.view)
        report = one_pass.run(one_pass.dry_executor(allocator, one.steps))
        settle_left_over(report, one.steps)
        status, reason, _ = standing(report.decision, item, one.case, self._now())
        messages = messages_of(self.site, one.case, report, status, reason)
        told = self._told(number) if messages else ()
        report.messages = [message for message in messages if message.key not in told]
        # The names of a whole packet, which nobody asks for any more.
        report.spoken = None
        return report

    def _told(self, packet_rec_id: int) -> Collection[tuple[str, str, str, str]]:
        """What was queued for the packet already."""
        with self.site.database.read() as connection:
            return outbox.keys_of(connection, packet_rec_id)

    def _now(self) -> datetime:
        return self.site.world.clock.now()


def _stance(one: Looked, item: WorkItem | None) -> Stance:
    header, keys = one.case.packet.header, one.keys
    own_transaction = [] if header.trans_rec_id is None else [header.trans_rec_id]
    return Stance(
        type=header.type,
        status=item.status if item is not None else "ready",
        keys=keys.keys - {f"trans:{header.trans_rec_id}"},
        transactions=(*own_transaction, _names(header)),
        grant_number=keys.grant_number and indexable(keys.grant_number),
        resource=keys.resource,
        record_id=keys.record_id and indexable(keys.record_id),
        begun=item is not None and item.begun,
    )


def _stance_of_row(item: WorkItem, keys: Collection[str]) -> Stance:
    """How a packet that nobody plans stands."""
    return Stance(
        type=item.type,
        status=item.status,
        keys=keys,
        transactions=(item.trans_rec_id,),
        grant_number=item.grant_number,
        resource=item.resource,
        record_id=item.record_id,
        begun=item.begun,
        waits_for_another=item.blocker is not None,
    )


def _label(header: Header) -> str:
    """The packet as a person names it."""
    if header.packet_rec_id is not None:
        return str(header.packet_rec_id)
    return f"r:{header.remote_packet_rec_id}" if header.remote_packet_rec_id is not None else header.type


def _names(header: Header) -> tuple[object, ...]:
    """What names a transaction where it has no row."""
    return header.originating_site_name, header.transaction_id, header.local_site_name, header.remote_site_name
