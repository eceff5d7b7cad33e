"""Which rule answers a packet."""

from tests.support.sites import (
    MakeSite,
    load,
    plan,
    rac,
    reason_of,
    reply_to,
    rpi,
    rpr,
    run,
    status_of,
    stored,
    work_of,
)

THREE = """
packet: request_project_inactivate
rules:
  - name: by comment
    when: packet.Comment == 'stop'
    ignore: asked to stop
  - name: by both
    when: [packet.Comment == 'go', "packet.GrantNumber is not none"]
    complete: "{{ packet.GrantNumber }}"
  - name: else
    when: packet.Comment is none
    hold: no comment
"""


def test_the_first_rule_that_holds_decides(make: MakeSite) -> None:
    site = make(THREE)
    (stop,) = load(site, rpi({"Comment": "stop"}))
    assert [handled.report.rule for handled in run(site).values()] == ["by comment"]
    assert status_of(site, stop) == "ignored"


def test_a_later_rule_that_would_hold_too_is_not_asked(make: MakeSite) -> None:
    site = make(
        "packet: request_project_inactivate\nrules:\n  - {name: a, ignore: first}\n  - {name: b, hold: second}\n"
    )
    (packet,) = load(site, rpi())
    run(site)
    assert (status_of(site, packet), work_of(site, packet).rule) == ("ignored", "a")


def test_a_list_of_conditions_holds_only_where_all_do(make: MakeSite) -> None:
    site = make(THREE)
    both, one = load(site, rpi({"Comment": "go", "GrantNumber": "G1"}), rpi({"Comment": "go", "ProjectID": "P-2"}))
    run(site)
    assert work_of(site, both).rule == "by both"
    assert (status_of(site, one), reason_of(site, one)) == ("parked", "no rule matches")


def test_a_packet_that_no_rule_matches_is_parked_and_the_others_go_on(make: MakeSite) -> None:
    site = make(THREE)
    lost, stop = load(site, rpi({"Comment": "what?"}), rpi({"Comment": "stop", "ProjectID": "P-2"}))
    run(site)
    assert status_of(site, lost) == "parked"
    assert stored(site, lost).state == "in-progress"
    assert status_of(site, stop) == "ignored"


def test_a_type_without_a_rule_file_is_parked(make: MakeSite) -> None:
    site = make(THREE)
    (other,) = load(site, rpr())
    run(site)
    assert (status_of(site, other), reason_of(site, other)) == (
        "parked",
        "no rule file answers request_project_reactivate",
    )


def test_a_broken_rule_file_parks_only_its_own_types(make: MakeSite) -> None:
    broken = "packet: [request_project_reactivate, request_account_create]\nrules:\n  - name: a\n    hodl: x\n"
    site = make({"good.yaml": THREE, "broken.yaml": broken}, may_be_broken=True)
    bad, also_bad, good = load(site, rpr({"ProjectID": "P-3"}), rac({"GrantNumber": "G9"}), rpi({"Comment": "stop"}))
    run(site)
    assert status_of(site, good) == "ignored"
    for packet in (bad, also_bad):
        assert status_of(site, packet) == "parked"
        assert "broken.yaml" in reason_of(site, packet)


def test_one_file_may_answer_several_types(make: MakeSite) -> None:
    text = "packet: [request_project_inactivate, request_project_reactivate]\n"
    text += "rules: [{name: all, ignore: 'as {{ header.type }}'}]\n"
    site = make(text)
    ids = load(site, rpi(), rpr({"ProjectID": "P-2"}))
    run(site)
    assert [reason_of(site, packet) for packet in ids] == [
        "as request_project_inactivate",
        "as request_project_reactivate",
    ]


def test_a_condition_that_fails_parks_with_its_place(make: MakeSite) -> None:
    site = make(
        "packet: request_project_inactivate\nrules:\n  - name: odd\n    when: packet.Comment < 3\n    ignore: x\n"
    )
    (packet,) = load(site, rpi({"Comment": "text"}))
    run(site)
    assert status_of(site, packet) == "parked"
    assert "rules.yaml:4:" in reason_of(site, packet)


def test_a_deferred_packet_chooses_its_rule_anew(make: MakeSite) -> None:
    site = make("packet: request_project_inactivate\nrules: [{name: later, defer: not yet}]")
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "deferred"
    changed = make("packet: request_project_inactivate\nrules: [{name: now, reply: {copy: [ProjectID, ResourceList]}}]")
    run(changed, [packet])
    assert (status_of(changed, packet), work_of(changed, packet).rule) == ("done", "now")
    assert reply_to(changed, packet).packet.header.type == "notify_project_inactivate"


def test_a_dry_run_names_the_rule_that_a_run_takes(make: MakeSite) -> None:
    site = make(THREE)
    load(
        site,
        rpi({"Comment": "go", "GrantNumber": "G1"}),
        rpi({"ProjectID": "P-2"}),
        rpi({"Comment": "?", "ProjectID": "P-3"}),
    )
    planned = [(report.rule, report.decision.kind) for report in plan(site)]
    done = [(handled.report.rule, handled.report.decision.kind) for handled in run(site).values()]
    assert planned == done == [("by both", "complete"), ("else", "hold"), (None, "park")]
