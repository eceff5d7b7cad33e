"""Settling: what one commit writes where packets end, the same on every database, and all of it or nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from sqlalchemy import select, update

from amierules.database import events, replies, reservations, work
from amierules.database.amie_tables import STATE_IDS, STATE_NAMES, packet_tbl, transaction_tbl
from amierules.database.connection import Database
from amierules.database.due import due_packets
from amierules.database.packets import read_packets, transaction_packets
from amierules.database.replies import Answer, NoLongerInProgress
from amierules.database.settled import Changed, Expected, Settled, Told
from amierules.database.settlement import settlement
from amierules.database.standing import Standing
from amierules.database.work import Locked
from amierules.diagnostics import Unavailable
from amierules.protocol.packet import Body, Packet
from tests.support.amie_rows import add_work
from tests.support.packets import NOW, SITE, incoming, store
from tests.support.postgres import PostgresServer

LATER = NOW + timedelta(minutes=5)
OPEN = STATE_IDS["in-progress"]
NOTIFY, ITC = "notify_project_create", "inform_transaction_complete"
BODY: Body = {"ProjectID": "P-1", "PiDnList": ["/CN=Ann 'A' \\ Ä", "/CN=B"], "Sfos": [{"Number": "1"}, {"Number": "2"}]}


def stocked(database: Database, count: int = 2) -> list[Packet]:
    """Packets that wait, each with its work row."""
    numbers = store(database, *(incoming(transaction_id=100 + number) for number in range(count)))
    with database.begin() as connection:
        for number in numbers:
            add_work(connection, number, trans_rec_id=number, keys=(f"grant:{number}",))
        found = read_packets(connection, numbers, SITE)
    return [found[number].packet for number in numbers]


def number_of(packet: Packet) -> int:
    return packet.header.packet_rec_id or 0


def settle(
    database: Database,
    answers: list[Answer],
    last: Callable[[], None] = lambda: None,
    expected: list[Expected] | None = None,
    **more: Any,
) -> None:
    """Settles as done, with an event each."""
    ids = [number_of(answer.to) for answer in answers]
    with settlement(database) as transaction:
        if expected is None:
            rows = transaction.lock(ids, ids)
        else:
            transaction.expect(expected)
            rows = {one.packet_rec_id: Locked(*one[:2], "ready", NOW, 0, None) for one in expected}
        settled = Settled("run@a", LATER, over=ids, out_of_the_way=ids, **more)
        settled.ended = replies.ended_by(transaction.connection, answers, owns_tables=database.owns_amie_tables)
        for answer in answers:
            row, number = rows[number_of(answer.to)], number_of(answer.to)
            new = Standing("done", rule="r", take_over=True)
            settled.standings[number] = {**row.counted(), **new.values(LATER, row)}
            if answer.type_name:
                settled.events.append(Told(number, "replied", f"{answer.type_name} as packet ", names_reply=True))
            settled.events.append(Told(number, "done", "100 %s"))
        transaction.commit(settled, last)


def said(database: Database, packet: Packet) -> list[tuple[str, str, str]]:
    with database.read() as connection:
        return [(one.who, one.what, one.why) for one in events.for_packet(connection, number_of(packet))]


def status_of(database: Database, packet: Packet) -> str:
    with database.read() as connection:
        item = work.get(connection, number_of(packet))
    assert item is not None
    return item.status


def untouched(database: Database, packets: list[Packet]) -> bool:
    with database.read() as connection:
        sent = connection.scalars(select(packet_tbl.c.packet_rec_id).where(packet_tbl.c.outgoing_flag == 1)).all()
    return sent == [] and all(status_of(database, one) == "ready" and said(database, one) == [] for one in packets)


def test_a_reply_and_all_that_goes_with_it_are_there_together(any_database: Database) -> None:
    packets = stocked(any_database, 3)
    with any_database.begin() as connection:
        reservations.never_give(connection, "login", "nobody", "x")
    reservations.reserve_text(any_database, "login", ["ann"], number_of(packets[0]), "a step")
    settle(any_database, [Answer(one, "completed", NOTIFY, BODY, packet_id=7) for one in packets[:2]])
    for packet in packets[:2]:
        with any_database.read() as connection:
            asked, reply = transaction_packets(connection, packet.header.trans_rec_id or 0, SITE)
            item = work.get(connection, number_of(packet))
        header = reply.packet.header
        assert (asked.state, reply.state, header.packet_id, header.timestamp) == ("completed", "in-progress", 7, LATER)
        assert (reply.packet.body, reply.in_reply_to, reply.problems) == (BODY, number_of(packet), ())
        assert [(one.type, one.timeout) for one in header.expected_replies] == [("data_project_create", 30240)]
        assert (header.type, header.outgoing, header.remote_site_name) == (NOTIFY, True, packet.header.remote_site_name)
        assert item is not None
        assert (item.status, item.rule, item.updated_at, item.fence, item.attempts) == ("done", "r", LATER, 1, 0)
        assert said(any_database, packet) == [
            ("run@a", "replied", f"{NOTIFY} as packet {header.packet_rec_id}"),
            ("run@a", "done", "100 %s"),
        ]
    assert (status_of(any_database, packets[2]), said(any_database, packets[2])) == ("ready", [])
    assert reservations.reserved_text(any_database, "login", number_of(packets[0]), "a step") is None


def test_a_reply_without_a_number_gets_the_next_one(any_database: Database) -> None:
    (packet,) = stocked(any_database, 1)
    settle(any_database, [Answer(packet, "completed", NOTIFY, BODY, packet_id=10**37)])
    with any_database.begin() as connection:
        connection.execute(update(packet_tbl).where(packet_tbl.c.outgoing_flag == 0).values(state_id=OPEN))
    settle(any_database, [Answer(packet, "completed", NOTIFY, BODY)])
    with any_database.read() as connection:
        sent = transaction_packets(connection, packet.header.trans_rec_id or 0, SITE)[1:]
    assert [one.packet.header.packet_id for one in sent] == [10**37, 10**37 + 1]


@pytest.mark.parametrize(("status_code", "end"), [("Success", "completed"), ("Failure", "failed")])
def test_the_reply_that_ends_a_transaction_ends_what_nobody_answered(
    any_database: Database, status_code: str, end: str
) -> None:
    packet, other = stocked(any_database)
    for one in (packet, other):
        settle(any_database, [Answer(one, "completed", NOTIFY, BODY)])
    with any_database.begin() as connection:
        connection.execute(update(packet_tbl).where(packet_tbl.c.outgoing_flag == 0).values(state_id=OPEN))
    over: Body = {"StatusCode": status_code, "DetailCode": "1", "Message": "x"}
    settle(any_database, [Answer(packet, "completed", ITC, over)])
    ours = any_database.owns_amie_tables
    with any_database.read() as connection:
        found = [transaction_packets(connection, one.header.trans_rec_id or 0, SITE) for one in (packet, other)]
        states = connection.scalars(select(transaction_tbl.c.state_id).order_by(transaction_tbl.c.trans_rec_id)).all()
    first = ["completed", end, "completed"] if ours else ["completed", "in-progress", "in-progress"]
    assert [[one.state for one in transaction] for transaction in found] == [first, ["in-progress", "in-progress"]]
    assert [STATE_NAMES[state] for state in states] == [end if ours else "in-progress", "in-progress"]


def test_who_waits_for_what_ends_is_looked_at_again(database: Database) -> None:
    packet, waiting = stocked(database)
    with database.begin() as connection:
        add_work(connection, 77, "deferred", next_attempt_at=LATER + timedelta(days=1), keys=("grant:X",))
        add_work(connection, 78, "deferred", next_attempt_at=LATER + timedelta(days=1), keys=("grant:Y",))
        blocker = number_of(packet)
        work.set_status(connection, number_of(waiting), "waiting", who="x", now=NOW, reason="w", blocker=blocker)
    settle(database, [Answer(packet, "completed")], woken={"grant:X", "trans:1"})
    with database.read() as connection:
        due = [one.packet_rec_id for one in due_packets(connection, LATER, limit=9)]
    assert sorted(due) == sorted([number_of(waiting), 77])


def test_nothing_is_written_where_something_goes_wrong_before_the_commit(any_database: Database) -> None:
    packets = stocked(any_database)

    def refuse() -> None:
        raise RuntimeError("stop")

    with any_database.kept():
        for _ in range(2):
            with pytest.raises(RuntimeError):
                settle(any_database, [Answer(one, "completed", NOTIFY, BODY) for one in packets], refuse)
            assert untouched(any_database, packets)
        settle(any_database, [Answer(one, "completed", NOTIFY, BODY) for one in packets])
    assert {status_of(any_database, one) for one in packets} == {"done"}


def test_a_refused_value_refuses_all(postgres_ready_url: str) -> None:
    with Database.open(postgres_ready_url, create=False) as database, database.kept():
        one, other = stocked(database)
        refused: Body = {"ProjectID": "a\x00b"}
        with pytest.raises(psycopg2.DataError):
            settle(database, [Answer(one, "completed", NOTIFY, BODY), Answer(other, "completed", NOTIFY, refused)])
        assert untouched(database, [one, other])
        settle(database, [Answer(packet, "completed", NOTIFY, BODY) for packet in (one, other)])
        assert status_of(database, other) == "done"


def test_a_reply_whose_number_is_taken_refuses_all(any_database: Database) -> None:
    packets = stocked(any_database)
    settle(any_database, [Answer(packets[0], "completed", NOTIFY, BODY, packet_id=1)])
    with any_database.begin() as connection:
        connection.execute(update(packet_tbl).where(packet_tbl.c.outgoing_flag == 0).values(state_id=OPEN))
    with pytest.raises(NoLongerInProgress, match="at the same time"):
        settle(any_database, [Answer(one, "completed", NOTIFY, BODY, packet_id=1) for one in packets])
    assert (status_of(any_database, packets[1]), said(any_database, packets[1])) == ("ready", [])


def test_what_has_ended_meanwhile_is_not_answered(any_database: Database) -> None:
    packets = stocked(any_database)
    with any_database.begin() as connection:
        connection.execute(
            update(packet_tbl)
            .where(packet_tbl.c.packet_rec_id == number_of(packets[1]))
            .values(state_id=STATE_IDS["completed"])
        )
    with pytest.raises(NoLongerInProgress, match="the packet is completed"):
        settle(any_database, [Answer(one, "completed", NOTIFY, BODY) for one in packets])
    assert untouched(any_database, packets)
    gone = replace(packets[0], header=replace(packets[0].header, packet_rec_id=number_of(packets[1]) + 50))
    expected = [Expected(number_of(gone), 0, None, None, True)]
    with pytest.raises((Changed, NoLongerInProgress)):
        settle(any_database, [Answer(gone, "completed", NOTIFY, BODY)], expected=expected)
    assert untouched(any_database, packets)


def test_a_lost_connection_is_replaced_by_the_next_settlement(
    postgres_server: PostgresServer, postgres_ready_url: str
) -> None:
    with Database.open(postgres_ready_url, create=False) as database, database.kept():
        packets = stocked(database, 2)
        settle(database, [Answer(packets[0], "completed", NOTIFY, BODY)])

        def lose() -> None:
            postgres_server.end_connections(str(database.url.database))

        with pytest.raises(Unavailable) as failure:
            settle(database, [Answer(packets[1], "completed", NOTIFY, BODY)], lose)
        assert failure.value.findings[0].code == "database-lost"
    with Database.open(postgres_ready_url, create=False) as database, database.kept():
        with settlement(database) as transaction:
            transaction.lock([], [])
        postgres_server.end_connections(str(database.url.database))
        # It ends without a word.
    with Database.open(postgres_ready_url, create=False) as database, database.kept():
        assert status_of(database, packets[1]) == "ready"
        settle(database, [Answer(packets[1], "completed", NOTIFY, BODY)])
        postgres_server.end_connections(str(database.url.database))
        with pytest.raises(Unavailable):
            settle(database, [Answer(packets[1], "completed")])
        with pytest.raises(NoLongerInProgress):
            settle(database, [Answer(packets[1], "completed")])


def test_what_is_locked_waits_and_is_free_after_a_failure(postgres_ready_url: str) -> None:
    with Database.open(postgres_ready_url, create=False) as database:
        (packet,) = stocked(database, 1)

        def look() -> None:
            with database.begin() as connection:
                connection.exec_driver_sql("set local lock_timeout = '50ms'")
                work.get(connection, number_of(packet), lock=True)

        with pytest.raises(Unavailable) as failure:
            settle(database, [Answer(packet, "completed", NOTIFY, BODY)], look)
        assert failure.value.findings[0].code == "database-locked"
        look()
        assert untouched(database, [packet])


def as_they_are(database: Database, packets: list[Packet]) -> list[Expected]:
    with database.read() as connection:
        rows, _ = work.these(connection, [number_of(one) for one in packets])
    return [Expected(row.packet_rec_id, row.fence, row.status, row.updated_at, True) for row in rows]


def test_packets_that_are_as_they_were_read_are_settled_without_a_look(any_database: Database) -> None:
    packets = stocked(any_database)
    answers = [Answer(one, "completed", NOTIFY, BODY, packet_id=1) for one in packets]
    one, other = as_they_are(any_database, packets)
    settle(any_database, answers, expected=[one, other._replace(status=None, updated_at=None)])
    assert {status_of(any_database, packet) for packet in packets} == {"done"}
    assert [what for _, what, _ in said(any_database, packets[1])] == ["replied", "done"]


@pytest.mark.parametrize(
    "otherwise",
    [{"fence": 1}, {"status": "held"}, {"updated_at": NOW - timedelta(microseconds=1)}],
)
def test_of_packets_of_which_one_is_otherwise_none_is_settled(
    any_database: Database, otherwise: dict[str, Any]
) -> None:
    packets = stocked(any_database)
    answers = [Answer(one, "completed", NOTIFY, BODY, packet_id=1) for one in packets]
    one, other = as_they_are(any_database, packets)
    with any_database.kept():
        for expected in ([one, other._replace(**otherwise)], [one._replace(**otherwise), other]):
            with pytest.raises(Changed):
                settle(any_database, answers, expected=expected)
            assert untouched(any_database, packets)
        settle(any_database, answers, expected=[one, other])
    assert {status_of(any_database, packet) for packet in packets} == {"done"}


@pytest.mark.parametrize("table", [packet_tbl, transaction_tbl])
def test_nor_where_one_is_over_in_amie(any_database: Database, table: Any) -> None:
    packets = stocked(any_database)
    expected = as_they_are(any_database, packets)
    with any_database.begin() as connection:
        over = update(table).where(table.c.trans_rec_id == packets[1].header.trans_rec_id)
        connection.execute(over.values(state_id=STATE_IDS["completed"]))
    answers = [Answer(one, "completed", NOTIFY, BODY, packet_id=1) for one in packets]
    with pytest.raises((Changed, NoLongerInProgress)):
        settle(any_database, answers, expected=expected)
    assert untouched(any_database, packets)
