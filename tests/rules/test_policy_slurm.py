"""The shipped rules with accounts in Slurm: a real slurmdbd, and a cluster that runs jobs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from amierules.database import pauses
from amierules.database.rows import Project
from amierules.engine.site import Site
from tests.support.policy import ANN, BO, answer, closed, send, with_slurm
from tests.support.sites import (
    dpc,
    know,
    load,
    plan,
    rac,
    rai,
    rar,
    reason_of,
    rpc,
    rpi,
    rpm,
    rpr,
    run,
    set_clock,
    status_of,
    work_of,
)
from tests.support.slurm import JOB_USER, SlurmServer

GROUP = "p-xyz259276"
OTHER = "daemon"
"""Another user whom every host knows."""


@pytest.fixture
def site(tmp_path: Path, slurm: SlurmServer) -> Site:
    return with_slurm(tmp_path / "site", slurm)


def done(site: Site, *packets: dict[str, Any]) -> None:
    for packet in packets:
        got = send(site, packet)
        assert got.status == "done", got


def project(**body: Any) -> dict[str, Any]:
    """A project whose PI may really run jobs."""
    return rpc({"PiRequestedLoginList": [JOB_USER], **body})


def account(**body: Any) -> dict[str, Any]:
    """An account of somebody who may really run jobs."""
    return rac({"UserRequestedLoginList": [OTHER], **body})


def test_a_project_brings_an_account_with_its_units_as_limit(site: Site, slurm: SlurmServer) -> None:
    done(site, project(), account())
    assert slurm.show("account", "account,descr,org", "where", f"account={GROUP}") == [[GROUP, "p-xyz259276", "amie"]]
    assert slurm.own(GROUP, "grptresmins,grpsubmit") == ["cpu=60000", ""]
    assert slurm.users(GROUP) == {JOB_USER: "", OTHER: ""}
    done(site, project(AllocationType="supplement", ServiceUnitsAllocated="0.75"))
    assert slurm.own(GROUP, "grptresmins") == ["cpu=60045"]
    done(site, project(AllocationType="adjustment", ServiceUnitsAllocated="-2000"))
    assert slurm.own(GROUP, "grptresmins") == ["cpu=0"]


def test_units_are_of_what_the_settings_say(tmp_path: Path, slurm: SlurmServer) -> None:
    site = with_slurm(tmp_path / "site", slurm, slurm_resource="gres/gpu", slurm_minutes=1)
    done(site, project(ServiceUnitsAllocated="90.9"))
    assert slurm.own(GROUP, "grptresmins") == ["gres/gpu=90"]


def test_an_inactive_project_cannot_submit_and_a_reactivated_one_can(site: Site, slurm: SlurmServer) -> None:
    done(site, project(), account())
    assert slurm.ended(slurm.submit(GROUP)) == "COMPLETED"
    assert slurm.ended(slurm.submit(GROUP, user=OTHER)) == "COMPLETED"
    done(site, rpi())
    for user in (JOB_USER, OTHER):
        refused = slurm.try_to_submit(GROUP, user=user)
        assert refused.returncode == 1
        assert "AssocGrpSubmitJobsLimit" in refused.stderr
    done(site, rpr())
    assert slurm.ended(slurm.submit(GROUP)) == "COMPLETED"
    # The others come back by a request_account_create of their own.
    assert "AssocGrpSubmitJobsLimit" in slurm.try_to_submit(GROUP, user=OTHER).stderr
    done(site, account())
    assert slurm.ended(slurm.submit(GROUP, user=OTHER)) == "COMPLETED"
    assert slurm.own(GROUP, "grptresmins,grpsubmit") == ["cpu=60000", ""]


def test_an_account_that_is_stopped_cannot_submit_and_the_others_can(site: Site, slurm: SlurmServer) -> None:
    done(site, project(), account(), rai({"PersonID": ANN}))
    assert slurm.users(GROUP) == {JOB_USER: "", OTHER: "0"}
    assert slurm.try_to_submit(GROUP, user=OTHER).returncode == 1
    assert slurm.ended(slurm.submit(GROUP, script="true")) == "COMPLETED"
    done(site, rar({"PersonID": ANN}))
    assert slurm.users(GROUP) == {JOB_USER: "", OTHER: ""}


def test_a_login_that_came_by_a_merge_is_stopped_with_the_account(site: Site, slurm: SlurmServer) -> None:
    done(site, project(), account(), rpm(), rai({"PersonID": BO}))
    assert slurm.users(GROUP) == {JOB_USER: "0", OTHER: "0"}
    done(site, rar({"PersonID": BO}))
    assert slurm.users(GROUP) == {JOB_USER: "", OTHER: "0"}


def test_a_merge_moves_associations_to_the_kept_login_where_the_site_wants_that(
    tmp_path: Path, slurm: SlurmServer
) -> None:
    site = with_slurm(tmp_path / "site", slurm, merge="merge", coordinators=["pi"])
    done(site, project(), account(), rpc({"GrantNumber": "G2", "PiPersonID": ANN, "PiGlobalID": "90011"}))
    done(site, rpc({"GrantNumber": "G3", "PiPersonID": ANN, "PiGlobalID": "90011"}), rpi({"ProjectID": "P-G3"}))
    mine = ("where", f"user={OTHER}", "account=p-g2")
    slurm.sacctmgr("modify", "user", *mine, "set", "fairshare=7", "maxjobs=3")
    assert slurm.ended(slurm.submit("p-g2", user=OTHER)) == "COMPLETED"
    slurm.until_used("p-g2")
    used = slurm.usage("p-g2")
    done(site, rpm())
    assert slurm.users(GROUP) == slurm.users("p-g2") == {JOB_USER: "", OTHER: "0"}
    assert slurm.users("p-g3") == {JOB_USER: "0", OTHER: "0"}
    assert slurm.coordinators("p-g2") == {JOB_USER, OTHER}
    theirs = ("where", f"user={JOB_USER}", "account=p-g2", "wopl")
    assert slurm.show("assoc", "fairshare,maxjobs", *theirs) == [["7", "3"]]
    assert slurm.usage("p-g2") >= used
    assert "AssocGrpSubmitJobsLimit" in slurm.try_to_submit("p-g2", user=OTHER).stderr
    assert slurm.ended(slurm.submit("p-g2", script="true")) == "COMPLETED"
    done(site, rpi({"ProjectID": "P-G2"}))
    assert slurm.users("p-g2") == {JOB_USER: "0", OTHER: "0"}


def test_an_account_on_an_inactive_project_is_there_and_cannot_submit(site: Site, slurm: SlurmServer) -> None:
    done(site, project(), rpi(), account())
    assert slurm.users(GROUP) == {JOB_USER: "0", OTHER: "0"}
    assert slurm.own(GROUP, "grpsubmit") == ["0"]
    done(site, project(AllocationType="renewal"))
    assert slurm.users(GROUP) == {JOB_USER: "", OTHER: "0"}


def test_roles_that_the_settings_name_are_coordinators(tmp_path: Path, slurm: SlurmServer) -> None:
    site = with_slurm(tmp_path / "site", slurm, coordinators=["allocation_manager", "co_pi"])
    done(site, project(), account(RoleList=["user"]))
    assert slurm.coordinators(GROUP) == set()
    done(site, account(RoleList=["user", "allocation_manager"]))
    assert slurm.coordinators(GROUP) == {OTHER}
    done(site, account())
    assert slurm.coordinators(GROUP) == {OTHER}
    done(site, account(RoleList=["user"]))
    assert slurm.coordinators(GROUP) == set()


def test_the_pi_is_a_coordinator_where_the_settings_say_so(tmp_path: Path, slurm: SlurmServer) -> None:
    site = with_slurm(tmp_path / "site", slurm, coordinators=["pi"])
    done(site, project(), account(RoleList=["allocation_manager"]))
    assert slurm.coordinators(GROUP) == {JOB_USER}


def test_use_is_forgotten_at_a_renewal_that_has_begun_where_the_settings_say_so(
    tmp_path: Path, slurm: SlurmServer
) -> None:
    site = with_slurm(tmp_path / "site", slurm, renewal_resets_usage=True)
    done(site, project())
    assert slurm.ended(slurm.submit(GROUP)) == "COMPLETED"
    slurm.until_used(GROUP)
    ahead = {"StartDate": "2026-08-01", "EndDate": "2027-07-31", "ServiceUnitsAllocated": "10"}
    done(site, project(AllocationType="renewal", **ahead))
    assert slurm.usage(GROUP) > 0
    assert slurm.own(GROUP, "grptresmins") == ["cpu=60000"]
    begun = {"StartDate": "2026-02-15", "EndDate": "2027-02-14", "ServiceUnitsAllocated": "20"}
    done(site, project(AllocationType="renewal", **begun))
    assert slurm.usage(GROUP) == 0
    assert slurm.own(GROUP, "grptresmins") == ["cpu=1200"]


def test_units_of_periods_that_have_ended_limit_nothing_where_use_is_forgotten(
    tmp_path: Path, slurm: SlurmServer
) -> None:
    site = with_slurm(tmp_path / "site", slurm, renewal_resets_usage=True)
    ended = {"StartDate": "2025-02-01", "EndDate": "2026-01-31", "ServiceUnitsAllocated": "5000"}
    ahead = {"StartDate": "2026-08-01", "EndDate": "2027-07-31", "ServiceUnitsAllocated": "10"}
    done(site, project(**ended), project(AllocationType="renewal"), project(AllocationType="renewal", **ahead))
    assert slurm.own(GROUP, "grptresmins") == ["cpu=60000"]
    done(site, project(AllocationType="supplement", ServiceUnitsAllocated="1", StartDate="2026-02-01"))
    assert slurm.own(GROUP, "grptresmins") == ["cpu=60060"]


@pytest.mark.parametrize(("resets", "limit"), [(False, "cpu=61200"), (True, "cpu=1200")])
def test_the_units_of_a_renewal_that_lies_ahead_are_there_when_it_begins(
    tmp_path: Path, slurm: SlurmServer, resets: bool, limit: str
) -> None:
    site = with_slurm(tmp_path / "site", slurm, renewal_resets_usage=resets)
    done(site, project())
    assert slurm.ended(slurm.submit(GROUP)) == "COMPLETED"
    slurm.until_used(GROUP)
    dates = {"StartDate": "2026-03-11", "EndDate": "2027-03-10"}
    renewal = project(AllocationType="renewal", ServiceUnitsAllocated="20", **dates)
    load(site, renewal)
    run(site)
    known = {name: renewal["header"][name] for name in ("transaction_id", "trans_rec_id")}
    (confirmed,) = load(site, dpc({"PersonID": BO}, **known, packet_id=3, packet_timestamp="2026-03-01T12:00:00Z"))
    run(site)
    got = answer(site, confirmed)
    assert (got.status, got.reason) == ("deferred", "the renewal of P-XYZ259276 begins on 2026-03-11")
    set_clock(site, at=datetime(2026, 3, 10, 23, 59, tzinfo=UTC))
    run(site)
    assert status_of(site, got.packet_rec_id) == "deferred"
    assert slurm.own(GROUP, "grptresmins") == ["cpu=60000"]
    assert slurm.usage(GROUP) > 0
    set_clock(site, at=datetime(2026, 3, 11, 0, 1, tzinfo=UTC))
    run(site)
    assert closed(answer(site, got.packet_rec_id))
    assert slurm.own(GROUP, "grptresmins") == [limit]
    assert (slurm.usage(GROUP) == 0) is resets


def test_an_account_of_somebody_else_holds_the_project(site: Site, slurm: SlurmServer) -> None:
    slurm.sacctmgr("add", "account", f"name={GROUP}", "cluster=alpha", "description=theirs")
    got = send(site, project())
    assert got.status == "held"
    assert "described as 'theirs'" in got.reason
    assert slurm.own(GROUP, "grptresmins") == [""]
    assert slurm.users(GROUP) == {}


def test_a_project_from_before_slurm_gets_its_account_with_the_next_user(site: Site, slurm: SlurmServer) -> None:
    know(site, Project("k1", "P-XYZ259276", "XYZ259276", group=GROUP))
    got = send(site, rpi())
    assert got.status == "done", got
    assert slurm.own(GROUP, "grpsubmit") == ["0"]


def test_the_same_packets_again_change_nothing(site: Site, slurm: SlurmServer) -> None:
    done(site, project(), account())
    load(site, project(AllocationType="new"), account())
    steps = [step for report in plan(site) for step in report.steps if step.kind.startswith("slurm_")]
    states = [step.state for step in steps if step.state != "skipped"]
    assert states == ["present"] * 2  # the account waits for its project


def test_without_slurmdbd_packets_wait_and_lose_no_attempt(site: Site, slurm: SlurmServer) -> None:
    done(site, project())
    slurm.stop_dbd()
    try:
        packets = load(site, account(), rpi({"ProjectID": "P-XYZ259276"}))
        run(site)
        assert status_of(site, packets[0]) == "retrying"
        assert work_of(site, packets[0]).attempts == 0
        assert "Connection refused" in reason_of(site, packets[0])
        with site.database.read() as connection:
            assert [one.name for one in pauses.listing(connection)] == ["slurm"]
    finally:
        slurm.start_dbd()
    set_clock(site, later=timedelta(hours=1))
    run(site)
    run(site)
    assert [status_of(site, packet) for packet in packets] == ["done", "done"]
    assert slurm.users(GROUP) == {JOB_USER: "0", OTHER: "0"}
    with site.database.read() as connection:
        assert pauses.listing(connection) == []
