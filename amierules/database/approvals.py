"""What persons may decide about a packet, and the approvals that they gave."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, select

from amierules.database.one_of import one_of
from amierules.database.own_tables import approval
from amierules.database.upsert import conflict_insert
from amierules.database.work import WorkItem
from amierules.diagnostics import Finding, NotAllowed

ALLOWED: Final[Mapping[str, frozenset[str]]] = {
    "approve": frozenset({"held"}),
    "retry": frozenset({"deferred", "retrying", "held", "parked"}),
    "hold": frozenset({"ready", "waiting", "deferred", "retrying", "parked"}),
    "fail": frozenset({"ready", "waiting", "deferred", "retrying", "held", "parked"}),
    "complete": frozenset({"ready", "waiting", "deferred", "retrying", "held", "parked"}),
    "resolve": frozenset({"in_doubt"}),
}
"""The statuses in which a person's decision is possible."""

_OVER = "nothing can be decided about it now"
_NOTHING_POSSIBLE = {
    "running": "a run works on it; if that was killed, the next `amierules run` finds out how far it came"
}


@dataclass(frozen=True)
class Approval:
    """A person's word that a rule that holds is passed over for a packet."""

    rule: str
    by: str
    reason: str
    at: datetime
    answers: Mapping[str, str] = field(default_factory=dict)
    """The values that the hold asked for, by name."""


def check_allowed(item: WorkItem, decision: str) -> None:
    """Raises `NotAllowed` (`not-allowed`) where the packet's status does not allow the decision, a key of `ALLOWED`."""
    if item.status not in ALLOWED[decision]:
        possible = [name for name, statuses in ALLOWED.items() if item.status in statuses]
        hint = f"possible now: {', '.join(possible)}" if possible else _NOTHING_POSSIBLE.get(item.status, _OVER)
        message = f"packet {item.packet_rec_id} is {item.status}: `{decision}` is not possible"
        raise NotAllowed(Finding("not-allowed", message, hint=hint))
    if decision == "approve" and item.approvable is None:
        message = f"packet {item.packet_rec_id} is not held by a rule: there is nothing to approve"
        raise NotAllowed(Finding("not-allowed", message, hint="use `amierules retry` once the cause is mended"))


def approve(connection: Connection, packet_rec_id: int, given: Approval) -> None:
    """Records that a person passes the rule over for this packet; the newest approval of a rule counts."""
    values = {"approved_by": given.by, "reason": given.reason, "approved_at": given.at}
    values |= {"answers": dict(given.answers) or None}
    statement = conflict_insert(connection, approval).values(packet_rec_id=packet_rec_id, rule=given.rule, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["packet_rec_id", "rule"], set_=values))


def forget_answers(connection: Connection, packet_rec_id: int) -> list[str]:
    """Takes back the approvals that answered what a hold asks for; returns their rules. The others stay."""
    given = [rule for rule, one in approved_rules(connection, packet_rec_id).items() if one.answers]
    columns = approval.c
    connection.execute(delete(approval).where(columns.packet_rec_id == packet_rec_id, columns.rule.in_(given)))
    return given


def approved_rules(connection: Connection, packet_rec_id: int) -> dict[str, Approval]:
    """The approvals of a packet by rule, the oldest first."""
    return approved_rules_of(connection, [packet_rec_id]).get(packet_rec_id, {})


def approved_rules_of(connection: Connection, ids: Collection[int]) -> dict[int, dict[str, Approval]]:
    """The approvals of those of these packets that have any, by packet and rule, the oldest first."""
    columns = approval.c
    query = select(
        columns.packet_rec_id, columns.rule, columns.approved_by, columns.reason, columns.approved_at, columns.answers
    )
    query = query.where(one_of(columns.packet_rec_id, ids)).order_by(columns.approved_at, columns.rule)
    found: dict[int, dict[str, Approval]] = {}
    for packet_rec_id, rule, by, reason, at, answers in connection.execute(query):
        found.setdefault(packet_rec_id, {})[rule] = Approval(rule, by, reason, at, answers or {})
    return found
