"""Reservations: ids that are given out once, to whoever asks first, and again to the same step."""

import multiprocessing
import threading
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from amierules.database import own_tables
from amierules.database.connection import Database
from amierules.database.registry import RegistryView
from amierules.database.reservations import (
    Exhausted,
    expected_number,
    expected_text,
    release,
    reserve_number,
    reserve_text,
)
from amierules.database.rows import Account, Person, Project, RegistryRow

UIDS = [(20000, 20004), (30000, 30001)]


def register(database: Database, *rows: RegistryRow) -> None:
    view = RegistryView(database.read)
    for row in rows:
        view.put(row)
    with database.begin() as connection:
        view.flush(connection)


def logins() -> Iterator[str]:
    yield "bsample"
    yield from (f"bsample{number}" for number in count(2))


def test_the_lowest_free_number_of_the_ranges_is_given(database: Database) -> None:
    register(database, Person("a", uid=20000), Person("b", uid=20002), Person("c", uid=19999), Person("d", uid=25000))
    given_out = [reserve_number(database, "uid", UIDS, packet, "person") for packet in range(1, 6)]
    assert given_out == [20001, 20003, 20004, 30000, 30001]
    with pytest.raises(Exhausted, match="uid is left in 20000 to 20004, 30000 to 30001"):
        reserve_number(database, "uid", UIDS, 6, "person")


def test_the_same_step_gets_the_same_value_again(database: Database) -> None:
    first = reserve_number(database, "uid", UIDS, 1, "person")
    assert reserve_number(database, "uid", UIDS, 1, "person") == first
    assert reserve_number(database, "uid", UIDS, 1, "other step") != first
    gid = reserve_number(database, "gid", UIDS, 1, "person")
    assert reserve_number(database, "gid", UIDS, 1, "person") == gid
    assert reserve_text(database, "login", logins(), 1, "person") == "bsample"
    assert reserve_text(database, "login", iter(["another"]), 1, "person") == "bsample"


def test_ids_of_other_kinds_do_not_count(database: Database) -> None:
    register(database, Person("a", person_id="20000", uid=1), Project("p", gid=1))
    assert reserve_number(database, "uid", UIDS, 1, "x") == 20000
    assert reserve_number(database, "person_id", UIDS, 1, "x") == 20001


def test_a_number_is_never_both_a_uid_and_a_gid(database: Database) -> None:
    register(database, Person("a", uid=20000), Project("p", gid=20001))
    assert reserve_number(database, "gid", UIDS, 1, "x") == 20002
    assert reserve_number(database, "uid", UIDS, 1, "x") == 20003
    assert expected_number(database, "gid", UIDS, 2, "x") == 20004


def test_person_ids_are_texts_and_former_ones_count(database: Database) -> None:
    register(database, Person("a", "1", ids=("2", "P3")), Person("b", "x4"), Person("c", "05"), Person("d", "9" * 30))
    given_out = [reserve_number(database, "person_id", [(1, 99)], packet, "x") for packet in range(3)]
    assert given_out == [3, 4, 6]


def test_numbers_that_the_caller_knows_to_be_taken_are_avoided(database: Database) -> None:
    assert expected_number(database, "uid", UIDS, 1, "x", avoid={20000, 20001}) == 20002
    assert reserve_number(database, "uid", UIDS, 1, "x", avoid={20000, 20001}) == 20002


def test_expecting_reserves_nothing_and_is_what_is_then_given(database: Database) -> None:
    register(database, Person("a", uid=20000, logins=("bsample",)))
    assert expected_number(database, "uid", UIDS, 1, "x") == 20001
    assert expected_number(database, "uid", UIDS, 2, "x") == 20001
    assert expected_text(database, "login", logins(), 1, "x") == "bsample2"
    assert reserve_number(database, "uid", UIDS, 2, "x") == 20001
    assert reserve_text(database, "login", logins(), 2, "x") == "bsample2"
    assert expected_number(database, "uid", UIDS, 1, "x") == 20002
    assert expected_number(database, "uid", UIDS, 2, "x") == 20001
    assert expected_text(database, "login", logins(), 2, "x") == "bsample2"
    with pytest.raises(Exhausted):
        expected_number(database, "uid", [(20000, 20001)], 3, "x")


def test_logins_of_accounts_and_reservations_are_taken(database: Database) -> None:
    register(
        database,
        Person("a", "1", logins=("bsample",)),
        Project("p", "PR"),
        Account("a", "p", "alpha", "bsample2"),
    )
    assert reserve_text(database, "login", logins(), 1, "x") == "bsample3"
    assert reserve_text(database, "login", logins(), 2, "x") == "bsample4"
    with pytest.raises(Exhausted, match="none of the possible values of login"):
        reserve_text(database, "login", ["bsample", "bsample4"], 3, "x")


def test_releasing_gives_a_packet_s_values_back(database: Database) -> None:
    first = reserve_number(database, "uid", UIDS, 1, "x")
    kept = reserve_number(database, "uid", UIDS, 2, "x")
    with database.begin() as connection:
        release(connection, [1])
    assert reserve_number(database, "uid", UIDS, 3, "x") == first
    assert reserve_number(database, "uid", UIDS, 2, "x") == kept


def test_without_a_range_there_is_nothing_to_give(database: Database) -> None:
    with pytest.raises(Exhausted, match="no range for uid"):
        reserve_number(database, "uid", [], 1, "x")


@given(
    taken=st.sets(st.integers(0, 30)),
    ranges=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=3),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_number_is_the_first_that_nobody_has(
    database: Database, taken: set[int], ranges: list[tuple[int, int]]
) -> None:
    with database.begin() as connection:
        connection.execute(delete(own_tables.person))
        if taken:
            rows = [{"key": str(uid), "uid": uid, "state": "active", "data": {}} for uid in sorted(taken)]
            connection.execute(insert(own_tables.person), rows)
    wanted = next((uid for first, last in ranges for uid in range(first, last + 1) if uid not in taken), None)
    if wanted is None:
        with pytest.raises(Exhausted):
            expected_number(database, "uid", ranges, 1, "x")
    else:
        assert expected_number(database, "uid", ranges, 1, "x") == wanted


def test_the_first_number_after_many_thousands_is_found(database: Database) -> None:
    with database.begin() as connection:
        rows = [
            {"key": str(uid), "person_id": str(uid), "uid": uid, "state": "active", "data": {}} for uid in range(30000)
        ]
        connection.execute(insert(own_tables.person), rows)
    assert expected_number(database, "uid", [(0, 99999)], 1, "x") == 30000
    assert expected_number(database, "person_id", [(0, 99999)], 1, "x") == 30000


# ------------------------------------------------------------------ at the same time


def reserve_and_finish(url: str, worker: int, answers: "multiprocessing.Queue[list[tuple[int, str]]]") -> None:
    """Reserves as a worker does, and writes every second value into the registry, letting the reservation go."""
    given_out = []
    with Database.open(url, create=False) as database:
        for number in range(10):
            packet = worker * 100 + number
            uid = reserve_number(database, "uid", [(1, 1000)], packet, "x")
            login = reserve_text(database, "login", (f"u{index}" for index in count(1)), packet, "x")
            given_out.append((uid, login))
            if number % 2:
                view = RegistryView(database.read)
                view.put(Person(f"{packet}", f"P{packet}", uid=uid, logins=(login,)))
                with database.begin() as connection:
                    view.flush(connection)
                    release(connection, [packet])
    answers.put(given_out)


def test_no_value_is_given_to_two_processes(database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[list[tuple[int, str]]] = context.Queue()
    workers = [context.Process(target=reserve_and_finish, args=(database_url, number, answers)) for number in range(3)]
    for worker in workers:
        worker.start()
    given_out = [pair for _ in workers for pair in answers.get(timeout=60)]
    for worker in workers:
        worker.join(20)
    assert len({uid for uid, _ in given_out}) == len(given_out) == 30
    assert len({login for _, login in given_out}) == 30
    assert sorted(uid for uid, _ in given_out) == list(range(1, 31))


def test_a_value_that_another_writer_is_about_to_have_is_not_given(postgres_ready_url: str) -> None:
    with Database.open(postgres_ready_url, create=False) as database:
        reserve_number(database, "uid", [(1, 9)], 1, "x")
        found: list[int] = []
        with database.begin() as connection:
            # Packet 1 ends: its registry row and the end of its reservation are one commit.
            view = RegistryView(database.read)
            view.put(Person("a", "P1", uid=1))
            view.flush(connection)
            release(connection, [1])
            other = threading.Thread(target=lambda: found.append(reserve_number(database, "uid", [(1, 9)], 2, "x")))
            other.start()
            other.join(0.3)
        other.join(20)
    assert found == [2]


def test_no_number_becomes_a_uid_and_a_gid_at_the_same_moment(database_url: str) -> None:
    given: dict[str, list[int]] = {"uid": [], "gid": []}
    in_step = threading.Barrier(2)

    def reserve(what: str, first_packet: int) -> None:
        with Database.open(database_url, create=False) as database:
            for packet in range(first_packet, first_packet + 30):
                in_step.wait(20)
                given[what].append(reserve_number(database, what, [(1, 100)], packet, "x"))

    workers = [threading.Thread(target=reserve, args=("uid", 1)), threading.Thread(target=reserve, args=("gid", 101))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sorted(given["uid"] + given["gid"]) == list(range(1, 61))
