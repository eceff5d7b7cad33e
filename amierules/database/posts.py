"""What is posted to remote sites: the intent before a request, and what came of it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, and_, exists, func, or_, select, update

from amierules.database import own_tables
from amierules.database.amie_tables import (
    STATE_IDS,
    expected_reply_tbl,
    packet_tbl,
    transaction_depends_tbl,
    transaction_tbl,
    type_des,
)
from amierules.database.exchange_tables import post
from amierules.database.one_of import one_of
from amierules.database.upsert import conflict_insert

WAITING: Final = "waiting"
"""It was provably not taken, and is posted again."""
SENDING: Final = "sending"
"""It was to be posted, and nobody knows whether it was taken: that is looked up before it is posted again."""
SENT: Final = "sent"
REFUSED: Final = "refused"
DROPPED: Final = "dropped"
"""A person does not want it to be posted, or the packet that it answers was resent."""

REPLY: Final = "reply"
START: Final = "start"
ACKNOWLEDGEMENT: Final = "acknowledgement"

_OPEN = (WAITING, SENDING)
_COMPLETE = "inform_transaction_complete"


@dataclass(frozen=True)
class ToPost:
    """Something that is to be posted; times are aware."""

    packet_rec_id: int
    """The packet; the incoming one for an acknowledgement."""
    what: str
    """`reply`, `start` or `acknowledgement`."""
    type: str
    remote_site_name: str
    ts: datetime
    state: str | None
    """`sending` or `waiting`; None where nobody has tried yet."""
    attempts: int
    reason: str | None
    began_at: datetime | None
    next_attempt_at: datetime | None
    answers: str | None = None
    """The type of the packet that it answers."""

    def is_due(self, now: datetime) -> bool:
        """Whether its time has come, as far as it has one."""
        return self.next_attempt_at is None or self.next_attempt_at <= now


class Posted(NamedTuple):
    """What came of a request."""

    packet_rec_id: int
    state: str
    reason: str | None = None
    next_attempt_at: datetime | None = None
    remote_packet_rec_id: int | None = None
    """The packet's key at the remote site, where it is known."""
    remote_trans_rec_id: int | None = None


def to_post(connection: Connection, sites: Collection[str], *, limit: int | None = None) -> list[ToPost]:
    """The packets of ours that these sites have yet to get, in the order in which they were written.

    A packet whose transaction depends on one that is not completed waits (Implementing AMIE, 2012).
    """
    query = _TO_POST.where(one_of(_own.remote_site_name, list(sites)), ~exists().where(_depends))
    return _read(connection, query.order_by(packet_tbl.c.packet_rec_id).limit(limit))


def in_doubt(connection: Connection, sites: Collection[str]) -> list[ToPost]:
    """What was to be posted and may have been, packets and acknowledgements."""
    listed = [_TO_POST, _ACKNOWLEDGED]
    found = [
        one
        for query in listed
        for one in _read(connection, query.where(post.c.state == SENDING, one_of(_own.remote_site_name, list(sites))))
    ]
    return sorted(found, key=lambda one: one.packet_rec_id)


def unnamed_starts(connection: Connection, sites: Collection[str], since: datetime) -> list[ToPost]:
    """The first packets of our transactions that were posted, or may have been, and whose keys there are not known.

    Those that were taken before the moment `since` (aware) are left out: they are not looked for any more.
    """
    tried = or_(post.c.state == SENDING, and_(post.c.state == SENT, post.c.updated_at >= since))
    query = _ALL.where(tried, _own.in_reply_to.is_(None), _own.remote_trans_rec_id.is_(None))
    query = query.where(_own.remote_packet_rec_id.is_(None), one_of(_own.remote_site_name, list(sites)))
    return _read(connection, query.order_by(packet_tbl.c.packet_rec_id))


def to_acknowledge(connection: Connection, sites: Collection[str], *, expected_alone: bool) -> list[ToPost]:
    """The incoming inform_transaction_complete packets, completed here, that nobody has acknowledged.

    With `expected_alone`, those that expect one as their reply.
    """
    query = _ACKNOWLEDGED.where(one_of(_own.remote_site_name, list(sites)), or_(post.c.state.is_(None), _is_open()))
    if expected_alone:
        of_it = and_(
            expected_reply_tbl.c.packet_rec_id == packet_tbl.c.packet_rec_id,
            expected_reply_tbl.c.type_id == packet_tbl.c.type_id,
        )
        query = query.where(exists().where(of_it))
    return _read(connection, query.order_by(packet_tbl.c.packet_rec_id))


def intend(connection: Connection, them: Iterable[ToPost], now: datetime) -> None:
    """Records that these are about to be posted."""
    rows = [
        {
            "packet_rec_id": one.packet_rec_id,
            "what": one.what,
            "remote_site_name": one.remote_site_name,
            "state": SENDING,
            "attempts": one.attempts + 1,
            "reason": None,
            "began_at": now,
            "next_attempt_at": None,
            "updated_at": now,
        }
        for one in them
    ]
    statement: Any = conflict_insert(connection, post)
    changing = ("state", "attempts", "reason", "began_at", "next_attempt_at", "updated_at")
    statement = statement.on_conflict_do_update(
        index_elements=["packet_rec_id"], set_={name: statement.excluded[name] for name in changing}
    )
    if rows:
        connection.execute(statement, rows)


def put_back(connection: Connection, ids: Collection[int], reason: str | None, now: datetime) -> None:
    """What was to be posted and provably was not even begun waits again; that was no attempt."""
    began = and_(one_of(post.c.packet_rec_id, list(ids)), post.c.state == SENDING)
    values = {"state": WAITING, "attempts": post.c.attempts - 1, "reason": reason, "updated_at": now}
    connection.execute(update(post).where(began).values(values))


def drop_replies_to(connection: Connection, packet_rec_id: int, reason: str, now: datetime) -> None:
    """The replies to a packet that were not posted yet are not posted any more."""
    ours = own_tables.packet.c
    query = select(ours.packet_rec_id, ours.remote_site_name).where(
        ours.in_reply_to == packet_rec_id, ours.remote_packet_rec_id.is_(None)
    )
    for reply, site in connection.execute(query).all():
        if state_of(connection, reply) in (None, *_OPEN):
            decide(connection, reply, REPLY, site, state=DROPPED, reason=reason, now=now)


def listing(connection: Connection, states: Collection[str]) -> list[ToPost]:
    """What was posted, or tried, and has one of these states now, by packet_rec_id."""
    found = [one for query in (_ALL, _ACKNOWLEDGED) for one in _read(connection, query.where(post.c.state.in_(states)))]
    return sorted(found, key=lambda one: one.packet_rec_id)


def state_of(connection: Connection, packet_rec_id: int) -> str | None:
    """The state of a packet; None where nobody has tried to post it. Others cannot change it meanwhile."""
    row = select(post.c.state).where(post.c.packet_rec_id == packet_rec_id)
    return connection.scalar(row.with_for_update(key_share=True))


def decide(
    connection: Connection, packet_rec_id: int, what: str, site: str, *, state: str, reason: str, now: datetime
) -> None:
    """Records that a packet (a `reply` or `start`, to `site`) is to be posted once more, `waiting`, or is `dropped`."""
    values = {"state": state, "reason": reason or None, "next_attempt_at": None, "updated_at": now}
    fixed = {"packet_rec_id": packet_rec_id, "what": what, "remote_site_name": site, "attempts": 0}
    statement = conflict_insert(connection, post).values({**fixed, **values})
    connection.execute(statement.on_conflict_do_update(index_elements=["packet_rec_id"], set_=values))


def count_by_site(connection: Connection, sites: Collection[str]) -> dict[str, int]:
    """How many packets each of these sites has yet to get."""
    waiting = _TO_POST.where(one_of(_own.remote_site_name, list(sites))).subquery()
    query = select(waiting.c.remote_site_name, func.count()).group_by(waiting.c.remote_site_name)
    return {row[0]: row[1] for row in connection.execute(query)}


def count_refused(connection: Connection) -> int:
    """How many packets of ours were refused, acknowledgements aside."""
    refused = and_(post.c.state == REFUSED, post.c.what != ACKNOWLEDGEMENT)
    return connection.scalar(select(func.count()).select_from(post).where(refused)) or 0


def _is_open() -> Any:
    return post.c.state.in_(_OPEN)


def _read(connection: Connection, query: Select[Any]) -> list[ToPost]:
    found = []
    for row in connection.execute(query):
        what = ACKNOWLEDGEMENT if not row.outgoing_flag else START if row.in_reply_to is None else REPLY
        found.append(
            ToPost(
                row.packet_rec_id, what, row.type_name, row.remote_site_name, row.ts,
                row.state, row.attempts or 0, row.reason, row.began_at, row.next_attempt_at, row.answers,
            )
        )  # fmt: skip
    return found


_own = own_tables.packet.c
_answered, _answered_type = packet_tbl.alias("answered"), type_des.alias("answered_type")
_EACH: Select[Any] = (
    select(
        packet_tbl.c.packet_rec_id,
        packet_tbl.c.ts,
        packet_tbl.c.outgoing_flag,
        type_des.c.type_name,
        _own.in_reply_to,
        _own.remote_site_name,
        post.c.state,
        post.c.attempts,
        post.c.reason,
        post.c.began_at,
        post.c.next_attempt_at,
        _answered_type.c.type_name.label("answers"),
    )
    .join_from(own_tables.packet, packet_tbl, packet_tbl.c.packet_rec_id == _own.packet_rec_id)
    .join(type_des, packet_tbl.c.type_id == type_des.c.type_id)
    .outerjoin(post, post.c.packet_rec_id == _own.packet_rec_id)
    .outerjoin(_answered, _answered.c.packet_rec_id == _own.in_reply_to)
    .outerjoin(_answered_type, _answered_type.c.type_id == _answered.c.type_id)
)
_ALL = _EACH.where(packet_tbl.c.outgoing_flag == 1)
_TO_POST = _ALL.where(_own.remote_packet_rec_id.is_(None), or_(post.c.state.is_(None), post.c.state.in_(_OPEN)))
_ACKNOWLEDGED = _EACH.where(
    packet_tbl.c.outgoing_flag == 0,
    packet_tbl.c.state_id == STATE_IDS["completed"],
    type_des.c.type_name == _COMPLETE,
    _own.remote_packet_rec_id.is_not(None),
)
_other = transaction_tbl.alias("other")
_depends = and_(
    transaction_depends_tbl.c.trans_rec_id == packet_tbl.c.trans_rec_id,
    transaction_depends_tbl.c.depends_on_trans_rec_id == _other.c.trans_rec_id,
    _other.c.state_id != STATE_IDS["completed"],
)
