"""Actions: conditions, results, loops, and what becomes of a packet whose action fails."""

from pathlib import Path

import pytest

from tests.support.sites import MakeSite, load, reason_of, replies_to, reply_to, rpi, run, status_of, steps_of

HEAD = "packet: request_project_inactivate\nrules:\n  - name: a\n    actions:\n"
REPLY = '    reply: {copy: [ProjectID, ResourceList], fields: {Comment: "%s"}}\n'


def _run(make: MakeSite, actions: str, comment: str = "x") -> str:
    """The comment of the reply, or the status and reason where there is none."""
    site = make(HEAD + "".join(f"      - {line}\n" for line in actions.strip().splitlines()) + REPLY % comment)
    (packet,) = load(site, rpi())
    run(site)
    if status_of(site, packet) != "done":
        return f"{status_of(site, packet)}: {reason_of(site, packet)}"
    return str(reply_to(site, packet).packet.body.get("Comment"))


def test_a_result_is_registered(make: MakeSite) -> None:
    actions = "{name: one, command: {run: printf hello, read_only: true}, register: out}"
    assert _run(make, actions, "{{ out.rc }} {{ out.stdout }} {{ out.changed }}") == "0 hello false"


def test_a_skipped_action_registers_none(make: MakeSite) -> None:
    actions = "{name: one, when: packet.Comment is not none, command: {run: printf hello}, register: out}"
    assert _run(make, actions, "none: {{ out is none }}") == "none: true"


def test_a_condition_sees_what_was_registered_before(make: MakeSite) -> None:
    actions = """
{name: one, command: {run: 'sh -c "exit 3"', read_only: true, ok: [0, 3]}, register: first}
{name: two, when: first.rc == 0, command: {run: 'false', read_only: true}}
{name: three, when: [first is not none, first.rc == 3], command: {run: printf yes, read_only: true}, register: last}
"""
    assert _run(make, actions, "{{ last.stdout }}") == "yes"


def test_a_loop_registers_one_result_an_item_in_order(make: MakeSite) -> None:
    actions = "{name: one, for_each: \"['a', 'b', 'c']\", when: item != 'b', "
    actions += "command: {run: ['printf', '%s', '{{ item }}'], read_only: true}, register: out}"
    shown = "{% for one in out %}{{ one.stdout if one is not none else '-' }}{% endfor %}"
    assert _run(make, actions, shown) == "a-c"


def test_a_loop_over_nothing_registers_an_empty_list(make: MakeSite) -> None:
    actions = "{name: one, for_each: '[]', command: {run: 'false'}, register: out}"
    assert _run(make, actions, "{{ out | length }}") == "0"


def test_a_loop_over_something_else_parks(make: MakeSite) -> None:
    assert "must yield a list" in _run(make, "{name: one, for_each: packet.ProjectID, command: 'false'}")


def test_the_journal_has_a_loop_and_each_of_its_rounds(make: MakeSite) -> None:
    loop = (
        "      - {name: one, for_each: \"[1, 2]\", command: {run: ['printf', '{{ item }}'], unless: {run: 'false'}}}\n"
    )
    site = make(HEAD + loop + REPLY % "x")
    (packet,) = load(site, rpi())
    run(site)
    assert [*steps_of(site, packet)] == ["one", "one[0]", "one[1]"]


def test_a_failed_item_ends_the_loop(make: MakeSite, tmp_path: Path) -> None:
    script = f'test "$0" != b && echo "$0" >> {tmp_path}/seen'
    actions = (
        f"{{name: one, for_each: \"['a', 'b', 'c']\", command: {{run: ['sh', '-c', '{script}', '{{{{ item }}}}']}}}}"
    )
    assert _run(make, actions).startswith("parked: one[1]: ")
    assert (tmp_path / "seen").read_text() == "a\n"


def test_under_continue_a_loop_goes_on(make: MakeSite, tmp_path: Path) -> None:
    script = f'test "$0" != b && echo "$0" >> {tmp_path}/seen'
    actions = "{name: one, for_each: \"['a', 'b', 'c']\", on_error: continue, register: out, "
    actions += f"command: {{run: ['sh', '-c', '{script}', '{{{{ item }}}}']}}}}"
    shown = "{% for one in out %}{{ 'f' if 'failed' in one else 'd' }}{% endfor %}"
    assert _run(make, actions, shown) == "dfd"
    assert (tmp_path / "seen").read_text() == "a\nc\n"


FAILS = "{name: one, on_error: %s, command: {run: 'sh -c \"echo broken >&2; exit 4\"'}, register: out}"


@pytest.mark.parametrize(("on_error", "status"), [("park", "parked"), ("hold", "held"), ("fail", "failed")])
def test_what_on_error_makes_of_the_packet(make: MakeSite, on_error: str, status: str) -> None:
    said = _run(make, FAILS % on_error)
    assert said.startswith(f"{status}: one: ")
    assert "broken" in said


def test_park_is_what_on_error_is_by_default(make: MakeSite) -> None:
    assert _run(make, (FAILS % "x").replace("on_error: x, ", "")).startswith("parked: one: ")


def test_under_continue_the_failure_is_registered(make: MakeSite) -> None:
    said = _run(make, FAILS % "continue", "{{ out.failed }}: {{ out.error }}")
    assert said.startswith("true: ")
    assert "broken" in said


def test_on_error_fail_answers_with_the_reason(make: MakeSite) -> None:
    site = make(HEAD + f"      - {FAILS % 'fail'}\n" + REPLY % "x")
    (packet,) = load(site, rpi())
    run(site)
    body = reply_to(site, packet).packet.body
    assert (body["StatusCode"], body["DetailCode"]) == ("Failure", "2")
    assert "broken" in str(body["Message"])


def test_a_failure_in_a_template_is_covered_too(make: MakeSite) -> None:
    actions = "{name: one, on_error: continue, command: ['echo', '{{ packet.Comment }}'], register: out}"
    assert "rules.yaml" in _run(make, actions, "{{ out.error }}")


def test_what_came_before_a_failure_is_not_answered(make: MakeSite) -> None:
    site = make(HEAD + "      - {name: p, project: {project_id: P-1}}\n" + f"      - {FAILS % 'park'}\n" + REPLY % "x")
    (packet,) = load(site, rpi())
    run(site)
    assert replies_to(site, packet) == []


@pytest.mark.parametrize("key", ["", "timeout: 1s, "])
def test_a_command_that_takes_too_long_is_ended(make: MakeSite, key: str) -> None:
    own = "timeout: 1s" if not key else "timeout: 5m"
    said = _run(make, f"{{name: one, {key}command: {{run: sleep 60, {own}, unless: {{run: 'false'}}}}}}")
    assert said.startswith("retrying: one: sleep took too long")


@pytest.mark.parametrize(
    ("beside", "within", "own"), [("1s", "", ""), ("5m", "timeout: 1s, ", ""), ("1s", "timeout: 5m, ", "timeout: 5m, ")]
)
def test_a_timeout_beside_a_block_bounds_each_of_its_actions(
    make: MakeSite, beside: str, within: str, own: str
) -> None:
    slow = f"{{name: two, {own}command: {{run: sleep 60, unless: {{run: 'false'}}}}}}"
    site = make(
        {
            "a.yaml": HEAD + f"      - {{name: one, timeout: {beside}, use: outer}}\n" + REPLY % "x",
            "blocks/outer.yaml": f"block: outer\nparams: {{}}\nactions: [{{name: in, {within}use: inner}}]\n",
            "blocks/inner.yaml": f"block: inner\nparams: {{}}\nactions: [{slow}]\n",
        }
    )
    (packet,) = load(site, rpi())
    run(site)
    assert (status_of(site, packet), reason_of(site, packet)) == (
        "retrying",
        "one/in/two: sleep took too long and was ended",
    )


def test_a_command_without_guard_that_takes_too_long_is_in_doubt(make: MakeSite) -> None:
    assert _run(make, "{name: one, timeout: 1s, on_error: continue, command: sleep 60}").startswith("in_doubt: one: ")


def test_a_registered_condition_is_tested_before_an_assert_says_no(make: MakeSite, tmp_path: Path) -> None:
    actions = f"""
{{name: one, command: 'touch {tmp_path}/touched'}}
{{name: two, assert: {{that: packet.Comment is not none, message: no comment}}}}
"""
    assert _run(make, actions) == "parked: no comment"
    assert not (tmp_path / "touched").exists()


def test_an_assert_that_needs_a_registered_value_is_asked_in_its_place(make: MakeSite, tmp_path: Path) -> None:
    actions = f"""
{{name: one, command: 'touch {tmp_path}/touched', register: out}}
{{name: two, assert: {{that: out.rc == 1, message: 'rc is {{{{ out.rc }}}}'}}}}
"""
    assert _run(make, actions) == "parked: rc is 0"
    assert (tmp_path / "touched").exists()


def test_an_assert_in_a_later_block_is_asked_before_the_first_effect_too(make: MakeSite, tmp_path: Path) -> None:
    block = "block: b\nparams: {}\nactions: [{name: two, assert: {that: 'false', message: never}}]\n"
    rules = HEAD + f"      - {{name: one, command: 'touch {tmp_path}/touched'}}\n      - {{name: b, use: b}}\n"
    site = make({"a.yaml": rules + REPLY % "x", "blocks/b.yaml": block})
    (packet,) = load(site, rpi())
    run(site)
    assert (status_of(site, packet), reason_of(site, packet)) == ("parked", "never")
    assert not (tmp_path / "touched").exists()
