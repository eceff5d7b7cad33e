"""What came of posting packets, recorded for many at once."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BindParameter, Connection, bindparam, func, update

from amierules.database import own_tables
from amierules.database.exchange_tables import post
from amierules.database.posts import Posted


def record(connection: Connection, results: Sequence[Posted], now: datetime) -> None:
    """Records what came of requests, and the keys that our packets have at the remote site."""
    if not results:
        return
    connection.execute(
        _RECORD,
        [
            {
                "number": one.packet_rec_id,
                "now": now,
                "became": one.state,
                "why": one.reason,
                "again_at": one.next_attempt_at,
            }
            for one in results
        ],
    )
    named = [
        {
            "number": one.packet_rec_id,
            "their_packet": one.remote_packet_rec_id,
            "their_transaction": one.remote_trans_rec_id,
        }
        for one in results
        if (one.remote_packet_rec_id, one.remote_trans_rec_id) != (None, None)
    ]
    if named:
        connection.execute(_NAME, named)


_own = own_tables.packet.c
_NUMBER: BindParameter[int] = bindparam("number")
_RECORD = (
    update(post)
    .where(post.c.packet_rec_id == _NUMBER)
    .values(
        {
            post.c.state: bindparam("became"),
            post.c.reason: bindparam("why"),
            post.c.next_attempt_at: bindparam("again_at"),
            post.c.updated_at: bindparam("now"),
        }
    )
)
_NAME = (
    update(own_tables.packet)
    # Of an acknowledgement the row is the incoming packet's, which has its own keys.
    .where(_own.packet_rec_id == _NUMBER, _own.remote_packet_rec_id.is_(None))
    .values(
        {
            column: func.coalesce(bindparam(name, type_=column.type), column)
            for name, column in (
                ("their_packet", _own.remote_packet_rec_id),
                ("their_transaction", _own.remote_trans_rec_id),
            )
        }
    )
)
