"""`dry-run`: what a run would do with each packet, against the present state; nothing is written."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from amierules.database import journal, outbox, packets, work
from amierules.database.order import Blocker, Standing, in_the_way, unfinished_project
from amierules.database.packets import StoredPacket
from amierules.database.registry import RegistryView
from amierules.database.work import WorkItem
from amierules.engine.allocating import DryAllocator
from amierules.engine.cases import read_case
from amierules.engine.decision import Decision, PacketReport
from amierules.engine.keys import PacketKeys, packet_keys
from amierules.engine.left_over import settle_left_over
from amierules.engine.messages import messages_of
from amierules.engine.packet_case import PacketCase
from amierules.engine.packet_pass import Pass
from amierules.engine.settling import standing
from amierules.engine.site import Site
from amierules.protocol.packet import Packet

_PLANNED = frozenset({"ready", "waiting", "deferred", "retrying", "running"})
_DECIDED = {"held": "hold", "parked": "park", "in_doubt": "doubt"}
_STATUS_AFTER = {"defer": "deferred", "hold": "held", "park": "parked", "doubt": "in_doubt", "wait": "waiting"}
"""How a packet will stand; one that a run would end still stands in the way until it has."""


@dataclass(frozen=True)
class _Earlier:
    """A packet before this one."""

    packet: Packet
    standing: Standing

    @property
    def label(self) -> str:
        """The packet as a person names it."""
        header = self.packet.header
        if header.packet_rec_id is not None:
            return str(header.packet_rec_id)
        return f"r:{header.remote_packet_rec_id}" if header.remote_packet_rec_id is not None else header.type


@dataclass
class Planner:
    """Plans packets in the order in which a run would claim them."""

    site: Site
    on_packet: Callable[[PacketReport], None] = lambda report: None
    _earlier: list[_Earlier] = field(default_factory=list)

    def waiting(self, ids: Collection[int] | None = None) -> list[PacketReport]:
        """The plans of the packets that a run would look at; with `ids` of these only, whatever their status."""
        reports = []
        for stored, item in self._candidates(ids):
            with self.site.database.read() as connection:
                case = read_case(connection, self.site, stored, item, self._now())
            standing = item.status if item is not None else "ready"
            asked_for = standing in _PLANNED if ids is None else stored.packet.header.packet_rec_id in ids
            report = self._planned(case, item, asked_for)
            if asked_for:
                self.on_packet(report)
                reports.append(report)
        return reports

    def given(self, found: Sequence[Packet]) -> list[PacketReport]:
        """The plans of packets that are in no database, in order of time stamp and remote id."""
        ordered = sorted(found, key=lambda one: (one.header.timestamp, one.header.remote_packet_rec_id or 0))
        reports = []
        for packet in ordered:
            earlier = [one for one in ordered if one is not packet and _transaction(one) == _transaction(packet)]
            before = [one for one in earlier if one.header.timestamp <= packet.header.timestamp]
            report = self._planned(PacketCase(packet, self._now().replace(microsecond=0), earlier=before), None, True)
            self.on_packet(report)
            reports.append(report)
        return reports

    def _candidates(self, ids: Collection[int] | None) -> Iterator[tuple[StoredPacket, WorkItem | None]]:
        """What a run would look at, in its order: open work rows, and packets that no run has taken in yet."""
        with self.site.database.read() as connection:
            items = {item.packet_rec_id: item for item in work.listing(connection, include_final=True)}
            new = [one.packet_rec_id for one in packets.eligible(connection, None) if one.packet_rec_id not in items]
            chosen = {item.packet_rec_id for item in items.values() if item.status in work.OPEN_STATUSES} | {*new}
            stored = packets.read_packets(connection, sorted(chosen | set(ids or ())), self.site.name)
        ordered = sorted(
            stored.values(), key=lambda one: (one.packet.header.timestamp, one.packet.header.packet_rec_id or 0)
        )
        for one in ordered:
            yield one, items.get(one.packet.header.packet_rec_id or 0)

    def _planned(self, case: PacketCase, item: WorkItem | None, plan: bool) -> PacketReport:
        """The packet's plan; one that is not wanted keeps its standing. Later ones may have to wait for it."""
        header = case.packet.header
        view = RegistryView(self.site.database.read)
        needs = packet_keys(case.packet, view)
        standing = Standing(
            type=header.type,
            status=item.status if item is not None else "ready",
            transaction=_transaction(case.packet),
            keys=needs.keys - {f"trans:{header.trans_rec_id}"},
            grant_number=needs.grant_number,
            resource=needs.resource,
            record_id=needs.record_id,
            begun=item is not None and item.begun,
        )
        project = view.find_project(grant_number=needs.grant_number) if needs.grant_number else None
        presence = view.presence(project.key, needs.resource) if project and needs.resource else None
        before = (one for one in self._earlier if in_the_way(one.standing, standing, project_here=presence is not None))
        report = self._report(case, item, plan, next(before, None), self._unfinished(case.packet, needs, presence))
        self._earlier.append(_Earlier(case.packet, self._standing_after(standing, report)))
        return report

    def _unfinished(self, packet: Packet, needs: PacketKeys, presence: object) -> Blocker | None:
        """A project that was answered, is not complete, and that a stored request_account_create waits for."""
        header = packet.header
        waits = header.type == "request_account_create" and needs.grant_number is not None and presence is None
        if not waits or needs.grant_number is None or header.packet_rec_id is None:
            return None
        with self.site.database.read() as connection:
            place = (header.timestamp, header.packet_rec_id)
            return unfinished_project(connection, needs.grant_number, needs.resource, place)

    def _report(
        self,
        case: PacketCase,
        item: WorkItem | None,
        plan: bool,
        blocker: _Earlier | None,
        unfinished: Blocker | None,
    ) -> PacketReport:
        header = case.packet.header
        report = PacketReport(header.packet_rec_id, header.remote_packet_rec_id, header.type)
        why = self._why_left_alone(header.packet_rec_id)
        unfinished = None if blocker is not None else unfinished
        if why is not None:
            report.decision = Decision("wait", why)
        elif unfinished is not None:
            report.decision = Decision("wait", unfinished.reason, blocker=unfinished.packet_rec_id)
        elif blocker is not None:
            number = blocker.packet.header.packet_rec_id
            report.decision = Decision("wait", f"waits for packet {blocker.label}", blocker=number)
        elif plan:
            report = self._pass(case, item)
        elif item is not None and item.status in _DECIDED:
            report.decision = Decision(_DECIDED[item.status], item.reason or item.status)
        else:
            report.decision = Decision("retry", "a run would try it")
        return report

    def _standing_after(self, standing: Standing, report: PacketReport) -> Standing:
        decision = report.decision
        status = _STATUS_AFTER.get(decision.kind, "ready")
        waits = decision.kind == "wait" and decision.reason.startswith("waits ")
        return replace(standing, status=status, waits_for_another=waits)

    def _why_left_alone(self, packet_rec_id: int | None) -> str | None:
        if packet_rec_id is None:
            return None
        with self.site.database.read() as connection:
            return packets.why_not_eligible(connection, packet_rec_id)

    def _pass(self, case: PacketCase, item: WorkItem | None) -> PacketReport:
        one_pass = Pass(self.site, case, RegistryView(self.site.database.read))
        database, configuration, processes = self.site.database, self.site.configuration, self.site.world.processes
        number = case.packet.header.packet_rec_id or 0
        promised: dict[tuple[str, str], int] = {}
        with database.read() as connection:
            done = journal.steps(connection, number)
            told = outbox.keys_of(connection, number)
        report = one_pass.run(
            one_pass.dry_executor(
                lambda path: DryAllocator(database, configuration, number, path, processes, promised), done
            )
        )
        settle_left_over(report, done)
        status, reason, _ = standing(report.decision, item, case, self._now())
        messages = messages_of(self.site, case, report, status, reason)
        report.messages = [message for message in messages if message.key not in told]
        return report

    def _now(self) -> datetime:
        return self.site.world.clock.now()


def _transaction(packet: Packet) -> tuple[object, ...]:
    header = packet.header
    return header.originating_site_name, header.transaction_id, header.local_site_name, header.remote_site_name
