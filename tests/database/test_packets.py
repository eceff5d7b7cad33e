"""Packets that come in become rows once, are read back as they were, and are worked on when they may be."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, func, insert, select, text

from amierules.database import own_tables
from amierules.database.amie_tables import (
    data_tbl,
    expected_reply_tbl,
    packet_tbl,
    transaction_tbl,
    type_des,
)
from amierules.database.connection import Database
from amierules.database.incoming import StoredKind, store_incoming
from amierules.database.kept import kept_packets
from amierules.database.packets import (
    eligible,
    read_packets,
    resolve_id,
    transaction_packets,
)
from amierules.protocol.catalogue import ExpectedReply
from amierules.protocol.packet import Body, Packet
from tests.support.packets import CENTRAL, NOW, SITE, incoming, store

BODY: Body = {
    "GrantNumber": "NNT259276",
    "PiFirstName": "Zoë\n\x1b[31m",
    "ServiceUnitsAllocated": "1.10",
    "ResourceList": ["alpha.site.example"],
    "PiDnList": ["/C=US/CN=Bo Sample", "/DC=EDU/CN=bsample"],
    "AcademicDegree": [{"Degree": "PhD", "Field": "Physics"}, {"Degree": "MS"}],
    "JobIdentity": {"LocalJobID": "17"},
    "SomethingNew": "as it is",
}


def count(connection: Connection, table: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_a_packet_is_read_back_as_it_was_stored(any_database: Database) -> None:
    packet = Packet(
        replace(
            incoming().header,
            transaction_id=10**37 + 7,
            packet_id=0,
            remote_packet_rec_id=233497907,
            remote_trans_rec_id=2**40,
            expected_replies=(
                ExpectedReply("inform_transaction_complete", None),
                ExpectedReply("notify_project_create", 36000),
            ),
        ),
        BODY,
        {"type": "request_project_create", "body": {"n": 1.5, "text": "\u0000"}},
    )
    (number,) = store(any_database, packet)
    with any_database.read() as connection:
        stored = read_packets(connection, [number, 4711], SITE)
    (read,) = stored.values()
    trans_rec_id = read.packet.header.trans_rec_id
    assert trans_rec_id is not None
    assert read.packet == replace(
        packet, header=replace(packet.header, packet_rec_id=number, trans_rec_id=trans_rec_id)
    )
    assert (read.problems, read.in_reply_to, read.state) == ((), None, "in-progress")


def test_the_rows_are_those_that_amie_would_write(any_database: Database) -> None:
    (number,) = store(any_database, incoming(body={"GrantNumber": "N1", "AcademicDegree": [{"Degree": "PhD"}]}))
    with any_database.read() as connection:
        rows = connection.execute(select(data_tbl).order_by(data_tbl.c.tag)).all()
        packet = connection.execute(text("select version, outgoing_flag, state_id, type_id from packet_tbl")).one()
        transaction = connection.execute(select(transaction_tbl)).one()
        reply = connection.execute(select(expected_reply_tbl)).one()
    assert [tuple(row) for row in rows] == [
        (number, "AcademicDegree", "Degree", 0, "PhD"),
        (number, "GrantNumber", None, 0, "N1"),
    ]
    assert [str(cell) for cell in packet] == ["1.0", "0", "2", "19"]
    assert tuple(transaction)[1:6] == (CENTRAL, 232, SITE, CENTRAL, 2)
    assert (reply.type_id, reply.timeout) == (7, 30240)


def test_the_expected_reply_of_the_catalogue_is_taken_where_the_header_has_none(database: Database) -> None:
    (number,) = store(database, incoming("request_user_modify"))
    with database.read() as connection:
        header = read_packets(connection, [number], SITE)[number].packet.header
    assert [reply.type for reply in header.expected_replies] == ["inform_transaction_complete"]


def test_an_expected_reply_of_an_unknown_type_is_left_out(database: Database) -> None:
    replies = (ExpectedReply("notify_of_the_future", 10), ExpectedReply("notify_project_create", 20))
    (number,) = store(database, incoming(expected_replies=replies))
    with database.read() as connection:
        header = read_packets(connection, [number], SITE)[number].packet.header
    assert header.expected_replies == replies[1:]


def test_packets_of_one_transaction_share_its_row(database: Database) -> None:
    store(database, incoming(packet_id=1), incoming("data_project_create", packet_id=2), incoming(transaction_id=233))
    with database.read() as connection:
        assert count(connection, transaction_tbl) == 2
        first = connection.execute(select(transaction_tbl.c.trans_rec_id).order_by("trans_rec_id")).scalars().first()
        assert first is not None
        types = [one.packet.header.type for one in transaction_packets(connection, first, SITE)]
    assert types == ["request_project_create", "data_project_create"]


def test_the_same_transaction_id_of_another_originator_is_another_transaction(database: Database) -> None:
    store(database, incoming(), incoming("data_project_create", originating_site_name=SITE))
    with database.read() as connection:
        assert count(connection, transaction_tbl) == 2


def test_a_found_transaction_that_names_the_sides_the_other_way_is_the_same(legacy_postgres_url: str) -> None:
    with Database.open(legacy_postgres_url, create=False) as database:
        row = {
            "originating_site_name": CENTRAL,
            "transaction_id": 232,
            "local_site_name": CENTRAL,
            "remote_site_name": SITE,
            "state_id": 2,
        }
        with database.begin() as connection:
            connection.execute(insert(transaction_tbl), [row])
        (number,) = store(database, incoming())
        with database.read() as connection:
            assert count(connection, transaction_tbl) == 1
            header = read_packets(connection, [number], SITE)[number].packet.header
    assert (header.local_site_name, header.remote_site_name) == (SITE, CENTRAL)


@pytest.mark.parametrize(
    "again",
    [
        incoming(remote_packet_rec_id=5),
        incoming(remote_packet_rec_id=6),
        incoming(remote_packet_rec_id=None),
        incoming(transaction_id=999, packet_id=3, remote_packet_rec_id=5),
    ],
    ids=["the same", "another remote id", "no remote id", "the same remote id"],
)
def test_a_packet_that_comes_again_is_stored_once(database: Database, again: Packet) -> None:
    (number,) = store(database, incoming(remote_packet_rec_id=5))
    with database.begin() as connection:
        assert store_incoming(connection, again, NOW) == (number, StoredKind.DUPLICATE)
        assert count(connection, packet_tbl) == count(connection, own_tables.packet) == 1


def test_a_remote_id_is_one_for_each_remote_site(database: Database) -> None:
    other = incoming(transaction_id=7, remote_packet_rec_id=5, remote_site_name="OTHER", originating_site_name="OTHER")
    assert len(store(database, incoming(remote_packet_rec_id=5), other)) == 2


def test_a_packet_that_the_legacy_program_deleted_may_come_again(legacy_postgres_url: str) -> None:
    with Database.open(legacy_postgres_url, create=False) as database:
        (first,) = store(database, incoming(remote_packet_rec_id=5))
        with database.begin() as connection:
            for table in ("data_tbl", "expected_reply_tbl", "packet_tbl"):
                connection.execute(text(f"delete from {table}"))
        with database.begin() as connection:
            second, kind = store_incoming(connection, incoming(remote_packet_rec_id=5), NOW)
        assert (kind, second != first) == (StoredKind.NEW, True)
        with database.read() as connection:
            assert resolve_id(connection, "r:5") == second


def test_many_that_store_the_same_packets_at_once(database: Database) -> None:
    packets = [incoming(transaction_id=number, remote_packet_rec_id=number) for number in range(20)]
    kinds: list[StoredKind] = []

    def work() -> None:
        for packet in packets:
            with database.begin() as connection:
                kinds.append(store_incoming(connection, packet, NOW).kind)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (kinds.count(StoredKind.NEW), kinds.count(StoredKind.DUPLICATE)) == (20, 60)


def test_an_unknown_type_is_kept_outside_amies_tables(any_database: Database) -> None:
    packet = replace(incoming("request_\x1bcoffee"), raw={"type": "request_coffee", "n": [1, None]})
    with any_database.begin() as connection:
        assert store_incoming(connection, packet, NOW) == (None, StoredKind.KEPT)
        assert store_incoming(connection, packet, NOW) == (None, StoredKind.DUPLICATE)
        assert count(connection, packet_tbl) == count(connection, transaction_tbl) == 0
        (kept,) = kept_packets(connection)
    assert (kept.raw, kept.status, kept.kept_at) == (packet.raw, "parked", NOW)
    assert "\x1b" not in kept.reason


def test_a_type_that_a_found_type_des_lacks_is_kept(legacy_postgres_url: str) -> None:
    with Database.open(legacy_postgres_url, create=False) as database, database.begin() as connection:
        connection.execute(type_des.delete().where(type_des.c.type_name == "request_person_merge"))
        assert store_incoming(connection, incoming("request_person_merge"), NOW).kind is StoredKind.KEPT
        assert kept_packets(connection)[0].raw["body"] == {"GrantNumber": "NNT259276"}


def test_conflicting_rows_are_a_problem_and_equal_ones_are_not(any_database: Database) -> None:
    (number,) = store(any_database, incoming(body={"GrantNumber": "N1", "ProjectTitle": "T"}))
    twice = [
        {"packet_rec_id": number, "tag": "GrantNumber", "subtag": None, "seq": 0, "value": "N1"},
        {"packet_rec_id": number, "tag": "ProjectTitle", "subtag": None, "seq": 0, "value": "another"},
    ]
    with any_database.begin() as connection:
        connection.execute(insert(data_tbl), twice)
        stored = read_packets(connection, [number], SITE)[number]
    assert [problem.tag for problem in stored.problems] == ["ProjectTitle"]
    assert stored.packet.body["GrantNumber"] == "N1"


def test_a_packet_that_amie_wrote_itself_is_read_without_rows_of_ours(legacy_postgres_url: str) -> None:
    with Database.open(legacy_postgres_url, create=False) as database:
        (number,) = store(database, incoming(body=BODY))
        with database.begin() as connection:
            connection.execute(own_tables.packet.delete())
            stored = read_packets(connection, [number], SITE)[number]
    assert stored.packet.raw is None
    assert stored.packet.header.remote_packet_rec_id is None
    assert stored.packet.body == BODY


def test_many_packets_are_read_in_few_statements(database: Database) -> None:
    ids = store(database, *(incoming(transaction_id=number) for number in range(1200)))
    with database.read() as connection:
        stored = read_packets(connection, ids, SITE)
        assert [number for number in ids if number not in stored] == []
        assert stored[ids[700]].packet.header.transaction_id == 700
        assert [one.packet_rec_id for one in eligible(connection, ids)] == [
            one.packet_rec_id for one in eligible(connection, None)
        ]


@pytest.mark.parametrize(
    "word",
    ["", "x", "r:", "r:x", "-1", "+1", "1.0", "r:r:1", "٣", "0", "99", "9" * 30, "r:" + "9" * 30, " 1", "2147483648"],
)
def test_what_is_no_id_of_a_packet(database: Database, word: str) -> None:
    store(database, incoming(remote_packet_rec_id=50))
    with database.read() as connection:
        assert resolve_id(connection, word) is None


def test_ids_of_a_packet(database: Database) -> None:
    (number,) = store(database, incoming(remote_packet_rec_id=2**62))
    with database.read() as connection:
        assert resolve_id(connection, str(number)) == number
        assert resolve_id(connection, f"r:{2**62}") == number


_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
_bodies = st.fixed_dictionaries(
    {},
    optional={
        "GrantNumber": _texts,
        "ResourceList": st.lists(_texts, min_size=1, max_size=4),
        "AcademicDegree": st.lists(st.dictionaries(_texts, _texts, min_size=1, max_size=3), min_size=1, max_size=3),
        "JobIdentity": st.dictionaries(_texts, _texts, min_size=1, max_size=3),
    },
)


@pytest.fixture(scope="module")
def lasting_databases(postgres_server: Any, ready_template: str) -> Any:
    name = postgres_server.create_database(ready_template)
    one, other = Database.open("sqlite://", create=True), Database.open(postgres_server.url(name), create=False)
    with one, other, one.kept(), other.kept():
        yield one, other
    postgres_server.drop_database(name)


@given(body=_bodies)
def test_any_body_comes_back_from_either_database(lasting_databases: tuple[Database, Database], body: Any) -> None:
    for database in lasting_databases:
        with database.begin() as connection:
            number = connection.execute(select(func.count()).select_from(packet_tbl)).scalar_one()
            packet = incoming(body=body, transaction_id=number)
            stored, _ = store_incoming(connection, packet, NOW)
            assert stored is not None
            read = read_packets(connection, [stored], SITE)[stored]
            assert (read.packet.body, read.problems) == (body, ())
