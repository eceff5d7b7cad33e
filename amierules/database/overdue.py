"""Replies that are overdue: those that we owe, and those that the other side owes us."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, exists, or_, select

from amierules.database.amie_tables import STATE_IDS, expected_reply_tbl, packet_tbl, transaction_tbl, type_des
from amierules.database.own_tables import FINAL_STATUSES, work

_answer = packet_tbl.alias("answer")


@dataclass(frozen=True)
class Overdue:
    """A packet that should have been answered by now."""

    packet_rec_id: int
    type: str
    due_at: datetime
    ours: bool
    """Whether we owe the reply."""


def overdue(connection: Connection, now: datetime) -> list[Overdue]:
    """The packets whose expected replies have not come within their timeouts, those that are overdue longest first.

    Where one of several replies may come, the longest timeout counts.
    """
    timeouts = connection.scalars(select(expected_reply_tbl.c.timeout).distinct()).all()
    late = [
        and_(expected_reply_tbl.c.timeout == minutes, packet_tbl.c.ts < now - timedelta(minutes=int(minutes)))
        for minutes in timeouts
        if minutes
    ]
    if not late:
        return []
    found: dict[int, Overdue] = {}
    for packet_rec_id, type_name, ts, minutes, outgoing in connection.execute(_EXPECTING.where(or_(*late))):
        due_at = ts + timedelta(minutes=int(minutes))
        if packet_rec_id not in found or found[packet_rec_id].due_at < due_at:
            found[packet_rec_id] = Overdue(packet_rec_id, type_name, due_at, not outgoing)
    patient = _still_patient(connection, now, list(found))
    return sorted((one for one in found.values() if one.packet_rec_id not in patient), key=lambda one: one.due_at)


_EXPECTING = (
    select(
        packet_tbl.c.packet_rec_id,
        type_des.c.type_name,
        packet_tbl.c.ts,
        expected_reply_tbl.c.timeout,
        packet_tbl.c.outgoing_flag,
    )
    .join_from(packet_tbl, expected_reply_tbl, expected_reply_tbl.c.packet_rec_id == packet_tbl.c.packet_rec_id)
    .join(type_des, type_des.c.type_id == packet_tbl.c.type_id)
    .join(transaction_tbl, transaction_tbl.c.trans_rec_id == packet_tbl.c.trans_rec_id)
    .where(
        packet_tbl.c.state_id == STATE_IDS["in-progress"],
        transaction_tbl.c.state_id == STATE_IDS["in-progress"],
        # A rule may leave a packet alone for good.
        ~exists().where(work.c.packet_rec_id == packet_tbl.c.packet_rec_id, work.c.status.in_(FINAL_STATUSES)),
        ~exists().where(
            _answer.c.trans_rec_id == packet_tbl.c.trans_rec_id,
            _answer.c.outgoing_flag != packet_tbl.c.outgoing_flag,
            _answer.c.type_id == expected_reply_tbl.c.type_id,
            _answer.c.ts >= packet_tbl.c.ts,
        ),
    )
)


def _still_patient(connection: Connection, now: datetime, ids: list[int]) -> set[int]:
    """Those of these packets that may still be answered in time, by a reply with a longer timeout."""
    query = select(expected_reply_tbl.c.packet_rec_id, expected_reply_tbl.c.timeout, packet_tbl.c.ts).join(
        packet_tbl, packet_tbl.c.packet_rec_id == expected_reply_tbl.c.packet_rec_id
    )
    found = set()
    for start in range(0, len(ids), 1000):
        chunk = query.where(expected_reply_tbl.c.packet_rec_id.in_(ids[start : start + 1000]))
        for packet_rec_id, minutes, ts in connection.execute(chunk):
            if not minutes or ts + timedelta(minutes=int(minutes)) >= now:
                found.add(packet_rec_id)
    return found
