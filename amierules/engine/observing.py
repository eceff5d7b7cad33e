"""`run --observe`: what we would do with packets that another program answers; nothing is done."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from amierules.database import marks, observed, packets
from amierules.database.observed import Observation
from amierules.database.packets import StoredPacket
from amierules.database.registry import RegistryView
from amierules.engine.allocating import DryAllocator
from amierules.engine.cases import read_case
from amierules.engine.comparing import differences
from amierules.engine.decision import PacketReport
from amierules.engine.packet_pass import Pass
from amierules.engine.plan_json import packet_as_json
from amierules.engine.planning import Planner
from amierules.engine.site import Site

_REPLIES_ALWAYS = "inform_transaction_complete"


def observe(site: Site, ids: Collection[int] | None = None) -> list[Observation]:
    """Plan what waits and what has come since, and compare what has been answered; with `ids` these packets, again.

    Returns the observations that are new or newly compared. Only our own tables are written. Raises `Unavailable`.
    """
    with site.database.read() as connection:
        mark, top = marks.observe_mark(connection), observed.highest(connection)
        known = {one.packet_rec_id: one for one in observed.observations(connection)}
        newer = observed.newer_than(connection, mark) if mark is not None and ids is None else []
        stored = packets.read_packets(connection, sorted({*newer, *(ids or ())}), site.name)
    past = [one for one in stored.values() if not _waits(one)]
    planned = [*Planner(site).waiting(ids), *(_as_if_new(site, one) for one in sorted(past, key=_arrival))]
    told: dict[int, Observation] = {}
    for report in planned:
        one = _observation(site, report)
        before = known.get(one.packet_rec_id)
        is_over = before is not None and before.differences is not None and ids is None
        if report.decision.kind != "wait" and not is_over and (before is None or ids or _gist(before) != _gist(one)):
            told[one.packet_rec_id] = one
    unanswered = {number: one for number, one in known.items() if one.differences is None}
    told |= {one.packet_rec_id: one for one in _compared(site, ({**unanswered, **told}).values())}
    with site.database.begin() as connection:
        for one in told.values():
            observed.keep(connection, one)
        marks.raise_observe_mark(connection, top)
    return [told[number] for number in sorted(told)]


def _as_if_new(site: Site, stored: StoredPacket) -> PacketReport:
    """The plan of a packet that is answered already, as if it had just come."""
    number = stored.packet.header.packet_rec_id or 0
    with site.database.read() as connection:
        case = read_case(connection, site, stored, None, site.world.clock.now())
    earlier = [one for one in case.earlier if one.header.timestamp <= stored.packet.header.timestamp]
    one_pass = Pass(site, replace(case, earlier=earlier), RegistryView(site.database.read))
    promised: dict[tuple[str, str], int] = {}

    def allocator(path: str) -> DryAllocator:
        return DryAllocator(site.database, site.configuration, number, path, site.world.processes, promised)

    return one_pass.run(one_pass.dry_executor(allocator))


def _observation(site: Site, report: PacketReport) -> Observation:
    plan = packet_as_json(report)
    return Observation(report.packet_rec_id or 0, report.type, site.world.clock.now(), report.rule, plan)


def _gist(one: Observation) -> object:
    """What people would call another plan; the moment in a reply is not."""
    outcome = one.plan["outcome"]
    changes = [[change["summary"] for change in step["changes"]] for step in one.plan["actions"]]
    return one.rule, outcome["kind"], outcome["type"], outcome["reason"], changes


def _compared(site: Site, found: Collection[Observation]) -> Iterator[Observation]:
    """Those of the packets that have been answered, with how the answers differ."""
    with site.database.read() as connection:
        stored = packets.read_packets(connection, [one.packet_rec_id for one in found], site.name)
        transactions = {one.packet.header.trans_rec_id or 0 for one in stored.values()}
        conversations = packets.read_transactions(connection, transactions, site.name)
    for one in found:
        packet = stored.get(one.packet_rec_id)
        if packet is None:
            continue
        answer = _answer(packet, conversations[packet.packet.header.trans_rec_id or 0])
        if answer is not None:
            differ = differences(one.plan["outcome"], answer.packet)
            yield replace(one, answered_by=answer.packet.header.packet_rec_id, differences=differ)
        elif not packet.packet.header.expected_replies and not _waits(packet):
            yield replace(one, differences=[])


def _answer(packet: StoredPacket, conversation: Sequence[StoredPacket]) -> StoredPacket | None:
    """The first packet of ours after it that may answer it."""
    types = {reply.type for reply in packet.packet.header.expected_replies} | {_REPLIES_ALWAYS}
    later = (one for one in conversation if one.packet.header.outgoing and _arrival(one) > _arrival(packet))
    return next((one for one in later if one.packet.header.type in types), None)


def _arrival(stored: StoredPacket) -> tuple[object, int]:
    return stored.packet.header.timestamp, stored.packet.header.packet_rec_id or 0


def _waits(stored: StoredPacket) -> bool:
    return packets.is_in_progress(stored.packet.header)
