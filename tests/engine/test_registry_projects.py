"""The kinds `project`, `allocation` and `account`."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from amierules.database.rows import Account, Allocation, Person, Presence, Project
from amierules.engine.site import Site
from tests.support.sites import (
    ALPHA,
    BETA,
    MakeSite,
    know,
    load,
    packet_json,
    plan,
    reason_of,
    registry,
    rpi,
    run,
    status_of,
)

RULE = "packet: [request_project_inactivate, request_account_inactivate]\nrules:\n  - name: a\n    actions:\n"
BO = Person("b", person_id="20000", logins=("bsample",))
ANN = Person("a", person_id="77", logins=("ann",))
PROJECT = Project("k", project_id="P-XYZ259276", grant_number="XYZ259276", group="p-xyz", gid=31000, pi="b")
OTHER = Project("l", project_id="P-2", grant_number="G2", group="p-2", gid=31001)
PERIOD = Allocation("k", ALPHA, date(2026, 2, 1), date(2027, 1, 31), Decimal(100))


def _after(
    make: MakeSite, actions: str, *rows: Any, body: dict[str, Any] | None = None, **config: Any
) -> tuple[Site, int]:
    site = make(RULE + "".join(f"      - {line}\n" for line in actions.splitlines()) + "    complete: x\n", **config)
    know(site, *rows)
    (number,) = load(
        site, packet_json("request_account_inactivate", {**rpi()["body"], "PersonID": "77", **(body or {})})
    )
    run(site)
    return site, number


def _period(site: Site, start: date) -> Allocation | None:
    return next((one for one in registry(site).allocations("k", ALPHA) if one.start == start), None)


# ------------------------------------------------------------------ project


def test_a_new_project_gets_a_gid_with_its_group(make: MakeSite) -> None:
    params = "{grant_number: G9, project_id: P-9, group: p-9, title: T, pi: '{{ person }}', active: true, data: {a: 1}}"
    site, _ = _after(make, f"{{name: p, project: {params}}}", ANN)
    project = registry(site).find_project(grant_number="G9")
    assert project is not None
    assert (project.project_id, project.group, project.gid, project.pi) == ("P-9", "p-9", 30000, "a")
    assert project.data == {"a": 1}
    presence = registry(site).presence(project.key, ALPHA)
    assert presence is not None
    assert presence.active
    assert registry(site).presence(project.key, BETA) is None


@pytest.mark.parametrize("given", ["grant_number: G2", "project_id: P-2", "group: p-2", "gid: 31001"])
def test_an_id_that_another_project_has_holds_the_packet(make: MakeSite, given: str) -> None:
    site, packet = _after(make, f"{{name: p, project: {{{given}}}}}", BO, PROJECT, OTHER)
    assert status_of(site, packet) == "held"
    assert "belongs to another" in reason_of(site, packet)
    assert registry(site).project("k") == PROJECT


@pytest.mark.parametrize("group", ["p-$(id)", "p-a b", "p-a/b", "p-a;b", "p-a,b", "-p", "p-é", "12"])
def test_a_group_that_is_no_name_of_one_is_refused(make: MakeSite, group: str) -> None:
    site, packet = _after(make, f"{{name: p, project: {{group: '{group}'}}}}", BO, PROJECT)
    assert status_of(site, packet) == "parked"
    assert "cannot be the name of a Unix account or group" in reason_of(site, packet)
    assert registry(site).project("k") == PROJECT


def test_a_group_that_the_project_has_already_may_be_called_anything(make: MakeSite) -> None:
    old = Project("k", project_id="P-XYZ259276", grant_number="XYZ259276", group="their group", gid=31000)
    site, packet = _after(make, "{name: p, project: {group: their group, title: T}}", old)
    assert status_of(site, packet) == "done"
    assert registry(site).find_project(project_id="P-XYZ259276") is not None


def test_what_is_not_given_is_left_as_it_is(make: MakeSite) -> None:
    site, _ = _after(make, "{name: p, project: {title: New, pi: '{{ none }}'}}", BO, PROJECT, Presence("k", ALPHA))
    project = registry(site).project("k")
    assert project is not None
    assert (project.title, project.pi, project.gid) == ("New", "b", 31000)
    assert registry(site).presence("k", ALPHA) == Presence("k", ALPHA)


def test_it_is_inactivated_on_the_packets_resource_alone(make: MakeSite) -> None:
    rows = (BO, PROJECT, Presence("k", ALPHA), Presence("k", BETA))
    site, _ = _after(make, "{name: p, project: {active: false}}", *rows)
    assert registry(site).presence("k", ALPHA) == Presence("k", ALPHA, active=False)
    assert registry(site).presence("k", BETA) == Presence("k", BETA)


# ------------------------------------------------------------------ allocation


@pytest.mark.parametrize(
    ("params", "end", "units"),
    [
        ("{units: 7}", date(2027, 1, 31), "7"),
        ("{units: '7.25', end: '2028-01-31'}", date(2028, 1, 31), "7.25"),
        ("{units: 7, change: add}", date(2027, 1, 31), "107"),
        ("{units: -7.5, change: add, end: '2028-01-31'}", date(2027, 1, 31), "92.5"),
        ("{units: 5, change: extend, end: '2028-01-31'}", date(2028, 1, 31), "100"),
        ("{change: extend, end: '2026-06-30'}", date(2026, 6, 30), "100"),
    ],
)
def test_set_add_and_extend(make: MakeSite, params: str, end: date, units: str) -> None:
    site, packet = _after(make, f"{{name: p, allocation: {params}}}", BO, PROJECT, PERIOD)
    assert status_of(site, packet) == "done", reason_of(site, packet)
    assert _period(site, PERIOD.start) == Allocation("k", ALPHA, PERIOD.start, end, Decimal(units))


def test_another_start_is_another_period(make: MakeSite) -> None:
    params = "{start: '2027-02-01', end: '2028-01-31', units: 5, change: %s}"
    site, _ = _after(make, f"{{name: p, allocation: {params % 'add'}}}", BO, PROJECT, PERIOD)
    assert _period(site, PERIOD.start) == PERIOD
    assert _period(site, date(2027, 2, 1)) == Allocation("k", ALPHA, date(2027, 2, 1), date(2028, 1, 31), Decimal(5))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ("{units: 5}", "no allocation in scope"),
        ("{start: '2027-02-01', end: '2028-01-31', change: extend}", "no allocation period to extend"),
        ("{start: '2027-02-01'}", "`units` is missing"),
    ],
)
def test_what_an_allocation_needs(make: MakeSite, params: str, said: str) -> None:
    site, packet = _after(make, f"{{name: p, allocation: {params}}}", BO, PROJECT)
    assert status_of(site, packet) == "parked"
    assert said in reason_of(site, packet)


def test_extend_needs_an_end(make: MakeSite) -> None:
    site, packet = _after(make, "{name: p, allocation: {change: extend}}", BO, PROJECT, PERIOD)
    assert "`end`" in reason_of(site, packet)


def test_the_allocation_in_scope_is_the_row_as_the_action_leaves_it(make: MakeSite) -> None:
    actions = "{name: p, allocation: {units: 5, change: add}}\n"
    actions += "{name: q, assert: {that: allocation.units == 105, message: '{{ allocation.units }}'}}"
    site, packet = _after(make, actions, BO, PROJECT, PERIOD)
    assert status_of(site, packet) == "done", reason_of(site, packet)


# ------------------------------------------------------------------ account


def test_an_account_is_made_with_the_persons_login(make: MakeSite) -> None:
    site, _ = _after(make, "{name: p, account: {}}", ANN, BO, PROJECT)
    assert registry(site).accounts(person="a") == [Account("a", "k", ALPHA, "ann")]


def test_an_account_is_inactivated_and_never_deleted(make: MakeSite) -> None:
    accounts = (Account("a", "k", ALPHA, "ann"), Account("a", "k", BETA, "ann"))
    site, _ = _after(make, "{name: p, account: {active: false}}", ANN, BO, PROJECT, *accounts)
    assert registry(site).accounts(person="a") == [Account("a", "k", ALPHA, "ann", active=False), accounts[1]]


def test_an_account_keeps_its_login_when_the_person_has_another(make: MakeSite) -> None:
    account = Account("a", "k", ALPHA, "old", active=False)
    ann = Person("a", person_id="77", logins=("ann", "old"))
    site, _ = _after(make, "{name: p, account: {}}", ann, BO, PROJECT, account)
    assert registry(site).accounts(person="a") == [Account("a", "k", ALPHA, "old")]


def test_a_login_of_another_person_holds(make: MakeSite) -> None:
    site, packet = _after(make, "{name: p, account: {login: bsample}}", ANN, BO, PROJECT)
    assert status_of(site, packet) == "held"
    assert registry(site).accounts(person="a") == []


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((BO, PROJECT), "no person in scope"),
        ((ANN,), "no project in scope"),
        ((Person("a", person_id="77"), BO, PROJECT), "no login"),
    ],
)
def test_what_an_account_needs(make: MakeSite, rows: tuple[Any, ...], said: str) -> None:
    site, packet = _after(make, "{name: p, account: {}}", *rows)
    assert status_of(site, packet) == "parked"
    assert said in reason_of(site, packet)


@pytest.mark.parametrize(
    "action", ["account: {}", "allocation: {start: '2026-02-01', units: 1}", "project: {active: true}"]
)
def test_a_resource_must_be_known(make: MakeSite, action: str) -> None:
    site, packet = _after(make, f"{{name: p, {action}}}", ANN, BO, PROJECT, body={"ResourceList": ["elsewhere"]})
    assert status_of(site, packet) == "parked"
    assert "no resource" in reason_of(site, packet)


# ------------------------------------------------------------------ all of it


def test_rows_are_committed_with_the_packets_end_and_not_before(make: MakeSite) -> None:
    actions = "{name: p, project: {title: New}}\n{name: q, command: 'false'}"
    site, packet = _after(make, actions, BO, PROJECT)
    assert status_of(site, packet) == "parked"
    assert registry(site).project("k") == PROJECT


def test_rows_that_somebody_else_took_meanwhile_hold_the_packet(make: MakeSite) -> None:
    site = make(RULE + "      - {name: p, project: {group: p-9, gid: 4711}}\n    complete: x\n")
    know(site, BO, PROJECT)
    (packet,) = load(site, rpi())

    def meanwhile(point: str) -> None:
        if point == "before settling" and registry(site).project("z") is None:
            know(site, Project("z", project_id="P-9", group="p-9", gid=4711))

    run(site, crash_point=meanwhile)
    assert status_of(site, packet) == "held"
    assert registry(site).project("k") == PROJECT


def test_a_plan_shows_what_differs(make: MakeSite) -> None:
    site = make(RULE + "      - {name: p, project: {title: New, active: false}}\n    complete: x\n")
    know(site, BO, PROJECT, Presence("k", ALPHA))
    load(site, rpi())
    (step,) = plan(site)[0].steps
    assert [(change.op, change.before, change.after) for change in step.changes] == [
        ("modify", {"title": None}, {"title": "New"}),
        ("modify", {"active": True}, {"active": False}),
    ]
