"""The six packets that AMIE servers sent, answered by the shipped rules."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from amierules.database.connection import Database
from amierules.database.rows import Person, Project
from amierules.engine.site import Site
from tests.support import sites
from tests.support.policy import locked
from tests.support.shadow import ScratchRoot, host_digest
from tests.support.sites import CAPTURED, NOW

PACKETS = Path(__file__).parent.parent / "packets"
RAC, RPC, DPC, RPI, ITC, RPR = 174709745, 233497907, 233497909, 233497911, 233497913, 233497914
IN_ORDER = [RAC, RPC, DPC, RPI, ITC, RPR]

BO_DNS = [
    "/C=US/O=National Center for Supercomputing Applications/CN=Bo Sample",
    "/C=US/O=Pittsburgh Supercomputing Center/CN=Bo Sample",
    "/DC=EDU/DC=UTEXAS/DC=TACC/O=MYPROXY/CN=bsample",
]
ANN_DNS = [
    "/C=US/O=Pittsburgh Supercomputing Center/CN=Ann Example",
    "/C=US/O=National Center for Supercomputing Applications/CN=Ann Example",
]
ONE_RANGE = {"uid": {"range": [20000, 29999]}, "gid": {"range": [20000, 29999]}, "person_id": {"from": "uid"}}
KNOWN = (Person("bo", "test-person-456", "90022"), Project("prj", "test-project-123", "XYZ259276"))
"""What the capturing site knew."""

STATES = {
    "ours": {
        "packets": {RAC: "in-progress", RPC: "completed", DPC: "completed", RPI: "completed", RPR: "in-progress"},
        "transactions": {RAC: "in-progress", RPC: "completed", RPI: "completed", RPR: "in-progress"},
    },
    # A legacy AMIE program completes what we sent, and its transactions.
    "found": {
        "packets": dict.fromkeys((RAC, RPC, DPC, RPI, RPR), "in-progress"),
        "transactions": dict.fromkeys((RAC, RPC, RPI, RPR), "in-progress"),
    },
}


def captured() -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(PACKETS.glob("*.json"))]


def from_the_other_side(packet: Mapping[str, Any]) -> dict[str, Any]:
    header = packet["header"]
    swapped = {
        "local_site_name": header["remote_site_name"],
        "remote_site_name": header["local_site_name"],
        "outgoing_flag": 0 if header["outgoing_flag"] else 1,
    }
    return {**packet, "header": {**header, **swapped}}


def expected_replies(project_id: str, pi_id: str) -> dict[int, tuple[str, dict[str, Any]]]:
    of_project = {"ProjectID": "test-project-123", "ResourceList": [CAPTURED]}
    notified = {
        "GrantNumber": "XYZ259276",
        "PfosNumber": "21000",
        "PiOrgCode": "0045096",
        "ProjectTitle": "Examples at scale",
        "ResourceList": [CAPTURED],
        "ServiceUnitsAllocated": "1",
        "StartDate": "2025-10-15",
        "ProjectID": project_id,
        "PiPersonID": pi_id,
        "PiRemoteSiteLogin": "bsample",
        "PiDnList": BO_DNS,
    }
    account = {
        "UserFirstName": "Ann",
        "UserLastName": "Example",
        "UserOrganization": "Example University",
        "UserOrgCode": "0032425",
        "ResourceList": [CAPTURED],
        "ProjectID": project_id,
        "UserPersonID": "40017",  # which the other side knows already
        "UserRemoteSiteLogin": "annex",
        "UserDnList": ANN_DNS,
        "AccountActivityTime": "2026-03-01T12:00:00Z",
    }
    closing = {"StatusCode": "Success", "DetailCode": "1", "Message": "OK"}
    return {
        RAC: ("notify_account_create", account),
        RPC: ("notify_project_create", notified),
        DPC: ("inform_transaction_complete", closing),
        RPI: ("notify_project_inactivate", of_project),
        RPR: ("notify_project_reactivate", of_project),
    }


def local_ids(site: Site) -> dict[int, int]:
    """The local packet_rec_ids by the remote ones."""
    given = captured()
    return dict(zip([one["header"]["packet_rec_id"] for one in given], sites.load(site, *given), strict=True))


def check_rows(site: Site, ids: Mapping[int, int], replies: Mapping[int, tuple[str, dict[str, Any]]]) -> None:
    states = STATES["ours" if site.database.owns_amie_tables else "found"]
    numbers = {RAC: 1, RPC: 1, DPC: 2, RPI: 1, RPR: 1}
    for remote, (type_name, body) in replies.items():
        reply = sites.reply_to(site, ids[remote]).packet
        header = reply.header
        assert (header.type, header.outgoing, header.packet_id) == (type_name, True, numbers[remote])
        assert reply.body == body
        assert header.packet_state == states["packets"][remote]
        assert header.timestamp == NOW
        expects = [] if type_name == "inform_transaction_complete" else [30240]
        assert [one.timeout for one in header.expected_replies] == expects
    assert sites.replies_to(site, ids[ITC]) == []
    for remote, packet_rec_id in ids.items():
        assert sites.status_of(site, packet_rec_id) == "done"
        assert sites.stored(site, packet_rec_id).packet.header.packet_state == "completed"
        if remote in states["transactions"]:
            state = sites.stored(site, packet_rec_id).packet.header.transaction_state
            assert (remote, state) == (remote, states["transactions"][remote])


def test_where_the_registry_knows_the_project_all_are_answered_in_order(any_database: Database, tmp_path: Path) -> None:
    site = sites.make_site(any_database, tmp_path)
    sites.know(site, *KNOWN)
    ids = local_ids(site)
    first, *others = sites.plan(site)
    assert (first.remote_packet_rec_id, first.rule, first.decision.kind) == (RAC, "account on a project", "reply")
    assert [one.remote_packet_rec_id for one in others] == IN_ORDER[1:]
    assert {one.decision.kind for one in others} == {"wait"}
    handled = sites.run(site)
    assert [one.report.remote_packet_rec_id for one in handled.values()] == IN_ORDER
    check_rows(site, ids, expected_replies("test-project-123", "test-person-456"))
    assert sites.run(site) == {}
    assert sites.plan(site) == []


def test_without_the_project_the_account_request_is_deferred_until_it_is_there(
    any_database: Database, tmp_path: Path
) -> None:
    site = sites.make_site(any_database, tmp_path)
    ids = local_ids(site)
    plans = {one.remote_packet_rec_id: one for one in sites.plan(site)}
    assert plans[RAC].decision.kind == "defer"
    assert plans[RPC].decision.kind == "reply"
    sites.run(site, limit=1)
    assert sites.status_of(site, ids[RAC]) == "deferred"
    assert sites.reason_of(site, ids[RAC]) == "no project for grant XYZ259276 yet"
    sites.run(site)
    check_rows(site, ids, expected_replies("P-XYZ259276", "20000"))


@pytest.mark.parametrize("turned", [False, True], ids=["as captured", "from the other side"])
def test_either_perspective_makes_the_same_packets(tmp_path: Path, turned: bool) -> None:
    site = sites.make_site(Database.open("sqlite://", create=True), tmp_path)
    packets = [from_the_other_side(one) if turned else one for one in captured()]
    for one, packet_rec_id in zip(packets, sites.load(site, *packets), strict=True):
        header = sites.stored(site, packet_rec_id).packet.header
        assert (header.local_site_name, header.remote_site_name, header.outgoing) == ("TestSite", "TGCDB", False)
        assert header.originating_site_name == "TGCDB"
        assert (header.type, header.transaction_id) == (one["type"], one["header"]["transaction_id"])


def test_packets_that_come_again_are_not_answered_again(tmp_path: Path) -> None:
    site = sites.make_site(Database.open("sqlite://", create=True), tmp_path)
    ids = local_ids(site)
    sites.run(site)
    assert local_ids(site) == ids
    assert sites.run(site) == {}


@pytest.mark.parametrize("known", [False, True], ids=["new to the registry", "known to the registry"])
def test_unix_accounts_are_made_under_a_scratch_root(tmp_path: Path, known: bool) -> None:
    untouched = host_digest()
    root = ScratchRoot.make(tmp_path / "root")
    settings = {**sites.SETTINGS, "accounts": "shadow"}
    site = sites.make_site(
        Database.open("sqlite://", create=True), tmp_path / "site", settings=settings, prefix=root.path, ids=ONE_RANGE
    )
    sites.know(site, *(KNOWN if known else ()))
    local_ids(site)
    assert set(sites.run(site)) == set(range(1, 7))
    bo, ann = root.line("passwd", "bsample"), root.line("passwd", "annex")
    assert bo is not None
    assert ann is not None
    project = root.line("group", "p-xyz259276")
    assert project is not None
    # useradd gave each user a group of the user's own number: the project has another one.
    assert {bo[2], ann[2], project[2]} == {"20000", "20001", "20002"}
    assert (bo[3], ann[3]) == (bo[2], ann[2])
    assert (bo[4], ann[4]) == ("Bo Sample", "Ann Example")
    assert (bo[5], ann[5]) == ("/home/bsample", "/home/annex")
    # The project was stopped and opened again, for its PI only; where Ann's request was deferred, she came after that.
    assert locked(root, "annex") == known
    assert not locked(root, "bsample")
    assert "p-xyz259276" in root.groups_of("bsample")
    assert root.line("passwd", "root") == ["root", "x", "0", "0", "root", "/root", "/bin/bash"]
    assert host_digest() == untouched
