"""Settling a pass: the reply, the packet's end, registry rows, journal and events in one commit, or why it waits."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from amierules.database import events, journal, replies, reservations, waking, work
from amierules.database.originating import originate
from amierules.database.registry import RegistryView
from amierules.database.registry_write import RegistryConflict
from amierules.database.replies import Answer, FinalState, NoLongerInProgress
from amierules.database.standing import Standing
from amierules.database.work import WorkItem
from amierules.diagnostics import AmierulesError, printable
from amierules.engine.answers import to_approve
from amierules.engine.decision import Decision, PacketReport
from amierules.engine.doing import JournalExecutor
from amierules.engine.doubt import in_doubt, settled_by
from amierules.engine.gate import Gate
from amierules.engine.message import Message
from amierules.engine.messages import messages_of, queue_messages
from amierules.engine.orphaned import WAITS
from amierules.engine.outcome import CLOSING, closing_state
from amierules.engine.packet_case import PacketCase
from amierules.engine.packet_pass import noticed
from amierules.engine.site import Site

MAX_ATTEMPTS = 5
_SHORTEST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
_FIRST_RETRY = timedelta(seconds=30)

_STATUS = {
    "reply": "done",
    "complete": "done",
    "fail": "failed",
    "ignore": "ignored",
    "defer": "deferred",
    "hold": "held",
    "park": "parked",
    "doubt": "in_doubt",
    "retry": "retrying",
    "unavailable": "retrying",
    WAITS: "retrying",
}
_FINAL_KINDS = frozenset({"reply", "complete", "fail", "ignore"})


@dataclass
class Ending:
    """A pass that is over, with all that its commit needs."""

    site: Site
    case: PacketCase
    view: RegistryView
    executor: JournalExecutor
    report: PacketReport
    gate: Gate
    tells: bool = True
    """Whether messages are queued."""

    @property
    def item(self) -> WorkItem:
        """The packet's work row as the pass found it."""
        return self.executor.item

    @property
    def is_final(self) -> bool:
        """Whether the decision ends the packet."""
        return self.report.decision.kind in _FINAL_KINDS

    def is_ours(self, now: WorkItem | None) -> bool:
        """Whether nobody else has had the packet meanwhile, given its work row as it is now."""
        if self.executor.taken_over:
            return now is not None and now.fence == self.executor.fence
        return work.is_unchanged(self.item, now)

    def note_back_end(self) -> None:
        """Once the pass is settled: a back end that could not be reached is paused."""
        if self.report.decision.kind == "unavailable":
            self.gate.note()


def settle(ending: Ending) -> str:
    """Commit how one pass ended; returns the packet's status. What cannot be committed parks or holds it.

    Raises `LostOwnership` and `Unavailable`.
    """
    report = ending.report
    try:
        return _settled(ending)
    except RegistryConflict as error:
        report.decision = Decision("hold", str(error))
    except NoLongerInProgress as error:
        report.decision = Decision("park", f"it could not be answered any more: {error}")
    except AmierulesError:
        raise
    except Exception as error:
        # Nothing else is written: what is wrong may be in any of it.
        said = f"what was to be written is refused: {printable(_first_line(error))}"
        report.decision = Decision("doubt" if ending.executor.in_doubt else "park", said)
        ending.executor.forget()
    try:
        return _settled(ending)
    except AmierulesError:
        raise
    except Exception:
        # No message is worth a packet that ends nowhere.
        ending.tells = False
        return _settled(ending)


def _settled(ending: Ending) -> str:
    statuses = settle_together([ending], afresh=True)
    if not statuses:
        raise work.lost(ending.item.packet_rec_id)
    return statuses[ending.item.packet_rec_id]


def settle_together(endings: Sequence[Ending], *, afresh: bool = False) -> dict[int, str]:
    """Commit how passes over packets of different transactions ended; returns their statuses by packet_rec_id.

    `afresh`: what was read for the passes may be old.

    Those that somebody else has by now are left out. Raises what any one of them cannot be committed for.
    """
    site = endings[0].site
    now = site.world.clock.now()
    for ending in endings:
        # Made before the commit, which other workers may wait for.
        ending.report.messages = _messages(ending, now)
    with site.database.begin() as connection:
        rows = work.lock_many(connection, [one.item.packet_rec_id for one in endings])
        ours = [one for one in endings if one.is_ours(rows.get(one.item.packet_rec_id))]
        for ending in ours:
            _write_own(connection, ending, now)
        answers = {one.item.packet_rec_id: answer for one in ours if (answer := _answer(one, afresh)) is not None}
        replied = replies.write_answers(
            connection, list(answers.values()), now=now, owns_tables=site.database.owns_amie_tables
        )
        ended = [one for one in ours if one.is_final]
        reservations.release(connection, [one.item.packet_rec_id for one in ended])
        standings = [(one.item, _stand(connection, one, now)) for one in ours]
        work.set_standings(connection, standings, now)
        told = [
            (one.item.packet_rec_id, *event)
            for one, (_, standing) in zip(ours, standings, strict=True)
            for event in (*_events(one, replied), *one.item.news(standing))
        ]
        events.add_several(connection, told, site.who, now)
        for ending in ours:
            _queue(connection, ending, now)
        woken = {key for one in ended for key in (*one.view.touched(), f"trans:{one.item.trans_rec_id}")}
        waking.wake(connection, woken, now)
        for ending in ours:
            ending.executor.crash_point("in settling")
    return {item.packet_rec_id: standing.status for item, standing in standings}


def _messages(ending: Ending, now: datetime) -> list[Message]:
    """What is told of the decision."""
    if not ending.tells:
        return []
    status, reason, _ = standing(ending.report.decision, ending.item, ending.case, now)
    return messages_of(ending.site, ending.case, ending.report, status, reason)


def _queue(connection: Connection, ending: Ending, now: datetime) -> None:
    if ending.report.messages:
        queue_messages(connection, ending.item.packet_rec_id, ending.report.messages, who=ending.site.who, now=now)


def _first_line(error: Exception) -> str:
    said = str(getattr(error, "orig", None) or error)
    return said.strip().splitlines()[0] if said.strip() else type(error).__name__


def _write_own(connection: Connection, ending: Ending, now: datetime) -> None:
    """Write the steps, registry rows and transactions that a pass leaves behind."""
    kind, executor = ending.report.decision.kind, ending.executor
    all_steps = executor.begun or (ending.is_final and bool(ending.report.steps))
    fence = executor.fence + (not executor.taken_over)
    rows = [replace(row, fence=fence) for row in executor.rows(tries_only=not all_steps)]
    if executor.begun and rows:
        journal.pin(connection, ending.item.packet_rec_id, executor.pinned(), executor.fence)
    journal.write_settled(connection, rows)
    if not executor.taken_over and executor.keys is not None:
        work.set_keys(connection, ending.item.packet_rec_id, executor.keys)
    if kind in ("reply", "complete") or (kind == "fail" and executor.begun):
        ending.view.flush(connection)
    if kind in ("reply", "complete"):
        _originate(connection, ending, now)


def _stand(connection: Connection, ending: Ending, now: datetime) -> Standing:
    """The standing that the decision leads to."""
    decision = ending.report.decision
    status, reason, next_attempt_at = standing(decision, ending.item, ending.case, now)
    if status == "in_doubt":
        doubtful = in_doubt(journal.steps(connection, ending.item.packet_rec_id).values())
        reason = "; ".join([reason, *(settled_by(ending.item.packet_rec_id, step.path) for step in doubtful)])
    return Standing(
        status,
        rule=ending.report.rule,
        reason=reason or None,
        next_attempt_at=next_attempt_at,
        approvable=decision.approvable if status == "held" else None,
        asked=tuple((decision.asked or {}).items()) if status == "held" else (),
        count_attempt=decision.kind == "retry",
        take_over=not ending.executor.taken_over,
    )


def _answer(ending: Ending, afresh: bool) -> Answer | None:
    """How the incoming packet ends, with a reply or without one."""
    decision, packet = ending.report.decision, ending.case.packet
    if decision.kind == "complete":
        return Answer(packet, "completed", transaction_state=closing_state(packet))
    if decision.kind not in ("reply", "fail"):
        return None
    state: FinalState = "failed" if decision.kind == "fail" else "completed"
    sent = [one.header.packet_id for one in ending.case.earlier if one.header.outgoing]
    packet_id = None if afresh or ending.executor.taken_over else max(sent, default=0) + 1
    return Answer(packet, state, decision.type or CLOSING, decision.sendable(), packet_id=packet_id)


def _originate(connection: Connection, ending: Ending, now: datetime) -> None:
    """Write the transactions that steps started."""
    for wanted in ending.executor.to_send:
        made = originate(
            connection,
            type_name=wanted["type"],
            body=wanted["body"],
            site_name=ending.site.name,
            remote_site_name=wanted["to"] or ending.case.packet.header.remote_site_name,
            now=now,
        )
        said = f"{wanted['type']} as packet {made.packet_rec_id}, of our transaction {made.transaction_id}"
        events.add(connection, ending.item.packet_rec_id, ending.site.who, "sent", said, now)


def _events(ending: Ending, replied: Mapping[int, int]) -> Iterator[tuple[str, str]]:
    """What happened on the way; what was noticed is told once, the first time that the packet is settled."""
    decision, packet_rec_id = ending.report.decision, ending.item.packet_rec_id
    if packet_rec_id in replied:
        yield "replied", f"{decision.type or CLOSING} as packet {replied[packet_rec_id]}"
    notes = [*decision.notes, *(noticed(ending.case) if ending.item.fence == 0 else ())]
    yield from (("noticed", printable(note)) for note in notes)


def standing(
    decision: Decision, item: WorkItem | None, case: PacketCase, now: datetime
) -> tuple[str, str, datetime | None]:
    """The status, reason and time of the next attempt that a decision leads to."""
    status = _STATUS[decision.kind]
    reason = printable(decision.reason, 500)
    if decision.kind == "defer":
        if decision.until is not None and decision.until <= now:
            return "held", f"deferred for too long: {reason}", None
        if decision.not_before is not None and decision.not_before > now:
            return status, reason, min(decision.not_before, decision.until or decision.not_before)
        since = now - (case.first_deferred_at or now)
        return status, reason, now + min(max(since / 2, _SHORTEST_PAUSE), _LONGEST_PAUSE)
    if decision.kind == "retry":
        attempts = item.attempts if item is not None else 0
        if attempts + 1 >= MAX_ATTEMPTS:
            return "parked", f"failed {MAX_ATTEMPTS} times: {reason}", None
        return status, reason, now + _jittered(_FIRST_RETRY * 2**attempts)
    if decision.kind == "unavailable":
        return status, reason, now + _jittered(_SHORTEST_PAUSE)
    if decision.kind == WAITS:
        return status, reason, decision.not_before
    if decision.asked:
        return status, f"{reason}; {to_approve(item.packet_rec_id if item is not None else 'ID', decision.asked)}", None
    return status, reason, None


def _jittered(pause: timedelta) -> timedelta:
    return pause * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, guards nothing
