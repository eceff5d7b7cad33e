"""Which packets may be worked on, and why others may not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from amierules.database.amie_tables import (
    STATE_IDS,
    packet_tbl,
    transaction_depends_tbl,
    transaction_tbl,
)
from amierules.database.connection import Database
from amierules.database.packets import (
    eligible,
    why_not_eligible,
)
from tests.support.packets import START, incoming, store


def set_state(database: Database, table: Any, key: int, state: str) -> None:
    (column,) = table.primary_key.columns
    with database.begin() as connection:
        connection.execute(update(table).where(column == key).values(state_id=STATE_IDS[state]))


def test_eligible_packets_are_ordered_by_time(any_database: Database) -> None:
    late, early = incoming(transaction_id=1), incoming(transaction_id=2)
    late = replace(late, header=replace(late.header, timestamp=START + timedelta(days=1)))
    first, second = store(any_database, late, early)
    with any_database.read() as connection:
        rows = eligible(connection, None)
        assert eligible(connection, [first]) == rows[1:]
        assert eligible(connection, []) == []
    assert [row.packet_rec_id for row in rows] == [second, first]
    assert (rows[0].type, rows[0].ts) == ("request_project_create", early.header.timestamp)


@pytest.mark.parametrize(
    ("table", "state", "reason"),
    [
        (packet_tbl, "completed", "no longer in progress: it is completed"),
        (packet_tbl, "on-hold", "no longer in progress: it is on-hold"),
        (transaction_tbl, "on-hold", "its transaction is on-hold"),
        (transaction_tbl, "failed", "its transaction is failed"),
    ],
)
def test_a_packet_whose_state_forbids_it_is_not_eligible(
    database: Database, table: Any, state: str, reason: str
) -> None:
    (number,) = store(database, incoming())
    with database.read() as connection:
        assert why_not_eligible(connection, number) is None
        key = number if table is packet_tbl else eligible(connection, None)[0].trans_rec_id
    set_state(database, table, key, state)
    with database.read() as connection:
        assert eligible(connection, None) == eligible(connection, [number]) == []
        assert why_not_eligible(connection, number) == reason


def test_a_packet_waits_for_what_its_transaction_depends_on(database: Database) -> None:
    one, other = store(database, incoming(transaction_id=1), incoming(transaction_id=2))
    with database.read() as connection:
        first, second = (row.trans_rec_id for row in eligible(connection, [one, other]))
    with database.begin() as connection:
        connection.execute(insert(transaction_depends_tbl).values(trans_rec_id=second, depends_on_trans_rec_id=first))
    for state in ("in-progress", "failed"):
        set_state(database, transaction_tbl, first, state)
        with database.read() as connection:
            assert eligible(connection, [other]) == []
            assert why_not_eligible(connection, other) == f"depends on transaction {first}, which is {state}"
    set_state(database, transaction_tbl, first, "completed")
    with database.read() as connection:
        assert [row.packet_rec_id for row in eligible(connection, None)] == [other]
        assert why_not_eligible(connection, other) is None


def test_a_packet_that_is_gone_or_outgoing_is_not_eligible(database: Database) -> None:
    (number,) = store(database, incoming())
    with database.begin() as connection:
        connection.execute(update(packet_tbl).values(outgoing_flag=1))
        assert why_not_eligible(connection, number) == "it is an outgoing packet"
        assert why_not_eligible(connection, 99) == "it is no longer in the database"
