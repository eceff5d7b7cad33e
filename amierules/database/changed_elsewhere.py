"""What other programs do to old packets, and what a sweep then makes of their work rows."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select

from amierules.database.amie_tables import packet_tbl, transaction_tbl
from amierules.database.own_tables import FINAL_STATUSES, step, work
from amierules.database.own_tables import packet as own_packet
from amierules.database.packets import IS_ELIGIBLE
from amierules.database.replies import OPEN_STATES
from amierules.database.work import is_open

_ID = packet_tbl.c.packet_rec_id


@dataclass(frozen=True)
class Changed:
    """What other programs do to old packets, and what then becomes of their work rows."""

    query: Select[Any]
    """The work rows that it was done to, their packet_rec_id first."""
    still: ColumnElement[bool]
    """What must still be so when the row is changed."""
    status: str | None
    """What the row becomes; None to look at it again as it is."""
    reason: str


# A running one is its worker's, who finds out by himself; one that has begun is held, for a person.
_NOBODY_S = and_(is_open(), work.c.status.not_in(("running", "in_doubt")))
# A join, and no NOT EXISTS: without statistics PostgreSQL compares every row with every other for that.
_IS_OVER = or_(
    _ID.is_(None),
    packet_tbl.c.state_id.not_in(OPEN_STATES),
    transaction_tbl.c.state_id.not_in(OPEN_STATES),
)
_CLOSED = (
    select(work.c.packet_rec_id)
    .outerjoin(packet_tbl, work.c.packet_rec_id == _ID)
    .outerjoin(transaction_tbl, transaction_tbl.c.trans_rec_id == packet_tbl.c.trans_rec_id)
    .where(is_open(), _IS_OVER)
)
_BY_OTHERS = "ended by another program, or with its transaction"
ENDED = (
    Changed(_CLOSED.where(~work.c.begun), and_(_NOBODY_S, ~work.c.begun), "done", _BY_OTHERS),
    Changed(
        _CLOSED.where(work.c.begun, work.c.status != "held"),
        and_(_NOBODY_S, work.c.begun, work.c.status != "held"),
        "held",
        f"{_BY_OTHERS}, after its actions had begun: look what is left of them, then complete it",
    ),
)
"""That a packet or its transaction has ended."""
_STORED = (
    select(work.c.packet_rec_id)
    .join_from(work, packet_tbl, work.c.packet_rec_id == _ID)
    .join(transaction_tbl, transaction_tbl.c.trans_rec_id == packet_tbl.c.trans_rec_id)
    .where(IS_ELIGIBLE)
)
# One that a rule ignores stays in progress for good; of others, we had ended the packet.
_WAS_ENDED = work.c.status.in_(("done", "failed"))
_WAS_ANSWERED = or_(
    exists().where(own_packet.c.in_reply_to == work.c.packet_rec_id),
    # Its journal was pruned: nobody knows any more which of its actions are done.
    and_(work.c.begun, ~exists().where(step.c.packet_rec_id == work.c.packet_rec_id)),
)
_blocker = work.alias("blocker")
_LEFT_ALONE = and_(work.c.status == "waiting", work.c.blocker.is_(None))
_BLOCKER_OVER = and_(
    work.c.status == "waiting",
    exists().where(_blocker.c.packet_rec_id == work.c.blocker, _blocker.c.status.in_(FINAL_STATUSES)),
)
CHANGED = (
    *ENDED,
    Changed(_STORED.where(_WAS_ENDED, ~_WAS_ANSWERED), _WAS_ENDED, "ready", "set back by another program"),
    Changed(
        _STORED.where(_WAS_ENDED, _WAS_ANSWERED),
        _WAS_ENDED,
        "held",
        "set back by another program after it was answered: retry it to answer it once more, or complete it",
    ),
    Changed(_STORED.where(_LEFT_ALONE), _LEFT_ALONE, None, ""),
    # Whoever ended the blocker wakes these; but a project may also be complete by what another program does.
    Changed(select(work.c.packet_rec_id).where(_BLOCKER_OVER), _BLOCKER_OVER, None, ""),
)
"""All that a sweep finds beside new packets."""
