"""Lookups made in one message find what they find one by one, and what an ordinary connection finds."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from amierules.database import order, own_tables, registry_read, work
from amierules.database.ahead import Ahead
from amierules.database.connection import Database
from amierules.database.lookups import Lookup, Lookups, looking
from amierules.database.made import Rows
from amierules.database.packet_lookups import WHOLE, WHOLE_TRANSACTIONS
from amierules.database.packets import StoredPacket, read_packets
from amierules.protocol.packet import Body
from tests.support.amie_rows import NOW, add_work
from tests.support.packets import SITE, incoming, store
from tests.support.registry_rows import ROWS, write

Values = Mapping[str, Collection[Any]]
HOSTILE = 'O\'Hara "x" \\ %s %(a)s $1 ; commit; -- \u2603 \n\t\x01 {"a": [1]}, null'
PINNED = {"rule": HOSTILE, "vars": {"share": 0.1, "big": 10**30, "none": None, "names": ["a", []]}}


def found(database: Database, lookups: Lookups, *values: Values) -> list[list[tuple[Any, ...]]]:
    """The rows of each: by an ordinary connection, by one message, and one by one."""

    def as_tuples(all_rows: Iterable[Rows]) -> list[list[tuple[Any, ...]]]:
        lists = [[tuple(row) for row in rows] for rows in all_rows]
        ordered = [bool(one.statement._order_by_clauses) for one in lookups.each]
        return [rows if is_so else sorted(rows, key=repr) for is_so, rows in zip(ordered, lists, strict=True)]

    with database.read() as connection:
        plain = as_tuples(lookups.rows(connection, *values))
    with looking(database) as connection:
        assert as_tuples(lookups.rows(connection, *values)) == plain
        each = [one.rows(connection, **given) for one, given in zip(lookups.each, values, strict=True)]
        assert as_tuples(each) == plain
    return plain


def test_packets_are_the_same(database: Database) -> None:
    body: Body = {"GrantNumber": HOSTILE, "PfosNumber": ["", HOSTILE], "RoleList": [{"Role": "PI", "Site": HOSTILE}]}
    odd = incoming("notify_project_create", body, transaction_id=10**37, packet_id=10**37, remote_packet_rec_id=2**62)
    ids = store(database, incoming(body={}), odd)
    transactions = [
        number for number in (packet.packet.header.trans_rec_id for packet in read(database, ids)) if number
    ]
    for lookups, wanted in ((WHOLE, ids), (WHOLE_TRANSACTIONS, transactions)):
        heads, expected, data = found(database, lookups, *[{"ids": wanted}] * 3)
        assert len(heads) == 2
        assert expected
        assert HOSTILE in [row[-1] for row in data]
    assert {1, 10**37} == {one.packet.header.packet_id for one in read(database, ids)}


def read(database: Database, ids: Sequence[int]) -> list[StoredPacket]:
    with database.read() as connection:
        return list(read_packets(connection, ids, SITE).values())


def test_work_rows_are_the_same(database: Database) -> None:
    moment = datetime(2026, 3, 1, 12, 0, 0, 120, tzinfo=UTC)
    with database.begin() as connection:
        add_work(connection, 1, keys=("grant:A", HOSTILE), pinned=PINNED, next_attempt_at=moment, record_id=HOSTILE)
        add_work(connection, 2, "held", keys=("grant:A",), begun=True, reason=HOSTILE, minutes=1)
    items, keys = found(database, work._THESE_AND_KEYS, {"ids": [1, 2, 3]}, {"ids": [1, 2, 3]})
    assert {moment, True, False} <= {cell for row in items for cell in row if not isinstance(cell, dict | list)}
    assert sorted(keys) == sorted([(1, "grant:A"), (1, HOSTILE), (2, "grant:A")])
    by_key, by_record, _ = found(
        database, order._OTHERS, {"keys": ["grant:A", "none"]}, {"records": [HOSTILE]}, {"grants": []}
    )
    assert (by_key, by_record) == ([("grant:A", NOW, 1)], [(HOSTILE, NOW, 1)])


def test_what_packets_name_in_the_registry_is_the_same(database: Database) -> None:
    write(database, *ROWS)
    persons, projects = found(
        database,
        registry_read._NAMED,
        {"person_ids": ["P0", HOSTILE], "global_ids": ["43"]},
        {"grants": ["none"], "project_ids": [row.project_id for row in ROWS if hasattr(row, "project_id")]},
    )
    assert len(persons) == 2
    assert projects


def test_by_nothing_nothing_is_found(database: Database) -> None:
    assert found(database, WHOLE, *[{"ids": []}] * 3) == [[], [], []]


def test_of_one_statement_there_may_be_several_objects(postgres_ready_url: str) -> None:
    # As threads make them that come to it at the same time.
    made = [Lookup("amierules_twice", select(own_tables.work.c.packet_rec_id)) for _ in range(2)]
    with Database.open(postgres_ready_url, create=False) as database, database.kept():
        for lookup in made:
            with looking(database) as connection:
                assert lookup.rows(connection) == []
        ahead = Ahead(database)
        for lookup in made:
            ahead.send([lookup.prepared.call()])
            ahead.wait()
        ahead.close()
