"""Replies: what is written, what ends with them, and that no packet is answered twice."""

import threading

import pytest
from sqlalchemy import select, update

from amierules.database import replies
from amierules.database.amie_tables import STATE_IDS, STATE_NAMES, expected_reply_tbl, packet_tbl, transaction_tbl
from amierules.database.connection import Database
from amierules.database.incoming import store_incoming
from amierules.database.packets import StoredPacket, eligible, read_packets, transaction_packets
from amierules.database.replies import NoLongerInProgress, close_incoming
from amierules.protocol.packet import Body, Packet
from tests.support.packets import NOW, SITE, START, incoming

SUCCESS = {"StatusCode": "Success", "DetailCode": "1", "Message": "OK"}
FAILURE = SUCCESS | {"StatusCode": "Failure", "DetailCode": "2"}
ITC = "inform_transaction_complete"


def stored(database: Database, packet: Packet) -> Packet:
    with database.begin() as connection:
        number, _ = store_incoming(connection, packet, NOW)
        assert number is not None
        return read_packets(connection, [number], SITE)[number].packet


def answer(database: Database, to: Packet, type_name: str, body: Body, state: replies.FinalState = "completed") -> int:
    with database.begin() as connection:
        return replies.write_reply(
            connection,
            to=to,
            type_name=type_name,
            body=body,
            now=NOW,
            owns_tables=database.owns_amie_tables,
            incoming_state=state,
        )


def exchange_of(database: Database) -> list[StoredPacket]:
    with database.read() as connection:
        (trans_rec_id,) = connection.execute(select(transaction_tbl.c.trans_rec_id)).scalars()
        return transaction_packets(connection, trans_rec_id, SITE)


def states(database: Database) -> list[tuple[str, str]]:
    return [(one.packet.header.type, one.state) for one in exchange_of(database)]


def transaction_state(database: Database) -> str:
    with database.read() as connection:
        return STATE_NAMES[connection.execute(select(transaction_tbl.c.state_id)).scalar_one()]


def test_a_reply_is_an_outgoing_packet_in_progress_that_expects_its_own_reply(any_database: Database) -> None:
    request = stored(any_database, incoming())
    body: Body = {"ProjectID": "P-1", "ResourceList": ["alpha.site.example"]}
    number = answer(any_database, request, "notify_project_create", body)
    with any_database.read() as connection:
        reply = read_packets(connection, [number], SITE)[number]
        assert eligible(connection, None) == []
    header = reply.packet.header
    assert reply.packet.body == body
    assert reply.in_reply_to == request.header.packet_rec_id
    assert (header.outgoing, header.packet_id, header.timestamp, reply.state) == (True, 1, NOW, "in-progress")
    assert (header.local_site_name, header.remote_site_name) == (SITE, request.header.remote_site_name)
    assert [(one.type, one.timeout) for one in header.expected_replies] == [("data_project_create", 30240)]
    assert header.trans_rec_id == request.header.trans_rec_id
    assert states(any_database) == [("request_project_create", "completed"), ("notify_project_create", "in-progress")]
    assert transaction_state(any_database) == "in-progress"


@pytest.mark.parametrize("last", [9, 10, 10**37])
def test_packet_ids_count_our_own_packets_as_numbers(any_database: Database, last: int) -> None:
    request = stored(any_database, incoming(packet_id=77))
    for packet_id in (2, last):
        number = answer(any_database, request, "notify_project_create", {"ProjectID": "P-1"})
        with any_database.begin() as connection:
            this = packet_tbl.c.packet_rec_id == number
            connection.execute(update(packet_tbl).where(this).values(packet_id=packet_id))
            connection.execute(update(packet_tbl).where(packet_tbl.c.outgoing_flag == 0).values(state_id=2))
    number = answer(any_database, request, "notify_project_create", {"ProjectID": "P-1"})
    with any_database.read() as connection:
        assert read_packets(connection, [number], SITE)[number].packet.header.packet_id == last + 1


def test_the_whole_exchange_where_the_tables_are_ours(database: Database) -> None:
    request = stored(database, incoming())
    answer(database, request, "notify_project_create", {"ProjectID": "P-1"})
    data = stored(database, incoming("data_project_create", packet_id=2, timestamp=NOW))
    assert states(database)[1] == ("notify_project_create", "completed")
    number = answer(database, data, ITC, SUCCESS)
    assert {state for _, state in states(database)} == {"completed"}
    assert transaction_state(database) == "completed"
    with database.read() as connection:
        assert (
            connection.execute(select(expected_reply_tbl).where(expected_reply_tbl.c.packet_rec_id == number)).all()
            == []
        )


def test_where_the_tables_were_found_only_the_packet_is_ended(legacy_postgres_url: str) -> None:
    with Database.open(legacy_postgres_url, create=False) as database:
        request = stored(database, incoming())
        answer(database, request, "notify_project_create", {"ProjectID": "P-1"})
        data = stored(database, incoming("data_project_create", packet_id=2, timestamp=NOW))
        answer(database, data, ITC, FAILURE, "failed")
        assert dict(states(database)) == {
            "request_project_create": "completed",
            "notify_project_create": "in-progress",
            "data_project_create": "failed",
            ITC: "in-progress",
        }
        assert transaction_state(database) == "in-progress"


def test_a_failure_fails_the_transaction(database: Database) -> None:
    request = stored(database, incoming())
    answer(database, request, ITC, FAILURE, "failed")
    assert states(database) == [("request_project_create", "failed"), (ITC, "completed")]
    assert transaction_state(database) == "failed"


@pytest.mark.parametrize("state", ["completed", "failed"])
def test_an_incoming_end_ends_the_transaction_where_the_tables_are_ours(
    any_database: Database, state: replies.FinalState
) -> None:
    request = stored(any_database, incoming("request_project_inactivate"))
    answer(any_database, request, "notify_project_inactivate", {"ProjectID": "P-1"})
    end = stored(any_database, incoming(ITC, packet_id=2, timestamp=NOW))
    with any_database.begin() as connection:
        close_incoming(connection, end, state, owns_tables=any_database.owns_amie_tables, transaction_state=state)
    ours = any_database.owns_amie_tables
    assert transaction_state(any_database) == (state if ours else "in-progress")
    assert dict(states(any_database))[ITC] == state
    assert dict(states(any_database))["notify_project_inactivate"] == ("completed" if ours else "in-progress")


def test_what_nobody_answered_ends_with_its_transaction(database: Database) -> None:
    request = stored(database, incoming())
    answer(database, request, "notify_project_create", {"ProjectID": "P-1"})
    end = stored(database, incoming(ITC, packet_id=2, timestamp=NOW))
    assert dict(states(database))["notify_project_create"] == "in-progress"
    with database.begin() as connection:
        close_incoming(connection, end, "failed", owns_tables=True, transaction_state="failed")
    assert dict(states(database))["notify_project_create"] == "failed"


def test_closing_a_packet_leaves_its_transaction_open(any_database: Database) -> None:
    request = stored(any_database, incoming())
    with any_database.begin() as connection:
        close_incoming(connection, request, "completed", owns_tables=True, transaction_state=None)
    assert states(any_database) == [("request_project_create", "completed")]
    assert transaction_state(any_database) == "in-progress"


@pytest.mark.parametrize("end", ["packet", "transaction", "gone", "closed"])
def test_a_packet_that_somebody_else_has_ended_is_not_answered(database: Database, end: str) -> None:
    request = stored(database, incoming(body={}))
    failed = {"state_id": STATE_IDS["failed"]}
    with database.begin() as connection:
        if end == "closed":
            close_incoming(connection, request, "completed", owns_tables=True, transaction_state=None)
        elif end == "gone":
            connection.execute(expected_reply_tbl.delete())
            connection.execute(packet_tbl.delete())
        else:
            connection.execute(update(packet_tbl if end == "packet" else transaction_tbl).values(failed))
    with pytest.raises(NoLongerInProgress):
        answer(database, request, "notify_project_create", {"ProjectID": "P-1"})
    with pytest.raises(NoLongerInProgress), database.begin() as connection:
        close_incoming(connection, request, "completed", owns_tables=True, transaction_state=None)
    with database.read() as connection:
        assert connection.execute(select(packet_tbl).where(packet_tbl.c.outgoing_flag == 1)).all() == []


def test_a_packet_of_a_transaction_on_hold_can_be_failed_by_a_person(database: Database) -> None:
    request = stored(database, incoming())
    with database.begin() as connection:
        connection.execute(update(transaction_tbl).values(state_id=STATE_IDS["on-hold"]))
    answer(database, request, ITC, FAILURE, "failed")
    assert transaction_state(database) == "failed"


def test_of_many_that_answer_at_once_one_succeeds(any_database: Database) -> None:
    request = stored(any_database, incoming())
    results: list[str] = []

    def work() -> None:
        try:
            answer(any_database, request, "notify_project_create", {"ProjectID": "P-1"})
            results.append("written")
        except NoLongerInProgress as error:
            results.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["the packet is completed"] * 5 + ["written"]
    assert len(exchange_of(any_database)) == 2


def test_nothing_is_left_of_a_reply_that_is_rolled_back(any_database: Database) -> None:
    request = stored(any_database, incoming())

    def write_and_break() -> None:
        with any_database.begin() as connection:
            replies.write_reply(
                connection,
                to=request,
                type_name="notify_project_create",
                body={"ProjectID": "P-1"},
                now=START,
                owns_tables=True,
                incoming_state="completed",
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_break()
    assert states(any_database) == [("request_project_create", "in-progress")]


def test_only_stored_incoming_packets_can_be_answered(database: Database) -> None:
    request = stored(database, incoming())
    number = answer(database, request, "notify_project_create", {"ProjectID": "P-1"})
    with database.read() as connection:
        ours = read_packets(connection, [number], SITE)[number].packet
    for packet in (incoming(), ours):
        with pytest.raises(ValueError, match="only a stored incoming packet"):
            answer(database, packet, ITC, SUCCESS)
