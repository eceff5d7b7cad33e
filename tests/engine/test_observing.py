"""`run --observe`: our plans beside what another program answers, whose tables stay as they are."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from amierules.database import amie_tables, observed, own_tables
from amierules.database.amie_tables import STATE_IDS, data_tbl, expected_reply_tbl, packet_tbl
from amierules.database.connection import Database
from amierules.database.migrations import migrate
from amierules.database.observed import Observation
from amierules.database.rows import Person, Presence, Project
from amierules.engine.comparing import differences
from amierules.engine.observing import observe
from amierules.engine.site import Site
from amierules.protocol.packet import Body, Header, Packet
from amierules.protocol.rows import body_to_rows
from tests.support.amie_json import rac, rai, rpi
from tests.support.amie_rows import add_packet, add_transaction
from tests.support.sites import ALPHA, RESOURCES, know, make_site, run
from tests.support.sites import NOW as MOMENT

INACTIVATED: Body = {"ProjectID": "P-XYZ259276", "ResourceList": [ALPHA]}


@pytest.fixture(params=["sqlite", "postgresql as found"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A site with the shipped rules that knows a project and a person, over tables that another program works on."""
    if request.param == "sqlite":
        database = Database.open(f"sqlite:///{tmp_path}/amie.db", create=True)
    else:
        url = request.getfixturevalue("found_postgres_url")
        with Database.open_unchecked(url) as fresh:
            migrate(fresh)
        database = Database.open(url, create=False)
    with database:
        made = make_site(database, tmp_path / "site", resources=RESOURCES)
        know(
            made,
            Person("k1", "20000", "90022", 20000, logins=("bsample",)),
            Project("k2", "P-XYZ259276", "XYZ259276", "p-xyz", 30000, pi="k1"),
            Presence("k2", ALPHA),
        )
        yield made


def arrive(site: Site, packet: Mapping[str, Any], expected: str, *, minutes: int = 0) -> tuple[int, int]:
    """A packet that the other program has put into its tables: its packet_rec_id and trans_rec_id."""
    with site.database.begin() as connection:
        transaction = add_transaction(connection)
        number = add_packet(connection, transaction, packet["type"], minutes=minutes)
        types = {row.type_name: row.type_id for row in connection.execute(select(amie_tables.type_des))}
        connection.execute(
            insert(expected_reply_tbl).values(packet_rec_id=number, type_id=types[expected], timeout=30240)
        )
        _add_body(connection, number, packet["body"])
    return number, transaction


def answer(site: Site, packet: tuple[int, int], type_name: str, body: Body) -> int:
    """The other program answers a packet."""
    number, transaction = packet
    with site.database.begin() as connection:
        reply = add_packet(connection, transaction, type_name, minutes=5, outgoing=True)
        _add_body(connection, reply, body)
        done = update(packet_tbl).where(packet_tbl.c.packet_rec_id == number)
        connection.execute(done.values(state_id=STATE_IDS["completed"]))
    return reply


def _add_body(connection: Any, number: int, body: Body) -> None:
    rows = [{"packet_rec_id": number, **row._asdict()} for row in body_to_rows(body)]
    connection.execute(insert(data_tbl), rows)


def tables(site: Site, metadata: Any, *without: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the tables."""
    with site.database.read() as connection:
        return {
            name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for name, table in metadata.tables.items()
            if name not in without
        }


def standing(one: Observation) -> tuple[int, str, list[dict[str, Any]] | None]:
    """What an observation says."""
    return one.packet_rec_id, one.plan["outcome"]["kind"], one.differences


def test_a_plan_is_kept_and_compared_once_the_other_program_has_answered(site: Site) -> None:
    packet = arrive(site, rpi(), "notify_project_inactivate")
    (one,) = observe(site)
    assert standing(one) == (packet[0], "reply", None)
    assert one.plan["outcome"]["body"] == INACTIVATED
    assert observe(site) == []
    reply = answer(site, packet, "notify_project_inactivate", INACTIVATED)
    (one,) = observe(site)
    assert (one.answered_by, one.differences) == (reply, [])
    assert observe(site) == []
    with site.database.read() as connection:
        assert [standing(kept) for kept in observed.observations(connection)] == [(packet[0], "reply", [])]


def test_nothing_but_our_own_table_is_written(site: Site) -> None:
    packet = arrive(site, rpi(), "notify_project_inactivate")
    ours = ("amierules_observed", "amierules_meta")
    amie, own = tables(site, amie_tables.metadata), tables(site, own_tables.metadata, *ours)
    observe(site)
    assert tables(site, amie_tables.metadata) == amie
    assert tables(site, own_tables.metadata, *ours) == own
    answer(site, packet, "notify_project_inactivate", INACTIVATED)
    amie = tables(site, amie_tables.metadata)
    observe(site)
    assert tables(site, amie_tables.metadata) == amie
    assert tables(site, own_tables.metadata, *ours) == own


def test_answers_that_differ_are_told_tag_by_tag(site: Site) -> None:
    packet = arrive(site, rac(), "notify_account_create")
    observe(site)
    theirs: Body = {
        "ProjectID": "P-XYZ259276",
        "UserPersonID": "u.annex",
        "UserRemoteSiteLogin": "annex",
        "UserFirstName": "Ann",
        "UserLastName": "Example",
        "UserOrganization": "Example U",
        "UserOrgCode": "0032425",
        "ResourceList": [ALPHA],
        "AccountActivityTime": "2026-03-01T13:01:02Z",
        "Comment": "welcome",
    }
    answer(site, packet, "notify_account_create", theirs)
    (one,) = observe(site)
    assert one.differences == [
        {"tag": "Comment", "ours": None, "theirs": "welcome"},
        {"tag": "UserDnList", "ours": ["/C=US/CN=Ann Example"], "theirs": None},
        {"tag": "UserPersonID", "ours": {"unknown": "user/registry", "expected": "20001"}, "theirs": "u.annex"},
    ]


def test_an_answer_where_we_would_have_waited_for_a_person_differs(site: Site) -> None:
    packet = arrive(site, rai({"PersonID": "nobody"}), "notify_account_inactivate")
    (one,) = observe(site)
    assert one.plan["outcome"]["kind"] == "hold"
    answer(site, packet, "notify_account_inactivate", {"PersonID": "nobody", **INACTIVATED})
    (one,) = observe(site)
    assert one.differences == [
        {
            "tag": "(reply)",
            "ours": "hold: nobody has no account on P-XYZ259276",
            "theirs": "notify_account_inactivate",
        }
    ]


def test_packets_that_came_and_were_answered_in_between_are_compared(site: Site) -> None:
    assert observe(site) == []
    packet = arrive(site, rpi(), "notify_project_inactivate")
    answer(site, packet, "inform_transaction_complete", {"StatusCode": "Failure", "DetailCode": "2", "Message": "no"})
    (one,) = observe(site)
    assert one.differences == [
        {"tag": "(reply)", "ours": "notify_project_inactivate", "theirs": "inform_transaction_complete"}
    ]


def test_packets_of_old_times_are_compared_where_they_are_named(site: Site) -> None:
    packet = arrive(site, rpi(), "notify_project_inactivate")
    answer(site, packet, "notify_project_inactivate", {"ProjectID": "P-XYZ259276"})
    assert observe(site) == []
    for _ in range(2):
        (one,) = observe(site, [packet[0]])
        assert one.differences == [{"tag": "ResourceList", "ours": [ALPHA], "theirs": None}]


def test_a_plan_that_changes_before_the_answer_is_kept_anew(site: Site) -> None:
    arrive(site, rai({"PersonID": "20000"}), "notify_account_inactivate")
    (before,) = observe(site)
    know(site, Person("k9", "20009", logins=("other",)))
    assert observe(site) == []
    site.configuration.resources.pop(ALPHA)  # type: ignore[attr-defined]
    (after,) = observe(site)
    assert (before.plan["outcome"]["kind"], after.plan["outcome"]["kind"]) == ("hold", "fail")


def test_a_run_later_begins_as_if_nothing_had_been_observed(site: Site) -> None:
    packet = arrive(site, rpi(), "notify_project_inactivate")
    observe(site)
    handled = run(site)
    assert handled[packet[0]].status == "done"
    (one,) = observe(site)
    assert one.differences == []


@pytest.mark.parametrize(
    ("ours", "theirs", "agree"),
    [
        ({"ServiceUnitsAllocated": "100"}, {"ServiceUnitsAllocated": "100.00"}, True),
        ({"ServiceUnitsAllocated": "100"}, {"ServiceUnitsAllocated": "1e3"}, False),
        ({"PiDnList": ["/a", "/b"]}, {"PiDnList": ["/b", "/a"]}, True),
        ({"PiDnList": ["/a"]}, {"PiDnList": ["/a", "/a"]}, False),
        ({"PiDnList": []}, {}, True),
        ({"Comment": None}, {}, True),
        ({"AccountActivityTime": "2026-03-01T12:00:00Z"}, {"AccountActivityTime": "2026-04-01T12:00:00+01:00"}, True),
        ({"AccountActivityTime": "2026-03-01T12:00:00Z"}, {}, False),
        ({"ProjectID": "p"}, {"ProjectID": "P"}, False),
        ({"Odd": "7"}, {"Odd": ["7"]}, True),
        ({"ProjectID": {"unknown": "x", "expected": "P"}}, {"ProjectID": "P"}, True),
        ({"ProjectID": {"unknown": "x"}}, {"ProjectID": "P"}, False),
    ],
)
def test_what_counts_as_a_difference(ours: dict[str, Any], theirs: dict[str, Any], agree: bool) -> None:
    outcome = {"kind": "reply", "type": "notify_project_create", "reason": None, "body": ours}
    assert (differences(outcome, _reply(theirs)) == []) == agree


def _reply(body: Body) -> Packet:
    header = Header(
        "notify_project_create", 1, 1, "TGCDB", "TestSite", "TGCDB", MOMENT, True, "in-progress", "in-progress"
    )
    return Packet(header, body, None)
