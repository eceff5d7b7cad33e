"""Transactions of our own: each id once, whoever chooses at the same time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, insert, select

from amierules.database.amie_tables import STATE_IDS, packet_tbl, transaction_tbl
from amierules.database.connection import Database
from amierules.database.originating import Originated, originate, originate_all
from amierules.database.packets import read_packets

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
US, THEM = "TestSite", "TGCDB"


def _originate(database: Database, type_name: str = "notify_person_ids") -> Originated:
    body = {"PersonID": "7", "PrimaryPersonID": "8"}
    with database.begin() as connection:
        return originate(connection, type_name=type_name, body=body, site_name=US, remote_site_name=THEM, now=NOW)


def _transaction(database: Database, transaction_id: int, originator: str) -> None:
    row = {"originating_site_name": originator, "transaction_id": transaction_id, "state_id": STATE_IDS["completed"]}
    with database.begin() as connection:
        connection.execute(insert(transaction_tbl).values(**row, local_site_name=US, remote_site_name=THEM, ts=NOW))


def test_ids_follow_the_largest_of_our_own(database: Database) -> None:
    for number in (9, 10, 2):
        _transaction(database, number, US)
    _transaction(database, 10**37, THEM)
    assert [_originate(database).transaction_id for _ in range(2)] == [11, 12]


def test_several_at_once_are_those_that_one_after_the_other_would_be(database: Database) -> None:
    bodies = [{"PersonID": str(number), "PrimaryPersonID": "8"} for number in range(3)]
    _transaction(database, 5, US)
    with database.begin() as connection:
        made, none = (
            originate_all(
                connection,
                type_name="notify_person_ids",
                bodies=some,
                site_name=US,
                remote_site_name=THEM,
                now=NOW,
            )
            for some in (bodies, [])
        )
    assert none == []
    assert [one.transaction_id for one in made] == [6, 7, 8]
    assert _originate(database).transaction_id == 9
    with database.read() as connection:
        found = read_packets(connection, [one.packet_rec_id for one in made], US)
    assert [found[one.packet_rec_id].packet.body for one in made] == bodies


def test_those_who_choose_at_once_get_different_ids(database: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: _originate(database), range(24)))
    assert sorted(one.transaction_id for one in made) == list(range(1, 25))
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(packet_tbl)) == 24


def _originate_and_fail(database: Database) -> None:
    body = {"PersonID": "7", "PrimaryPersonID": "8"}
    with database.begin() as connection:
        originate(connection, type_name="notify_person_ids", body=body, site_name=US, remote_site_name=THEM, now=NOW)
        raise RuntimeError


def test_what_is_rolled_back_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError):
        _originate_and_fail(database)
    assert _originate(database).transaction_id == 1


def test_where_no_id_is_left_it_says_so(database: Database) -> None:
    _transaction(database, 10**38 - 1, US)
    with pytest.raises(ValueError, match="no transaction_id is left"):
        _originate(database)


def test_found_tables_are_written_in_the_same_way(any_database: Database) -> None:
    made = _originate(any_database)
    with any_database.read() as connection:
        row = connection.execute(select(packet_tbl).where(packet_tbl.c.packet_rec_id == made.packet_rec_id)).one()
    assert (row.trans_rec_id, row.packet_id, row.outgoing_flag, row.version) == (made.trans_rec_id, 1, 1, "1.0")
