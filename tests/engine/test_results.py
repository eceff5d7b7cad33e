"""What `register` gets of skipped, failed and looped actions and blocks; on a later pass as on the first."""

from pathlib import Path

import pytest

from amierules.engine.site import Site
from tests.support.sites import MakeSite, decision, load, plan, reason_of, reply_to, rpi, run, status_of

BLOCK = """
block: look
description: Looks at a word, and fails at b.
params: {word: {description: what to look at}}
actions:
  - {name: say, command: {run: [printf, "%s", "{{ word }}"], read_only: true}, register: said}
  - {name: mind, when: word == 'b', command: {run: [sh, -c, "echo no b >&2; exit 1"], read_only: true}}
  - {name: never, when: word == 'z', command: {run: ['false'], read_only: true}, register: nothing}
"""
WORDS = "['a', 'b', 'c']"
LOOK = 'use: look, with: {word: "{{ item }}"}, for_each: "WORDS"'.replace("WORDS", WORDS)
SHOWN = "{% for one in out %}[{{ 'none' if one is none else one.said.stdout }}]{% endfor %}"


def _site(make: MakeSite, actions: list[str], comment: str) -> tuple[Site, int]:
    rule = "packet: request_project_inactivate\nrules:\n  - name: a\n    actions:\n"
    rule += "".join(f"      - {{{line}}}\n" for line in actions)
    rule += f'    reply: {{copy: [ProjectID, ResourceList], fields: {{Comment: "{comment}"}}}}\n'
    site = make({"a.yaml": rule, "blocks/look.yaml": BLOCK, "blocks/outer.yaml": NESTED})
    (packet,) = load(site, rpi())
    run(site)
    return site, packet


def _comment(site: Site, packet: int) -> str:
    assert status_of(site, packet) == "done", reason_of(site, packet)
    return str(reply_to(site, packet).packet.body.get("Comment"))


MAYBE = "command: [sh, -c, 'test $0 != b && echo $0 || { echo no $0 >&2; exit 4; }', '{{ item }}']"
EACH = WORDS.replace("'", "''")
NESTED = """
block: outer
description: Looks twice.
params: {word: {description: what to look at}}
actions:
  - {name: inner, use: look, with: {word: "{{ word }}"}, register: first}
  - {name: weak, use: look, with: {word: b}, on_error: continue, register: second}
  - {name: skipped, use: look, with: {word: c}, when: word == 'z', register: third}
"""

CASES = [
    # An action with an effect, without a block.
    ("name: x, register: out, when: packet.Comment is not none, command: [id]", "is {{ out is none }}", "is true"),
    (
        "name: x, register: out, on_error: continue, command: [sh, -c, 'echo why >&2; exit 4']",
        "{{ out.failed }} {{ out.error }}",
        "true sh ended with status 4: why",
    ),
    ("name: x, register: out, on_error: continue, command: [no-such-program]", "{{ out.failed }}!", "true!"),
    (
        "name: x, register: out, command: {run: [sh, -c, exit 4], ok: [0, 4]}",
        "{{ out.rc }} {{ out.changed }}",
        "4 true",
    ),
    (
        "name: x, register: out, command: {run: [id], unless: {run: ['true']}}",
        "{{ out.rc }} {{ out.changed }}",
        "0 false",
    ),
    # A loop: one result an item, in its order; what is skipped or failed has its place.
    (f"name: x, register: out, for_each: '[]', {MAYBE}", "{{ out | length }}!", "0!"),
    (
        f'name: x, register: out, for_each: "{WORDS}", on_error: continue, {MAYBE}',
        "{% for one in out %}[{{ one.stdout if 'stdout' in one else one.error[-4:] }}]{% endfor %}",
        "[a][no b][c]",
    ),
    (
        f"name: x, register: out, for_each: \"{WORDS}\", when: item != 'b', {MAYBE}",
        "{% for one in out %}[{{ 'none' if one is none else one.stdout }}]{% endfor %}",
        "[a][none][c]",
    ),
    (
        f'name: x, register: out, for_each: "{WORDS}", when: item is none, {MAYBE}',
        "{{ out | select | list | length }}!",
        "0!",
    ),
    # A block in a block: what each registered, under its own name.
    (
        "name: x, register: out, use: outer, with: {word: a}",
        "{{ out.first.said.stdout }} {{ out.second.failed }} {{ out.third is none }}",
        "a true true",
    ),
    (
        f"name: x, register: out, use: outer, for_each: '{EACH}', with: {{word: '{{{{ item }}}}'}}, on_error: continue",
        "{% for one in out %}[{{ one.first.said.stdout if 'first' in one else one.failed }}]{% endfor %}",
        "[a][true][c]",
    ),
    # A block yields what it registered, a result it did not come to being none.
    (f"name: x, register: out, {LOOK}, when: item != 'b'", SHOWN, "[a][none][c]"),
    (
        "name: x, register: out, use: look, with: {word: z}, when: packet.Comment is not none",
        "is {{ out is none }}",
        "is true",
    ),
    ("name: x, register: out, use: look, with: {word: c}", "{{ out.said.stdout }} {{ out.nothing is none }}", "c true"),
    # One that failed and was passed over says why, in its place.
    (f"name: x, register: out, {LOOK}, on_error: continue", "{{ out | map('length') | join(',') }}", "2,2,2"),
    (
        f"name: x, register: out, {LOOK}, on_error: continue",
        "{{ out[1].failed }} {{ 'no b' in out[1].error }}",
        "true true",
    ),
    ("name: x, register: out, use: look, with: {word: b}, on_error: continue", "is {{ out.failed }}", "is true"),
    # Loops over results.
    (
        f"name: x, register: out, {LOOK}, when: item != 'b'",
        "{{ out | select | map(attribute='said.stdout') | join('+') }}",
        "a+c",
    ),
]


@pytest.mark.parametrize(("action", "comment", "said"), CASES)
def test_what_is_registered(make: MakeSite, action: str, comment: str, said: str) -> None:
    assert _comment(*_site(make, [action], comment)) == said


@pytest.mark.parametrize(("action", "comment", "said"), CASES)
def test_a_later_pass_has_the_same(make: MakeSite, tmp_path: Path, action: str, comment: str, said: str) -> None:
    last = f"name: last, command: [test, -e, '{tmp_path}/go']"
    site, packet = _site(make, [action, last], comment)
    assert status_of(site, packet) == "parked"
    (tmp_path / "go").touch()
    decision(site, packet, "retry")
    (report,) = plan(site, [packet])
    body = report.decision.body
    assert body is not None
    run(site)
    assert _comment(site, packet) == said == str(body["Comment"])


def test_results_of_a_loop_are_looped_over(make: MakeSite) -> None:
    actions = [
        f"name: x, register: out, {LOOK}, when: item != 'b'",
        "name: y, register: more, for_each: out | select | list, "
        "command: {run: [printf, '%s!', '{{ item.said.stdout }}'], read_only: true}",
    ]
    assert _comment(*_site(make, actions, "{{ more | map(attribute='stdout') | join }}")) == "a!c!"


def test_using_the_result_of_a_skipped_action_parks_and_says_so(make: MakeSite) -> None:
    skipped = "name: x, register: out, when: packet.Comment is not none, command: [id]"
    site, packet = _site(make, [skipped, "name: y, command: [echo, '{{ out.stdout }}']"], "x")
    assert status_of(site, packet) == "parked"
    assert "a.yaml" in reason_of(site, packet)
    assert "stdout" in reason_of(site, packet)


def test_so_does_what_a_failed_one_lacks(make: MakeSite) -> None:
    failed = "name: x, register: out, on_error: continue, command: {run: ['false'], read_only: true}"
    site, packet = _site(make, [failed, "name: y, command: [echo, '{{ out.stdout }}']"], "x")
    assert status_of(site, packet) == "parked"
    assert "stdout" in reason_of(site, packet)


def test_the_first_failed_item_ends_a_loop(make: MakeSite, tmp_path: Path) -> None:
    script = f"echo $0 >> {tmp_path}/log; test $0 != b"
    loop = f"name: x, register: out, for_each: \"{WORDS}\", command: [sh, -c, '{script}', '%s']"
    site, packet = _site(make, [loop % "{{ item }}"], "x")
    assert status_of(site, packet) == "parked"
    assert reason_of(site, packet).startswith("x[1]: sh ended with status 1")
    assert (tmp_path / "log").read_text() == "a\nb\n"


def test_each_round_of_a_loop_sees_the_rows_as_they_were(make: MakeSite) -> None:
    """A row's name is the row that an action leaves, but not out of a loop."""
    rows = "name: x, for_each: \"['P-1', 'P-2']\", project: {project_id: '{{ item }}', title: '{{ item }}'}"
    assert _comment(*_site(make, [rows], "is {{ project is none }}")) == "is true"


def test_the_row_that_an_action_leaves_is_the_name_in_scope_also_on_a_later_pass(
    make: MakeSite, tmp_path: Path
) -> None:
    row = "name: x, project: {project_id: P-1, title: new}"
    last = f"name: last, command: [test, -e, '{tmp_path}/go']"
    site, packet = _site(make, [row, "name: y, command: [id]", last], "{{ project.title }} {{ project.created }}")
    (tmp_path / "go").touch()
    decision(site, packet, "retry")
    run(site)
    assert _comment(site, packet) == "new true"
