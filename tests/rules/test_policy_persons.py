"""Persons: user_modify, merges, and the packets that end a transaction."""

from dataclasses import replace
from typing import Any

import pytest

from amierules.database.rows import Account
from amierules.engine.site import Site
from tests.support.policy import (
    ANN,
    BO,
    answer,
    closed,
    introduce,
    person,
    registry_only,
    send,
)
from tests.support.policy import account as account_of
from tests.support.sites import (
    ALPHA,
    BETA,
    dac,
    decision,
    dpc,
    itc,
    know,
    load,
    packet_json,
    rac,
    registry,
    reply_to,
    rpc,
    rpm,
    rum,
    run,
    stored,
)

DNS = ("/C=US/CN=Ann Example", "/CN=Two", "/CN=two")


def with_dns(site: Site, *dns: str) -> None:
    know(site, replace(person(site, ANN), dns=dns))


# ------------------------------------------------------------------ request_user_modify


@pytest.mark.parametrize("action", ["replace", "add"])
def test_attributes_are_set_and_absent_ones_stay(action: str) -> None:
    site = registry_only()
    introduce(site)
    tags = {"LastName": "Sampler", "City": "Springfield", "AcademicDegree": [{"Degree": "PhD", "Field": "Math"}]}
    assert closed(send(site, rum({"PersonID": ANN, "ActionType": action, **tags})))
    data = person(site, ANN).data
    assert (data["LastName"], data["City"], data["AcademicDegree"]) == tuple(tags.values())
    assert (data["FirstName"], data["Email"]) == ("Ann", "ann@university.example")


def test_a_replace_empties_absent_attributes_where_the_site_wants_that() -> None:
    site = registry_only(blank_absent=True)
    send(site, rpc())
    send(site, rac({"RoleList": ["allocation_manager"], "UserFax": "1"}))
    before = person(site, ANN)
    assert closed(send(site, rum({"PersonID": ANN, "FirstName": "Ann", "LastName": "Sampler", "Email": "a@b.example"})))
    after = person(site, ANN)
    assert after.data["LastName"] == "Sampler"
    assert not {"Organization", "OrgCode", "Fax"} & set(after.data)
    # What request_user_modify cannot carry is not absent from it, and ids, logins and DNs are no attributes.
    assert after.data["RoleList"] == ["allocation_manager"]
    assert replace(after, data={}) == replace(before, data={})


def test_an_add_empties_nothing() -> None:
    site = registry_only(blank_absent=True)
    introduce(site)
    send(site, rum({"PersonID": ANN, "ActionType": "add", "City": "Springfield"}))
    data = person(site, ANN).data
    assert (data["City"], data["Organization"]) == ("Springfield", "Example U")


@pytest.mark.parametrize("action", ["replace", "add"])
@pytest.mark.parametrize("blank", [False, True])
@pytest.mark.parametrize(("listed", "after"), [(["/CN=new", "/CN=Two"], (*DNS, "/CN=new")), (None, DNS)])
def test_listed_dns_are_added_and_all_others_kept(
    action: str, blank: bool, listed: list[str] | None, after: tuple[str, ...]
) -> None:
    site = registry_only(blank_absent=blank)
    introduce(site)
    with_dns(site, *DNS)
    assert closed(send(site, rum({"PersonID": ANN, "ActionType": action, "LastName": "Example", "DnList": listed})))
    assert person(site, ANN).dns == after


@pytest.mark.parametrize("blank", [False, True])
def test_a_delete_removes_exactly_the_listed_dns_and_nothing_else(blank: bool) -> None:
    site = registry_only(blank_absent=blank)
    introduce(site)
    with_dns(site, *DNS)
    before = person(site, ANN)
    listed = ["/CN=two", "/CN=TWO", "/CN=Two ", "/cn=Two"]
    got = send(site, rum({"PersonID": ANN, "ActionType": "delete", "DnList": listed, "LastName": "Example"}))
    assert closed(got)
    assert person(site, ANN) == replace(before, dns=DNS[:2])


def test_a_delete_without_dns_changes_nothing_and_never_deletes_the_person() -> None:
    site = registry_only()
    introduce(site)
    before = person(site, ANN)
    assert closed(send(site, rum({"PersonID": ANN, "ActionType": "delete", "LastName": "Example"})))
    assert person(site, ANN) == before


def test_a_delete_and_a_replace_of_the_same_person_come_as_a_pair() -> None:
    site = registry_only()
    introduce(site)
    with_dns(site, *DNS)
    assert closed(send(site, rum({"PersonID": ANN, "ActionType": "delete", "DnList": ["/CN=Two"]})))
    assert closed(send(site, rum({"PersonID": ANN, "LastName": "Example", "DnList": ["/CN=new"]})))
    assert person(site, ANN).dns == (DNS[0], DNS[2], "/CN=new")


def test_a_former_person_id_means_the_same_person() -> None:
    site = registry_only()
    introduce(site)
    know(site, replace(person(site, ANN), ids=("u.ann",)))
    assert closed(send(site, rum({"PersonID": "u.ann", "LastName": "Sampler"})))
    assert person(site, ANN).data["LastName"] == "Sampler"


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"PersonID": "nobody"}, "no person nobody"),
        ({"PersonID": BO, "ActionType": "purge"}, "ActionType purge is unknown"),
    ],
)
def test_what_is_unknown_is_held(tags: dict[str, Any], reason: str) -> None:
    site = registry_only()
    introduce(site)
    got = send(site, rum(tags))
    assert (got.status, got.reason, got.type) == ("held", reason, None)


# ------------------------------------------------------------------ request_person_merge


def test_a_merge_makes_two_persons_one() -> None:
    site = registry_only()
    introduce(site)
    before = person(site, ANN)
    assert closed(send(site, rpm()))
    kept = person(site, BO)
    assert person(site, ANN) == kept
    assert (kept.ids, kept.logins) == ((ANN,), ("bsample", "annex"))
    assert set(before.dns) <= set(kept.dns)
    assert {(row.login, row.active) for row in registry(site).accounts(person=kept.key)} == {("bsample", True)}
    # The same packet once more.
    assert closed(send(site, rpm()))


def test_a_former_global_id_means_the_kept_person() -> None:
    site = registry_only()
    introduce(site)
    assert closed(send(site, rpm()))
    got = send(site, rac({"GrantNumber": "XYZ259276", "UserGlobalID": "90011"}))
    assert (got.body["UserPersonID"], got.body["UserRemoteSiteLogin"]) == (BO, "bsample")
    # So it is after a further merge.
    send(site, rac({"UserGlobalID": "90033", "UserFirstName": "Cy", "UserRequestedLoginList": ["cy"]}))
    cy = registry(site).find_person(login="cy")
    assert cy is not None
    keep = {"KeepPersonID": cy.person_id, "KeepGlobalID": "90033"}
    assert closed(send(site, rpm({**keep, "DeletePersonID": BO, "DeleteGlobalID": "90022"})))
    for global_id in ("90011", "90022", "90033"):
        found = registry(site).find_person(global_id=global_id)
        assert found is not None
        assert found.key == cy.key


@pytest.mark.parametrize(("how", "login"), [("alias", "annex"), ("merge", "bsample")])
def test_accounts_keep_their_login_or_get_the_kept_one(how: str, login: str) -> None:
    site = registry_only(merge=how)
    introduce(site)
    account = account_of(site, ANN)
    know(site, Account(account.person, account.project, BETA, "annex"))
    assert closed(send(site, rpm()))
    accounts = {(row.resource, row.login) for row in registry(site).accounts(person=person(site, BO).key)}
    assert accounts == {(ALPHA, "bsample"), (BETA, login)}


def test_a_person_may_have_to_approve_a_merge() -> None:
    site = registry_only(approve_merges=True)
    introduce(site)
    got = send(site, rpm())
    assert (got.status, got.reason) == ("held", f"merge {ANN} into {BO}")
    assert person(site, ANN) != person(site, BO)
    decision(site, got.packet_rec_id, "approve")
    run(site)
    assert closed(answer(site, got.packet_rec_id))
    assert person(site, ANN) == person(site, BO)


def test_the_id_to_keep_becomes_the_first() -> None:
    site = registry_only()
    introduce(site)
    know(site, replace(person(site, BO), person_id="new", ids=(BO,)))
    assert closed(send(site, rpm()))
    assert person(site, "new").person_id == BO


def test_a_suspended_person_is_not_merged_into_one_who_is_not() -> None:
    site = registry_only()
    introduce(site)
    know(site, replace(person(site, ANN), state="suspended"))
    got = send(site, rpm())
    assert (got.status, got.reason) == ("held", f"{BO} is active, {ANN} is suspended")


@pytest.mark.parametrize(
    ("global_id", "reason"),
    [
        ("90022", f"PersonID {ANN} and GlobalID 90022 are different persons in the registry"),
        ("unknown", ""),
    ],
)
def test_ids_of_different_persons_are_held(global_id: str, reason: str) -> None:
    site = registry_only()
    introduce(site)
    assert send(site, rpm({"DeleteGlobalID": global_id})).reason == reason


def test_a_merge_that_was_made_already_is_answered() -> None:
    site = registry_only()
    introduce(site)
    know(site, replace(person(site, BO), ids=("u.old",)))
    assert closed(send(site, rpm({"DeletePersonID": "u.old", "DeleteGlobalID": "1"})))


@pytest.mark.parametrize("tags", [{"KeepPersonID": "x", "KeepGlobalID": "1"}, {"DeletePersonID": "x"}])
def test_a_merge_of_an_unknown_person_is_held(tags: dict[str, Any]) -> None:
    site = registry_only()
    introduce(site)
    assert send(site, rpm(tags)).status == "held"


# ------------------------------------------------------------------ data_project_create, data_account_create


@pytest.mark.parametrize("make", [dpc, dac])
def test_dns_are_merged_and_the_transaction_is_closed(make: Any) -> None:
    site = registry_only()
    introduce(site)
    with_dns(site, "/CN=One")
    got = send(site, make({"PersonID": ANN, "DnList": ["/CN=Two", "/CN=One"]}))
    assert closed(got)
    assert person(site, ANN).dns == ("/CN=One", "/CN=Two")
    assert stored(site, got.packet_rec_id).packet.header.transaction_state == "completed"


@pytest.mark.parametrize("make", [dpc, dac])
def test_the_person_is_also_found_by_global_id(make: Any) -> None:
    site = registry_only()
    introduce(site)
    assert closed(send(site, make({"PersonID": "their-id", "GlobalID": "90011", "DnList": ["/CN=Two"]})))
    assert person(site, ANN).dns == ("/C=US/CN=Ann Example", "/CN=Two")


@pytest.mark.parametrize("make", [dpc, dac])
def test_dns_of_an_unknown_person_are_held(make: Any) -> None:
    assert send(registry_only(), make({"PersonID": "nobody"})).reason == "no person nobody"


def test_a_whole_transaction_from_request_to_end() -> None:
    site = registry_only()
    transaction: dict[str, Any] = {"transaction_id": 900, "trans_rec_id": 901}
    (request,) = load(site, rpc(**transaction))
    run(site)
    reply = reply_to(site, request).packet.header
    assert (reply.packet_state, reply.transaction_state) == ("in-progress", "in-progress")
    assert closed(send(site, dpc({"PersonID": BO}, **transaction, packet_id=2)))
    reply = reply_to(site, request).packet.header
    assert (reply.packet_state, reply.transaction_state) == ("completed", "completed")


# ------------------------------------------------------------------ inform_transaction_complete


@pytest.mark.parametrize(
    ("code", "state", "reason"),
    [
        ("Success", "completed", "OK"),
        ("Failure", "failed", "failed over there: OK"),
        ("Failed", "failed", "failed over there: OK"),  # as clients before 2021 wrote it
    ],
)
def test_a_closed_transaction_needs_no_reply(code: str, state: str, reason: str) -> None:
    got = send(registry_only(), itc({"StatusCode": code}))
    assert (got.status, got.type, got.reason) == ("done", None, reason)
    site = registry_only()
    done = send(site, itc({"StatusCode": code}))
    header = stored(site, done.packet_rec_id).packet.header
    assert (header.packet_state, header.transaction_state) == ("completed", state)


# ------------------------------------------------------------------ everything else


UNUSED = [
    "request_user_suspend",
    "request_user_reactivate",
    "request_user_create",
    "request_project_modify",
    "request_project_resources",
]
UNUSED_BODY = {"ProjectID": "P", "PersonID": "1", "ActionType": "add", "ResourceList": [ALPHA]} | {
    "ChangedAllocationChange": "set",
    "ChangedEffectiveDate": "2026-03-01",
    "ChangedEndDate": "2027-03-01",
    "ChangedServiceUnitsAllocated": "1",
}


@pytest.mark.parametrize("type_name", UNUSED)
def test_types_outside_the_profile_are_parked(type_name: str) -> None:
    got = send(registry_only(), packet_json(type_name, UNUSED_BODY))
    assert (got.status, got.type) == ("parked", None)
    assert got.reason == "no rule matches"


@pytest.mark.parametrize("type_name", UNUSED)
def test_types_outside_the_profile_are_refused_where_the_site_wants_that(type_name: str) -> None:
    got = send(registry_only(unused_types="fail"), packet_json(type_name, UNUSED_BODY))
    assert got.refused
    assert got.body["Message"] == f"{type_name} is not in use at TestSite"
