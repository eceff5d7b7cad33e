"""request_project_create: what each AllocationType does to the allocation, and which requests are refused.

By "AMIE in XSEDE" (2012): new and renewal give the total of a period; supplement, transfer, advance and adjustment are
added to the period that begins on the packet's StartDate; extension changes the end alone.
"""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from amierules.database.connection import Database
from amierules.engine.site import Site
from tests.support.policy import Answer, answer, is_active, periods, project, registry_only, send
from tests.support.sites import ALPHA, BETA, decision, plan, registry, rpc, run, set_clock

FIRST, OTHER, AHEAD = "2026-02-01", "2026-02-20", "2026-06-01"
"""The start of the period that is here, one after it, and one that lies ahead."""
END, NEW_END = "2027-01-31", "2027-06-30"
HERE = {FIRST: (END, "1000")}

SET_FIRST = {FIRST: (NEW_END, "500")}
HELD = "held"
REFUSED = "refused"
ADDING = ("supplement", "transfer", "advance", "adjustment")

_numbers = count(1)


def another(start: str) -> dict[str, tuple[str, str]]:
    """The period that is here, and the packet's beside it."""
    return {**HERE, start: (NEW_END, "500")}


def with_units(units: str) -> dict[str, tuple[str, str]]:
    return {FIRST: (END, units)}


EXTENDED = {FIRST: (NEW_END, "1000")}

ON_A_KNOWN_ALLOCATION: list[tuple[str, str, str, Any]] = [
    *((kind, FIRST, "500", SET_FIRST) for kind in ("new", "renewal")),
    *((kind, start, "500", another(start)) for kind in ("new", "renewal") for start in (OTHER, AHEAD)),
    *((kind, start, "-500", HELD) for kind in ("new", "renewal") for start in (FIRST, OTHER, AHEAD)),
    *((kind, FIRST, "500", with_units("1500")) for kind in ADDING),
    *((kind, FIRST, "-500", with_units("500")) for kind in ADDING),
    *((kind, start, "500", another(start)) for kind in ADDING for start in (OTHER, AHEAD)),
    *((kind, start, "-500", REFUSED) for kind in ADDING for start in (OTHER, AHEAD)),
    *(("extension", start, units, EXTENDED) for start in (FIRST, OTHER, AHEAD) for units in ("500", "-500", "0")),
]

ON_AN_UNKNOWN_ALLOCATION: list[tuple[str, str, str, Any]] = [
    *(
        (kind, start, "500", {start: (NEW_END, "500")})
        for kind in ("new", "renewal", *ADDING)
        for start in (FIRST, AHEAD)
    ),
    *((kind, start, "-500", HELD) for kind in ("new", "renewal") for start in (FIRST, AHEAD)),
    *((kind, start, "-500", REFUSED) for kind in ADDING for start in (FIRST, AHEAD)),
    *(("extension", start, units, REFUSED) for start in (FIRST, AHEAD) for units in ("500", "-500")),
]


def request(kind: str, start: str, units: str, **body: Any) -> dict[str, Any]:
    given = {"AllocationType": kind, "StartDate": start, "EndDate": NEW_END, "ServiceUnitsAllocated": units}
    return rpc({**given, **body})


def check(answer: Answer, wanted: Any, before: Any, after: Any) -> None:
    if wanted == HELD:
        assert (answer.status, answer.type) == ("held", None)
    elif wanted == REFUSED:
        assert answer.refused
        assert answer.body["DetailCode"] == "2"
        assert "has no such allocation" in answer.body["Message"]
    else:
        assert (answer.status, answer.type) == ("done", "notify_project_create")
        assert after == wanted
        return
    assert after == before


@pytest.fixture(scope="module")
def shared() -> Site:
    """One site for all rows of the tables: each has a grant and a PI of its own."""
    return replace(registry_only(), database=Database.open("sqlite://", create=True))


@pytest.fixture
def ids() -> dict[str, Any]:
    number = next(_numbers)
    return {"GrantNumber": f"G{number}", "PiGlobalID": f"8{number}"}


@pytest.mark.parametrize(("kind", "start", "units", "wanted"), ON_A_KNOWN_ALLOCATION)
def test_on_a_known_allocation(
    shared: Site, ids: dict[str, Any], kind: str, start: str, units: str, wanted: Any
) -> None:
    grant = ids["GrantNumber"]
    assert send(shared, rpc(ids)).status == "done"
    assert periods(shared, ALPHA, grant) == HERE
    check(send(shared, request(kind, start, units, **ids)), wanted, HERE, periods(shared, ALPHA, grant))


@pytest.mark.parametrize("elsewhere", [False, True], ids=["the grant is unknown", "known on another resource"])
@pytest.mark.parametrize(("kind", "start", "units", "wanted"), ON_AN_UNKNOWN_ALLOCATION)
def test_on_an_unknown_allocation(
    shared: Site, ids: dict[str, Any], kind: str, start: str, units: str, wanted: Any, elsewhere: bool
) -> None:
    grant = ids["GrantNumber"]
    if elsewhere:
        assert send(shared, rpc({**ids, "ResourceList": [BETA]})).status == "done"
    check(send(shared, request(kind, start, units, **ids)), wanted, {}, periods(shared, ALPHA, grant))
    assert periods(shared, BETA, grant) == (HERE if elsewhere else {})
    if wanted == REFUSED and not elsewhere:
        assert registry(shared).find_project(grant_number=grant) is None
        assert registry(shared).find_person(global_id=ids["PiGlobalID"]) is None


def test_units_are_decimals() -> None:
    site = registry_only()
    send(site, rpc({"ServiceUnitsAllocated": "1000.50"}))
    send(site, request("supplement", FIRST, "0.75"))
    assert periods(site) == with_units("1001.25")


def test_a_supplement_to_a_period_ahead_is_added_to_that_one() -> None:
    site = registry_only()
    send(site, rpc())
    send(site, request("renewal", AHEAD, "500"))
    send(site, request("supplement", AHEAD, "50"))
    assert periods(site) == {**HERE, AHEAD: (NEW_END, "550")}


def test_a_renewal_that_lies_ahead_is_answered_at_once_or_when_it_begins() -> None:
    near, far = "2026-03-15", "2026-03-25"
    waits = registry_only(wait_for_renewal=14)
    send(waits, rpc())
    got = send(waits, request("renewal", near, "500"))
    assert (got.status, got.reason) == ("deferred", f"the renewal of XYZ259276 begins on {near}")
    assert periods(waits) == HERE
    # One that lies too far ahead could not be answered in time.
    assert send(waits, request("renewal", far, "500")).status == "done"
    set_clock(waits, at=datetime(2026, 3, 14, 23, 59, tzinfo=UTC))
    run(waits)
    assert answer(waits, got.packet_rec_id).status == "deferred"
    set_clock(waits, at=datetime(2026, 3, 15, 0, 1, tzinfo=UTC))
    run(waits)
    assert answer(waits, got.packet_rec_id).type == "notify_project_create"
    assert set(periods(waits)) == {FIRST, near, far}


def test_by_default_no_renewal_waits() -> None:
    site = registry_only()
    send(site, rpc())
    assert send(site, request("renewal", "2026-03-02", "500")).status == "done"


def test_an_unknown_type_is_held() -> None:
    site = registry_only()
    answer = send(site, request("gift", FIRST, "1"))
    assert (answer.status, answer.reason) == ("held", "AllocationType gift is unknown")
    assert periods(site) == {}


def test_a_resource_that_is_not_ours_is_refused() -> None:
    answer = send(registry_only(), rpc({"ResourceList": ["gamma.site.example"]}))
    assert answer.refused
    assert answer.body["Message"] == "gamma.site.example is not a resource of this site"


# ------------------------------------------------------------------ the same RecordID


def fields(answer: Answer) -> Any:
    return answer.type, answer.body


def test_the_same_record_is_answered_again_and_not_done_again() -> None:
    site = registry_only()
    send(site, rpc())
    first = send(site, request("supplement", FIRST, "500", RecordID="R1"))
    assert periods(site) == with_units("1500")
    again = send(site, request("supplement", FIRST, "500", RecordID="R1", ProjectTitle="Another title"))
    assert again.status == "done"
    assert fields(again) == fields(first)
    assert periods(site) == with_units("1500")
    assert project(site).title == "Examples at scale"
    assert send(site, request("supplement", FIRST, "500", RecordID="R2")).status == "done"
    assert periods(site) == with_units("2000")


def test_the_same_record_waits_while_the_first_is_under_way() -> None:
    site = registry_only(approve_projects=True)
    first = send(site, rpc({"RecordID": "R1"}))
    again = send(site, rpc({"RecordID": "R1", "ProjectTitle": "Another title"}))
    assert (first.status, again.status) == ("held", "waiting")
    assert f"waits for packet {first.packet_rec_id}" in again.reason
    (_, planned) = plan(site, [first.packet_rec_id, again.packet_rec_id])
    assert (planned.decision.kind, planned.decision.blocker) == ("wait", first.packet_rec_id)
    decision(site, first.packet_rec_id, "approve")
    run(site)
    answers = [answer(site, one.packet_rec_id) for one in (first, again)]
    assert [one.status for one in answers] == ["done", "done"]
    assert fields(answers[0]) == fields(answers[1])
    assert project(site).title == "Examples at scale"


def test_a_record_answered_with_failure_is_done_anew() -> None:
    site = registry_only()
    assert send(site, request("extension", FIRST, "0", RecordID="R1")).refused
    send(site, rpc())
    assert send(site, request("extension", FIRST, "0", RecordID="R1")).status == "done"
    assert periods(site) == EXTENDED


@pytest.mark.parametrize("other", [{"ResourceList": [BETA]}, {"GrantNumber": "G2"}])
def test_the_record_of_another_request_is_for_a_person_to_decide(other: dict[str, Any]) -> None:
    site = registry_only()
    send(site, rpc({"RecordID": "R1"}))
    got = send(site, rpc({"RecordID": "R1", **other}))
    assert (got.status, got.reason) == ("held", "RecordID R1 was answered for XYZ259276 on alpha.site.example")
    assert periods(site) == HERE
    decision(site, got.packet_rec_id, "approve")
    run(site)
    done = answer(site, got.packet_rec_id)
    assert (done.status, {**done.body, **other}) == ("done", done.body)
    assert periods(site) == HERE


def test_packets_without_a_record_are_each_done() -> None:
    site = registry_only()
    send(site, rpc())
    for _ in range(2):
        assert send(site, request("supplement", FIRST, "500", RecordID=None)).status == "done"
    assert periods(site) == with_units("2000")


# ------------------------------------------------------------------ what else an allocation brings about


@pytest.mark.parametrize("kind", ["new", "renewal", *ADDING, "extension"])
def test_every_type_reactivates_the_project_and_refreshes_its_title(kind: str) -> None:
    site = registry_only()
    send(site, rpc())
    stop(site)
    answer = send(site, request(kind, FIRST, "500", ProjectTitle="A new title"))
    assert (answer.status, answer.body["ProjectTitle"]) == ("done", "A new title")
    assert is_active(site)
    assert project(site).title == "A new title"


def stop(site: Site) -> None:
    from_us = {"ProjectID": project(site).project_id, "ResourceList": [ALPHA]}
    assert send(site, {**rpc(), "type": "request_project_inactivate", "body": from_us}).status == "done"
    assert not is_active(site)
