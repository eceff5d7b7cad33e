"""Intake: every packet that may be worked on gets its work row, once."""

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import timedelta

import pytest
from sqlalchemy import Connection, delete, insert, text, update

from amierules.database import events, intake, work
from amierules.database.amie_tables import STATE_IDS, packet_tbl, transaction_depends_tbl, transaction_tbl
from amierules.database.connection import Database
from amierules.database.intake import Needs, take_in
from amierules.database.packets import StoredPacket
from amierules.diagnostics import Unavailable
from tests.support.amie_rows import NOW, add_packet, add_transaction, add_work

LATER = NOW + timedelta(hours=1)


def needs(_: Connection, found: Sequence[StoredPacket]) -> list[Needs]:
    return [Needs({f"grant:{stored.packet.header.packet_id}"}, "TG1", "alpha", None) for stored in found]


def take(database: Database) -> int:
    return take_in(database, needs_of=needs, site_name="TestSite", now=NOW, sweep_every=timedelta())


def statuses(database: Database) -> dict[int, str]:
    with database.read() as connection:
        return {item.packet_rec_id: item.status for item in work.listing(connection, include_final=True)}


def what_happened(database: Database, packet_rec_id: int) -> list[tuple[str, str, str]]:
    with database.read() as connection:
        return [(one.who, one.what, one.why) for one in events.for_packet(connection, packet_rec_id)]


def test_an_eligible_packet_gets_a_row_with_its_keys_and_an_event(database: Database) -> None:
    with database.begin() as connection:
        trans = add_transaction(connection)
        packet = add_packet(connection, trans, "request_project_create", minutes=3, packet_id=8)
    assert take(database) == 1
    with database.read() as connection:
        item = work.get(connection, packet)
        keys = work.keys_of_several(connection, [packet])[packet]
    assert item == work.WorkItem(
        packet_rec_id=packet,
        trans_rec_id=trans,
        type="request_project_create",
        ts=NOW + timedelta(minutes=3),
        status="ready",
        rule=None,
        reason=None,
        blocker=None,
        approvable=None,
        attempts=0,
        next_attempt_at=None,
        first_deferred_at=None,
        paused_by=None,
        begun=False,
        fence=0,
        pinned=None,
        grant_number="TG1",
        resource="alpha",
        record_id=None,
        taken_in_at=NOW,
        updated_at=NOW,
    )
    assert keys == {f"trans:{trans}", "grant:8"}
    assert what_happened(database, packet) == [("intake", "ready", "arrived")]


def test_taking_in_twice_changes_nothing(database: Database) -> None:
    with database.begin() as connection:
        packet = add_packet(connection, add_transaction(connection))
    assert (take(database), take(database)) == (1, 0)
    assert len(what_happened(database, packet)) == 1


def test_a_packet_that_came_late_with_a_lower_id_is_not_missed(database: Database) -> None:
    with database.begin() as connection:
        trans = add_transaction(connection)
        first = add_packet(connection, trans)
        second = add_packet(connection, trans)
        row = {**connection.execute(packet_tbl.select().where(packet_tbl.c.packet_rec_id == first)).mappings().one()}
        connection.execute(delete(packet_tbl).where(packet_tbl.c.packet_rec_id == first))
    assert take(database) == 1
    with database.begin() as connection:
        connection.execute(insert(packet_tbl).values(row))
    assert take(database) == 1
    assert statuses(database) == {first: "ready", second: "ready"}


@pytest.mark.parametrize("why_not", ["outgoing", "completed", "transaction on hold", "depends"])
def test_what_may_not_be_worked_on_gets_no_row_until_it_may(database: Database, why_not: str) -> None:
    with database.begin() as connection:
        trans, other = add_transaction(connection), add_transaction(connection)
        add_packet(
            connection,
            trans,
            outgoing=why_not == "outgoing",
            state="completed" if why_not == "completed" else "in-progress",
        )
        if why_not == "transaction on hold":
            connection.execute(update(transaction_tbl).values(state_id=STATE_IDS["on-hold"]))
        if why_not == "depends":
            connection.execute(
                insert(transaction_depends_tbl).values(trans_rec_id=trans, depends_on_trans_rec_id=other)
            )
    assert take(database) == 0
    with database.begin() as connection:
        connection.execute(update(packet_tbl).values(state_id=STATE_IDS["in-progress"], outgoing_flag=0))
        connection.execute(update(transaction_tbl).values(state_id=STATE_IDS["in-progress"]))
        connection.execute(delete(transaction_depends_tbl))
    assert take(database) == 1


def test_more_packets_than_a_batch_are_all_taken(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_BATCH", 7)
    with database.begin() as connection:
        trans = add_transaction(connection)
        for _ in range(20):
            add_packet(connection, trans)
    assert take(database) == 20
    assert len(statuses(database)) == 20


def test_several_at_once_take_each_packet_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_BATCH", 5)
    with database.begin() as connection:
        trans = add_transaction(connection)
        packets = [add_packet(connection, trans) for _ in range(40)]
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(take(database))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(counts) == 40
    assert all(len(what_happened(database, packet)) == 1 for packet in packets)


@pytest.mark.parametrize("gone", [False, True])
def test_a_packet_that_another_program_ended_is_done_and_one_that_has_begun_is_held(
    database: Database, gone: bool
) -> None:
    cases = [(status, False) for status in ("ready", "waiting", "deferred", "held", "parked")]
    begun_ones = [("retrying", True)]
    kept = [("in_doubt", True), ("held", True), ("running", False), ("ignored", False)]
    closed: list[int] = []
    still_open: list[int] = []
    with database.begin() as connection:
        trans = add_transaction(connection)
        for status, begun in cases + begun_ones + kept:
            closed.append(add_packet(connection, trans, state="completed", packet_id=len(closed)))
            add_work(connection, closed[-1], status, begun=begun)
            still_open.append(add_packet(connection, trans, packet_id=100 + len(closed)))
            add_work(connection, still_open[-1], status, begun=begun)
        if gone:
            connection.execute(delete(packet_tbl).where(packet_tbl.c.packet_rec_id.in_(closed)))
    assert (take(database), take(database)) == (0, 0)
    now = statuses(database)
    assert [now[packet] for packet in closed] == ["done"] * 5 + ["held"] + [status for status, _ in kept]
    assert [now[packet] for packet in still_open] == [status for status, _ in cases + begun_ones + kept]
    happened = [[what for _, what, _ in what_happened(database, packet)] for packet in closed]
    assert happened == [["done"]] * 5 + [["held"]] + [[]] * 4
    assert not any(what_happened(database, packet) for packet in still_open)


def test_what_packets_need_is_asked_for_many_at_once(database: Database) -> None:
    asked = []

    def by_record(_: Connection, found: Sequence[StoredPacket]) -> list[Needs]:
        asked.append(len(found))
        return [Needs(set(), None, None, f"record {one.packet.header.packet_rec_id}") for one in found]

    with database.begin() as connection:
        packets = [add_packet(connection, add_transaction(connection)) for _ in range(3)]
    take_in(database, needs_of=by_record, site_name="TestSite", now=NOW)
    with database.read() as connection:
        items = work.among(connection, packets)
    assert [item.record_id for item in items] == [f"record {item.packet_rec_id}" for item in items]
    assert asked == [3]


@pytest.mark.parametrize(("ends", "taken"), [(2, True), (50, False)])
def test_an_intake_that_postgresql_ended_is_done_once_more(postgres_ready_url: str, ends: int, taken: bool) -> None:
    left = [ends]

    def tell(connection: Connection, packet_rec_id: int, status: str, reason: str) -> None:
        if left[0]:
            left[0] -= 1
            # What comes of two transactions that wait for each other, one of which PostgreSQL ends.
            connection.execute(text("do $$ begin raise exception using errcode = '40P01'; end $$"))

    with Database.open(postgres_ready_url, create=False) as database:
        with database.begin() as connection:
            packet = add_packet(connection, add_transaction(connection))
        with nullcontext() if taken else pytest.raises(Unavailable):
            take_in(database, needs_of=needs, site_name="TestSite", now=NOW, sweep_every=timedelta(), tell=tell)
        assert statuses(database) == ({packet: "ready"} if taken else {})
