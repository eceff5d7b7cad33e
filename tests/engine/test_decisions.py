"""What persons decide: approve, retry, hold, fail, complete, and what they may not."""

import pytest

from amierules.diagnostics import ExitStatus, NotAllowed
from amierules.engine.site import Site
from tests.support.sites import (
    MakeSite,
    decision,
    dpc,
    events_of,
    itc,
    load,
    reason_of,
    reply_to,
    rpc,
    rpi,
    rum,
    run,
    status_of,
    steps_of,
    stored,
)

TWO_HOLDS = """
packet: request_project_inactivate
rules:
  - {name: first look, hold: "stop {{ packet.ProjectID }}?"}
  - {name: second look, hold: really?}
  - name: stop
    when: approval is not none
    reply: {copy: [ProjectID, ResourceList], fields: {Comment: "{{ approval.by }}: {{ approval.reason }}"}}
"""
ASSERTS = """
packet: request_project_inactivate
rules:
  - name: stop
    actions:
      - {name: comment, assert: {that: packet.Comment is not none, message: no comment, else: hold}}
      - {name: grant, assert: {that: packet.GrantNumber is not none, message: no grant, else: hold}}
    reply: {copy: [ProjectID, ResourceList]}
"""
ENDS = "packet: [request_project_inactivate, request_user_modify, notify_project_usage]\nrules: [{name: a, %s}]\n"


def _held(make: MakeSite, rules: str = TWO_HOLDS) -> tuple[Site, int]:
    site = make(rules)
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "held"
    return site, packet


def test_each_hold_needs_its_own_approval(make: MakeSite) -> None:
    site, packet = _held(make)
    assert reason_of(site, packet) == "stop P-XYZ259276?"
    assert decision(site, packet, "approve", "yes") == "ready"
    run(site)
    assert (status_of(site, packet), reason_of(site, packet)) == ("held", "really?")
    decision(site, packet, "approve", "yes, really")
    run(site)
    assert status_of(site, packet) == "done"
    assert reply_to(site, packet).packet.body["Comment"] == "pat: yes, really"
    assert [event.why for event in events_of(site, packet) if event.what == "approved"] == [
        "first look: yes",
        "second look: yes, really",
    ]


def test_an_approval_counts_for_its_packet_alone(make: MakeSite) -> None:
    site, packet = _held(make)
    decision(site, packet, "approve")
    (other,) = load(site, rpi({"ProjectID": "P-2"}))
    run(site)
    assert reason_of(site, other) == "stop P-2?"


def test_each_assert_needs_its_own_approval(make: MakeSite) -> None:
    site, packet = _held(make, ASSERTS)
    assert reason_of(site, packet) == "no comment"
    decision(site, packet, "approve")
    run(site)
    assert reason_of(site, packet) == "no grant"
    decision(site, packet, "approve")
    run(site)
    assert status_of(site, packet) == "done"


def test_a_hold_by_a_rule_that_is_called_like_an_assert_is_another_hold(make: MakeSite) -> None:
    rules = ASSERTS.replace("rules:\n", "rules:\n  - {name: comment, hold: look first}\n")
    site, packet = _held(make, rules)
    decision(site, packet, "approve")
    run(site)
    assert (status_of(site, packet), reason_of(site, packet)) == ("held", "no comment")


@pytest.mark.parametrize("otherwise", ["park", "fail", "defer"])
def test_an_assert_says_what_becomes_of_the_packet(make: MakeSite, otherwise: str) -> None:
    site = make(ASSERTS.replace("else: hold", f"else: {otherwise}"))
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == {"park": "parked", "fail": "failed", "defer": "deferred"}[otherwise]
    assert "no comment" in reason_of(site, packet)


def test_retry_tries_a_parked_packet_again(make: MakeSite) -> None:
    site = make(ENDS % "when: packet.Comment is not none, ignore: x")
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "parked"
    assert run(site) == {}
    assert decision(site, packet, "retry", "mended") == "ready"
    assert [*run(site)] == [packet]
    assert events_of(site, packet)[-2].why == "mended"


def test_hold_keeps_a_packet_from_being_tried(make: MakeSite) -> None:
    site = make(ENDS % "defer: later")
    (packet,) = load(site, rpi())
    run(site)
    assert decision(site, packet, "hold", "holiday") == "held"
    assert run(site, [packet]) == {}
    assert reason_of(site, packet) == "holiday"
    with pytest.raises(NotAllowed):
        decision(site, packet, "approve")


def test_fail_answers_with_a_failure(make: MakeSite) -> None:
    site, packet = _held(make)
    assert decision(site, packet, "fail", "not ours") == "failed"
    reply = reply_to(site, packet).packet
    assert reply.body == {"StatusCode": "Failure", "DetailCode": "2", "Message": "not ours"}
    assert stored(site, packet).state == "failed"
    assert run(site) == {}


def test_complete_closes_a_transaction_that_waits_for_nothing_else(make: MakeSite) -> None:
    site = make(ENDS % "hold: x")
    (packet,) = load(site, rum())
    run(site)
    assert decision(site, packet, "complete", "done by hand") == "done"
    assert reply_to(site, packet).packet.body == {"StatusCode": "Success", "DetailCode": "1", "Message": "done by hand"}


def test_complete_closes_no_transaction_over_an_open_packet(make: MakeSite) -> None:
    site = make("packet: request_project_create\nrules: [{name: a, hold: wait}]\n")
    first, later = load(site, rpc(transaction_id=7), dpc({"PersonID": "1"}, transaction_id=7, packet_id=2))
    run(site)
    with pytest.raises(NotAllowed, match=f"packet {first} is open"):
        decision(site, later, "complete", "by hand")
    assert (status_of(site, first), status_of(site, later)) == ("held", "waiting")
    assert stored(site, first).packet.header.transaction_state == "in-progress"


def test_complete_is_refused_where_a_notification_is_due(make: MakeSite) -> None:
    site, packet = _held(make)
    with pytest.raises(NotAllowed, match="notify_project_inactivate"):
        decision(site, packet, "complete")
    assert status_of(site, packet) == "held"


def test_a_packet_that_expects_no_reply_can_be_completed_and_not_failed(make: MakeSite) -> None:
    site = make("packet: inform_transaction_complete\nrules: [{name: a, hold: x}]")
    (packet,) = load(site, itc())
    run(site)
    with pytest.raises(NotAllowed, match="expects no reply"):
        decision(site, packet, "fail")
    assert decision(site, packet, "complete") == "done"
    assert stored(site, packet).state == "completed"


@pytest.mark.parametrize(
    ("outcome", "status", "possible"),
    [
        ("ignore: x", "ignored", ()),
        ("'reply': {copy: [ProjectID, ResourceList]}", "done", ()),
        ("fail: x", "failed", ()),
        ("defer: x", "deferred", ("retry", "hold", "fail")),
        ("hold: x", "held", ("approve", "retry", "fail")),
        ("when: 'false', ignore: x", "parked", ("retry", "hold", "fail")),
    ],
)
@pytest.mark.parametrize("word", ["approve", "retry", "hold", "fail"])
def test_what_is_possible_in_which_status(
    make: MakeSite, outcome: str, status: str, possible: tuple[str, ...], word: str
) -> None:
    site = make(f"packet: request_project_inactivate\nrules: [{{name: a, {outcome}}}]")
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == status
    if word in possible:
        decision(site, packet, word)
        return
    with pytest.raises(NotAllowed) as refused:
        decision(site, packet, word)
    assert refused.value.status is ExitStatus.USAGE
    assert status_of(site, packet) == status


def test_a_packet_that_nobody_has_taken_in_cannot_be_decided_about(make: MakeSite) -> None:
    site = make(TWO_HOLDS)
    (packet,) = load(site, rpi())
    with pytest.raises(NotAllowed):
        decision(site, packet, "approve")
    with pytest.raises(NotAllowed):
        decision(site, 4711, "approve")


def test_a_reply_that_cannot_be_made_changes_nothing(make: MakeSite) -> None:
    """A message that no reply can carry leaves the packet as it was."""
    site = make(TWO_HOLDS, protocol={"charset": "reject"})
    (packet,) = load(site, rpi())
    run(site)
    with pytest.raises(Exception, match="character"):
        decision(site, packet, "fail", "nö")
    assert status_of(site, packet) == "held"
    assert steps_of(site, packet) == {}
    assert stored(site, packet).state == "in-progress"
