"""Settling passes on PostgreSQL in two messages: one locks, the other writes all and commits."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg2
from sqlalchemy import Connection

from amierules.database.ahead import Ahead
from amierules.database.amie_tables import STATE_IDS, VERSION, packet_tbl
from amierules.database.one_of import in_json
from amierules.database.prepared import BEGIN, COMMIT, Call, Statement, Words, is_refused, send
from amierules.database.replies import ANOTHER_REPLY, OPEN_STATES, NoLongerInProgress, refuse_ended
from amierules.database.settled import Changed, Expected, Settled
from amierules.database.waking import RELEASE, WAKE
from amierules.database.work import Locked
from amierules.protocol.packet import IN_PROGRESS

_UNIQUE_VIOLATION = "23505"
_CHANGED = "amierules: a packet is not as it was read"
"""What is no number, so that PostgreSQL ends the transaction; its log says so, too."""

# Each work row is locked before the rows of AMIE that it is about, and all in the order of their ids.
_LOCK = Statement(
    "amierules_lock",
    """
with locked as materialized (
    select packet_rec_id, fence, status, updated_at, attempts, first_deferred_at from amierules_work
    where packet_rec_id = any (array(select json_array_elements_text($1)::int)) order by packet_rec_id for no key update
), answered as materialized (
    select array(select json_array_elements_text($2)::int) as ids
)
select locked.*, amie.state_id, amie.transaction_state_id from locked cross join answered left join lateral (
    select packet.state_id, transaction.state_id as transaction_state_id
    from packet_tbl packet join transaction_tbl transaction using (trans_rec_id)
    where packet.packet_rec_id = locked.packet_rec_id and locked.packet_rec_id = any (answered.ids)
    for no key update of packet, transaction
) amie on true
""",
    ("ids", "answered"),
)
# As `_LOCK`, for rows that are known already: where any of them is otherwise by now, nothing is done at all.
_EXPECT = Statement(
    "amierules_expect",
    """
with given as materialized (
    select * from json_to_recordset($1) as row (
        packet_rec_id int, fence int, status text, updated_at timestamp, answered bool
    ) order by packet_rec_id
), ours as materialized (
    select work.packet_rec_id from given join amierules_work work using (packet_rec_id)
    where work.fence = given.fence and coalesce(work.status = given.status, true)
    and coalesce(work.updated_at = given.updated_at, true)
    order by work.packet_rec_id for no key update of work
), missing as materialized (
    select (select count(*) from given) - (select count(*) from ours) as number
), open as materialized (
    select packet.packet_rec_id from given cross join missing join packet_tbl packet using (packet_rec_id)
    join transaction_tbl transaction using (trans_rec_id)
    where given.answered and missing.number = 0 and packet.state_id = $2
    and transaction.state_id = any (array(select json_array_elements_text($3)::int))
    for no key update of packet, transaction
)
select case when (select number from missing) = 0
    and (select count(*) from open) = (select count(*) from given where answered)
    then 1 else ($4 || (select count(*) from open))::int end
""",
    ("expected", "in_progress", "open", "changed"),
    "json, int, json, text",
    fixed={"in_progress": STATE_IDS[IN_PROGRESS], "open": in_json(OPEN_STATES), "changed": _CHANGED},
)
# Rows come as JSON: one value for each table, however many rows there are. `reply` has the ids of the new packets by
# their transactions, so that nothing has to be joined; `offset 0` has each transaction looked up by itself.
_SETTLE = Statement(
    "amierules_settle",
    """
with answer as materialized (
    select * from json_to_recordset($1) as row (
        packet_rec_id int, trans_rec_id int, state_id int, transaction_state_id int,
        type_id int, reply_state_id int, packet_id numeric, remote_site_name text
    )
), inserted as (
    insert into packet_tbl (trans_rec_id, packet_id, type_id, version, state_id, outgoing_flag, ts)
    select trans_rec_id, coalesce(packet_id, (
            select coalesce(max(ours.packet_id), 0) + 1 from packet_tbl ours
            where ours.trans_rec_id = answer.trans_rec_id and ours.outgoing_flag = 1
        )), type_id, $9, reply_state_id, 1, $7
    from answer where type_id is not null
    returning packet_rec_id, trans_rec_id
), reply as materialized (
    select jsonb_object_agg(trans_rec_id, packet_rec_id) as ids from inserted
), expected as (
    insert into expected_reply_tbl (packet_rec_id, type_id, timeout)
    select ((select ids from reply) ->> trans_rec_id)::int, type_id, timeout
    from json_to_recordset($2) as row (trans_rec_id text, type_id int, timeout int)
), data as (
    insert into data_tbl (packet_rec_id, tag, subtag, seq, value)
    select ((select ids from reply) ->> trans_rec_id)::int, tag, subtag, seq, value
    from json_to_recordset($3) as row (trans_rec_id text, tag text, subtag text, seq int, value text)
), own as (
    insert into amierules_packet (packet_rec_id, remote_site_name, in_reply_to, stored_at)
    select ((select ids from reply) ->> trans_rec_id::text)::int, remote_site_name, packet_rec_id, $7
    from answer where type_id is not null
), ended as (
    update packet_tbl set state_id = answer.state_id from answer where packet_tbl.packet_rec_id = answer.packet_rec_id
), over as (
    update transaction_tbl set state_id = transaction_state_id from answer
    where transaction_tbl.trans_rec_id = answer.trans_rec_id and transaction_state_id is not null
), unanswered as (
    update packet_tbl set state_id = transaction_state_id from answer cross join lateral (
        select sent.packet_rec_id as number from packet_tbl sent
        where sent.trans_rec_id = answer.trans_rec_id and sent.outgoing_flag = 1 and sent.state_id = $10 offset 0
    ) as open where packet_tbl.packet_rec_id = open.number and transaction_state_id is not null
), told as (
    insert into amierules_event (packet_rec_id, at, who, what, why)
    select packet_rec_id, $7, $8, what, why || coalesce((select ids from reply) ->> reply_in, '')
    from json_to_recordset($4) as row (packet_rec_id int, what text, why text, reply_in text)
), unreserved as (
    delete from amierules_reservation where packet_rec_id = any (array(select json_array_elements_text($6)::int))
)
update amierules_work set
    status = row.status, rule = row.rule, reason = row.reason, blocker = row.blocker, approvable = row.approvable,
    next_attempt_at = row.next_attempt_at, updated_at = row.updated_at, paused_by = row.paused_by, asked = row.asked,
    attempts = row.attempts, first_deferred_at = row.first_deferred_at, fence = row.fence
from json_to_recordset($5) as row (
    packet_rec_id int, status text, rule text, reason text, blocker int, approvable text,
    next_attempt_at timestamp, updated_at timestamp, paused_by text, asked json,
    attempts int, first_deferred_at timestamp, fence int
)
where amierules_work.packet_rec_id = row.packet_rec_id
""",
    ("answers", "expected", "data", "events", "standings", "over", "now", "who", "version", "in_progress"),
    "json, json, json, json, json, json, timestamp, text, text, int",
    fixed={"version": VERSION, "in_progress": STATE_IDS[IN_PROGRESS]},
)
# Only after what they would find is written.
_RELEASE = Statement.of("amierules_release", RELEASE)
_WAKE = Statement.of("amierules_wake", WAKE)
_DEFERRED = in_json(["deferred"])


class PostgresSettlement:
    """A settlement on a connection that begins nothing by itself."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._states: dict[int, tuple[int | None, int | None]] = {}
        self._first: tuple[str | Call, ...] = ()
        """What goes before all that is written."""

    def lock(self, ids: Collection[int], answered: Collection[int]) -> Mapping[int, Locked]:
        """Begins; the work rows of these packets."""
        rows = send(self.connection, BEGIN, _LOCK.call(ids=in_json(ids), answered=in_json(answered)))
        self._states = {row[0]: (row[-2], row[-1]) for row in rows}
        found = {}
        for *row, _, _ in rows:
            one = Locked(*row)
            first = one.first_deferred_at and one.first_deferred_at.replace(tzinfo=UTC)
            found[one.packet_rec_id] = one._replace(
                updated_at=one.updated_at.replace(tzinfo=UTC), first_deferred_at=first
            )
        return found

    def expect(self, expected: Sequence[Expected]) -> None:
        """What is expected is looked at when all is written."""
        rows = [one._asdict() for one in expected]
        self._first = (BEGIN, _EXPECT.call(expected=_ENCODER.encode(rows)))

    def commit(self, settled: Settled, last: Callable[[], None]) -> None:
        """Writes all of it and commits."""
        for one in () if self._first else settled.ended:
            refuse_ended(*self._states.get(one.packet_rec_id, (None, None)))
        message = (*self._first, *_calls(settled), COMMIT)
        last()
        self._tell(message)

    def _tell(self, message: Words) -> None:
        with _refusals():
            send(self.connection, *message)


class SettlementAhead(PostgresSettlement):
    """A settlement of packets that are as they were read, for another connection: `commit` only makes its `message`.
    Whether they are, `wait` says, some time after that is sent.
    """

    message: Words = ()

    def _tell(self, message: Words) -> None:
        self.message = message


def wait(ahead: Ahead) -> None:
    """Waits until the last settlement is committed. Raises `Changed`, and what `PostgresSettlement.commit` raises."""
    with _refusals():
        ahead.wait()


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except psycopg2.DataError as error:
        if is_refused(error, _CHANGED):
            raise Changed from error
        raise
    except psycopg2.IntegrityError as error:
        if error.pgcode == _UNIQUE_VIOLATION and error.diag.table_name == packet_tbl.name:
            raise NoLongerInProgress(ANOTHER_REPLY) from error
        raise


def _calls(settled: Settled) -> Iterator[Call]:
    now = _naive(settled.now)
    yield _SETTLE.call(**_rows(settled), over=in_json(settled.over), now=now, who=settled.who)
    if settled.out_of_the_way:
        yield _RELEASE.call(ids=in_json(settled.out_of_the_way), moment=now)
    if settled.woken:
        yield _WAKE.call(statuses=_DEFERRED, keys=in_json(settled.woken), moment=now)


def _rows(settled: Settled) -> dict[str, str]:
    """The rows by parameter, as JSON."""
    replies = [(one.trans_rec_id, one.reply) for one in settled.ended if one.reply is not None]
    transactions = {one.packet_rec_id: one.trans_rec_id for one in settled.ended}
    rows: dict[str, list[dict[str, Any]]] = {
        "answers": [
            {
                "packet_rec_id": one.packet_rec_id,
                "trans_rec_id": one.trans_rec_id,
                "state_id": one.state_id,
                "transaction_state_id": one.transaction_state_id,
                "type_id": one.reply and one.reply.type_id,
                "reply_state_id": one.reply and one.reply.state_id,
                "packet_id": one.reply and one.reply.packet_id,
                "remote_site_name": one.reply and one.reply.remote_site_name,
            }
            for one in settled.ended
        ],
        "expected": [
            {"trans_rec_id": trans_rec_id, "type_id": type_id, "timeout": minutes}
            for trans_rec_id, reply in replies
            for type_id, minutes in reply.content.replies
        ],
        "data": [
            {"trans_rec_id": trans_rec_id, "tag": tag, "subtag": subtag, "seq": seq, "value": value}
            for trans_rec_id, reply in replies
            for tag, subtag, seq, value in reply.content.data
        ],
        "events": [
            {
                "packet_rec_id": one.packet_rec_id,
                "what": one.what,
                "why": one.why,
                "reply_in": transactions[one.packet_rec_id] if one.names_reply else None,
            }
            for one in settled.events
        ],
        "standings": [{"packet_rec_id": number, **values} for number, values in settled.standings.items()],
    }
    return {name: _ENCODER.encode(of_table) for name, of_table in rows.items()}


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _naive_text(moment: datetime) -> str:
    return _naive(moment).isoformat()


_ENCODER = json.JSONEncoder(default=_naive_text, ensure_ascii=False)
