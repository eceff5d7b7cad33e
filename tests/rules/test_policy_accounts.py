"""Accounts: requests for one, its inactivation, and how it comes back."""

from datetime import timedelta
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
    person,
    registry_only,
    send,
)
from tests.support.sites import (
    ALPHA,
    BETA,
    complete_projects,
    decision,
    dpc,
    events_of,
    know,
    load,
    rac,
    rai,
    rar,
    reason_of,
    registry,
    rpc,
    rpi,
    run,
    set_clock,
    status_of,
)

OF_BOTH_ON_BETA = {("bsample", "XYZ259276", BETA), ("annex", "XYZ259276", BETA)}
BO_HERE, ANN_HERE = ("bsample", "XYZ259276", ALPHA), ("annex", "XYZ259276", ALPHA)


# ------------------------------------------------------------------ request_account_create


def test_an_account_is_answered_with_ids_login_time_and_all_dns() -> None:
    site = registry_only()
    know(site, Person("ann", "A7", "90011", dns=("/CN=Ann the first",)))
    send(site, rpc())
    got = send(site, rac({"UserMiddleName": "B", "UserPersonID": "A7"}))
    assert (got.status, got.type) == ("done", "notify_account_create")
    assert got.body == {
        "UserFirstName": "Ann",
        "UserMiddleName": "B",
        "UserLastName": "Example",
        "UserOrganization": "Example U",
        "UserOrgCode": "0032425",
        "ResourceList": [ALPHA],
        "ProjectID": "P-XYZ259276",
        "UserPersonID": "A7",
        "UserRemoteSiteLogin": "annex",
        "UserDnList": ["/CN=Ann the first", "/C=US/CN=Ann Example"],
        "AccountActivityTime": "2026-03-01T12:00:00Z",
    }
    assert active_accounts(site) == {BO_HERE, ANN_HERE}


def test_without_its_project_an_account_is_deferred_and_at_last_held() -> None:
    site = registry_only()
    got = send(site, rac())
    assert (got.status, got.reason) == ("deferred", "no project for grant XYZ259276 yet")
    assert registry(site).find_person(global_id="90011") is None
    set_clock(site, later=timedelta(days=13, hours=23))
    run(site)
    assert status_of(site, got.packet_rec_id) == "deferred"
    set_clock(site, later=timedelta(hours=2))
    run(site)
    assert status_of(site, got.packet_rec_id) == "held"
    assert "deferred for too long" in reason_of(site, got.packet_rec_id)


def test_a_project_that_comes_later_wakes_the_account() -> None:
    site = registry_only()
    got = send(site, rac())
    send(site, rpc())
    assert "a later request_project_create, is complete" in reason_of(site, got.packet_rec_id)
    complete_projects(site)
    run(site)
    assert answer(site, got.packet_rec_id).type == "notify_account_create"


def test_an_account_waits_until_its_project_is_on_its_resource() -> None:
    site = registry_only()
    introduce(site)
    got = send(site, rac({"ResourceList": [BETA]}))
    assert (got.status, got.reason) == ("deferred", "project P-XYZ259276 is not on beta.site.example yet")
    assert active_accounts(site) == {BO_HERE, ANN_HERE}
    send(site, rpc({"ResourceList": [BETA]}))
    complete_projects(site)
    run(site)
    assert answer(site, got.packet_rec_id).type == "notify_account_create"
    assert active_accounts(site) == {BO_HERE, ANN_HERE, *OF_BOTH_ON_BETA}


def test_an_account_waits_until_its_project_is_complete() -> None:
    site = registry_only()
    transaction: dict[str, Any] = {"transaction_id": 900, "trans_rec_id": 901}
    project_id, account_id = load(site, rpc(**transaction), rac())
    run(site)
    assert status_of(site, project_id) == "done"
    waits = f"waits until the project of packet {project_id}, an earlier request_project_create, is complete"
    assert (status_of(site, account_id), reason_of(site, account_id)) == ("waiting", waits)
    # It shares the project and, where the PI asks for an account, the person with what waits for it.
    (pi_account_id,) = load(site, rac({"UserGlobalID": "90022", "UserPersonID": BO}))
    run(site)
    assert status_of(site, pi_account_id) == "waiting"
    (data_id,) = load(site, dpc({"PersonID": BO}, **transaction, packet_id=2))
    run(site)
    assert [status_of(site, one) for one in (data_id, account_id, pi_account_id)] == ["done"] * 3
    done = {
        one: min(event.at for event in events_of(site, one) if event.what == "done") for one in (data_id, account_id)
    }
    assert done[data_id] <= done[account_id]


def test_an_account_does_not_wait_for_a_renewal_of_a_project_that_is_here() -> None:
    site = registry_only()
    send(site, rpc())
    (renewal,) = load(site, rpc({"AllocationType": "renewal", "StartDate": "2027-03-01", "EndDate": "2028-02-28"}))
    run(site)
    assert status_of(site, renewal) == "done"
    assert send(site, rac()).type == "notify_account_create"


def test_an_account_does_not_wait_for_packets_of_a_project_that_was_imported() -> None:
    site = registry_only()
    know(site, Project("k", "P-XYZ259276", "XYZ259276", "p-xyz", 30000), Presence("k", ALPHA))
    load(site, rpc({"AllocationType": "supplement"}))
    run(site)
    assert send(site, rac()).type == "notify_account_create"


def test_an_account_waits_while_its_project_is_held() -> None:
    site = registry_only(approve_projects=True)
    project_id, account_id = load(site, rpc(transaction_id=900), rac())
    run(site)
    assert status_of(site, project_id) == "held"
    assert status_of(site, account_id) == "waiting"
    decision(site, project_id, "approve")
    run(site)
    assert status_of(site, account_id) == "waiting"
    complete_projects(site)
    run(site)
    assert answer(site, account_id).type == "notify_account_create"


def test_a_project_that_was_refused_holds_no_account_up() -> None:
    site = registry_only()
    refused = rpc({"AllocationType": "extension"})
    send(site, refused)
    assert send(site, rac()).status == "deferred"


def test_on_an_inactive_project_the_account_is_made_inactive_and_answered() -> None:
    site = registry_only()
    send(site, rpc())
    send(site, rpi())
    got = send(site, rac())
    assert (got.status, got.type, got.body["UserRemoteSiteLogin"]) == ("done", "notify_account_create", "annex")
    assert not account(site, ANN).active
    assert active_accounts(site) == set()


def test_on_an_inactive_project_an_active_account_is_made_inactive() -> None:
    site = registry_only()
    introduce(site)
    bo = registry(site).find_project(grant_number="XYZ259276")
    assert bo is not None
    know(site, Presence(bo.key, ALPHA, active=False))
    assert send(site, rac()).status == "done"
    assert not account(site, ANN).active


def test_it_is_also_how_an_account_is_reactivated() -> None:
    site = registry_only()
    introduce(site)
    send(site, rai({"PersonID": ANN}))
    assert not account(site, ANN).active
    got = send(site, rac({"UserPersonID": ANN, "UserRequestedLoginList": ["another"]}))
    assert (got.body["UserPersonID"], got.body["UserRemoteSiteLogin"]) == (ANN, "annex")
    assert account(site, ANN).active


def test_a_person_with_a_known_global_id_is_never_made_twice() -> None:
    site = registry_only()
    introduce(site)
    send(site, rpc({"ResourceList": [BETA]}))
    got = send(site, rac({"ResourceList": [BETA], "UserRequestedLoginList": ["other"], "UserEmail": "new@u.example"}))
    assert (got.body["UserPersonID"], got.body["UserRemoteSiteLogin"]) == (ANN, "annex")
    assert person(site, ANN).data["Email"] == "new@u.example"
    assert {row.resource for row in registry(site).accounts(person=person(site, ANN).key)} == {ALPHA, BETA}


def test_a_suspended_person_is_held() -> None:
    site = registry_only()
    send(site, rpc())
    know(site, Person("ann", "A7", "90011", state="suspended"))
    got = send(site, rac())
    assert (got.status, got.reason) == ("held", "A7 is suspended")
    assert active_accounts(site) == {BO_HERE}


def test_an_account_waits_for_a_person_s_approval_where_the_site_wants_that() -> None:
    site = registry_only(approve_accounts=True)
    assert send(site, rpc()).status == "done"
    got = send(site, rac())
    assert (got.status, got.reason) == ("held", "Ann Example asks for P-XYZ259276")
    decision(site, got.packet_rec_id, "approve")
    run(site)
    assert answer(site, got.packet_rec_id).status == "done"


def test_an_account_is_tied_to_its_project_by_the_grant() -> None:
    site = registry_only()
    introduce(site)
    know(site, Project("two", "P2", "G2"))
    assert send(site, rac({"ProjectID": "their-name"})).body["ProjectID"] == "P-XYZ259276"
    assert send(site, rac({"ProjectID": "P2"})).status == "held"


# ------------------------------------------------------------------ inactivation and reactivation


def test_an_inactivation_stops_that_one_account_and_keeps_the_person() -> None:
    site = registry_only()
    introduce(site)
    introduce(site, resource=BETA)
    before = person(site, ANN)
    got = send(site, rai({"PersonID": ANN}))
    assert (got.status, got.type) == ("done", "notify_account_inactivate")
    assert got.body == {"PersonID": ANN, "ProjectID": "P-XYZ259276", "ResourceList": [ALPHA]}
    assert ANN_HERE not in active_accounts(site)
    assert {BO_HERE, ("annex", "XYZ259276", BETA)} <= active_accounts(site)
    assert account(site, ANN).login == "annex"
    assert person(site, ANN) == before
    assert is_active(site)


def test_a_reactivation_opens_that_one_account() -> None:
    site = registry_only()
    introduce(site)
    for one in (BO, ANN):
        send(site, rai({"PersonID": one}))
    got = send(site, rar({"PersonID": ANN}))
    assert (got.status, got.type) == ("done", "notify_account_reactivate")
    assert got.body == {"PersonID": ANN, "ProjectID": "P-XYZ259276", "ResourceList": [ALPHA]}
    assert active_accounts(site) == {ANN_HERE}


def test_a_reactivation_on_an_inactive_project_is_held() -> None:
    site = registry_only()
    introduce(site)
    send(site, rpi())
    got = send(site, rar({"PersonID": ANN}))
    assert (got.status, got.reason) == ("held", f"P-XYZ259276 is inactive on {ALPHA}")
    assert active_accounts(site) == set()


def test_a_reactivation_of_a_suspended_person_is_held() -> None:
    site = registry_only()
    introduce(site)
    send(site, rai({"PersonID": ANN}))
    ann = person(site, ANN)
    know(site, Person(ann.key, ann.person_id, ann.global_id, ann.uid, "suspended", logins=ann.logins))
    got = send(site, rar({"PersonID": ANN}))
    assert (got.status, got.reason) == ("held", f"{ANN} is suspended")
    assert not account(site, ANN).active


@pytest.mark.parametrize("make", [rai, rar])
@pytest.mark.parametrize("tags", [{"PersonID": "nobody"}, {"PersonID": ANN, "ProjectID": "nowhere"}])
def test_an_unknown_account_is_held(make: Any, tags: dict[str, Any]) -> None:
    site = registry_only()
    introduce(site)
    got = send(site, make(tags))
    assert (got.status, got.type) == ("held", None)
    assert "has no account on" in got.reason
    assert active_accounts(site) == {BO_HERE, ANN_HERE}


@pytest.mark.parametrize("make", [rac, rai, rar])
def test_a_resource_that_is_not_ours_is_refused(make: Any) -> None:
    site = registry_only()
    introduce(site)
    assert send(site, make({"ResourceList": ["gamma.site.example"]})).refused


def test_an_account_on_one_resource_is_none_on_another() -> None:
    site = registry_only()
    introduce(site)
    send(site, rpc({"ResourceList": [BETA]}))
    assert send(site, rai({"PersonID": ANN, "ResourceList": [BETA]})).status == "held"
