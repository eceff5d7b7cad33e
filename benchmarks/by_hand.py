"""What a programmer would write by hand for one site: psycopg2 alone, prepared statements, no rules.

Each function answers waiting packets with the rows that our engine writes to AMIE's tables for them: the reply, its
expected reply and data, and the request's state. None keeps a journal, an event or a registry.
"""

import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2

from amierules.database.amie_tables import STATE_IDS
from amierules.protocol.catalogue import catalogue
from amierules.protocol.packet import IN_PROGRESS
from benchmarks.backlog import REPLY, REQUEST

_OPEN, _OVER = STATE_IDS[IN_PROGRESS], STATE_IDS["completed"]
_REQUEST, _REPLY = catalogue().types[REQUEST].id, catalogue().types[REPLY].id
_EXPECTED = catalogue().types[REPLY].expected_replies[0]
_COPIED = ("UserFirstName", "UserMiddleName", "UserLastName", "UserOrganization", "UserOrgCode", "ResourceList")
_RENAMED = {"GrantNumber": "ProjectID", "UserPersonID": "UserPersonID", "UserRequestedLoginList": "UserRemoteSiteLogin"}
_TAGS = {**{tag: tag for tag in _COPIED}, **_RENAMED, "UserDnList": "UserDnList"}

_PREPARE = f"""
prepare claim (int, int) as
    with next as (
        select packet_rec_id, trans_rec_id from packet_tbl join transaction_tbl t using (trans_rec_id)
        where packet_rec_id > $1 and outgoing_flag = 0 and packet_tbl.state_id = {_OPEN} and type_id = {_REQUEST}
        and t.state_id = {_OPEN}
        order by packet_rec_id limit $2 for update of packet_tbl skip locked
    )
    select packet_rec_id, trans_rec_id, tag, subtag, seq, value
    from next join data_tbl using (packet_rec_id) order by packet_rec_id, tag, seq;
prepare answer (int, int, text[], int[], text[]) as
    with reply as (
        insert into packet_tbl (trans_rec_id, packet_id, type_id, version, state_id, outgoing_flag, ts)
        select $1, coalesce(max(packet_id), 0) + 1, {_REPLY}, '1.0', {_OPEN}, 1, now() at time zone 'utc'
        from packet_tbl where trans_rec_id = $1 and outgoing_flag = 1
        returning packet_rec_id
    ), expected as (
        insert into expected_reply_tbl (packet_rec_id, type_id, timeout)
        select packet_rec_id, {catalogue().types[_EXPECTED.type].id}, {_EXPECTED.timeout} from reply
    ), data as (
        insert into data_tbl (packet_rec_id, tag, seq, value)
        select packet_rec_id, row.tag, row.seq, row.value from reply, unnest($3, $4, $5) as row (tag, seq, value)
    )
    update packet_tbl set state_id = {_OVER} where packet_rec_id = $2;
"""
_SET_BASED = f"""
with request as (
    select packet_rec_id, trans_rec_id from packet_tbl join transaction_tbl t using (trans_rec_id)
    where outgoing_flag = 0 and packet_tbl.state_id = {_OPEN} and type_id = {_REQUEST} and t.state_id = {_OPEN}
    order by packet_rec_id limit %(limit)s for update of packet_tbl
), reply as (
    insert into packet_tbl (trans_rec_id, packet_id, type_id, version, state_id, outgoing_flag, ts)
    select trans_rec_id, 1 + coalesce((select max(packet_id) from packet_tbl earlier
                                       where earlier.trans_rec_id = request.trans_rec_id and outgoing_flag = 1), 0),
        {_REPLY}, '1.0', {_OPEN}, 1, now() at time zone 'utc' from request
    returning packet_rec_id, trans_rec_id
), expected as (
    insert into expected_reply_tbl (packet_rec_id, type_id, timeout)
    select packet_rec_id, {catalogue().types[_EXPECTED.type].id}, {_EXPECTED.timeout} from reply
), data as (
    insert into data_tbl (packet_rec_id, tag, seq, value)
    select reply.packet_rec_id, names.reply, seq, value
    from request join reply using (trans_rec_id) join data_tbl d on d.packet_rec_id = request.packet_rec_id
    join unnest(%(tags)s, %(reply)s) as names (request, reply) on names.request = d.tag
    union all select packet_rec_id, 'AccountActivityTime', 0, to_char(now() at time zone 'utc', %(time)s) from reply
)
update packet_tbl set state_id = {_OVER} from request where packet_tbl.packet_rec_id = request.packet_rec_id
"""
_TIME = 'YYYY-MM-DD"T"HH24:MI:SS"Z"'


def commit_each(dsn: str, limit: int) -> int:
    """A commit a packet, in two round trips: begin and claim, answer and commit. Returns how many were answered."""
    connection, cursor = _prepared(dsn)
    last = answered = 0
    while answered < limit:
        cursor.execute("begin; execute claim(%s, 1)", (last,))
        packets = _packets(cursor.fetchall())
        if not packets:
            cursor.execute("rollback")
            break
        (((last, trans_rec_id), body),) = packets.items()
        cursor.execute("execute answer(%s, %s, %s, %s, %s); commit", (trans_rec_id, last, *_reply(body)))
        answered += 1
    connection.close()
    return answered


def commit_hundred(dsn: str, limit: int) -> int:
    """A commit for 100 packets: they are claimed together, each is answered in one round trip."""
    connection, cursor = _prepared(dsn)
    last = answered = 0
    while answered < limit:
        cursor.execute("begin; execute claim(%s, %s)", (last, min(100, limit - answered)))
        packets = _packets(cursor.fetchall())
        for (last, trans_rec_id), body in packets.items():
            cursor.execute("execute answer(%s, %s, %s, %s, %s)", (trans_rec_id, last, *_reply(body)))
        cursor.execute("commit")
        if not packets:
            break
        answered += len(packets)
    connection.close()
    return answered


def with_command(dsn: str, limit: int, seconds: float, jobs: int) -> int:
    """As `commit_each`, by so many threads, and each packet's guard is asked and its program run before the answer."""
    with ThreadPoolExecutor(jobs) as pool:
        shares = [limit // jobs + (number < limit % jobs) for number in range(jobs)]
        return sum(pool.map(lambda share: _one_after_another(dsn, share, seconds), shares))


def _one_after_another(dsn: str, limit: int, seconds: float) -> int:
    connection, cursor = _prepared(dsn)
    last = 0
    for _ in range(limit):
        # What another thread has locked is passed over; what it has answered, too.
        cursor.execute("begin; execute claim(%s, 1)", (last,))
        (((last, trans_rec_id), body),) = _packets(cursor.fetchall()).items()
        if subprocess.run(["false"], check=False, capture_output=True).returncode:
            subprocess.run(["sleep", str(seconds)], check=True, capture_output=True)
        cursor.execute("execute answer(%s, %s, %s, %s, %s); commit", (trans_rec_id, last, *_reply(body)))
    connection.close()
    return limit


def set_based(dsn: str, limit: int) -> int:
    """All packets in one statement: what the database alone can do."""
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        names = {"tags": list(_TAGS), "reply": list(_TAGS.values())}
        cursor.execute(_SET_BASED, {"limit": limit, "time": _TIME, **names})
        answered = int(cursor.rowcount)
    connection.close()
    return answered


def _prepared(dsn: str) -> tuple[Any, Any]:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True  # begin and commit are ours, in the same round trip as the statement
    cursor = connection.cursor()
    cursor.execute(_PREPARE)
    return connection, cursor


def _packets(rows: Sequence[tuple[Any, ...]]) -> dict[tuple[int, int], Mapping[str, list[str]]]:
    found: dict[tuple[int, int], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for packet_rec_id, trans_rec_id, tag, _subtag, _seq, value in rows:
        found[packet_rec_id, trans_rec_id][tag].append(value)
    return dict(found)


def _reply(body: Mapping[str, list[str]]) -> tuple[list[str], list[int], list[str]]:
    rows = [(_TAGS[tag], seq, value) for tag in _TAGS for seq, value in enumerate(body.get(tag, ()))]
    rows.append(("AccountActivityTime", 0, "2026-03-01T12:00:00Z"))
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
