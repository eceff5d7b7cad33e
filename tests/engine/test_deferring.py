"""Packets that are looked at again: when, how long, and what wakes them."""

from datetime import UTC, datetime, timedelta

import pytest

from amierules.database.rows import Person, Project
from amierules.engine.site import Site
from tests.support.sites import (
    NOW,
    MakeSite,
    decision,
    know,
    load,
    rac,
    reason_of,
    rpc,
    rpi,
    run,
    set_clock,
    status_of,
    work_of,
)

LATER = "packet: request_project_inactivate\nrules: [{name: later, defer: %s}]\n"
NEEDS_PROJECT = """
packet: request_account_create
rules:
  - {name: not here, when: project is none, defer: no project yet}
  - {name: here, ignore: it is here}
"""


def _pause(site: Site, packet: int) -> timedelta:
    due = work_of(site, packet).next_attempt_at
    assert due is not None
    return due - site.world.clock.now()


def test_it_waits_until_not_before(make: MakeSite) -> None:
    site = make(LATER % "{reason: 'from {{ packet.StartDate }} on', not_before: '{{ packet.StartDate }}'}")
    (packet,) = load(site, rpi({"StartDate": "2026-03-09"}))
    run(site)
    assert reason_of(site, packet) == "from 2026-03-09 on"
    assert work_of(site, packet).next_attempt_at == datetime(2026, 3, 9, tzinfo=UTC)
    set_clock(site, later=timedelta(days=5))
    assert run(site) == {}
    set_clock(site, at=datetime(2026, 3, 9, tzinfo=UTC))
    assert [*run(site)] == [packet]


def test_a_packet_that_is_named_is_tried_before_its_time(make: MakeSite) -> None:
    site = make(LATER % "{reason: x, not_before: '{{ packet.StartDate }}'}")
    (packet,) = load(site, rpi({"StartDate": "2026-03-09"}))
    run(site)
    assert [*run(site, [packet])] == [packet]


def test_a_not_before_that_is_none_or_over_counts_as_not_given(make: MakeSite) -> None:
    site = make(LATER % "{reason: x, not_before: '{{ packet.StartDate }}'}")
    none, over = load(site, rpi(), rpi({"StartDate": "2020-01-01", "ProjectID": "P-2"}))
    run(site)
    assert {_pause(site, packet) for packet in (none, over)} == {timedelta(minutes=1)}


def test_the_pauses_grow_up_to_an_hour(make: MakeSite) -> None:
    site = make(LATER % "x")
    (packet,) = load(site, rpi())
    pauses = []
    for _ in range(14):
        run(site)
        pauses.append(_pause(site, packet))
        set_clock(site, later=pauses[-1])
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (timedelta(minutes=1), timedelta(hours=1))
    assert len(set(pauses)) > 5


def test_after_at_most_it_is_held(make: MakeSite) -> None:
    site = make(LATER % "{reason: not yet, at_most: 14d}")
    (packet,) = load(site, rpi())
    run(site)
    set_clock(site, at=NOW + timedelta(days=14, seconds=-1))
    run(site)
    assert status_of(site, packet) == "deferred"
    set_clock(site, at=NOW + timedelta(days=14))
    run(site, [packet])
    assert (status_of(site, packet), reason_of(site, packet)) == ("held", "deferred for too long: not yet")


def test_at_most_is_the_reply_timeout_less_a_day_by_default(make: MakeSite) -> None:
    site = make(LATER % "x")
    long, short = load(
        site,
        rpi(),
        rpi({"ProjectID": "P-2"}, expected_reply_list=[{"type": "notify_project_inactivate", "timeout": 3 * 24 * 60}]),
    )
    run(site)
    set_clock(site, at=NOW + timedelta(days=2))
    run(site)
    assert (status_of(site, long), status_of(site, short)) == ("deferred", "held")
    set_clock(site, at=NOW + timedelta(days=20))
    run(site)
    assert status_of(site, long) == "held"


def test_after_a_retry_the_time_counts_anew(make: MakeSite) -> None:
    site = make(LATER % "{reason: x, at_most: 1d}")
    (packet,) = load(site, rpi())
    run(site)
    set_clock(site, later=timedelta(days=2))
    run(site)
    assert status_of(site, packet) == "held"
    decision(site, packet, "retry")
    run(site)
    assert status_of(site, packet) == "deferred"


def test_a_packet_of_the_same_grant_wakes_it_when_it_changes_the_registry(make: MakeSite) -> None:
    create = "packet: request_project_create\nrules:\n  - name: make\n    actions:\n"
    create += "      - {name: p, project: {grant_number: '{{ packet.GrantNumber }}', project_id: P-1, active: true}}\n"
    create += "    complete: made\n"
    site = make({"a.yaml": NEEDS_PROJECT, "b.yaml": create})
    waits, other = load(site, rac(), rac({"GrantNumber": "OTHER", "UserGlobalID": "90012"}))
    run(site)
    assert {status_of(site, packet) for packet in (waits, other)} == {"deferred"}
    load(site, rpc())
    set_clock(site, later=timedelta(seconds=1))
    touched = run(site)
    assert other not in touched
    assert (status_of(site, waits), status_of(site, other)) == ("waiting", "deferred")
    assert "a later request_project_create, is complete" in reason_of(site, waits)


def test_it_is_looked_at_when_its_time_has_come_without_any_wake(make: MakeSite) -> None:
    site = make(NEEDS_PROJECT)
    (packet,) = load(site, rac())
    run(site)
    know(site, Project("k", project_id="P-1", grant_number="XYZ259276"), Person("p", person_id="1"))
    assert run(site) == {}
    set_clock(site, later=timedelta(minutes=1))
    run(site)
    assert status_of(site, packet) == "ignored"


@pytest.mark.parametrize(
    ("written", "due"),
    [
        ("2026-03-09", "2026-03-09T00:00:00+00:00"),
        ("2026-03-09T08:00:00Z", "2026-03-09T08:00:00+00:00"),
        ("2026-03-09 08:00+02:00", "2026-03-09T06:00:00+00:00"),
    ],
)
def test_a_not_before_may_be_written_as_it_is(make: MakeSite, written: str, due: str) -> None:
    site = make(LATER % f"{{reason: x, not_before: '{written}'}}")
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "deferred", reason_of(site, packet)
    assert work_of(site, packet).next_attempt_at == datetime.fromisoformat(due)


@pytest.mark.parametrize("moment", ["2026-03-09T08:00:00Z", "2026-03-09"])
def test_a_not_before_that_is_text_parks(make: MakeSite, moment: str) -> None:
    site = make(LATER % f"{{reason: x, not_before: '{{{{ \"{moment}\" }}}}'}}")
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "parked"
    assert "not_before" in reason_of(site, packet)


def test_a_deferred_packet_does_not_hold_up_others_of_its_project(make: MakeSite) -> None:
    site = make(
        "packet: request_project_inactivate\nrules:\n"
        "  - {name: a, when: packet.Comment is none, defer: x}\n  - {name: b, ignore: y}\n"
    )
    first, same_project, same_transaction = load(
        site, rpi(transaction_id=5), rpi({"Comment": "c"}), rpi({"Comment": "c"}, transaction_id=5, packet_id=2)
    )
    run(site)
    assert status_of(site, same_project) == "ignored"
    assert (status_of(site, same_transaction), work_of(site, same_transaction).blocker) == ("waiting", first)
