"""A rulebook or settings that change while a packet is under way: it stays with what it saw, or a person is asked."""

from collections.abc import Callable
from pathlib import Path

import pytest

from amierules.diagnostics import NotAllowed
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
    status_of,
    steps_of,
    work_of,
)

HEAD = "packet: request_project_inactivate\nrules:\n  - name: a\n    actions:\n"
REPLY = '    reply: {copy: [ProjectID, ResourceList], fields: {Comment: "%s"}}\n'
ECHO = "      - {name: %s, command: [echo, %s], register: %s}\n"
BLOCK = """
block: b
params: {word: {default: %s}}
vars: {said: "{{ word }} %s"}
actions:
  - {name: say, command: [echo, "{{ said }}", %s]}
"""

Begun = Callable[..., tuple[Site, int]]
Changed = Callable[..., str]


@pytest.fixture
def last(tmp_path: Path) -> str:
    """An action that fails until there is a file `go`."""
    return f"      - {{name: last, command: [test, -e, '{tmp_path}/go']}}\n"


@pytest.fixture
def begun(make: MakeSite, last: str) -> Begun:
    """A packet that is parked after its first actions."""

    def made(actions: str, comment: str = "x", *, head: str = HEAD, block: str | None = None) -> tuple[Site, int]:
        site = make(_files(head + actions + last + REPLY % comment, block))
        (packet,) = load(site, rpi())
        run(site)
        assert status_of(site, packet) == "parked", reason_of(site, packet)
        return site, packet

    return made


@pytest.fixture
def changed(make: MakeSite, last: str, tmp_path: Path) -> Changed:
    """What becomes of the packet once its rule is another one and its last action succeeds: the reply's comment, or
    its status and reason. A dry run before comes to the same."""

    def after(packet: int, actions: str, comment: str = "x", *, head: str = HEAD, block: str | None = None) -> str:
        (tmp_path / "go").touch()
        site = make(_files(head + actions + last + REPLY % comment, block))
        decision(site, packet, "retry")
        (report,) = plan(site, [packet])
        run(site)
        status = status_of(site, packet)
        assert {"done": "reply", "held": "hold", "in_doubt": "doubt", "parked": "park"}[status] == report.decision.kind
        if status == "done":
            return str(reply_to(site, packet).packet.body["Comment"])
        return f"{status}: {reason_of(site, packet)}"

    return after


def _files(rules: str, block: str | None) -> dict[str, str]:
    return {"a.yaml": rules, **({"blocks/b.yaml": block} if block else {})}


def _noticed(site: Site, packet: int) -> list[str]:
    return [event.why for event in events_of(site, packet) if event.what == "noticed"]


# ------------------------------------------------------------------ the difference


def test_the_difference_is_told_by_parameter(begun: Begun, changed: Changed) -> None:
    done = "      - {name: c, command: {run: [sh, -c, 'true'], env: {A: one, B: two}, cwd: /}}\n"
    asked = "      - {name: c, command: {run: [sh, -c, 'true'], env: {A: one, B: new}, stdin: text}}\n"
    _, packet = begun(done)
    said = changed(packet, asked)
    assert said.startswith("held: c was done before its rule was changed (")
    assert "env: A one, B two, now A one, B new" in said
    assert "cwd: /, now nothing" in said
    assert "stdin: nothing, now text" in said
    assert "run:" not in said
    assert "`amierules retry --from-start`" in said


def test_another_kind_is_a_change(begun: Begun, changed: Changed) -> None:
    _, packet = begun("      - {name: c, project: {title: x}}\n" + ECHO % ("d", "x", "out"))
    assert "it was a project, now a command" in changed(packet, ECHO % ("c", "x", "out"))


def test_a_list_that_changes_under_way_holds_the_packet(begun: Begun, changed: Changed) -> None:
    loop = "      - {name: c, for_each: \"['a', '%s']\", command: [echo, '{{ item }}']}\n"
    _, packet = begun(loop % "b")
    assert "c has begun before its list was changed (it was a b, now a c)" in changed(packet, loop % "c")


def test_a_list_that_is_only_written_otherwise_is_the_same(begun: Begun, changed: Changed) -> None:
    loop = "      - {name: c, for_each: \"%s\", command: [echo, '{{ item }}']}\n"
    _, packet = begun(loop % "['a', 'b']")
    assert changed(packet, loop % "['a'] + ['b']") == "x"


# ------------------------------------------------------------------ blocks


def test_a_block_that_is_edited_under_way_holds_the_packet(begun: Begun, changed: Changed) -> None:
    use = "      - {name: u, use: b}\n"
    _, packet = begun(use, block=BLOCK % ("one", "and", "x"))
    said = changed(packet, use, block=BLOCK % ("one", "and", "y"))
    assert said.startswith("held: u/say was done before its rule was changed (run: echo one and x, now echo one and y)")


@pytest.mark.parametrize("block", [BLOCK % ("two", "and", "x"), BLOCK % ("one", "or", "x")])
def test_so_do_its_defaults_and_variables(begun: Begun, changed: Changed, block: str) -> None:
    use = "      - {name: u, use: b}\n"
    _, packet = begun(use, block=BLOCK % ("one", "and", "x"))
    assert changed(packet, use, block=block).startswith("held: u/say was done before its rule was changed")


def test_so_do_the_parameters_that_it_is_given(begun: Begun, changed: Changed) -> None:
    use = "      - {name: u, use: b, with: {word: %s}}\n"
    block = BLOCK % ("one", "and", "x")
    _, packet = begun(use % "one", block=block)
    assert "echo one and x, now echo two and x" in changed(packet, use % "two", block=block)


def test_a_block_that_is_only_written_otherwise_is_the_same(begun: Begun, changed: Changed) -> None:
    use = "      - {name: u, use: b, with: {word: %s}}\n"
    block = BLOCK % ("one", "and", "x")
    _, packet = begun(use % "one", block=block)
    assert changed(packet, use % "\"{{ 'one' }}\"", block=block.replace(' and"', " {{ 'and' }}\"")) == "x"


def test_a_block_that_is_gone_parks_the_packet(begun: Begun, changed: Changed, make: MakeSite, last: str) -> None:
    site, packet = begun("      - {name: u, use: b}\n", block=BLOCK % ("one", "and", "x"))
    broken = {"a.yaml": HEAD + "      - {name: u, use: c}\n" + last + REPLY % "x"}
    site = make(broken, may_be_broken=True)
    decision(site, packet, "retry")
    run(site)
    assert (status_of(site, packet), "c" in reason_of(site, packet)) == ("parked", True)
    assert [*steps_of(site, packet)] == ["u/say", "last"]


# ------------------------------------------------------------------ steps that come, go, and are renamed


def test_a_step_that_is_removed_is_noticed(begun: Begun, changed: Changed) -> None:
    site, packet = begun(ECHO % ("c", "one", "out"))
    assert changed(packet, "") == "x"
    assert _noticed(site, packet) == ["c was done, and its changed rule does no such step: run echo one"]


def test_so_is_one_that_is_skipped_now(begun: Begun, changed: Changed) -> None:
    site, packet = begun("      - {name: c, command: [echo, one]}\n")
    assert changed(packet, "      - {name: c, when: 1 == 2, command: [echo, one]}\n") == "x"
    assert len(_noticed(site, packet)) == 1


def test_a_row_of_a_step_that_is_removed_is_not_written_and_not_noticed(begun: Begun, changed: Changed) -> None:
    site, packet = begun("      - {name: c, project: {title: x, project_id: P-1}}\n" + ECHO % ("d", "x", "out"))
    assert changed(packet, ECHO % ("d", "x", "out")) == "x"
    assert _noticed(site, packet) == []


def test_a_step_that_is_added_before_finished_ones_is_done(begun: Begun, changed: Changed) -> None:
    site, packet = begun(ECHO % ("c", "one", "out"))
    actions = ECHO % ("new", "zero", "first") + ECHO % ("c", "one", "out")
    assert changed(packet, actions, "{{ first.stdout }} {{ out.stdout }}") == "zero one"
    assert steps_of(site, packet)["new"].position > steps_of(site, packet)["c"].position


def test_a_step_that_is_renamed_is_not_done_again(begun: Begun, changed: Changed, tmp_path: Path) -> None:
    step = "      - {name: %s, command: [sh, -c, 'echo x >> " + str(tmp_path) + "/log']}\n"
    _, packet = begun(step % "c")
    said = changed(packet, step % "d")
    assert said.startswith("held: c has done what d is to do, and its rule has no c any more")
    assert (tmp_path / "log").read_text() == "x\n"


def test_a_step_in_doubt_that_is_removed_stays_in_doubt(begun: Begun, make: MakeSite, last: str) -> None:
    slow = "      - {name: slow, command: [sleep, '5'], timeout: 1s}\n"
    site = make(HEAD + slow + last + REPLY % "x")
    (packet,) = load(site, rpi())

    class Killed(BaseException):
        pass

    def die(point: str) -> None:
        if point == "after intent":
            raise Killed

    with pytest.raises(Killed):
        run(site, crash_point=die)
    site = make(HEAD + "      - {name: other, command: ['true']}\n" + REPLY % "x")
    run(site)
    assert status_of(site, packet) == "in_doubt"
    assert reason_of(site, packet).startswith("slow: it was begun, nobody recorded how it ended")
    assert f'`amierules resolve {packet} "slow" --done|--redo`' in reason_of(site, packet)


# ------------------------------------------------------------------ rules and values


@pytest.mark.parametrize("name", ["b", "A"])
def test_a_rule_that_is_renamed_holds_the_packet(begun: Begun, changed: Changed, name: str) -> None:
    _, packet = begun(ECHO % ("c", "one", "out"))
    said = changed(packet, ECHO % ("c", "one", "out"), head=HEAD.replace("name: a", f"name: {name}"))
    assert said.startswith("held: its actions have begun by the rule 'a', which is no longer there; put the rule back")


def test_a_rule_that_only_holds_now_is_not_approved(begun: Begun, make: MakeSite) -> None:
    _, packet = begun(ECHO % ("c", "x", "out"))
    head = "packet: request_project_inactivate\nrules:\n"
    holds = "  - {name: a, when: packet.Comment is none, hold: really}\n  - {name: b, ignore: x}\n"
    site = make({"a.yaml": head + holds})
    decision(site, packet, "retry")
    run(site)
    assert status_of(site, packet) == "held"
    assert "its actions have begun by the rule 'a', which only holds packets now; put the rule back" in reason_of(
        site, packet
    )
    with pytest.raises(NotAllowed, match="there is nothing to approve"):
        decision(site, packet, "approve")


def test_variables_that_only_later_steps_asked_for_are_kept_too(begun: Begun, changed: Changed) -> None:
    head = HEAD.replace("rules:", "vars: {early: one, late: two}\nrules:")
    actions = ECHO % ("c", '"{{ early }}"', "out") + ECHO % ("d", '"{{ late }}"', "other")
    _, packet = begun(actions, head=head)
    new = head.replace("one", "three").replace("two", "four")
    assert changed(packet, actions, "{{ early }} {{ late }} {{ other.stdout }}", head=new) == "one two two"


def test_what_the_rule_saw_is_in_the_journal_from_the_first_intent(begun: Begun) -> None:
    site, packet = begun(ECHO % ("c", "one", "out"))
    pinned = work_of(site, packet).pinned
    assert pinned["rule"] == "a"
    assert set(pinned) == {"rule", "now", "site", "rows", "vars", "approval"}
    assert set(pinned["rows"]) == {"person", "project", "allocation", "account"}
