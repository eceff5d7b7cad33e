"""A packet that has begun: what a later pass takes from the journal, and what a changed rule does to it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from amierules.database.rows import Account, Person, Presence, Project
from amierules.engine.running import Runner
from amierules.engine.site import Site
from tests.support.sites import (
    ALPHA,
    SETTINGS,
    MakeSite,
    decision,
    know,
    load,
    plan,
    reason_of,
    registry,
    reply_to,
    rpi,
    run,
    set_clock,
    status_of,
    steps_of,
)

HEAD = "packet: request_project_inactivate\nrules:\n  - name: a\n    actions:\n"
REPLY = '    reply: {copy: [ProjectID, ResourceList], fields: {Comment: "%s"}}\n'
FAILS_ONCE = "      - {name: last, command: [test, -e, '%s/go']}\n"

Begun = Callable[..., tuple[Site, int]]


@pytest.fixture
def begun(make: MakeSite, tmp_path: Path) -> Begun:
    """A packet that is parked after its first actions; a file `go` lets its last one succeed."""

    def made(actions: str, comment: str = "x", *rows: Any, head: str = HEAD) -> tuple[Site, int]:
        site = make(head + actions + FAILS_ONCE % tmp_path + REPLY % comment)
        know(site, *rows)
        (packet,) = load(site, rpi())
        run(site)
        assert status_of(site, packet) == "parked", reason_of(site, packet)
        return site, packet

    return made


def _go(site: Site, packet: int, tmp_path: Path) -> str:
    """The reply's comment once the last action succeeds, or the status and reason."""
    (tmp_path / "go").touch()
    decision(site, packet, "retry")
    run(site)
    if status_of(site, packet) != "done":
        return f"{status_of(site, packet)}: {reason_of(site, packet)}"
    return str(reply_to(site, packet).packet.body["Comment"])


def _counter(tmp_path: Path) -> str:
    script = f"echo x >> {tmp_path}/count; wc -l < {tmp_path}/count"
    return f"      - {{name: count, command: [sh, -c, '{script}'], register: out}}\n"


def test_finished_actions_are_not_run_again_and_their_results_come_from_the_journal(
    begun: Begun, tmp_path: Path
) -> None:
    site, packet = begun(_counter(tmp_path), "{{ out.stdout | trim }}, {{ out.changed }}")
    assert _go(site, packet, tmp_path) == "1, true"
    assert (tmp_path / "count").read_text() == "x\n"
    assert [step.state for step in steps_of(site, packet).values()] == ["done", "done"]


def test_a_dry_run_shows_them_as_done(begun: Begun, tmp_path: Path) -> None:
    site, packet = begun(_counter(tmp_path), "{{ out.stdout }}")
    (report,) = plan(site, [packet])
    assert [(step.path, step.state) for step in report.steps] == [("count", "done"), ("last", "change")]
    assert report.decision.body is not None
    assert report.decision.body["Comment"] == "1"
    assert (tmp_path / "count").read_text() == "x\n"


def test_an_action_that_failed_and_was_passed_over_is_not_run_again(begun: Begun, tmp_path: Path) -> None:
    script = f"echo x >> {tmp_path}/count; exit 1"
    actions = f"      - {{name: c, on_error: continue, command: [sh, -c, '{script}'], register: out}}\n"
    site, packet = begun(actions, "{{ out.failed }}!")
    assert _go(site, packet, tmp_path) == "true!"
    assert (tmp_path / "count").read_text() == "x\n"


def test_a_read_only_command_is_not_asked_again(begun: Begun, tmp_path: Path) -> None:
    (tmp_path / "colour").write_text("blue")
    actions = f"      - {{name: c, command: {{run: [cat, '{tmp_path}/colour'], read_only: true}}, register: out}}\n"
    site, packet = begun(actions, "{{ out.stdout }}")
    (tmp_path / "colour").write_text("red")
    assert _go(site, packet, tmp_path) == "blue"


def test_the_list_of_a_loop_is_kept(begun: Begun, tmp_path: Path) -> None:
    actions = "      - {name: c, for_each: project.accounts, register: out, "
    actions += "command: {run: [echo, '{{ item.login }}'], read_only: true}}\n"
    rows = (
        *(Person(key, person_id=key, logins=(key,)) for key in ("a", "b")),
        Project("k", project_id="P-XYZ259276"),
        Account("a", "k", ALPHA, "a"),
    )
    site, packet = begun(actions, "{{ out | map(attribute='stdout') | join(' ') }}", *rows)
    know(site, Account("b", "k", ALPHA, "b"))
    assert _go(site, packet, tmp_path) == "a"


def test_registry_rows_of_finished_actions_are_staged_again(begun: Begun, tmp_path: Path) -> None:
    actions = "      - {name: p, project: {project_id: P-1, group: p-1, active: true}}\n"
    site, packet = begun(actions, "{{ project.gid }} {{ project.created }} {{ project.active }}")
    assert registry(site).find_project(project_id="P-1") is None
    assert _go(site, packet, tmp_path) == "30000 true true"
    project = registry(site).find_project(project_id="P-1")
    assert project is not None
    assert registry(site).presence(project.key, ALPHA) == Presence(project.key, ALPHA)


def test_now_stays_that_of_the_first_pass(begun: Begun, tmp_path: Path) -> None:
    site, packet = begun("", "{{ now() }} {{ today() }}")
    set_clock(site, later=timedelta(days=3))
    assert _go(site, packet, tmp_path) == "2026-03-01T12:00:00Z 2026-03-01"


def test_so_do_the_rows_that_it_saw(begun: Begun, tmp_path: Path) -> None:
    site, packet = begun("", "{{ project.title }}", Project("k", project_id="P-XYZ259276", title="old"))
    know(site, Project("k", project_id="P-XYZ259276", title="new"))
    assert _go(site, packet, tmp_path) == "old"
    project = registry(site).project("k")
    assert project is not None
    assert project.title == "new"


def test_so_do_the_settings_and_variables(begun: Begun, make: MakeSite, tmp_path: Path) -> None:
    head = "packet: request_project_inactivate\nvars: {v: '{{ site.dns }}'}\nrules:\n  - name: a\n    actions:\n"
    _, packet = begun("", "{{ v }} {{ site.dns }}", head=head)
    site = make(head + FAILS_ONCE % tmp_path + REPLY % "{{ v }} {{ site.dns }}", settings={**SETTINGS, "dns": "other"})
    assert _go(site, packet, tmp_path) == "none none"


def test_so_does_the_rule(begun: Begun, make: MakeSite, tmp_path: Path) -> None:
    _, packet = begun("", "first")
    earlier = "packet: request_project_inactivate\nrules:\n  - {name: z, ignore: x}\n  - name: a\n    actions:\n"
    site = make(earlier + FAILS_ONCE % tmp_path + REPLY % "still the first")
    assert _go(site, packet, tmp_path) == "still the first"


def test_a_rule_that_is_gone_holds_the_packet(begun: Begun, make: MakeSite, tmp_path: Path) -> None:
    _, packet = begun("")
    site = make("packet: request_project_inactivate\nrules: [{name: b, ignore: x}]\n")
    said = _go(site, packet, tmp_path)
    assert said.startswith("held: ")
    assert "'a'" in said


def test_a_finished_action_that_would_now_be_another_holds_the_packet_with_the_difference(
    begun: Begun, make: MakeSite, tmp_path: Path
) -> None:
    _, packet = begun("      - {name: c, command: [echo, one]}\n")
    site = make(HEAD + "      - {name: c, command: [echo, two]}\n" + FAILS_ONCE % tmp_path + REPLY % "x")
    said = _go(site, packet, tmp_path)
    assert said.startswith("held: c was done before its rule was changed")
    assert "(run: echo one, now echo two)" in said
    assert "put the rule back and `amierules retry`" in said


@pytest.mark.parametrize(
    "action", ["{name: c, description: why, command: [echo, one]}", "{name: c, command: 'echo {{ \"one\" }}'}"]
)
def test_a_rule_that_is_only_written_otherwise_is_the_same(
    begun: Begun, make: MakeSite, tmp_path: Path, action: str
) -> None:
    _, packet = begun("      - {name: c, command: [echo, one]}\n")
    site = make(HEAD + f"      - {action}\n" + FAILS_ONCE % tmp_path + REPLY % "x")
    assert _go(site, packet, tmp_path) == "x"


def test_an_action_that_is_added_is_done(begun: Begun, make: MakeSite, tmp_path: Path) -> None:
    _, packet = begun("")
    site = make(HEAD + _counter(tmp_path) + FAILS_ONCE % tmp_path + REPLY % "{{ out.rc }}!")
    assert _go(site, packet, tmp_path) == "0!"


# ------------------------------------------------------------------ internal errors


def _failing_kind(site: Site, kind: str, what: str) -> Site:
    """The site with a kind that has a bug: it fails where the packet's ProjectID is B."""
    sound = site.kinds[kind]

    def fails(params: Any, *rest: Any) -> Any:
        if "B" in str(params):
            raise RuntimeError("a bug\x1b[31m")
        return getattr(sound, what)(params, *rest)

    parts = {name: getattr(sound, name) for name in ("doubt", "target", "probe", "plan", "apply")}
    broken: Any = SimpleNamespace(**{**parts, what: fails})
    return replace(site, kinds={**site.kinds, kind: broken})


@pytest.mark.parametrize(
    ("what", "status"), [("probe", "parked"), ("plan", "parked"), ("apply", "in_doubt"), ("doubt", "parked")]
)
def test_an_internal_error_ends_its_own_packet_alone(make: MakeSite, what: str, status: str) -> None:
    rules = HEAD + "      - {name: c, command: [echo, '{{ packet.ProjectID }}']}\n" + REPLY % "x"
    site = _failing_kind(make(rules), "command", what)
    ids = load(site, *(rpi({"ProjectID": name}) for name in "ABC"))
    handled = {one.report.packet_rec_id: one for one in Runner(site).run()}
    assert [status_of(site, packet) for packet in ids] == ["done", status, "done"]
    assert "internal error" in reason_of(site, ids[1])
    assert "\x1b" not in reason_of(site, ids[1])
    assert handled[ids[1]].report.crash is not None
