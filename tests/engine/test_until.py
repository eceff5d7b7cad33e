"""Steps that are done again until a condition holds: when, how often, and what becomes of them in the end."""

from datetime import timedelta
from pathlib import Path

import pytest

from amierules.database import waking
from amierules.database.rows import Person
from amierules.engine.site import Site
from tests.support.sites import (
    NOW,
    MakeSite,
    decision,
    know,
    load,
    plan,
    reason_of,
    reply_to,
    rpi,
    rpr,
    run,
    set_clock,
    status_of,
    steps_of,
    work_of,
)

HEAD = "packet: request_project_inactivate\nrules:\n  - name: a\n    actions:\n"
REPLY = '    reply: {copy: [ProjectID, ResourceList], fields: {Comment: "%s"}}\n'
MINUTE = timedelta(minutes=1)


def _rules(folder: Path, keys: str = "", comment: str = "{{ seen.stdout }}", before: str = "") -> str:
    """A rule that looks whether the file `there` is in the folder, and notes each look in `looks`."""
    script = f"date >> {folder}/looks; cat {folder}/there"
    look = f"{{run: [sh, -c, '{script}'], read_only: true, ok: [0, 1]}}"
    action = f"      - {{name: look, command: {look}, register: seen, until: seen.rc == 0{keys}}}\n"
    return HEAD + before + action + REPLY % comment


def _looks(folder: Path) -> int:
    file = folder / "looks"
    return len(file.read_text().splitlines()) if file.exists() else 0


def _again(site: Site, *, later: timedelta = MINUTE) -> None:
    set_clock(site, later=later)
    run(site)


def test_it_is_done_again_after_the_delay_until_it_holds(make: MakeSite, tmp_path: Path) -> None:
    site = make(_rules(tmp_path, ", delay: 10m"))
    (packet,) = load(site, rpi())
    run(site)
    assert (status_of(site, packet), _looks(tmp_path)) == ("deferred", 1)
    assert reason_of(site, packet) == "look: waits until seen.rc == 0, try 1 of 61"
    assert work_of(site, packet).next_attempt_at == NOW + timedelta(minutes=10)
    _again(site, later=timedelta(minutes=9))
    assert _looks(tmp_path) == 1
    _again(site)
    assert _looks(tmp_path) == 2
    (tmp_path / "there").write_text("here it is\n")
    _again(site, later=timedelta(minutes=10))
    assert reply_to(site, packet).packet.body["Comment"] == "here it is"
    assert (status_of(site, packet), _looks(tmp_path)) == ("done", 3)


def test_what_holds_at_once_is_not_repeated(make: MakeSite, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    site = make(_rules(tmp_path))
    (packet,) = load(site, rpi())
    run(site)
    assert (status_of(site, packet), _looks(tmp_path)) == ("done", 1)


def test_after_the_last_try_it_is_parked(make: MakeSite, tmp_path: Path) -> None:
    site = make(_rules(tmp_path, ", retries: 2"))
    (packet,) = load(site, rpi())
    for _ in range(4):
        _again(site)
    assert (status_of(site, packet), _looks(tmp_path)) == ("parked", 3)
    assert reason_of(site, packet) == "look: after 3 tries there is still not: seen.rc == 0"


@pytest.mark.parametrize(("on_error", "status"), [("hold", "held"), ("fail", "failed"), ("park", "parked")])
def test_on_error_says_what_the_last_try_leads_to(make: MakeSite, tmp_path: Path, on_error: str, status: str) -> None:
    site = make(_rules(tmp_path, f", retries: 1, on_error: {on_error}"))
    (packet,) = load(site, rpi())
    for _ in range(2):
        _again(site)
    assert status_of(site, packet) == status


def test_under_continue_the_rule_goes_on_with_the_failure(make: MakeSite, tmp_path: Path) -> None:
    site = make(_rules(tmp_path, ", retries: 1, on_error: continue", "{{ seen.failed }}: {{ seen.error }}"))
    (packet,) = load(site, rpi())
    for _ in range(2):
        _again(site)
    assert status_of(site, packet) == "done"
    assert reply_to(site, packet).packet.body["Comment"] == "true: after 2 tries there is still not: seen.rc == 0"


def test_after_a_retry_by_hand_the_tries_count_anew(make: MakeSite, tmp_path: Path) -> None:
    site = make(_rules(tmp_path, ", retries: 1"))
    (packet,) = load(site, rpi())
    for _ in range(2):
        _again(site)
    assert status_of(site, packet) == "parked"
    decision(site, packet, "retry")
    run(site)
    assert reason_of(site, packet) == "look: waits until seen.rc == 0, try 1 of 2"


def test_the_tries_are_kept_while_no_program_runs(make: MakeSite, tmp_path: Path) -> None:
    rules = _rules(tmp_path, ", retries: 2")
    site = make(rules)
    (packet,) = load(site, rpi())
    run(site)
    for _ in range(2):
        set_clock(site, later=MINUTE)
        moment = site.world.clock.now()
        site = make(rules)
        set_clock(site, at=moment)
        run(site)
    assert (status_of(site, packet), _looks(tmp_path)) == ("parked", 3)


def test_a_packet_woken_before_its_time_does_not_look_again(make: MakeSite, tmp_path: Path) -> None:
    other = "packet: request_project_reactivate\nrules: [{name: b, complete: x}]\n"
    site = make({"a.yaml": _rules(tmp_path, ", delay: 10m"), "b.yaml": other})
    (packet,) = load(site, rpi(transaction_id=77))
    run(site)
    with site.database.begin() as connection:
        assert waking.wake(connection, {f"trans:{work_of(site, packet).trans_rec_id}"}, NOW) == 1
    run(site)
    assert (status_of(site, packet), _looks(tmp_path)) == ("deferred", 1)
    assert work_of(site, packet).next_attempt_at == NOW + timedelta(minutes=10)


def test_a_packet_that_a_person_names_looks_at_once(make: MakeSite, tmp_path: Path) -> None:
    site = make(_rules(tmp_path, ", delay: 10m"))
    (packet,) = load(site, rpi())
    run(site)
    run(site, [packet])
    assert _looks(tmp_path) == 2
    assert "try 2 of 61" in reason_of(site, packet)


def test_named_with_others_it_looks_once_a_run(make: MakeSite, tmp_path: Path) -> None:
    other = "packet: request_project_reactivate\nrules: [{name: b, ignore: x}]\n"
    site = make({"a.yaml": _rules(tmp_path), "b.yaml": other})
    first, second = load(site, rpi(), rpr({"ProjectID": "P-2"}))
    run(site, [first, second])
    assert (status_of(site, first), status_of(site, second), _looks(tmp_path)) == ("deferred", "ignored", 1)


def test_what_was_done_before_is_not_done_again(make: MakeSite, tmp_path: Path) -> None:
    effect = f"      - {{name: effect, command: [sh, -c, 'echo once >> {tmp_path}/effects']}}\n"
    site = make(_rules(tmp_path, before=effect))
    (packet,) = load(site, rpi())
    for _ in range(3):
        _again(site)
    (tmp_path / "there").write_text("x")
    _again(site)
    assert status_of(site, packet) == "done"
    assert (tmp_path / "effects").read_text() == "once\n"


def test_while_it_waits_with_nothing_begun_others_of_its_project_go_on(make: MakeSite, tmp_path: Path) -> None:
    site = make(_rules(tmp_path))
    first, second = load(site, rpi(), rpi({"Comment": "c"}))
    run(site)
    assert {status_of(site, packet) for packet in (first, second)} == {"deferred"}


def test_once_begun_it_holds_up_the_later_packets_of_its_project(make: MakeSite, tmp_path: Path) -> None:
    site = make(_rules(tmp_path, before="      - {name: effect, command: 'true'}\n"))
    first, second = load(site, rpi(), rpi({"Comment": "c"}))
    run(site)
    assert (status_of(site, first), status_of(site, second)) == ("deferred", "waiting")


def test_a_transient_failure_is_no_try(make: MakeSite, tmp_path: Path) -> None:
    script = f"test -e {tmp_path}/slow && sleep 60; cat {tmp_path}/there"
    look = f"{{run: [sh, -c, '{script}'], read_only: true, ok: [0, 1], timeout: 1s}}"
    site = make(HEAD + f"      - {{name: look, command: {look}, register: seen, until: seen.rc == 0}}\n" + REPLY % "x")
    (packet,) = load(site, rpi())
    run(site)
    (tmp_path / "slow").touch()
    _again(site)
    assert status_of(site, packet) == "retrying"
    (tmp_path / "slow").unlink()
    _again(site)
    assert "try 2 of 61" in reason_of(site, packet)


def test_in_a_loop_each_item_waits_for_itself(make: MakeSite, tmp_path: Path) -> None:
    look = f"{{run: [cat, '{tmp_path}/{{{{ item }}}}'], read_only: true, ok: [0, 1]}}"
    action = f"{{name: look, for_each: \"['a', 'b']\", command: {look}, register: seen, until: seen.stdout == item}}"
    site = make(HEAD + f"      - {action}\n" + REPLY % "{% for one in seen %}{{ one.stdout }}{% endfor %}")
    (packet,) = load(site, rpi())
    run(site)
    assert "look[0]: waits" in reason_of(site, packet)
    (tmp_path / "a").write_text("a")
    _again(site)
    assert reason_of(site, packet) == "look[1]: waits until seen.stdout == item, try 1 of 61"
    (tmp_path / "b").write_text("b")
    _again(site)
    assert reply_to(site, packet).packet.body["Comment"] == "ab"


def test_a_row_of_the_registry_is_the_one_that_the_step_leaves(make: MakeSite) -> None:
    holds = "\"project.grant_number == 'G' and find_person(login='x') is not none\""
    action = f"{{name: p, project: {{project_id: P-XYZ259276, grant_number: G}}, until: {holds}}}"
    site = make(HEAD + f"      - {action}\n" + REPLY % "{{ project.grant_number }}")
    (packet,) = load(site, rpi())
    run(site)
    assert "waits until" in reason_of(site, packet)
    know(site, Person("k", person_id="8", logins=("x",)))
    _again(site)
    assert reply_to(site, packet).packet.body["Comment"] == "G"


def test_an_until_that_fails_parks(make: MakeSite) -> None:
    action = "{name: look, command: {run: 'true', read_only: true}, register: seen, until: seen.rcc == 0}"
    site = make(HEAD + f"      - {action}\n" + REPLY % "x")
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "parked"
    assert "rcc" in reason_of(site, packet)


def test_a_dry_run_shows_it_and_does_not_wait(make: MakeSite, tmp_path: Path) -> None:
    site = make(_rules(tmp_path, ", delay: 2h, retries: 5"))
    (packet,) = load(site, rpi())
    (report,) = plan(site)
    (step,) = report.steps
    assert (step.state, step.reason) == ("unknown", "read only; until seen.rc == 0: at most 5 times more, every 2h")
    assert report.decision.kind == "reply"
    assert steps_of(site, packet) == {}


def test_a_dry_run_in_between_changes_no_count(make: MakeSite, tmp_path: Path) -> None:
    site = make(_rules(tmp_path))
    (packet,) = load(site, rpi())
    run(site)
    plan(site)
    _again(site)
    assert "try 2 of 61" in reason_of(site, packet)
    assert steps_of(site, packet)["look"].state == "again"
