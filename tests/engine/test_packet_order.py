"""Which packets wait for which, in a run and in a dry run."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from amierules.database import work
from amierules.database.amie_tables import STATE_IDS, data_tbl, packet_tbl, transaction_depends_tbl, transaction_tbl
from amierules.database.connection import Database
from amierules.database.order import Blocker
from amierules.database.rows import Presence, Project
from amierules.engine.deciding import Word, decide
from amierules.engine.prepared import blocker_of
from amierules.engine.site import Site
from tests.support.sites import (
    ALPHA,
    BETA,
    MakeSite,
    decision,
    dpc,
    itc,
    know,
    load,
    make_site,
    plan,
    rac,
    reason_of,
    rpc,
    rpi,
    rpr,
    run,
    set_clock,
    status_of,
    stored,
    work_of,
)

RULES = """
packet: [request_project_create, request_account_create, request_project_inactivate, request_project_reactivate,
  data_project_create]
rules:
  - {name: fails, when: header.type == 'request_project_inactivate' and packet.Comment == 'fail', actions:
      [{name: x, command: 'false'}], complete: x}
  - {name: tries, when: header.type == 'request_project_inactivate' and packet.Comment == 'retry', actions:
      [{name: x, command: {run: sleep 60, timeout: 1s, unless: {run: 'false'}}}], complete: x}
  - {name: holds, when: header.type == 'request_project_inactivate' and packet.Comment == 'hold', hold: x}
  - {name: refuses, when: header.type == 'request_project_create' and packet.ProjectTitle == 'no', fail: no}
  - {name: creates, when: header.type == 'request_project_create', reply:
      {copy: [GrantNumber, PfosNumber, ResourceList], fields: {ProjectID: P, PiPersonID: '1', PiRemoteSiteLogin: x}}}
  - {name: answered, when: header.type == 'data_project_create', reply: {}}
  - {name: goes, complete: went}
"""


def _statuses(site: Site, ids: list[int]) -> list[str]:
    run(site)
    return [status_of(site, packet) for packet in ids]


def _planned(site: Site) -> list[str]:
    return [report.decision.kind for report in plan(site)]


def test_packets_are_done_in_order_of_their_time_stamps(make: MakeSite) -> None:
    site = make(RULES)
    late = "2026-02-20T00:00:00Z"
    ids = load(site, rpr({"ProjectID": "A"}, packet_timestamp=late), rpr({"ProjectID": "B"}), rpr({"ProjectID": "C"}))
    assert [*run(site)] == [ids[1], ids[2], ids[0]]


def test_a_packet_waits_for_an_earlier_one_of_its_project_that_is_under_way(make: MakeSite) -> None:
    site = make(RULES)
    ids = load(site, rpi({"Comment": "retry"}), rpr(), rpr({"ProjectID": "other"}))
    assert _planned(site) == ["complete", "wait", "complete"]
    assert _statuses(site, ids) == ["retrying", "waiting", "done"]
    assert work_of(site, ids[1]).blocker == ids[0]
    assert f"packet {ids[0]}" in reason_of(site, ids[1])


def test_one_that_is_parked_with_a_begun_action_blocks_too(make: MakeSite) -> None:
    site = make(RULES)
    ids = load(site, rpi({"Comment": "fail"}), rpr())
    assert _statuses(site, ids) == ["parked", "waiting"]
    decision(site, ids[0], "fail")
    assert _statuses(site, ids) == ["failed", "done"]


def test_one_that_is_held_and_has_not_begun_blocks_only_its_own_transaction(make: MakeSite) -> None:
    site = make(RULES)
    ids = load(site, rpi({"Comment": "hold"}, transaction_id=7), rpr(), rpr(transaction_id=7, packet_id=2))
    assert _statuses(site, ids) == ["held", "done", "waiting"]
    assert _planned(site)[-1] == "wait"
    decision(site, ids[0], "fail", "no")


def test_packets_of_a_person_wait_for_each_other(make: MakeSite) -> None:
    site = make(RULES)
    first = rpi({"Comment": "retry", "PersonID": "77", "ProjectID": "A"})
    ids = load(site, first, rpr({"PersonID": "77", "ProjectID": "B"}), rpr({"PersonID": "78", "ProjectID": "C"}))
    assert _statuses(site, ids) == ["retrying", "waiting", "done"]


def test_a_project_is_the_same_by_its_grant_and_by_its_id(make: MakeSite) -> None:
    site = make(RULES)
    know(site, Project("k", project_id="P-7", grant_number="G7"))
    ids = load(site, rpi({"Comment": "retry", "ProjectID": "P-7"}), rpr({"GrantNumber": "G7", "ProjectID": "P-7"}))
    assert _statuses(site, ids) == ["retrying", "waiting"]


def test_an_account_waits_until_its_project_is_answered(make: MakeSite) -> None:
    site = make(RULES)
    create, elsewhere = load(site, rpc(transaction_id=7), rac({"ResourceList": [BETA]}))
    account, unrelated = load(site, rac(), rac({"GrantNumber": "G9", "UserGlobalID": "5"}))
    assert _statuses(site, [create, account, elsewhere, unrelated]) == ["done", "waiting", "done", "done"]
    (answer,) = load(site, dpc({"PersonID": "1"}, transaction_id=7, packet_id=2))
    assert _statuses(site, [answer, account]) == ["done", "done"]


def test_an_account_asked_for_before_its_project_waits_until_that_is_complete(
    database: Database, tmp_path: Path
) -> None:
    site = make_site(database, tmp_path)
    create, account = load(site, rpc(transaction_id=7), rac(packet_timestamp="2020-01-01T00:00:00Z"))
    assert _statuses(site, [create, account]) == ["done", "waiting"]
    assert f"project of packet {create}, a later request_project_create, is complete" in reason_of(site, account)
    assert _planned(site) == ["wait"]
    with database.read() as connection:
        person = connection.scalar(select(data_tbl.c.value).where(data_tbl.c.tag == "PiPersonID"))
    (answer,) = load(site, dpc({"PersonID": person}, transaction_id=7, packet_id=2))
    assert _statuses(site, [answer, account]) == ["done", "done"]


MAKES_PROJECTS = """
packet: request_project_create
rules:
  - name: a
    actions:
      - {name: pi, person: {attributes: "{{ subject }}", login_from: [bo]}}
      - {name: p, project: {project_id: P, grant_number: "{{ packet.GrantNumber }}", pi: "{{ person }}", active: true}}
    reply:
      copy: [GrantNumber, PfosNumber, ResourceList]
      fields: {ProjectID: P, PiPersonID: '1', PiRemoteSiteLogin: x}
"""
BEGINS = """
packet: request_account_create
rules:
  - {name: a, actions: [{name: c, command: ['true']}, {name: d, command: [test, -e, GO]}], complete: x}
"""


@pytest.mark.parametrize("retried_before", [True, False])
def test_an_account_that_was_begun_before_its_project_came_is_not_in_that_project_s_way(
    make: MakeSite, tmp_path: Path, retried_before: bool
) -> None:
    go = tmp_path / "go"
    ends = "packet: data_project_create\nrules: [{name: a, reply: {}}]\n"
    site = make({"a.yaml": MAKES_PROJECTS, "b.yaml": BEGINS.replace("GO", str(go)), "c.yaml": ends})
    (account,) = load(site, rac())
    assert _statuses(site, [account]) == ["parked"]
    (create,) = load(site, rpc(transaction_id=7, packet_timestamp="2020-01-01T00:00:00Z"))
    assert _statuses(site, [create, account]) == ["done", "parked"]
    go.touch()
    completes = dpc({"PersonID": "1", "ProjectID": "P"}, transaction_id=7, packet_id=2)
    if retried_before:
        decision(site, account, "retry")
        assert _statuses(site, [account]) == ["waiting"]
        (answer,) = load(site, completes)
    else:
        (answer,) = load(site, completes)
        assert _statuses(site, [answer, account]) == ["waiting", "parked"]
        decision(site, account, "retry")
    assert _statuses(site, [answer, account]) == ["done", "done"]


def test_an_account_waits_for_no_project_that_is_here_already(make: MakeSite) -> None:
    site = make(RULES)
    know(site, Project("k", project_id="P", grant_number="XYZ259276"), Presence("k", ALPHA, active=False))
    assert _statuses(site, load(site, rpc(), rac())) == ["done", "done"]


def test_an_account_waits_for_no_project_that_was_refused(make: MakeSite) -> None:
    site = make(RULES)
    assert _statuses(site, load(site, rpc({"ProjectTitle": "no"}), rac())) == ["failed", "done"]


def test_an_account_waits_no_longer_when_the_other_side_ends_the_projects_transaction(make: MakeSite) -> None:
    close = "packet: inform_transaction_complete\nrules: [{name: c, complete: closed}]\n"
    site = make({"a.yaml": RULES, "b.yaml": close})
    create, account = load(site, rpc(transaction_id=7), rac())
    run(site)
    assert status_of(site, account) == "waiting"
    (closing,) = load(site, itc({"StatusCode": "Failure"}, transaction_id=7, packet_id=2))
    assert _statuses(site, [create, closing, account]) == ["done", "done", "done"]


def test_the_same_record_waits(make: MakeSite) -> None:
    rules = "packet: request_project_create\nrules: [{name: h, hold: x}]\n"
    site = make(rules)
    ids = load(site, rpc({"RecordID": "R"}), rpc({"RecordID": "R", "GrantNumber": "G9", "PiGlobalID": "5"}))
    assert _statuses(site, ids) == ["held", "waiting"]
    assert "RecordID" in reason_of(site, ids[1])


def test_a_transaction_waits_for_those_that_it_depends_on(database: Database, tmp_path: Path) -> None:
    site = make_site(database, tmp_path, {"a.yaml": RULES})
    first, second = load(site, rpr(), rpr({"ProjectID": "B"}))
    with database.begin() as connection:
        row = {"trans_rec_id": _trans_rec_id(site, second), "depends_on_trans_rec_id": _trans_rec_id(site, first)}
        connection.execute(insert(transaction_depends_tbl).values(row))
    assert [*run(site)] == [first]
    assert status_of(site, first) == "done"
    assert run(site) == {}
    with database.begin() as connection:
        done = transaction_tbl.c.trans_rec_id == row["depends_on_trans_rec_id"]
        connection.execute(update(transaction_tbl).where(done).values(state_id=STATE_IDS["completed"]))
    set_clock(site, later=timedelta(minutes=11))
    assert [*run(site)] == [second]


def _trans_rec_id(site: Site, packet: int) -> int:
    return stored(site, packet).packet.header.trans_rec_id or 0


def test_what_is_on_hold_over_or_outgoing_is_left_alone(database: Database, tmp_path: Path) -> None:
    site = make_site(database, tmp_path, {"a.yaml": RULES})
    on_hold, over, outgoing, fine = load(site, *(rpr({"ProjectID": name}) for name in "ABCD"))
    with database.begin() as connection:
        held = transaction_tbl.c.trans_rec_id == _trans_rec_id(site, on_hold)
        connection.execute(update(transaction_tbl).where(held).values(state_id=STATE_IDS["on-hold"]))
        completed = update(packet_tbl).values(state_id=STATE_IDS["completed"])
        connection.execute(completed.where(packet_tbl.c.packet_rec_id == over))
        ours = update(packet_tbl).values(outgoing_flag=1)
        connection.execute(ours.where(packet_tbl.c.packet_rec_id == outgoing))
    assert [report.packet_rec_id for report in plan(site)] == [fine]
    assert [*run(site)] == [fine]
    with database.begin() as connection:
        connection.execute(update(transaction_tbl).where(held).values(state_id=STATE_IDS["in-progress"]))
    set_clock(site, later=timedelta(minutes=11))
    assert [*run(site)] == [on_hold]


def test_a_plan_too_waits_for_a_project_that_was_answered_and_is_not_complete(make: MakeSite) -> None:
    site = make(RULES)
    load(site, rpc())
    run(site)
    load(site, rac())
    assert _planned(site) == ["wait"]
    assert [status_of(site, handled) for handled in run(site)] == []


def test_a_packet_whose_blockers_go_on_changing_is_looked_at_once_more_in_the_same_run(
    make: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make(RULES)
    first, second = load(site, rpi({"Comment": "retry"}), rpr())
    looks: list[int] = []

    def changing(*given: Any) -> Blocker | None:
        looks.append(len(looks))
        found = blocker_of(*given)
        # Another one each time, as where others end one after the other between our two looks.
        return found and replace(found, reason=f"{found.reason} ({len(looks)})") if len(looks) <= 10 else found

    monkeypatch.setattr("amierules.engine.standing_aside.blocker_of", changing)
    assert _statuses(site, [first, second]) == ["retrying", "waiting"]
    assert len(looks) == 12


def test_one_that_was_locked_while_its_blocker_ended_is_found_by_the_next_sweep(
    postgres_ready_url: str, tmp_path: Path
) -> None:
    with Database.open(postgres_ready_url, create=False) as database:
        site = make_site(database, tmp_path, {"a.yaml": RULES})
        first, second = load(site, rpi({"Comment": "hold"}, transaction_id=7), rpr({}, transaction_id=7, packet_id=2))
        assert _statuses(site, [first, second]) == ["held", "waiting"]
        with database.begin() as connection:
            work.get(connection, second, lock=True)
            decide(site, first, Word("fail", "no", "pat"))
        assert work_of(site, second).next_attempt_at is None
        assert _statuses(site, [first, second]) == ["failed", "done"]
