"""The status that a decision leads to, why, and when the packet is tried again."""

import random
from datetime import datetime, timedelta

from amierules.database.work import WorkItem
from amierules.diagnostics import printable
from amierules.engine.answers import to_approve
from amierules.engine.decision import Decision
from amierules.engine.orphaned import WAITS
from amierules.engine.packet_case import PacketCase

MAX_ATTEMPTS = 5
_SHORTEST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
_FIRST_RETRY = timedelta(seconds=30)

_STATUS = {
    "reply": "done",
    "complete": "done",
    "fail": "failed",
    "ignore": "ignored",
    "defer": "deferred",
    "wait": "waiting",
    "hold": "held",
    "park": "parked",
    "doubt": "in_doubt",
    "retry": "retrying",
    "unavailable": "retrying",
    WAITS: "retrying",
}
Stand = tuple[str, str, datetime | None]
"""A status, its reason, and when the next attempt is due."""


def standing(decision: Decision, item: WorkItem | None, case: PacketCase, now: datetime) -> Stand:
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
