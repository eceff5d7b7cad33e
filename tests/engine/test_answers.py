"""Holds that ask for values: what an approval must say, where the values are seen, and what changes under way."""

from datetime import timedelta
from pathlib import Path

import pytest

from amierules.diagnostics import NotAllowed
from amierules.engine.considered import consider
from amierules.engine.deciding import Word, decide
from amierules.engine.site import Site
from tests.support.sites import (
    MakeSite,
    decision,
    events_of,
    load,
    plan,
    reason_of,
    reply_to,
    rpi,
    run,
    set_clock,
    status_of,
    work_of,
)

ASKS = """
packet: request_project_inactivate
rules:
  - name: quota
    hold: {reason: how much, ask: {quota: "GB for {{ packet.ProjectID }}", path: where}}
  - name: login
    when: packet.Comment is none
    hold: {reason: who, ask: {login: the login, path: where really}}
  - name: stop
    reply:
      copy: [ProjectID, ResourceList]
      fields: {Comment: "%s"}
"""
SAID = "{{ approval.quota }} {{ approval.path }} {{ approval.login }} {{ approval.by }}: {{ approval.reason }}"


def _site(make: MakeSite, comment: str = SAID) -> tuple[Site, int]:
    site = make(ASKS % comment)
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "held"
    return site, packet


def _approve(site: Site, packet: int, reason: str = "", **answers: str) -> str:
    set_clock(site, later=timedelta(minutes=1))
    return decide(site, packet, Word("approve", reason, "pat", answers))


def _comment(site: Site, packet: int) -> str:
    assert status_of(site, packet) == "done", reason_of(site, packet)
    return str(reply_to(site, packet).packet.body["Comment"])


def test_what_is_asked_for_is_kept_and_the_reason_says_what_to_type(make: MakeSite) -> None:
    site, packet = _site(make)
    assert work_of(site, packet).asked == {"quota": "GB for P-XYZ259276", "path": "where"}
    assert reason_of(site, packet) == f"how much; `amierules approve {packet} --set quota=VALUE --set path=VALUE`"
    _approve(site, packet, quota="5", path="/x")
    assert work_of(site, packet).asked is None


def test_a_dry_run_shows_what_would_be_asked_for(make: MakeSite) -> None:
    site = make(ASKS % "x")
    (packet,) = load(site, rpi())
    (report,) = plan(site, [packet])
    assert report.decision.asked == {"quota": "GB for P-XYZ259276", "path": "where"}


def test_the_values_are_texts_in_scope_and_of_two_the_later_one_counts(make: MakeSite) -> None:
    site, packet = _site(make)
    _approve(site, packet, "fine", quota="5", path="/x")
    run(site)
    assert (status_of(site, packet), list(work_of(site, packet).asked or {})) == ("held", ["login", "path"])
    _approve(site, packet, "his", login="bsample", path="/y")
    run(site)
    assert _comment(site, packet) == "5 /y bsample pat: his"


def test_what_nobody_has_answered_is_none(make: MakeSite) -> None:
    site = make(ASKS % "{{ approval.login is none }} {{ approval.quota | int + 1 }}")
    (packet,) = load(site, rpi({"Comment": "x"}))
    run(site)
    _approve(site, packet, quota="7", path="/x")
    run(site)
    assert _comment(site, packet) == "true 8"


def test_the_event_says_what_was_answered(make: MakeSite) -> None:
    site, packet = _site(make)
    _approve(site, packet, "fine", quota="5", path="/x")
    assert [one.why for one in events_of(site, packet) if one.what == "approved"] == ["quota: quota=5, path=/x, fine"]


@pytest.mark.parametrize(
    ("answers", "code", "said", "hint"),
    [
        ({"quota": "5"}, "missing-answer", "needs 'path': where", "add --set path=VALUE"),
        ({}, "missing-answer", "needs 'quota': GB for P-XYZ259276", "add --set quota=VALUE"),
        ({"quota": "5", "paht": "/x", "path": "/"}, "unknown-answer", "'paht'", "did you mean 'path'?"),
        ({"quota": "5", "path": "/x", "zz": ""}, "unknown-answer", "'zz'", "known here: path, quota"),
        ({"quota": "\udcff", "path": "/x"}, "bad-answer", "'quota'", "type it anew"),
        ({"quota": "5\n6", "path": "/x"}, "bad-answer", "'quota'", "type it anew"),
    ],
)
def test_a_wrong_answer_changes_nothing(
    make: MakeSite, answers: dict[str, str], code: str, said: str, hint: str
) -> None:
    site, packet = _site(make)
    before = len(events_of(site, packet))
    with pytest.raises(NotAllowed) as refused:
        _approve(site, packet, **answers)
    (finding, *_) = refused.value.findings
    assert (finding.code, finding.hint) == (code, hint)
    assert said in finding.message
    assert (status_of(site, packet), len(events_of(site, packet))) == ("held", before)


def test_where_nothing_is_asked_for_nothing_can_be_said(make: MakeSite) -> None:
    site = make("packet: request_project_inactivate\nrules: [{name: a, hold: x}]")
    (packet,) = load(site, rpi())
    run(site)
    with pytest.raises(NotAllowed) as refused:
        _approve(site, packet, quota="5")
    assert refused.value.findings[0].hint == "nothing is asked for: leave --set out"


def test_an_empty_answer_is_an_answer(make: MakeSite) -> None:
    site, packet = _site(make, "{{ approval.quota or 'none given' }}")
    _approve(site, packet, quota="", path="/x")
    run(site)
    _approve(site, packet, login="x", path="/x")
    run(site)
    assert _comment(site, packet) == "none given"


def test_a_rule_that_asks_for_more_by_now_asks_again(make: MakeSite) -> None:
    plain = "packet: request_project_inactivate\nrules:\n  - {name: a, hold: %s}\n  - {name: b, ignore: x}\n"
    site = make(plain % "x")
    (packet,) = load(site, rpi())
    run(site)
    decision(site, packet, "approve")
    site = make(plain % "{reason: x, ask: {quota: GB}}")
    assert consider(site, packet).rules[0].answer == "holds"
    run(site)
    assert (status_of(site, packet), work_of(site, packet).asked) == ("held", {"quota": "GB"})
    _approve(site, packet, quota="5")
    assert consider(site, packet).rules[0].answer == "approved"
    run(site)
    assert status_of(site, packet) == "ignored"


def test_once_actions_have_begun_the_values_stay(make: MakeSite, tmp_path: Path) -> None:
    """A later approval, of a held assert, lets the packet go on; what the rule saw does not change."""
    rules = """
packet: request_project_inactivate
rules:
  - {name: ask, hold: {reason: x, ask: {quota: GB}}}
  - name: stop
    actions:
      - {name: one, command: [touch, "%s/one"], register: out}
      - {name: two, assert: {that: out.rc == 1, message: look, else: hold}}
    reply: {copy: [ProjectID, ResourceList], fields: {Comment: "{{ approval.quota }} {{ approval.reason }}"}}
"""
    site = make(rules % tmp_path)
    (packet,) = load(site, rpi())
    run(site)
    _approve(site, packet, "first", quota="5")
    run(site)
    assert (status_of(site, packet), reason_of(site, packet)) == ("held", "look")
    _approve(site, packet, "second")
    (tmp_path / "one").unlink()
    run(site)
    assert not (tmp_path / "one").exists()
    assert _comment(site, packet) == "5 first"
