"""What each outcome leaves in the AMIE tables, for ours and for those of a legacy AMIE program."""

from pathlib import Path

import pytest
from sqlalchemy import update

from amierules.database.amie_tables import STATE_IDS, packet_tbl
from amierules.database.connection import Database
from amierules.engine.site import Site
from tests.support.sites import (
    events_of,
    itc,
    load,
    make_site,
    reason_of,
    replies_to,
    reply_to,
    rpi,
    rum,
    run,
    status_of,
    stored,
)


def _site(database: Database, folder: Path, outcome: str, packet: str = "request_project_inactivate") -> Site:
    return make_site(database, folder, {"a.yaml": f"packet: {packet}\nrules:\n  - name: only\n    {outcome}\n"})


def _states(site: Site, packet: int) -> tuple[str, str]:
    header = stored(site, packet).packet.header
    return header.packet_state, header.transaction_state


def test_reply(any_database: Database, tmp_path: Path) -> None:
    site = _site(any_database, tmp_path, "reply: {copy: [ProjectID, ResourceList], fields: {Comment: '{{ none }}'}}")
    (packet,) = load(site, rpi())
    run(site)
    reply = reply_to(site, packet)
    assert status_of(site, packet) == "done"
    assert _states(site, packet) == ("completed", "in-progress")
    assert reply.packet.header.type == "notify_project_inactivate"
    assert reply.packet.header.outgoing
    assert reply.packet.header.packet_state == "in-progress"
    assert [(one.type, one.timeout) for one in reply.packet.header.expected_replies] == [
        ("inform_transaction_complete", 30240)
    ]
    assert reply.packet.body == {"ProjectID": "P-XYZ259276", "ResourceList": ["alpha.site.example"]}
    assert reply.in_reply_to == packet
    assert [event.what for event in events_of(site, packet)][-2:] == ["replied", "done"]


def test_our_packets_of_a_transaction_are_numbered_from_one_on(any_database: Database, tmp_path: Path) -> None:
    site = _site(any_database, tmp_path, "reply: {copy: [ProjectID, ResourceList]}")
    first, second = load(site, rpi(transaction_id=77, packet_id=1), rpi(transaction_id=77, packet_id=9))
    run(site)
    assert [reply_to(site, one).packet.header.packet_id for one in (first, second)] == [1, 2]


def test_a_closing_reply_has_its_defaults_and_ends_the_transaction_where_the_tables_are_ours(
    any_database: Database, tmp_path: Path
) -> None:
    site = _site(any_database, tmp_path, "reply: {}", "request_user_modify")
    (packet,) = load(site, rum())
    run(site)
    reply = reply_to(site, packet).packet
    assert reply.body == {"StatusCode": "Success", "DetailCode": "1", "Message": "OK"}
    assert reply.header.expected_replies == ()
    ours = any_database.owns_amie_tables
    assert _states(site, packet) == ("completed", "completed" if ours else "in-progress")
    assert reply.header.packet_state == ("completed" if ours else "in-progress")


def test_fail(any_database: Database, tmp_path: Path) -> None:
    site = _site(any_database, tmp_path, "fail: 'no {{ packet.ProjectID }} here'")
    (packet,) = load(site, rpi())
    run(site)
    reply = reply_to(site, packet).packet
    ours = any_database.owns_amie_tables
    assert status_of(site, packet) == "failed"
    assert _states(site, packet) == ("failed", "failed" if ours else "in-progress")
    assert reply.header.type == "inform_transaction_complete"
    assert reply.body == {"StatusCode": "Failure", "DetailCode": "2", "Message": "no P-XYZ259276 here"}
    assert reply.header.packet_state == ("completed" if ours else "in-progress")


@pytest.mark.parametrize(("code", "state"), [("Success", "completed"), ("Failure", "failed")])
def test_complete_ends_the_transaction_as_its_closing_packet_says(
    any_database: Database, tmp_path: Path, code: str, state: str
) -> None:
    site = _site(any_database, tmp_path, "complete: '{{ packet.Message }}'", "inform_transaction_complete")
    (packet,) = load(site, itc({"StatusCode": code}))
    run(site)
    ours = any_database.owns_amie_tables
    assert (status_of(site, packet), reason_of(site, packet)) == ("done", "OK")
    assert _states(site, packet) == ("completed", state if ours else "in-progress")
    assert replies_to(site, packet) == []


def test_complete_of_another_packet_leaves_its_transaction_alone(any_database: Database, tmp_path: Path) -> None:
    site = _site(any_database, tmp_path, "complete: seen", "request_user_modify")
    (packet,) = load(site, rum())
    run(site)
    assert _states(site, packet) == ("completed", "in-progress")


@pytest.mark.parametrize(
    ("outcome", "status"), [("ignore: no", "ignored"), ("hold: wait", "held"), ("defer: later", "deferred")]
)
def test_the_other_outcomes_leave_the_amie_tables_alone(
    any_database: Database, tmp_path: Path, outcome: str, status: str
) -> None:
    site = _site(any_database, tmp_path, outcome)
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == status
    assert reason_of(site, packet) == outcome.partition(": ")[2]
    assert _states(site, packet) == ("in-progress", "in-progress")
    assert replies_to(site, packet) == []


def test_an_ignored_packet_is_never_looked_at_again(any_database: Database, tmp_path: Path) -> None:
    site = _site(any_database, tmp_path, "ignore: not for us")
    load(site, rpi())
    assert len(run(site)) == 1
    assert run(site) == {}


def test_a_packet_that_is_over_meanwhile_is_parked_and_not_answered(database: Database, tmp_path: Path) -> None:
    """Its state changes between the claim and the settlement."""
    site = _site(database, tmp_path, "reply: {copy: [ProjectID, ResourceList]}")
    (packet,) = load(site, rpi())

    def end_it(point: str) -> None:
        if point == "before settling":
            with database.begin() as connection:
                connection.execute(update(packet_tbl).values(state_id=STATE_IDS["completed"]))

    run(site, crash_point=end_it)
    assert status_of(site, packet) == "parked"
    assert replies_to(site, packet) == []
