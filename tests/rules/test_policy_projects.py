"""Projects: the PI, ids and DNs of a new one, its inactivation, and its reactivation for the PI alone."""

from typing import Any

import pytest

from amierules.database.rows import Person, Presence, Project
from tests.support.policy import (
    ANN,
    BO,
    account,
    active_accounts,
    answer,
    introduce,
    is_active,
    periods,
    person,
    project,
    registry_only,
    send,
)
from tests.support.sites import ALPHA, BETA, decision, know, rac, registry, rpc, rpi, rpr, run

BO_HERE, ANN_HERE = ("bsample", "XYZ259276", ALPHA), ("annex", "XYZ259276", ALPHA)


# ------------------------------------------------------------------ request_project_create


def test_a_new_project_is_answered_with_its_ids_and_all_dns_of_the_pi() -> None:
    site = registry_only()
    know(site, Person("bo", "B7", "90022", dns=("/CN=Bo the first",)))
    got = send(site, rpc())
    assert (got.status, got.type) == ("done", "notify_project_create")
    assert got.body == {
        "GrantNumber": "XYZ259276",
        "PfosNumber": "21000",
        "PiOrgCode": "0045096",
        "ProjectTitle": "Examples at scale",
        "ResourceList": [ALPHA],
        "ServiceUnitsAllocated": "1000",
        "StartDate": "2026-02-01",
        "ProjectID": "P-XYZ259276",
        "PiPersonID": "B7",
        "PiRemoteSiteLogin": "bsample",
        "PiDnList": ["/CN=Bo the first", "/C=US/CN=Bo Sample"],
    }
    assert is_active(site)
    assert (account(site, "B7").login, account(site, "B7").active) == ("bsample", True)
    bo = person(site, "B7")
    assert bo.data["Email"] == "bo@university.example"
    assert project(site).pi == bo.key


def test_tags_that_a_request_lacks_are_left_out_of_the_reply() -> None:
    got = send(registry_only(), rpc({"ProjectTitle": None, "PiDnList": None}))
    assert got.status == "done"
    assert not {"ProjectTitle", "PiDnList"} & set(got.body)


def test_the_ids_that_the_other_side_knows_already_are_taken_over() -> None:
    site = registry_only()
    got = send(site, rpc({"ProjectID": "old-project", "PiPersonID": "u.bo"}))
    assert (got.body["ProjectID"], got.body["PiPersonID"]) == ("old-project", "u.bo")
    assert person(site, "u.bo").uid == 20000
    again = send(site, rpc({"GrantNumber": "ABC1", "PiPersonID": "u.bo", "PiGlobalID": None}))
    assert again.body["PiPersonID"] == "u.bo"
    assert len(registry(site).accounts(person=person(site, "u.bo").key)) == 2


def test_a_person_is_found_by_person_id_then_by_global_id() -> None:
    site = registry_only()
    know(site, Person("bo", "B7", "90022"), Person("al", "A1", None))
    assert send(site, rpc({"GrantNumber": "G1"})).body["PiPersonID"] == "B7"
    by_id = send(site, rpc({"GrantNumber": "G2", "PiPersonID": "A1", "PiGlobalID": "777"}))
    assert by_id.body["PiPersonID"] == "A1"
    assert person(site, "A1").global_id == "777"
    both = send(site, rpc({"GrantNumber": "G3", "PiPersonID": "A1", "PiGlobalID": "90022"}))
    assert (both.status, both.type) == ("held", None)
    assert "different persons" in both.reason
    # An id that another row has under another GlobalID is no reason to guess.
    odd = send(site, rpc({"GrantNumber": "G4", "PiPersonID": "B7", "PiGlobalID": "999"}))
    assert odd.status == "held"
    assert registry(site).find_project(grant_number="G4") is None


@pytest.mark.parametrize("known", [None, "P7"])
def test_a_grant_has_the_same_project_id_on_every_resource(known: str | None) -> None:
    site = registry_only()
    first = send(site, rpc({"ProjectID": known}))
    second = send(site, rpc({"ResourceList": [BETA], "ProjectID": "another"}))
    assert first.body["ProjectID"] == second.body["ProjectID"] == (known or "P-XYZ259276")
    assert second.body["ResourceList"] == [BETA]
    assert (is_active(site, ALPHA), is_active(site, BETA)) == (True, True)
    assert (set(periods(site, ALPHA)), set(periods(site, BETA))) == ({"2026-02-01"}, {"2026-02-01"})


def test_a_grant_and_a_project_id_of_different_projects_are_held() -> None:
    site = registry_only()
    know(site, Project("one", "P1", "G1"), Project("two", "P2", "G2"))
    got = send(site, rpc({"GrantNumber": "G1", "ProjectID": "P2"}))
    assert (got.status, got.type) == ("held", None)
    assert "different projects" in got.reason


def test_nobody_gets_the_login_of_another_person() -> None:
    site = registry_only()
    logins = [
        send(site, rpc({"GrantNumber": f"G{number}", "PiGlobalID": f"9{number}"})).body["PiRemoteSiteLogin"]
        for number in range(4)
    ]
    # The wish; initial and name are the same; the name alone; numbered.
    assert logins == ["bsample", "sample", "bsample1", "bsample2"]


def test_the_login_is_a_wish_then_the_portal_s_then_made_of_the_name() -> None:
    site = registry_only()
    portal = [{"Site": "TACC", "PersonID": "84000"}, {"Site": "X-PORTAL", "PersonID": "bportal"}]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"PiRequestedLoginList": ["", "bo"], "SitePersonId": portal}, "bo"),
        ({"PiRequestedLoginList": [""], "SitePersonId": portal}, "bportal"),
        ({"PiRequestedLoginList": None}, "bsample"),
        ({"PiRequestedLoginList": ["root"], "PiLastName": "Ørsted"}, "borsted"),
    ]
    for number, (tags, login) in enumerate(cases):
        got = send(site, rpc({"GrantNumber": f"G{number}", "PiGlobalID": f"9{number}", **tags}))
        assert got.body["PiRemoteSiteLogin"] == login


def test_a_person_who_has_a_login_keeps_it() -> None:
    site = registry_only()
    send(site, rpc())
    again = send(site, rpc({"GrantNumber": "G2", "PiRequestedLoginList": ["another"]}))
    assert again.body["PiRemoteSiteLogin"] == "bsample"


def test_a_renewal_reactivates_the_project_for_the_pi_alone() -> None:
    site = registry_only()
    introduce(site)
    send(site, rpi())
    assert active_accounts(site) == set()
    assert send(site, rpc({"AllocationType": "renewal"})).status == "done"
    assert is_active(site)
    assert active_accounts(site) == {BO_HERE}
    assert not account(site, ANN).active


def test_a_resource_that_is_not_ours_gets_no_project() -> None:
    site = registry_only()
    assert send(site, rpc({"ResourceList": ["gamma.site.example"]})).refused
    assert registry(site).find_project(grant_number="XYZ259276") is None


def test_a_suspended_pi_is_for_a_person_to_decide() -> None:
    site = registry_only()
    know(site, Person("bo", "B7", "90022", state="suspended"))
    got = send(site, rpc())
    assert (got.status, got.reason) == ("held", "the PI B7 is suspended")
    assert registry(site).find_project(grant_number="XYZ259276") is None


def test_a_project_waits_for_a_person_s_approval_where_the_site_wants_that() -> None:
    site = registry_only(approve_projects=True)
    got = send(site, rpc())
    assert (got.status, got.reason) == ("held", f"new of 1000 for XYZ259276 on {ALPHA}")
    assert decision(site, got.packet_rec_id, "approve") == "ready"
    run(site)
    assert answer(site, got.packet_rec_id).status == "done"
    # Each packet needs its own.
    assert send(site, rpc({"AllocationType": "supplement"})).status == "held"


def test_a_refusal_needs_no_approval() -> None:
    assert send(registry_only(approve_projects=True), rpc({"AllocationType": "extension"})).refused


# ------------------------------------------------------------------ request_project_inactivate


def test_an_inactivation_stops_all_accounts_on_that_resource_and_deletes_nothing() -> None:
    site = registry_only()
    introduce(site)
    introduce(site, resource=BETA)
    before = person(site, BO), person(site, ANN), periods(site)
    got = send(site, rpi())
    assert (got.status, got.type) == ("done", "notify_project_inactivate")
    assert got.body == {"ProjectID": "P-XYZ259276", "ResourceList": [ALPHA]}
    assert (is_active(site, ALPHA), is_active(site, BETA)) == (False, True)
    assert active_accounts(site) == {("bsample", "XYZ259276", BETA), ("annex", "XYZ259276", BETA)}
    assert {account(site, one).active for one in (BO, ANN)} == {False}
    assert (person(site, BO), person(site, ANN), periods(site)) == before


def test_an_inactivation_leaves_other_projects_alone() -> None:
    site = registry_only()
    introduce(site)
    send(site, rpc({"GrantNumber": "OTHER"}))
    send(site, rpi())
    assert active_accounts(site) == {("bsample", "OTHER", ALPHA)}


def test_an_inactivation_that_is_done_is_answered_again() -> None:
    site = registry_only()
    introduce(site)
    first, second = send(site, rpi()), send(site, rpi())
    assert (first.body, first.status) == (second.body, second.status)


def test_the_project_of_an_inactivation_is_also_found_by_its_grant() -> None:
    site = registry_only()
    introduce(site)
    got = send(site, rpi({"ProjectID": "their-name", "GrantNumber": "XYZ259276"}))
    assert got.status == "done"
    assert got.body["ProjectID"] == "their-name"  # as the request has it
    assert not is_active(site)


# ------------------------------------------------------------------ request_project_reactivate


@pytest.mark.parametrize("named", [BO, None], ids=["with the PersonID of the PI", "without a PersonID"])
def test_a_reactivation_is_for_the_pi_alone(named: str | None) -> None:
    site = registry_only()
    introduce(site)
    before = periods(site)
    send(site, rpi())
    got = send(site, rpr({"PersonID": named}))
    assert (got.status, got.type) == ("done", "notify_project_reactivate")
    assert got.body == {"ProjectID": "P-XYZ259276", "ResourceList": [ALPHA]}
    assert is_active(site)
    assert active_accounts(site) == {BO_HERE}
    assert periods(site) == before
    # The others come back by request_account_create.
    send(site, rac())
    assert active_accounts(site) == {BO_HERE, ANN_HERE}


def test_a_reactivation_of_a_suspended_pi_is_held() -> None:
    site = registry_only()
    know(site, Person("bo", "B7", "90022", state="suspended"), Project("prj", "P1", "G1", pi="bo"))
    know(site, Presence("prj", ALPHA, active=False))
    got = send(site, rpr({"ProjectID": "P1"}))
    assert (got.status, got.reason) == ("held", "the PI B7 is suspended")
    assert not is_active(site, grant="G1")


def test_a_reactivation_without_a_pi_is_held() -> None:
    site = registry_only()
    know(site, Project("prj", "P1", "G1"))
    got = send(site, rpr({"ProjectID": "P1"}))
    assert (got.status, got.reason) == ("held", "no PI is known of P1")


def test_a_reactivation_where_the_project_never_was_is_held() -> None:
    site = registry_only()
    introduce(site)
    got = send(site, rpr({"ResourceList": [BETA]}))
    assert (got.status, got.reason) == ("held", "project P-XYZ259276 was never on beta.site.example")
    assert not is_active(site, BETA)
    assert active_accounts(site) == {BO_HERE, ANN_HERE}


# ------------------------------------------------------------------ both


@pytest.mark.parametrize("make", [rpi, rpr])
def test_an_unknown_project_is_held_and_a_foreign_resource_refused(make: Any) -> None:
    site = registry_only()
    introduce(site)
    unknown = send(site, make({"ProjectID": "nowhere"}))
    assert (unknown.status, unknown.type) == ("held", None)
    foreign = send(site, make({"ResourceList": ["gamma.site.example"]}))
    assert foreign.refused
    assert (is_active(site), active_accounts(site)) == (True, {BO_HERE, ANN_HERE})
