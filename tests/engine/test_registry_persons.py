"""The kind `person`: ids and logins that are given or allocated, attributes, DNs."""

from typing import Any

import pytest

from amierules.database.rows import Account, Person, Project
from amierules.engine.site import Site
from tests.support.sites import (
    ALPHA,
    MakeSite,
    decision,
    know,
    load,
    packet_json,
    rac,
    reason_of,
    registry,
    rum,
    run,
    status_of,
)

RULE = "packet: [request_account_create, request_user_modify]\nrules:\n  - name: a\n    actions:\n      - name: p\n"
RULE += "        person: %s\n    complete: done\n"
ANN = Person("a", person_id="77", global_id="1", uid=1500, logins=("ann",), data={"FirstName": "Ann", "Title": "Dr"})


def _made(
    make: MakeSite, params: str, packet: dict[str, Any] | None = None, *rows: Any, **config: Any
) -> tuple[Site, int, Person | None]:
    """What the kind leaves of the person whom the packet names by GlobalID 90011, or of Ann."""
    site = make(RULE % params, **config)
    know(site, *rows)
    (number,) = load(site, packet or rac())
    run(site)
    found = registry(site).find_person(global_id="90011") or registry(site).person("a")
    return site, number, found


def test_a_new_person_gets_ids_a_login_and_attributes(make: MakeSite) -> None:
    _, _, person = _made(make, "{attributes: '{{ subject }}', login_from: '{{ subject.RequestedLoginList }}'}")
    assert person is not None
    assert (person.person_id, person.uid, person.logins, person.global_id) == ("20000", 20000, ("annex",), "90011")
    assert (person.data["FirstName"], person.data["Email"]) == ("Ann", "ann@university.example")
    assert "DnList" not in person.data
    assert "GlobalID" not in person.data


def test_given_ids_are_used(make: MakeSite) -> None:
    params = "{attributes: '{{ subject }}', person_id: ann-1, uid: 4711, login: anna, data: {office: 7}}"
    _, _, person = _made(make, params)
    assert person is not None
    assert (person.person_id, person.uid, person.login, person.data["office"]) == ("ann-1", 4711, "anna", 7)


@pytest.mark.parametrize(("what", "value"), [("person_id", "'77'"), ("uid", "1500"), ("login", "ann")])
def test_an_id_that_another_person_has_holds_the_packet(make: MakeSite, what: str, value: str) -> None:
    site, packet, person = _made(make, f"{{attributes: '{{{{ subject }}}}', {what}: {value}}}", None, ANN)
    assert status_of(site, packet) == "held"
    assert "belongs to another" in reason_of(site, packet)
    assert person == ANN


def test_a_held_conflict_ends_with_retry_once_its_cause_is_mended(make: MakeSite) -> None:
    site, packet, _ = _made(make, "{attributes: '{{ subject }}', uid: 1500}", None, ANN)
    with pytest.raises(Exception, match="not held by a rule"):
        decision(site, packet, "approve")
    know(site, Person("a", person_id="77", uid=1501))
    decision(site, packet, "retry")
    run(site)
    assert status_of(site, packet) == "done"


def test_an_allocated_id_passes_over_those_that_are_taken(make: MakeSite) -> None:
    taken = Person("t", person_id="20001", uid=20000, logins=("annex",))
    params = "{attributes: '{{ subject }}', login_from: '{{ subject.RequestedLoginList }}'}"
    _, _, person = _made(make, params, None, taken)
    assert person is not None
    assert person.login == "annex1"
    assert (person.uid, person.person_id) == (20002, "20002")


def test_a_login_of_an_account_that_no_person_has_is_taken_too(make: MakeSite) -> None:
    rows = (ANN, Project("k", project_id="P-1"), Account("a", "k", ALPHA, "annex"))
    _, _, person = _made(make, "{attributes: '{{ subject }}', login_from: [annex]}", None, *rows)
    assert person is not None
    assert person.login == "annex1"


@pytest.mark.parametrize(
    ("wishes", "login"),
    [
        (["Ann Example"], "annexample"),
        (["", "9lives", "ok2"], "lives"),
        (["root", "admin", "x1"], "x1"),
        (["root"], "root1"),
        (["Ångström"], "angstrom"),
        (["o'hara-smith"], "oharasmith"),
        (["a" * 40], "a" * 16),
        (["x", "yz"], "yz"),
        (["$(id)", "../etc"], "id"),
        (["李四"], "lisi"),
        (["j_doe"], "jdoe"),
    ],
)
def test_wishes_are_cleaned_and_reserved_ones_passed_over(make: MakeSite, wishes: list[str], login: str) -> None:
    packet = rac({"UserRequestedLoginList": wishes})
    _, _, person = _made(make, "{attributes: '{{ subject }}', login_from: '{{ subject.RequestedLoginList }}'}", packet)
    assert person is not None
    assert person.login == login


def test_wishes_are_prefixed_and_shortened_to_the_pattern(make: MakeSite) -> None:
    logins = {"prefix": "x-", "pattern": "x-[a-z]{3,6}[0-9]*", "reserved": ["x-annexa"]}
    _, _, person = _made(make, "{attributes: '{{ subject }}', login_from: [annexample]}", logins=logins)
    assert person is not None
    assert person.login == "x-annexa1"


def test_without_a_usable_wish_the_packet_is_parked(make: MakeSite) -> None:
    site, packet, person = _made(make, "{attributes: '{{ subject }}', login_from: ['', '42']}")
    assert status_of(site, packet) == "parked"
    assert "login_from" in reason_of(site, packet)
    assert person is None


def test_persons_are_counted_where_the_configuration_says_nothing_of_ids(make: MakeSite) -> None:
    _, _, person = _made(make, "{attributes: '{{ subject }}'}", ids={})
    assert person is not None
    assert (person.person_id, person.uid) == ("1", None)


def test_an_exhausted_range_parks(make: MakeSite) -> None:
    ids = {"uid": {"range": [1500, 1500]}, "person_id": {"from": "uid"}}
    site, packet, _ = _made(make, "{attributes: '{{ subject }}'}", None, ANN, ids=ids)
    assert status_of(site, packet) == "parked"
    assert "1500" in reason_of(site, packet)


def test_twenty_persons_who_wish_the_same_login_get_twenty(make: MakeSite) -> None:
    site = make(RULE % "{attributes: '{{ subject }}', login_from: [annex]}")
    load(site, *(rac({"UserGlobalID": str(number), "GrantNumber": f"G{number}"}) for number in range(20)))
    run(site)
    found = [registry(site).find_person(global_id=str(number)) for number in range(20)]
    persons = [person for person in found if person is not None]
    for ids in ([person.login for person in persons], [person.uid for person in persons]):
        assert len(set(ids)) == 20
    assert persons[0].login == "annex"


def test_a_parked_packet_keeps_its_reservation_and_gets_the_same_again(make: MakeSite) -> None:
    rule = RULE % "{attributes: '{{ subject }}', login_from: [annex]}"
    broken = make(rule.replace("    complete: done\n", "      - {name: f, command: 'false'}\n    complete: done\n"))
    (first,) = load(broken, rac())
    run(broken)
    assert status_of(broken, first) == "parked"
    site = make(rule)
    load(site, rac({"UserGlobalID": "5", "GrantNumber": "G5"}))
    run(site)
    decision(site, first, "retry")
    run(site)
    other, ann = (registry(site).find_person(global_id=number) for number in ("5", "90011"))
    assert other is not None
    assert ann is not None
    assert (ann.uid, ann.login, other.uid, other.login) == (20000, "annex", 20001, "annex1")


def test_absent_attributes_are_left_or_cleared(make: MakeSite) -> None:
    packet = rum({"PersonID": "77", "FirstName": "Anna"})
    _, _, person = _made(make, "{attributes: '{{ subject }}'}", packet, ANN)
    assert person is not None
    assert person.data == {"FirstName": "Anna", "Title": "Dr"}
    packet = rum({"PersonID": "77", "FirstName": "Anne"}, transaction_id=8)
    _, _, person = _made(make, "{attributes: '{{ subject }}', clear_absent: true}", packet)
    assert person is not None
    assert person.data == {"FirstName": "Anne"}
    assert (person.login, person.uid, person.global_id) == ("ann", 1500, "1")


def test_another_global_id_of_the_same_person_holds(make: MakeSite) -> None:
    packet = rum({"PersonID": "77", "GlobalID": "2"})
    site, number, person = _made(make, "{attributes: '{{ subject }}'}", packet, ANN)
    assert status_of(site, number) == "held"
    assert person == ANN


@pytest.mark.parametrize(
    ("params", "dns"),
    [
        ("{add_dns: [/CN=b, /CN=c, /CN=b]}", ("/CN=a", "/CN=b", "/CN=c")),
        ("{remove_dns: [/CN=a]}", ("/CN=b",)),
        ("{remove_dns: [/CN=, /cn=a, ' /CN=a', '/CN=a*']}", ("/CN=a", "/CN=b")),
        ("{add_dns: [/CN=d], remove_dns: [/CN=b, /CN=nobody]}", ("/CN=a", "/CN=d")),
        ("{add_dns: '{{ none }}', data: {x: y}}", ("/CN=a", "/CN=b")),
    ],
)
def test_dns_are_exact_strings(make: MakeSite, params: str, dns: tuple[str, ...]) -> None:
    ann = Person("a", person_id="77", dns=("/CN=a", "/CN=b"))
    _, _, person = _made(make, params, rum({"PersonID": "77"}), ann)
    assert person is not None
    assert person.dns == dns


def test_a_new_person_id_leaves_the_former_one_as_a_further_id(make: MakeSite) -> None:
    _, _, person = _made(make, "{person_id: '78'}", rum({"PersonID": "77"}), ANN)
    assert person is not None
    assert (person.person_id, person.ids) == ("78", ("77",))


def test_a_new_login_stands_first_and_the_old_one_stays(make: MakeSite) -> None:
    _, _, person = _made(make, "{login: anna}", rum({"PersonID": "77"}), ANN)
    assert person is not None
    assert person.logins == ("anna", "ann")


def test_without_a_person_in_scope_attributes_are_needed(make: MakeSite) -> None:
    site, packet, _ = _made(make, "{add_dns: [/CN=x]}")
    assert status_of(site, packet) == "parked"
    assert "no person in scope" in reason_of(site, packet)


def test_a_row_that_is_as_it_should_be_is_no_change(make: MakeSite) -> None:
    site = make(RULE % "{attributes: '{{ subject }}', add_dns: [/CN=x]}")
    first, second = load(site, rac(), packet_json("request_account_create", rac()["body"]))
    handled = run(site)
    assert [handled[packet].report.steps[0].state for packet in (first, second)] == ["done", "present"]
