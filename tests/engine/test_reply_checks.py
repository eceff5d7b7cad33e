"""What a reply must and may hold, and what becomes of a packet whose reply AMIE would not take."""

from typing import Any

import pytest

from amierules.engine.site import Site
from tests.support.sites import (
    ALPHA,
    BETA,
    MakeSite,
    events_of,
    load,
    reason_of,
    replies_to,
    reply_to,
    rpc,
    rpi,
    run,
    status_of,
    stored,
)

RPC = "packet: request_project_create\nrules: [{name: a, reply: %s}]\n"
RPI = "packet: request_project_inactivate\nrules: [{name: a, reply: {copy: [ProjectID, ResourceList], fields: %s}}]\n"


def _answered(make: MakeSite, rules: str, packet: dict[str, Any], **config: Any) -> tuple[Site, int]:
    site = make(rules, **config)
    (number,) = load(site, packet)
    run(site)
    return site, number


def test_missing_required_tags_park_naming_them_all(make: MakeSite) -> None:
    site, packet = _answered(make, RPC % "{copy: [GrantNumber, PfosNumber], fields: {PiPersonID: '{{ none }}'}}", rpc())
    assert status_of(site, packet) == "parked"
    for tag in ("PiPersonID", "PiRemoteSiteLogin", "ProjectID", "ResourceList"):
        assert tag in reason_of(site, packet)
    assert "GrantNumber" not in reason_of(site, packet)
    assert replies_to(site, packet) == []
    assert stored(site, packet).state == "in-progress"


def test_copy_leaves_absent_tags_out_and_keeps_texts_as_they_came(make: MakeSite) -> None:
    reply = "{copy: [GrantNumber, PfosNumber, ResourceList, PiMiddleName, PiOrgCode, ServiceUnitsAllocated], "
    reply += "fields: {ProjectID: P, PiPersonID: '1', PiRemoteSiteLogin: x}}"
    packet = rpc({"ServiceUnitsAllocated": "0010.50", "PiMiddleName": ""})
    site, number = _answered(make, RPC % reply, packet)
    body = reply_to(site, number).packet.body
    assert "PiMiddleName" not in body
    assert (body["ServiceUnitsAllocated"], body["PiOrgCode"]) == ("0010.50", "0045096")


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("'{{ none }}'", None),
        ("'{{ \"  \" }}'", None),
        ("'{{ now() }}'", "2026-03-01T12:00:00Z"),
        ("'{{ today() }}'", "2026-03-01"),
        ("'on {{ today() }}'", "on 2026-03-01"),
        ("'{{ packet.StartDate }}'", "2026-02-28"),
        ("'{{ packet.ServiceUnitsAllocated + 1 }}'", "11.50"),
        ("'{{ 3 }}'", "3"),
        ("'{{ true }}'", "1"),
        ("' spaces '", "spaces"),
    ],
)
def test_how_values_are_written(make: MakeSite, value: str, sent: str | None) -> None:
    packet = rpi({"StartDate": "2026-02-28", "ServiceUnitsAllocated": "10.50"})
    site, number = _answered(make, RPI % f"{{Comment: {value}}}", packet)
    assert reply_to(site, number).packet.body.get("Comment") == sent


def test_fields_may_be_one_expression(make: MakeSite) -> None:
    rules = 'packet: request_project_inactivate\nrules: [{name: a, reply: {fields: "%s"}}]\n'
    both = "{{ {'ProjectID': packet.ProjectID, 'ResourceList': packet.ResourceList, 'Comment': none} }}"
    site, packet = _answered(make, rules % both, rpi())
    assert reply_to(site, packet).packet.body == {"ProjectID": "P-XYZ259276", "ResourceList": [ALPHA]}


def test_fields_that_are_no_mapping_park(make: MakeSite) -> None:
    rules = "packet: request_project_inactivate\nrules: [{name: a, reply: {fields: '{{ packet.ProjectID }}'}}]\n"
    site, packet = _answered(make, rules, rpi())
    assert status_of(site, packet) == "parked"
    assert "mapping" in reason_of(site, packet)


def test_a_field_replaces_what_was_copied(make: MakeSite) -> None:
    site, packet = _answered(make, RPI % "{ProjectID: other}", rpi())
    assert reply_to(site, packet).packet.body["ProjectID"] == "other"


def test_characters_that_amie_does_not_carry_are_transliterated_with_an_event(make: MakeSite) -> None:
    site, packet = _answered(make, RPI % "{Comment: 'Zoë Ångström'}", rpi())
    assert reply_to(site, packet).packet.body["Comment"] == "Zoe Angstrom"
    noticed = [event.why for event in events_of(site, packet) if event.what == "noticed"]
    assert len(noticed) == 1
    assert noticed[0].startswith("Comment: ")


def test_or_rejected_where_the_site_wants_that(make: MakeSite) -> None:
    site, packet = _answered(make, RPI % "{Comment: 'Zoë'}", rpi(), protocol={"charset": "reject"})
    assert status_of(site, packet) == "parked"
    assert "U+00EB" in reason_of(site, packet)


def test_a_reply_speaks_of_the_resource_of_its_request(make: MakeSite) -> None:
    site, packet = _answered(make, RPI % f"{{ResourceList: [{BETA}]}}", rpi())
    assert status_of(site, packet) == "parked"
    assert "ResourceList" in reason_of(site, packet)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"ProjectID": None}, "ProjectID"),
        ({"ResourceList": None}, "ResourceList"),
        ({"ResourceList": [""]}, "ResourceList"),
        ({"ProjectID": ["a", "b"]}, "ProjectID"),
        ({"StartDate": "tomorrow"}, "StartDate"),
        ({"ServiceUnitsAllocated": "many"}, "ServiceUnitsAllocated"),
    ],
)
def test_a_malformed_packet_is_parked_naming_the_tag_and_asks_no_rule(
    make: MakeSite, body: dict[str, Any], said: str
) -> None:
    site, packet = _answered(make, "packet: request_project_inactivate\nrules: [{name: a, ignore: x}]", rpi(body))
    assert status_of(site, packet) == "parked"
    assert said in reason_of(site, packet)


def test_a_violated_constraint_of_what_came_in_is_an_event_once(make: MakeSite) -> None:
    rules = "packet: request_project_create\nrules: [{name: a, defer: x}]"
    site, packet = _answered(make, rules, rpc({"AllocationType": "gift", "UnknownTag": "x"}))
    run(site, [packet])
    noticed = [event.why for event in events_of(site, packet) if event.what == "noticed"]
    assert status_of(site, packet) == "deferred"
    assert sum("AllocationType" in why for why in noticed) == 1
    assert sum("UnknownTag" in why for why in noticed) == 1
