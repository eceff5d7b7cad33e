"""The names that rules see."""

from datetime import date, timedelta
from typing import Any

import pytest

from amierules.database.rows import Account, Allocation, Person, Presence, Project
from amierules.engine.site import Site
from tests.support.sites import (
    ALPHA,
    BETA,
    MakeSite,
    dac,
    dpc,
    know,
    load,
    packet_json,
    rac,
    reason_of,
    rpc,
    rpi,
    rpm,
    rum,
    run,
    set_clock,
    status_of,
)
from tests.support.sites import registry as registry_of

TYPES = (
    "request_project_create, request_account_create, request_project_inactivate, request_user_modify, "
    "request_person_merge, data_project_create, data_account_create, request_account_inactivate"
)


def _site(make: MakeSite, text: str, **config: Any) -> Site:
    """A site whose one rule says `text` of every packet."""
    return make(f'packet: [{TYPES}]\nrules:\n  - {{name: say, ignore: "{text}"}}\n', **config)


def _say(make: MakeSite, text: str, packet: dict[str, Any], *rows: Any, **config: Any) -> str:
    site = _site(make, text, **config)
    know(site, *rows)
    (number,) = load(site, packet)
    run(site)
    return reason_of(site, number)


PERSON = Person(
    "a", person_id="20000", global_id="90022", uid=20000, logins=("bsample", "old"), dns=("/CN=Bo",), ids=("77",)
)
OTHER = Person("b", person_id="20001", global_id="90011", data={"Email": "Ann@University.example"}, logins=("annex",))
PROJECT = Project("k", project_id="P-XYZ259276", grant_number="XYZ259276", group="p-xyz", gid=30000, title="T", pi="a")
ROWS = (PERSON, OTHER, PROJECT, Presence("k", ALPHA, active=True))


@pytest.mark.parametrize(
    ("packet", "said"),
    [
        (rpc(), "Bo Sample 90022 none bsample /C=US/CN=Bo Sample"),
        (rac({"UserPersonID": "x1"}), "Ann Example 90011 x1 annex /C=US/CN=Ann Example"),
        (rum({"FirstName": "Al", "LastName": "Gol", "GlobalID": "5"}), "Al Gol 5 20000  "),
        (dpc({"GlobalID": "6"}), "none none 6 20000  /CN=Bo"),
        (dac(), "none none none 20000  /CN=Ann"),
        (rpm(), "none none 90022 20000  "),
    ],
)
def test_subject_has_the_tags_without_prefix(make: MakeSite, packet: dict[str, Any], said: str) -> None:
    text = "{{ subject.FirstName or 'none' }} {{ subject.LastName or 'none' }} {{ subject.GlobalID or 'none' }} "
    text += "{{ subject.PersonID or 'none' }} {{ subject.RequestedLoginList | join }} {{ subject.DnList | join }}"
    # The reason is kept without the white space at its ends.
    assert _say(make, text + "|", packet) == said + "|"


def test_site_person_ids_have_no_prefix_anyway(make: MakeSite) -> None:
    packet = rpc({"SitePersonId": [{"Site": "X-PORTAL", "PersonID": "bs"}]})
    assert _say(make, "{{ subject.SitePersonId[0].PersonID }}", packet) == "bs"


def test_site_is_what_the_settings_say(make: MakeSite) -> None:
    assert _say(make, "{{ site.colour }}", rpi(), settings={"colour": "blue"}) == "blue"


def test_resource_is_found_by_the_packets_resource_list(make: MakeSite) -> None:
    resources = {ALPHA: {"cluster": "a"}, BETA: {"cluster": "b"}}
    assert _say(
        make, "{{ resource.name }} {{ resource.cluster }}", rpi({"ResourceList": [BETA]}), resources=resources
    ) == (f"{BETA} b")


def test_resource_is_none_where_it_is_not_configured(make: MakeSite) -> None:
    assert _say(make, "{{ resource is none }}!", rpi({"ResourceList": ["elsewhere"]})) == "true!"


def test_resource_and_transaction_of_an_answer_come_from_the_transactions_first_packet(make: MakeSite) -> None:
    rules = """
packet: [request_account_create, data_account_create]
rules:
  - name: first
    when: header.type == 'request_account_create'
    reply:
      fields: {ProjectID: P-1, ResourceList: "{{ packet.ResourceList }}", UserPersonID: "7", UserRemoteSiteLogin: x}
  - name: second
    ignore: "{{ resource.name }} {{ transaction.first.UserLastName }}
      {{ transaction.notify_account_create.UserPersonID }}
      {{ transaction.request_account_create.GrantNumber }} {{ transaction.request_project_create is none }}"
"""
    site = make(rules)
    load(site, rac({"ResourceList": [BETA]}, transaction_id=9))
    run(site)
    (answer,) = load(site, dac({"PersonID": "7"}, transaction_id=9, packet_id=2))
    run(site)
    assert reason_of(site, answer) == f"{BETA} Example 7 XYZ259276 true"


def test_header_is_from_our_side(make: MakeSite) -> None:
    text = "{{ header.local_site_name }} {{ header.remote_site_name }} {{ header.originating_site_name }} "
    text += "{{ header.remote_packet_rec_id }} {{ header.transaction_id }} {{ header.packet_id }} "
    text += "{{ header.packet_rec_id }}"
    said = _say(make, text, rpi(theirs=True, packet_rec_id=4711, transaction_id=12, packet_id=3))
    assert said == "TestSite TGCDB TGCDB 4711 12 3 1"


def test_now_and_today_are_fixed_when_the_run_of_the_packet_begins(make: MakeSite) -> None:
    site = make(
        "packet: request_project_inactivate\nvars: {first: '{{ now() }}'}\nrules:\n  - name: a\n"
        "    when: first is not none\n    ignore: '{{ first == now() }} {{ now() }} {{ today() }}'\n"
    )
    (packet,) = load(site, rpi())

    def an_hour_passes(point: str) -> None:
        if not any(before in point for before in ("sweep", "intake", "claim")):
            set_clock(site, later=timedelta(hours=1))

    run(site, crash_point=an_hour_passes)
    assert reason_of(site, packet) == "true 2026-03-01T12:00:00Z 2026-03-01"


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ("'20000'", "20000"),
        ("'77'", "20000"),
        ("global_id='90011'", "20001"),
        ("email='ann@university.EXAMPLE'", "20001"),
        ("login='old'", "20000"),
        ("'nobody', login='annex'", "20001"),
        ("none", "none"),
        ("packet.PersonID", "none"),
        ("'%'", "none"),
    ],
)
def test_find_person(make: MakeSite, call: str, found: str) -> None:
    text = f"{{% set p = find_person({call}) %}}{{{{ 'none' if p is none else p.person_id }}}}"
    assert _say(make, text, rpi(), *ROWS) == found


def test_a_person_is_found_by_person_id_then_global_id(make: MakeSite) -> None:
    text = "{{ 'none' if person is none else person.person_id }}"
    assert _say(make, text, rum({"PersonID": "77"}), *ROWS) == "20000"
    assert _say(make, text, rac()) == "20001"
    assert _say(make, text, rac({"UserGlobalID": "1"})) == "none"


def test_ids_that_name_different_persons_hold(make: MakeSite) -> None:
    assert "different persons" in _say(make, "x", rum({"PersonID": "20000", "GlobalID": "90011"}), *ROWS)


def test_ids_that_name_different_projects_hold(make: MakeSite) -> None:
    two = Project("l", project_id="P-2", grant_number="G2")
    assert "different projects" in _say(make, "x", rpi({"GrantNumber": "G2"}), *ROWS, two)


def test_the_attributes_of_rows(make: MakeSite) -> None:
    text = (
        "{{ person.ids | join }} {{ person.logins | join }} {{ person.uid }} {{ person.dns | join }} "
        "{{ person.state }} {{ person.created }} {{ person.FirstName is none }} "
        "{{ project.group }} {{ project.gid }} {{ project.title }} "
        "{{ project.pi.login }} {{ project.active }} {{ account.login }} {{ account.resource }} {{ account.active }} "
        "{{ account.others | map(attribute='resource') | join }} {{ account.person.login }}"
    )
    accounts = (Account("a", "k", ALPHA, "bsample"), Account("a", "k", BETA, "bsample"))
    said = _say(make, text, packet_json("request_account_inactivate", rum()["body"] | rpi()["body"]), *ROWS, *accounts)
    assert said == (
        "2000077 bsampleold 20000 /CN=Bo active false true p-xyz 30000 T bsample true bsample "
        f"{ALPHA} true {BETA} bsample"
    )


@pytest.mark.parametrize(
    ("start", "period"), [("2026-01-31", "none"), ("2026-02-01", "2026-02-01"), ("2027-05-01", "2027-02-01")]
)
def test_allocation_is_the_newest_that_began_by_the_packets_start(make: MakeSite, start: str, period: str) -> None:
    site = _site(
        make, "{{ allocation.start if allocation is not none else 'none' }} {{ project.allocations | length }}"
    )
    know(site, *ROWS, *_periods())
    (packet,) = load(site, rpc({"StartDate": start}))
    run(site)
    assert reason_of(site, packet) == f"{period} 2"


def test_allocation_is_the_newest_that_began_by_today_where_the_packet_has_no_start(make: MakeSite) -> None:
    assert _say(make, "{{ allocation.start }}", rpi(), *ROWS, *_periods()) == "2026-02-01"


def _periods() -> list[Allocation]:
    return [Allocation("k", ALPHA, date(year, 2, 1)) for year in (2026, 2027)]


def test_record_is_the_newest_finished_packet_with_the_same_record_id(make: MakeSite) -> None:
    rules = """
packet: request_project_create
rules:
  - name: again
    when: record is not none
    ignore: "{{ record.packet.ProjectTitle }} {{ record.reply.ProjectID }}"
  - name: refused
    when: packet.ProjectTitle == 'no'
    fail: no
  - name: first
    reply:
      copy: [GrantNumber, PfosNumber, ResourceList]
      fields: {ProjectID: "P-{{ packet.ProjectTitle }}", PiPersonID: "1", PiRemoteSiteLogin: x}
"""
    site = make(rules)
    names = ("no", "one", "two")
    ids = [*load(site, *(rpc({"RecordID": "R", "ProjectTitle": name}) for name in names))]
    run(site)
    assert [status_of(site, packet) for packet in ids] == ["failed", "done", "ignored"]
    assert reason_of(site, ids[2]) == "one P-one"
    assert registry_of(site).find_project(grant_number="XYZ259276") is None


def test_values_print_as_they_came_and_lists_of_absent_tags_are_empty(make: MakeSite) -> None:
    text = "{{ packet.ServiceUnitsAllocated }} {{ packet.StartDate }} {{ packet.PiOrgCode }} {{ packet.PiDnList }} "
    packet = rpc({"ServiceUnitsAllocated": "0010.50", "StartDate": "2026-02-01T00:00:00", "PiDnList": None})
    said = _say(make, text.replace(" {{ packet.PiDnList }} ", " {{ packet.PiDnList | length }}"), packet)
    assert said == "0010.50 2026-02-01T00:00:00 0045096 0"


def test_accounts_come_in_the_order_of_projects_resources_and_logins(make: MakeSite) -> None:
    """Whatever the keys of their rows are: those are random."""
    persons = [Person(key, person_id=key, logins=(login,)) for key, login in (("c", "zoe"), ("z", "bob"), ("d", "al"))]
    projects = [Project(key, project_id=name) for key, name in (("x", "P-2"), ("y", "P-1"))]
    accounts = [Account(one.key, "k", ALPHA, one.logins[0]) for one in persons]
    accounts += [Account("a", key, place, "bsample") for key in ("x", "y") for place in (BETA, ALPHA)]
    text = "{{ project.accounts | map(attribute='login') | join(' ') }}, {% for one in find_person('20000').accounts %}"
    text += "{{ one.project.project_id }} {{ one.resource }} {% endfor %}|"
    said = _say(make, text, rpi({"ProjectID": "P-XYZ259276"}), *ROWS, *persons, *projects, *accounts)
    assert said == f"al bob zoe, P-1 {ALPHA} P-1 {BETA} P-2 {ALPHA} P-2 {BETA} |"
