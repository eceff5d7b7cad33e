"""Settling a pass: the reply, the packet's end, registry rows, journal and events in one commit, or why it waits."""

import random
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from amierules.database import events, replies, reservations, work
from amierules.database.originating import originate
from amierules.database.registry import RegistryView
from amierules.database.registry_write import RegistryConflict
from amierules.database.replies import NoLongerInProgress
from amierules.database.work import WorkItem
from amierules.diagnostics import AmierulesError, printable
from amierules.engine.decision import Decision, PacketReport
from amierules.engine.doing import JournalExecutor
from amierules.engine.message import Message
from amierules.engine.messages import messages_of, queue_messages
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
}
_FINAL_KINDS = frozenset({"reply", "complete", "fail", "ignore"})


@dataclass(frozen=True)
class Ending:
    """A pass that is over, with all that its commit needs."""

    site: Site
    item: WorkItem
    fence: int
    case: PacketCase
    view: RegistryView
    executor: JournalExecutor


def settle(ending: Ending, report: PacketReport) -> str:
    """Commit the report's decision; returns the packet's status. A decision that cannot be committed parks or holds it.

    Raises `LostOwnership` and `Unavailable`.
    """
    try:
        messages = _messages(ending, report)
        with ending.site.database.begin() as connection:
            status = _commit(connection, ending, report, messages)
    except RegistryConflict as error:
        report.decision = Decision("hold", str(error))
    except NoLongerInProgress as error:
        report.decision = Decision("park", f"it could not be answered any more: {error}")
    except AmierulesError:
        raise
    except Exception as error:
        report.decision = Decision("park", f"what was to be written is refused: {printable(_first_line(error))}")
        return _park_alone(ending, report)
    else:
        return status
    messages = _messages(ending, report)
    with ending.site.database.begin() as connection:
        return _commit(connection, ending, report, messages)


def _messages(ending: Ending, report: PacketReport) -> list[Message]:
    """What is told of the decision; made before its commit, which other workers may wait for."""
    now = ending.site.world.clock.now()
    status, reason, _ = standing(report.decision, ending.item, ending.case, now)
    report.messages = messages_of(ending.site, ending.case, report, status, reason)
    return report.messages


def _park_alone(ending: Ending, report: PacketReport) -> str:
    """Park the packet, and write nothing else: what is wrong may be in any of it."""
    if ending.executor.in_doubt:
        report.decision = replace(report.decision, kind="doubt")
    now = ending.site.world.clock.now()
    with ending.site.database.begin() as connection:
        status = _stand(connection, ending, report, now)
    messages = _messages(ending, report)
    with suppress(SQLAlchemyError), ending.site.database.begin() as connection:
        _queue(connection, ending, messages, now)
    return status


def _first_line(error: Exception) -> str:
    said = str(getattr(error, "orig", None) or error)
    return said.strip().splitlines()[0] if said.strip() else type(error).__name__


def _commit(connection: Connection, ending: Ending, report: PacketReport, messages: list[Message]) -> str:
    decision = report.decision
    now = ending.site.world.clock.now()
    is_final = decision.kind in _FINAL_KINDS
    if ending.executor.begun or (is_final and report.steps):
        ending.executor.write_steps(connection)
    ending.executor.write_tries(connection)
    if decision.kind in ("reply", "complete") or (decision.kind == "fail" and ending.executor.begun):
        ending.view.flush(connection)
    if decision.kind in ("reply", "fail", "complete"):
        _answer(connection, ending, decision, now)
    if decision.kind in ("reply", "complete"):
        _originate(connection, ending, now)
    if is_final:
        reservations.release(connection, ending.item.packet_rec_id)
    _tell(connection, ending, decision, now)
    status = _stand(connection, ending, report, now)
    _queue(connection, ending, messages, now)
    if is_final:
        touched = ending.view.touched() | {f"trans:{ending.item.trans_rec_id}"}
        work.wake(connection, touched, now)
    return status


def _queue(connection: Connection, ending: Ending, messages: list[Message], now: datetime) -> None:
    if messages:
        queue_messages(connection, ending.item.packet_rec_id, messages, who=ending.site.who, now=now)


def _stand(connection: Connection, ending: Ending, report: PacketReport, now: datetime) -> str:
    """Give the packet the status that the decision leads to. Raises `LostOwnership`."""
    decision = report.decision
    status, reason, next_attempt_at = standing(decision, ending.item, ending.case, now)
    work.set_status(
        connection,
        ending.item.packet_rec_id,
        status,
        who=ending.site.who,
        now=now,
        rule=report.rule,
        reason=reason or None,
        next_attempt_at=next_attempt_at,
        approvable=decision.approvable if status == "held" else None,
        count_attempt=decision.kind == "retry",
        fence=ending.fence,
    )
    return status


def _answer(connection: Connection, ending: Ending, decision: Decision, now: datetime) -> None:
    """Write the reply and end the incoming packet, or end it alone."""
    owns = ending.site.database.owns_amie_tables
    packet = ending.case.packet
    if decision.kind == "complete":
        replies.close_incoming(
            connection,
            packet,
            "completed",
            owns_tables=owns,
            transaction_state=closing_state(packet),
        )
        return
    reply_rec_id = replies.write_reply(
        connection,
        to=packet,
        type_name=decision.type or CLOSING,
        body=decision.sendable(),
        now=now,
        owns_tables=owns,
        incoming_state="failed" if decision.kind == "fail" else "completed",
    )
    said = f"{decision.type} as packet {reply_rec_id}"
    events.add(connection, ending.item.packet_rec_id, ending.site.who, "replied", said, now)


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


def _tell(connection: Connection, ending: Ending, decision: Decision, now: datetime) -> None:
    """What was noticed on the way becomes events, once: the first time that the packet is settled."""
    notes = list(decision.notes)
    if ending.fence == 1:
        notes += noticed(ending.case)
    for note in notes:
        events.add(connection, ending.item.packet_rec_id, ending.site.who, "noticed", printable(note), now)


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
    return status, reason, None


def _jittered(pause: timedelta) -> timedelta:
    return pause * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, guards nothing
