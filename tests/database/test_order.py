"""Which earlier packet a packet waits for."""

from typing import Any

import pytest
from sqlalchemy import update

from amierules.database import work
from amierules.database.amie_tables import STATE_IDS, transaction_tbl
from amierules.database.connection import Database
from amierules.database.order import Blocker, blocker, may_be_blocked
from amierules.database.own_tables import FINAL_STATUSES
from amierules.database.own_tables import work as work_table
from amierules.database.work import OPEN_STATUSES
from tests.support.amie_rows import NOW, add_transaction, add_work

KEYS = ("grant:A", "person:x")
UNDER_WAY = {"ready", "running", "retrying", "in_doubt"}


def blocker_of(
    database: Database, packet_rec_id: int, keys: tuple[str, ...] = KEYS, brought_by: tuple[int, ...] | None = None
) -> Blocker | None:
    with database.read() as connection:
        item = work.get(connection, packet_rec_id)
        assert item is not None
        return blocker(connection, item, keys, brought_by=brought_by)


def add(database: Database, packet_rec_id: int, status: str = "ready", **columns: Any) -> None:
    with database.begin() as connection:
        add_work(connection, packet_rec_id, status, **columns)


def blocking_id(found: Blocker | None) -> int | None:
    return found.packet_rec_id if found else None


def test_an_earlier_packet_with_a_shared_key(database: Database) -> None:
    cases = [(status, begun) for status in (*OPEN_STATUSES, *FINAL_STATUSES) for begun in (False, True)]
    with database.begin() as connection:
        for number, (status, begun) in enumerate(cases, start=1):
            add_work(connection, number, status, begun=begun, keys=(f"person:{number}", "grant:B"))
            add_work(connection, 100 + number, minutes=1)
    found = {
        case: blocking_id(blocker_of(database, 100 + number, (f"person:{number}", "grant:C")))
        for number, case in enumerate(cases, start=1)
    }
    assert found == {
        (status, begun): number if status in UNDER_WAY or (begun and status not in FINAL_STATUSES) else None
        for number, (status, begun) in enumerate(cases, start=1)
    }


def test_one_that_waits_for_another_is_in_the_way_and_one_that_is_left_alone_is_not(database: Database) -> None:
    with database.begin() as connection:
        add_work(connection, 1, "waiting", keys=("grant:A",), blocker=9)
        add_work(connection, 2, "waiting", keys=("grant:B",))
        add_work(connection, 101, minutes=1)
    assert blocking_id(blocker_of(database, 101, ("grant:A",))) == 1
    assert blocking_id(blocker_of(database, 101, ("grant:B",))) is None


def test_an_earlier_packet_of_the_same_transaction(database: Database) -> None:
    cases = (*OPEN_STATUSES, *FINAL_STATUSES)
    with database.begin() as connection:
        for number, status in enumerate(cases, start=1):
            add_work(connection, number, status, trans_rec_id=number)
            add_work(connection, 100 + number, trans_rec_id=number, minutes=1)
    for number, status in enumerate(cases, start=1):
        found = blocker_of(database, 100 + number, (f"trans:{number}",))
        assert blocking_id(found) == (None if status in FINAL_STATUSES else number), status


def test_a_later_packet_and_one_without_shared_key_do_not_block(database: Database) -> None:
    add(database, 1, keys=("grant:B",))
    add(database, 2, minutes=1)
    add(database, 3, minutes=2, keys=KEYS)
    assert blocker_of(database, 2) is None


def test_the_time_stamp_counts_before_the_id(database: Database) -> None:
    add(database, 5, keys=KEYS, minutes=0)
    add(database, 1, keys=KEYS, minutes=1)
    assert blocking_id(blocker_of(database, 1)) == 5
    assert blocker_of(database, 5) is None


def test_at_the_same_time_the_lower_id_comes_first(database: Database) -> None:
    add(database, 4, keys=KEYS)
    add(database, 5, keys=KEYS)
    assert blocking_id(blocker_of(database, 5)) == 4
    assert blocker_of(database, 4) is None


def test_the_earliest_blocker_is_named_with_its_status(database: Database) -> None:
    add(database, 1, "held", keys=KEYS)
    add(database, 2, "running", keys=KEYS, minutes=1)
    add(database, 3, keys=KEYS, minutes=2)
    add(database, 4, minutes=3)
    found = blocker_of(database, 4)
    assert found == Blocker(2, "waits for packet 2, an earlier request_account_create that is running")


def test_an_open_packet_with_the_same_record_id_blocks(database: Database) -> None:
    cases = (*OPEN_STATUSES, *FINAL_STATUSES)
    with database.begin() as connection:
        for number, status in enumerate(cases, start=1):
            add_work(connection, number, status, record_id=f"r{number}")
            add_work(connection, 100 + number, minutes=1, record_id=f"r{number}")
    for number, status in enumerate(cases, start=1):
        found = blocker_of(database, 100 + number, ())
        assert blocking_id(found) == (None if status in FINAL_STATUSES else number), status
        assert found is None or "with the same RecordID" in found.reason


def test_packets_without_record_id_or_with_another_do_not_block(database: Database) -> None:
    add(database, 1)
    add(database, 2, record_id="r1")
    add(database, 3, minutes=1)
    add(database, 4, record_id="r2", minutes=1)
    assert blocker_of(database, 3, ()) is None
    assert blocker_of(database, 4, ()) is None


# ------------------------------------------------------------------ an account on a project that is not complete yet


@pytest.fixture
def project_done(database: Database) -> Database:
    """A request_project_create that is answered, whose data_project_create has not come."""
    with database.begin() as connection:
        trans = add_transaction(connection)
        columns: dict[str, Any] = {"grant_number": "TG1", "resource": "alpha"}
        add_work(connection, 1, "done", trans_rec_id=trans, type="request_project_create", **columns)
        add_work(connection, 9, trans_rec_id=99, minutes=9, **columns)
    return database


def test_an_account_waits_for_the_data_project_create(project_done: Database) -> None:
    found = blocker_of(project_done, 9, ())
    assert found == Blocker(1, "waits until the project of packet 1, an earlier request_project_create, is complete")


def test_where_the_project_is_here_it_waits_for_the_packet_that_brought_it_alone(project_done: Database) -> None:
    assert blocker_of(project_done, 9, (), brought_by=()) is None
    assert blocker_of(project_done, 9, (), brought_by=(8,)) is None
    assert blocking_id(blocker_of(project_done, 9, (), brought_by=(1,))) == 1


def test_an_account_whose_request_came_before_that_of_its_project_waits_too(project_done: Database) -> None:
    add(project_done, 5, trans_rec_id=98, minutes=-5, grant_number="TG1", resource="alpha")
    found = blocker_of(project_done, 5, (), brought_by=(1,))
    assert found == Blocker(1, "waits until the project of packet 1, a later request_project_create, is complete")
    assert blocker_of(project_done, 5, ()) is None
    # Else each would wait for the other.
    for status in OPEN_STATUSES:
        with project_done.begin() as connection:
            connection.execute(update(work_table).where(work_table.c.packet_rec_id == 1).values(status=status))
        assert blocker_of(project_done, 5, (), brought_by=(1,)) is None, status


def test_a_data_project_create_passes_by_all_that_nobody_has_begun(project_done: Database) -> None:
    add(project_done, 20, trans_rec_id=1, type="data_project_create", minutes=20)
    add(project_done, 10, "waiting", trans_rec_id=50, keys=KEYS, blocker=1, minutes=10)
    for status in OPEN_STATUSES:
        with project_done.begin() as connection:
            work.set_status(connection, 10, status, who="test", now=NOW)
        assert blocking_id(blocker_of(project_done, 20)) == (10 if status in {"running", "in_doubt"} else None), status
    with project_done.begin() as connection:
        connection.execute(update(work_table).where(work_table.c.packet_rec_id == 10).values(begun=True))
    assert blocking_id(blocker_of(project_done, 20)) == 10


def test_a_data_project_create_waits_for_all_of_its_transaction(project_done: Database) -> None:
    add(project_done, 20, trans_rec_id=1, type="data_project_create", minutes=20)
    add(project_done, 10, trans_rec_id=1, type="inform_transaction_complete", minutes=10)
    assert blocking_id(blocker_of(project_done, 20)) == 10


def test_it_goes_on_once_the_data_project_create_is_answered(project_done: Database) -> None:
    add(project_done, 2, trans_rec_id=1, type="data_project_create", minutes=20)
    for status in (*OPEN_STATUSES, *FINAL_STATUSES):
        with project_done.begin() as connection:
            work.set_status(connection, 2, status, who="test", now=NOW)
        assert blocking_id(blocker_of(project_done, 9, ())) == (None if status in FINAL_STATUSES else 1), status


def test_it_goes_on_once_the_transaction_is_over(project_done: Database) -> None:
    for state, number in STATE_IDS.items():
        with project_done.begin() as connection:
            connection.execute(update(transaction_tbl).values(state_id=number))
        waits = state in {"in-progress", "on-hold", "x-pending"}
        assert blocking_id(blocker_of(project_done, 9, ())) == (1 if waits else None), state


@pytest.mark.parametrize("status", ["ignored", "failed"])
def test_it_does_not_wait_for_a_project_that_was_refused(database: Database, status: str) -> None:
    add(database, 1, status, type="request_project_create", grant_number="TG1", resource="alpha")
    add(database, 2, grant_number="TG1", resource="alpha", minutes=1)
    assert blocker_of(database, 2, ()) is None


def test_other_packets_do_not_wait_for_it(project_done: Database) -> None:
    others: list[dict[str, Any]] = [
        {"grant_number": "TG2", "resource": "alpha"},
        {"grant_number": "TG1", "resource": "beta"},
        {"grant_number": "TG1", "resource": None},
        {"grant_number": "TG1", "resource": "alpha", "type": "request_user_modify"},
        {"grant_number": "TG1", "resource": "alpha", "minutes": -1},
        {"grant_number": None, "resource": "alpha"},
    ]
    for number, columns in enumerate(others, start=10):
        add(project_done, number, **{"minutes": 9, **columns})
        assert blocker_of(project_done, number, ()) is None, columns


def test_of_many_those_are_asked_about_that_turned_out_to_share_a_key(database: Database) -> None:
    with database.begin() as connection:
        add_work(connection, 1, keys=("grant:A",))
        add_work(connection, 2, keys=("project:P",))
    with database.read() as connection:
        first, second = work.get(connection, 1), work.get(connection, 2)
        assert first is not None
        assert second is not None
        wanted = [(first, ("grant:A",)), (second, ("grant:A", "project:P"))]
        assert may_be_blocked(connection, wanted) == {2}
