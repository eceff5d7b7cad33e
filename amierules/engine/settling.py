"""Settling a pass: the reply, the packet's end, registry rows, journal and events in one commit, or why it waits."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from amierules.database import events, journal, replies, work
from amierules.database.originating import originate
from amierules.database.prepared import Words
from amierules.database.registry import RegistryView
from amierules.database.registry_write import RegistryConflict
from amierules.database.replies import Answer, FinalState, NoLongerInProgress, OnHold
from amierules.database.settled import Changed, Expected, Settled, Told
from amierules.database.settlement import Settlement, settlement, settlement_ahead
from amierules.database.standing import Standing
from amierules.database.work import Locked, WorkItem
from amierules.diagnostics import AmierulesError, printable
from amierules.engine.begun import in_doubt, settled_by
from amierules.engine.decision import Decision, PacketReport
from amierules.engine.doing import JournalExecutor
from amierules.engine.gate import Gate
from amierules.engine.message import Message
from amierules.engine.messages import messages_of, queued
from amierules.engine.outcome import CLOSING, closing_state
from amierules.engine.packet_case import PacketCase
from amierules.engine.packet_pass import noticed
from amierules.engine.site import Site
from amierules.engine.stands import Stand, standing

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

    def is_ours(self, now: Locked) -> bool:
        """Whether nobody else has had the packet meanwhile, given its work row as it is now."""
        if self.executor.taken_over:
            return now.fence == self.executor.fence
        return work.is_unchanged(self.item, now)

    def as_read(self) -> Locked:
        """The packet's work row as it is now if it is the pass's."""
        return Locked.unchanged(self.item, self.executor.fence if self.executor.taken_over else None)

    def expected(self, answered: bool) -> Expected:
        """What the row must be for the pass to be settled."""
        item = self.item
        if self.executor.taken_over:
            return Expected(item.packet_rec_id, self.executor.fence, None, None, answered)
        return Expected(item.packet_rec_id, item.fence, item.status, item.updated_at, answered)

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
    except OnHold as error:
        # Until it is released, which a sweep finds out.
        report.decision = Decision("wait", str(error))
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
    now, stands = _stands(endings)
    if not afresh and not any(map(_writes_more, endings, stands)):
        with contextlib.suppress(Changed), settlement(endings[0].site.database) as transaction:
            return _commit(endings, stands, now, transaction, as_read=True)
    with settlement(endings[0].site.database) as transaction:
        return _commit(endings, stands, now, transaction, afresh=afresh)


def settle_ahead(ending: Ending) -> tuple[str, Words] | None:
    """The status to which the message brings the packet, once it is sent to PostgreSQL by an `Ahead`.

    None where that is not possible; where `postgres_settlement.wait` raises, nothing is committed.
    """
    now, stands = _stands([ending])
    if _writes_more(ending, stands[0]):
        return None
    with settlement_ahead(ending.site.database) as transaction:
        statuses = _commit([ending], stands, now, transaction, as_read=True)
    return statuses[ending.item.packet_rec_id], transaction.message


def _stands(endings: Sequence[Ending]) -> tuple[datetime, list[Stand]]:
    """The moment, and what each comes to then; with its messages, made before the commit, which others may wait for."""
    now = endings[0].site.world.clock.now()
    stands = [standing(one.report.decision, one.item, one.case, now) for one in endings]
    for ending, stand in zip(endings, stands, strict=True):
        ending.report.messages = _messages(ending, stand)
    return now, stands


def _commit(
    endings: Sequence[Ending],
    stands: Sequence[Stand],
    now: datetime,
    transaction: Settlement,
    *,
    afresh: bool = False,
    as_read: bool = False,
) -> dict[int, str]:
    """In one transaction; `as_read`: nobody is asked how the packets are by now. Raises `Changed`."""
    site = endings[0].site
    answers = {one.item.packet_rec_id: answer for one in endings if (answer := _answer(one, afresh)) is not None}
    settled = Settled(site.who, now)
    if as_read:
        rows: Mapping[int, Locked] = {one.item.packet_rec_id: one.as_read() for one in endings}
        transaction.expect([one.expected(one.item.packet_rec_id in answers) for one in endings])
    else:
        rows = transaction.lock([one.item.packet_rec_id for one in endings], list(answers))
    for ending, stand in zip(endings, stands, strict=True):
        row = rows.get(ending.item.packet_rec_id)
        if row is not None and ending.is_ours(row):
            _gather(transaction.connection, settled, ending, stand, row)
    ours = [answer for number, answer in answers.items() if number in settled.standings]
    settled.ended = replies.ended_by(transaction.connection, ours, owns_tables=site.database.owns_amie_tables)

    def last() -> None:
        for number in settled.standings:
            executors[number].crash_point("in settling")

    executors = {one.item.packet_rec_id: one.executor for one in endings}
    transaction.commit(settled, last)
    return {number: values["status"] for number, values in settled.standings.items()}


def _gather(connection: Connection, settled: Settled, ending: Ending, stand: Stand, row: Locked) -> None:
    """Add what a pass writes, and write what is seldom written."""
    number, now = ending.item.packet_rec_id, settled.now
    _write_own(connection, ending, now)
    new = _standing(connection, ending, stand)
    settled.standings[number] = {**row.counted(), **new.values(now, row)}
    if new.status not in work.IN_THE_WAY:
        settled.out_of_the_way.append(number)
    if ending.is_final:
        settled.over.append(number)
        settled.woken |= {*ending.view.touched(), f"trans:{ending.item.trans_rec_id}"}
    settled.events += [*_events(ending), *(Told(number, *one) for one in ending.item.news(new))]
    if ending.report.messages:
        unmade = queued(connection, number, ending.report.messages, now)
        settled.events += [Told(number, "noticed", why) for why in unmade]


def _writes_more(ending: Ending, stand: Stand) -> bool:
    """Whether a pass leaves anything behind that is seldom written."""
    executor = ending.executor
    new_keys = executor.keys is not None and not executor.taken_over
    more = executor.rows(tries_only=False) or executor.to_send or ending.report.messages or any(ending.view.changed())
    return bool(more) or new_keys or stand[0] == "in_doubt"


def _messages(ending: Ending, stand: Stand) -> list[Message]:
    """What is told of the decision."""
    status, reason, _ = stand
    return messages_of(ending.site, ending.case, ending.report, status, reason) if ending.tells else []


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


def _standing(connection: Connection, ending: Ending, stand: Stand) -> Standing:
    """The standing that the decision leads to."""
    decision = ending.report.decision
    status, reason, next_attempt_at = stand
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


def _events(ending: Ending) -> Iterator[Told]:
    """What happened on the way; what was noticed is told once, the first time that the packet is settled."""
    decision, packet_rec_id = ending.report.decision, ending.item.packet_rec_id
    if decision.kind in ("reply", "fail"):
        yield Told(packet_rec_id, "replied", f"{decision.type or CLOSING} as packet ", names_reply=True)
    notes = [*decision.notes, *(noticed(ending.case) if ending.item.fence == 0 else ())]
    yield from (Told(packet_rec_id, "noticed", printable(note)) for note in notes)
