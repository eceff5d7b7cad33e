"""What a quick pass finds, what only a sweep finds, and that nothing is found twice: beside a legacy AMIE program."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Connection, delete, insert, select, text, update

from amierules.database import events, intake, own_tables, work
from amierules.database.amie_tables import STATE_IDS, packet_tbl, transaction_depends_tbl, transaction_tbl
from amierules.database.connection import Database
from amierules.database.due import due_packets
from amierules.database.glance import Glance
from amierules.database.intake import SWEEP_EVERY, Needs, quick_query, take_in
from amierules.database.packets import StoredPacket
from tests.support.amie_rows import NOW, add_packet, add_transaction

SOON = NOW + timedelta(minutes=9)
LATER = NOW + timedelta(minutes=11)


def needs(_: Connection, found: Sequence[StoredPacket]) -> list[Needs]:
    return [Needs(set(), None, None, None)] * len(found)


def pass_at(database: Database, now: datetime) -> int:
    return take_in(database, needs_of=needs, site_name="TestSite", now=now)


def statuses(database: Database) -> dict[int, str]:
    with database.read() as connection:
        return {item.packet_rec_id: item.status for item in work.listing(connection, include_final=True)}


def item_of(database: Database, packet_rec_id: int) -> work.WorkItem:
    with database.read() as connection:
        found = work.get(connection, packet_rec_id)
    assert found is not None
    return found


def set_state(connection: Connection, packet_rec_id: int, state: str) -> None:
    packet = packet_tbl.c.packet_rec_id == packet_rec_id
    connection.execute(update(packet_tbl).where(packet).values(state_id=STATE_IDS[state]))


def set_transaction(connection: Connection, trans_rec_id: int, state: str) -> None:
    trans = transaction_tbl.c.trans_rec_id == trans_rec_id
    connection.execute(update(transaction_tbl).where(trans).values(state_id=STATE_IDS[state]))


def end(database: Database, packet_rec_id: int, status: str = "done") -> None:
    """What answering a packet leaves."""
    with database.begin() as connection:
        work.set_status(connection, packet_rec_id, status, who="run@a", now=NOW)
        set_state(connection, packet_rec_id, "completed")


# ------------------------------------------------------------------ late commits


def add_far_ahead(connection: Connection, trans: int, gap: int) -> int:
    """A packet whose id leaves room for so many others below it."""
    row = connection.execute(select(packet_tbl).order_by(packet_tbl.c.packet_rec_id.desc()).limit(1)).mappings().one()
    values = {**row, "packet_rec_id": row["packet_rec_id"] + gap, "packet_id": row["packet_rec_id"] + gap}
    connection.execute(insert(packet_tbl).values(values))
    return int(values["packet_rec_id"])


@pytest.mark.parametrize(("gap", "quick"), [(900, True), (2000, False)])
def test_a_late_commit_is_found_by_the_quick_pass_or_by_the_sweep(
    any_database: Database, gap: int, quick: bool
) -> None:
    with any_database.begin() as connection:
        trans = add_transaction(connection)
        first = add_packet(connection, trans)
    pass_at(any_database, NOW)
    with any_database.begin() as connection:
        newest = add_far_ahead(connection, trans, gap)
    assert pass_at(any_database, SOON) == 1
    with any_database.begin() as connection:
        row = connection.execute(select(packet_tbl).where(packet_tbl.c.packet_rec_id == first)).mappings().one()
        connection.execute(insert(packet_tbl).values({**row, "packet_rec_id": first + 1, "packet_id": first + 1}))
    assert pass_at(any_database, SOON) == int(quick)
    assert pass_at(any_database, LATER) == int(not quick)
    assert statuses(any_database) == {first: "ready", first + 1: "ready", newest: "ready"}
    assert pass_at(any_database, LATER + timedelta(minutes=11)) == 0


def test_a_transaction_that_is_still_open_hides_no_packet(postgres_ready_url: str) -> None:
    with Database.open(postgres_ready_url, create=False) as database:
        with database.begin() as connection:
            trans = add_transaction(connection)
            add_packet(connection, trans)
        pass_at(database, NOW)
        slow = psycopg2.connect(postgres_ready_url)
        with slow.cursor() as cursor:
            columns = "trans_rec_id, packet_id, type_id, version, state_id, outgoing_flag, ts"
            cursor.execute(
                f"insert into packet_tbl ({columns}) select {columns.replace('packet_id', '77')} from packet_tbl"
                " limit 1 returning packet_rec_id"
            )
            ((late,),) = cursor.fetchall()
            with database.begin() as connection:
                later = add_packet(connection, trans, packet_id=78)
            assert later > late
            assert pass_at(database, SOON) == 1
        slow.commit()
        slow.close()
        assert pass_at(database, SOON) == 1
        assert statuses(database)[late] == "ready"


# ------------------------------------------------------------------ what changed in old packets


def test_a_transaction_that_is_released_is_found_by_the_sweep(any_database: Database) -> None:
    with any_database.begin() as connection:
        trans = add_transaction(connection, "on-hold")
        packet = add_packet(connection, trans)
        for _ in range(1500):
            add_packet(connection, add_transaction(connection, "completed"), state="completed")
    assert pass_at(any_database, NOW) == 0
    with any_database.begin() as connection:
        set_transaction(connection, trans, "in-progress")
    assert pass_at(any_database, SOON) == 0
    assert pass_at(any_database, LATER) == 1
    assert statuses(any_database) == {packet: "ready"}


def test_a_dependency_that_is_done_is_found_by_the_sweep(any_database: Database) -> None:
    with any_database.begin() as connection:
        first, second = add_transaction(connection), add_transaction(connection)
        row = {"trans_rec_id": second, "depends_on_trans_rec_id": first}
        connection.execute(insert(transaction_depends_tbl).values(row))
        packet = add_packet(connection, second)
        work_row = add_packet(connection, first)
    assert pass_at(any_database, NOW) == 1
    end(any_database, work_row)
    with any_database.begin() as connection:
        set_transaction(connection, first, "completed")
    pass_at(any_database, LATER)
    assert statuses(any_database) == {work_row: "done", packet: "ready"}


@pytest.mark.parametrize(
    ("status", "answered", "becomes"),
    [("done", False, "ready"), ("failed", False, "ready"), ("done", True, "held"), ("failed", True, "held")],
)
def test_a_packet_that_is_set_back_is_worked_on_again_but_never_answered_again_by_itself(
    any_database: Database, status: str, answered: bool, becomes: str
) -> None:
    with any_database.begin() as connection:
        trans = add_transaction(connection)
        packet = add_packet(connection, trans)
    pass_at(any_database, NOW)
    end(any_database, packet, status)
    if answered:
        with any_database.begin() as connection:
            reply = add_packet(connection, trans, outgoing=True)
            row = {"packet_rec_id": reply, "in_reply_to": packet, "stored_at": NOW}
            connection.execute(insert(own_tables.packet).values(row))
    pass_at(any_database, LATER)
    assert statuses(any_database) == {packet: status}
    with any_database.begin() as connection:
        set_state(connection, packet, "in-progress")
    pass_at(any_database, LATER + timedelta(minutes=5))
    assert statuses(any_database) == {packet: status}
    pass_at(any_database, LATER + timedelta(minutes=11))
    pass_at(any_database, LATER + timedelta(minutes=22))
    assert statuses(any_database) == {packet: becomes}
    with any_database.read() as connection:
        happened = [event.what for event in events.for_packet(connection, packet)]
    assert happened == ["ready", status, becomes]


def test_what_a_rule_ignores_stays_ignored(any_database: Database) -> None:
    with any_database.begin() as connection:
        packet = add_packet(connection, add_transaction(connection))
    pass_at(any_database, NOW)
    with any_database.begin() as connection:
        work.set_status(connection, packet, "ignored", who="run@a", now=NOW)
    pass_at(any_database, LATER)
    assert statuses(any_database) == {packet: "ignored"}


# ------------------------------------------------------------------ what waits


def wait(database: Database, packet: int, blocker: int | None) -> None:
    with database.begin() as connection:
        work.set_status(connection, packet, "waiting", who="run@a", now=NOW, reason="waits", blocker=blocker)


def due(database: Database, now: datetime) -> list[int]:
    with database.read() as connection:
        return [item.packet_rec_id for item in due_packets(connection, now, limit=100)]


def test_what_was_left_alone_is_looked_at_again_once_it_is_eligible(any_database: Database) -> None:
    with any_database.begin() as connection:
        trans = add_transaction(connection)
        packet = add_packet(connection, trans)
    pass_at(any_database, NOW)
    with any_database.begin() as connection:
        set_transaction(connection, trans, "on-hold")
    wait(any_database, packet, None)
    pass_at(any_database, LATER)
    assert due(any_database, LATER) == []
    with any_database.begin() as connection:
        set_transaction(connection, trans, "in-progress")
    sweep = LATER + timedelta(minutes=11)
    pass_at(any_database, sweep)
    assert due(any_database, sweep) == [packet]
    assert statuses(any_database) == {packet: "waiting"}


def test_what_waits_for_a_packet_that_is_over_is_looked_at_again(any_database: Database) -> None:
    """For a project that is complete by what another program did; or whose end nobody told."""
    with any_database.begin() as connection:
        first, second = (add_packet(connection, add_transaction(connection)) for _ in range(2))
    pass_at(any_database, NOW)
    wait(any_database, second, first)
    pass_at(any_database, LATER)
    assert due(any_database, LATER) == [first]
    with any_database.begin() as connection:
        connection.execute(
            update(own_tables.work).where(own_tables.work.c.packet_rec_id == first).values(status="done")
        )
        set_state(connection, first, "completed")
    pass_at(any_database, LATER + timedelta(minutes=11))
    assert due(any_database, LATER + timedelta(minutes=11)) == [second]


@pytest.mark.parametrize("ended", [True, False])
def test_one_that_another_program_ended_lets_those_go_on_that_wait_for_it(any_database: Database, ended: bool) -> None:
    with any_database.begin() as connection:
        first, second = (add_packet(connection, add_transaction(connection)) for _ in range(2))
    pass_at(any_database, NOW)
    wait(any_database, second, first)
    if ended:
        with any_database.begin() as connection:
            connection.execute(delete(packet_tbl).where(packet_tbl.c.packet_rec_id == first))
    pass_at(any_database, LATER)
    assert due(any_database, LATER) == ([second] if ended else [first])


# ------------------------------------------------------------------ what it costs


def blocks(plan: dict[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


def add_answered(connection: Connection, count: int) -> None:
    """Transactions that wait for the other side: the incoming packet is completed, the reply is in progress."""
    first = connection.scalar(text("select coalesce(max(trans_rec_id), 0) from transaction_tbl")) or 0
    series = f"generate_series({first + 1}, {first + count}) as n"
    columns = "trans_rec_id, originating_site_name, transaction_id, local_site_name, remote_site_name, state_id, ts"
    connection.execute(
        text(
            f"insert into transaction_tbl ({columns})"
            f" select n, 'TGCDB', n, 'TestSite', 'TGCDB', {STATE_IDS['in-progress']}, now() from {series}"
        )
    )
    for outgoing, state in ((0, "completed"), (1, "in-progress")):
        connection.execute(
            text(
                "insert into packet_tbl (trans_rec_id, packet_id, type_id, version, state_id, outgoing_flag, ts)"
                f" select n, 1, 1, '1.0', {STATE_IDS[state]}, {outgoing}, now() from {series}"
            )
        )
    connection.execute(
        text(
            "insert into amierules_work (packet_rec_id, trans_rec_id, type, ts, status, begun, taken_in_at, updated_at)"
            " select packet_rec_id, trans_rec_id, 'x', ts, 'done', false, ts, ts from packet_tbl p"
            f" where trans_rec_id > {first} and outgoing_flag = 0"
        )
    )


def test_a_quick_pass_reads_no_more_beside_many_transactions_that_wait_for_the_other_side(
    postgres_ready_url: str,
) -> None:
    read: list[int] = []
    with Database.open(postgres_ready_url, create=False) as database:
        for count in (2_000, 20_000):
            with database.begin() as connection:
                add_answered(connection, count)
            with database.begin() as connection:
                connection.execute(text("analyze"))
                newest = connection.scalar(text("select max(packet_rec_id) from packet_tbl"))
                query = quick_query(newest - 1000).compile(connection, compile_kwargs={"literal_binds": True})
                plan = connection.execute(text(f"explain (analyze, buffers, format json) {query}")).scalar_one()
                found = plan if isinstance(plan, list) else json.loads(plan)
                read.append(blocks(found[0]["Plan"]))
    assert read[1] <= read[0] + 5, read


def test_a_pass_looks_again_once_anything_was_committed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int | None] = []
    look = intake._look

    def looked(connection: Connection, mark: int | None) -> intake._Seen:
        looks.append(mark)
        return look(connection, mark)

    monkeypatch.setattr(intake, "_look", looked)
    glance = Glance()

    def passes(now: datetime = NOW) -> int:
        return take_in(database, needs_of=needs, site_name="TestSite", now=now, glance=glance)

    with database.begin() as connection:
        trans = add_transaction(connection)
        add_packet(connection, trans, "request_project_create")
    assert passes() == 1
    assert passes() == 0
    looks.clear()
    assert passes() == 0
    assert len(looks) == (1 if database.is_sqlite else 0)
    with database.begin() as connection:
        add_packet(connection, trans, "data_account_create", minutes=1, packet_id=2)
    assert passes() == 1
    assert passes() == 0
    looks.clear()
    passes(NOW + SWEEP_EVERY)
    assert looks == [None]


def test_hosts_whose_clocks_differ_somewhat_sweep_no_more_than_one(
    any_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[datetime] = []
    look = intake._look

    def looked(connection: Connection, mark: int | None) -> intake._Seen:
        swept.extend([now] if mark is None else [])
        return look(connection, mark)

    monkeypatch.setattr(intake, "_look", looked)
    with any_database.begin() as connection:
        add_packet(connection, add_transaction(connection), "request_project_create")
    for seconds in range(0, 1800, 60):
        for ahead in (2, 0):
            now = NOW + timedelta(seconds=seconds + ahead)
            pass_at(any_database, now)
    assert len(swept) == 3
    now = NOW - timedelta(days=1)
    pass_at(any_database, now)
    assert swept[3:] == [now], "a clock that was set back holds up no sweep"


def test_a_commit_that_was_open_at_the_last_pass_is_seen(postgres_ready_url: str) -> None:
    glance = Glance()
    with Database.open(postgres_ready_url, create=False) as database:
        with database.begin() as connection:
            trans = add_transaction(connection)

        def passes() -> int:
            return take_in(database, needs_of=needs, site_name="TestSite", now=NOW, glance=glance)

        with database.begin() as slow:
            add_packet(slow, trans, "request_project_create")
            with database.begin() as connection:
                add_transaction(connection)
            assert [passes() for _ in range(4)] == [0, 0, 0, 0]
        assert passes() == 1


def test_a_quick_pass_of_sqlite_begins_at_the_mark(sqlite_url: str) -> None:
    with Database.open(sqlite_url, create=False) as database, database.read() as connection:
        query = quick_query(5000).compile(connection, compile_kwargs={"literal_binds": True})
        plan = [row[-1] for row in connection.execute(text(f"explain query plan {query}"))]
    assert any("SEARCH packet_tbl USING INTEGER PRIMARY KEY (rowid>?)" in line for line in plan), plan
    assert not any(line.startswith("SCAN") for line in plan), plan
