"""Packets that come in together become the same rows as one after the other, in as few statements as one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, insert, select, update

from amierules.database import own_tables
from amierules.database.amie_tables import STATE_IDS, data_tbl, packet_tbl, transaction_tbl
from amierules.database.connection import Database
from amierules.database.incoming import Stored, StoredKind, store_all_incoming, store_incoming
from amierules.database.originating import originate
from amierules.database.packets import read_packets
from amierules.database.transactions import find_transactions
from amierules.protocol.packet import Packet
from tests.support.packets import CENTRAL, NOW, SITE, incoming

NEW, DUPLICATE, RESENT, KEPT = StoredKind.NEW, StoredKind.DUPLICATE, StoredKind.RESENT, StoredKind.KEPT


def _all(database: Database, packets: Sequence[Packet]) -> list[Stored]:
    with database.begin() as connection:
        return store_all_incoming(connection, packets, NOW)


def _numbered(number: int, **header: Any) -> Packet:
    return incoming(transaction_id=number, remote_packet_rec_id=100 + number, **header)


@contextmanager
def _statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


MIXED = [
    _numbered(1),
    incoming("request_coffee", transaction_id=2, remote_packet_rec_id=102),
    _numbered(3),
    incoming("data_project_create", transaction_id=3, packet_id=3, remote_packet_rec_id=203),
    _numbered(1),
    incoming(transaction_id=1, remote_packet_rec_id=None),
    incoming(transaction_id=9, remote_packet_rec_id=103),
    incoming(transaction_id=3, packet_id=3, remote_packet_rec_id=204),
    incoming("request_coffee", transaction_id=2, remote_packet_rec_id=102),
    incoming(transaction_id=1, remote_packet_rec_id=101, remote_site_name="OTHER", originating_site_name="OTHER"),
]


def test_together_is_as_one_after_the_other(database: Database) -> None:
    kinds = [one.kind for one in _all(database, MIXED)]
    assert kinds == [NEW, KEPT, NEW, NEW, DUPLICATE, DUPLICATE, DUPLICATE, DUPLICATE, DUPLICATE, NEW]
    with database.begin() as connection:
        again = [store_incoming(connection, packet, NOW) for packet in MIXED]
    assert {one.kind for one in again} == {DUPLICATE}
    assert [one.packet_rec_id for one in again] == [one.packet_rec_id for one in _all(database, MIXED)]


def test_all_of_each_packet_is_there(database: Database) -> None:
    packets = [
        _numbered(number, body={"GrantNumber": f"N{number}", "PiDnList": ["/CN=1", "/CN=2"]}) for number in range(1, 8)
    ]
    numbers = [one.packet_rec_id for one in _all(database, packets)]
    with database.read() as connection:
        stored = read_packets(connection, [number for number in numbers if number is not None], SITE)
    assert [stored[number or 0].packet.body for number in numbers] == [packet.body for packet in packets]
    found = [stored[number or 0].packet.header for number in numbers]
    assert [one.remote_packet_rec_id for one in found] == [101, 102, 103, 104, 105, 106, 107]
    assert len({one.trans_rec_id for one in found}) == 7


def test_a_failed_one_among_them_is_replaced(database: Database) -> None:
    first, second = (one.packet_rec_id for one in _all(database, [_numbered(1), _numbered(2)]))
    with database.begin() as connection:
        failed = update(packet_tbl).where(packet_tbl.c.packet_rec_id == second)
        connection.execute(failed.values(state_id=STATE_IDS["failed"]))
    newer = incoming(transaction_id=2, remote_packet_rec_id=900, body={"GrantNumber": "newer"})
    assert _all(database, [_numbered(1), newer, _numbered(3)])[:2] == [Stored(first, DUPLICATE), Stored(second, RESENT)]
    with database.read() as connection:
        values = connection.scalars(select(data_tbl.c.value).where(data_tbl.c.packet_rec_id == second)).all()
    assert values == ["newer"]


def test_our_packets_that_expect_them_are_completed(database: Database) -> None:
    body = {"GlobalID1": "1", "GlobalID2": "2"}
    with database.begin() as connection:
        ours = [
            originate(
                connection,
                type_name="notify_person_duplicate",
                body=body,
                site_name=SITE,
                remote_site_name=CENTRAL,
                now=NOW,
            )
            for _ in range(3)
        ]
    replies = [
        incoming(
            "inform_transaction_complete",
            transaction_id=one.transaction_id,
            packet_id=2,
            originating_site_name=SITE,
            remote_packet_rec_id=one.transaction_id,
        )
        for one in ours[:2]
    ]
    assert {one.kind for one in _all(database, [*replies, _numbered(50)])} == {NEW}
    with database.read() as connection:
        states = connection.scalars(
            select(packet_tbl.c.state_id).where(packet_tbl.c.outgoing_flag == 1).order_by(packet_tbl.c.packet_rec_id)
        ).all()
    assert list(states) == [STATE_IDS[state] for state in ("completed", "completed", "in-progress")]


def test_a_transaction_of_ours_is_found_by_the_number_that_the_server_gave_it(database: Database) -> None:
    with database.begin() as connection:
        ours = originate(
            connection,
            type_name="notify_person_duplicate",
            body={"GlobalID1": "1", "GlobalID2": "2"},
            site_name=SITE,
            remote_site_name=CENTRAL,
            now=NOW,
        )
        named = update(own_tables.packet).where(own_tables.packet.c.packet_rec_id == ours.packet_rec_id)
        connection.execute(named.values(remote_packet_rec_id=70, remote_trans_rec_id=7))
    answer = incoming(
        "inform_transaction_complete",
        transaction_id=4711,
        packet_id=2,
        originating_site_name=SITE,
        remote_trans_rec_id=7,
    )
    foreign = replace(answer, header=replace(answer.header, remote_trans_rec_id=8))
    with database.begin() as connection:
        found = find_transactions(connection, [foreign.header, answer.header])
        assert found == [None, ours.trans_rec_id]
        store_all_incoming(connection, [answer], NOW)
        assert connection.scalar(select(func.count()).select_from(transaction_tbl)) == 1


def test_the_other_view_of_a_transaction_is_the_second_choice(legacy_postgres_url: str) -> None:
    seen = {"originating_site_name": CENTRAL, "transaction_id": 5, "state_id": STATE_IDS["in-progress"], "ts": NOW}
    with Database.open(legacy_postgres_url, create=False) as database, database.begin() as connection:
        theirs = {"local_site_name": CENTRAL, "remote_site_name": SITE}
        header = incoming(transaction_id=5).header
        other = connection.execute(
            insert(transaction_tbl).returning(transaction_tbl.c.trans_rec_id), {**seen, **theirs}
        )
        assert find_transactions(connection, [header]) == [other.scalar_one()]
        ours = {"local_site_name": SITE, "remote_site_name": CENTRAL}
        own = connection.execute(insert(transaction_tbl).returning(transaction_tbl.c.trans_rec_id), {**seen, **ours})
        assert find_transactions(connection, [header]) == [own.scalar_one()]


@pytest.mark.parametrize("count", [2, 100])
def test_many_take_as_few_messages_as_two(postgres_ready_url: str, count: int) -> None:
    with Database.open(postgres_ready_url, create=False) as database:
        _all(database, [_numbered(900)])
        with _statements() as seen:
            _all(database, [_numbered(number) for number in range(1, count + 1)])
    assert len(seen) == 8, seen
