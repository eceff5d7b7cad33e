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
    site = make({"a.yaml": rule, "blocks/look.yaml": BLOCK})
    (packet,) = load(site, rpi())
    run(site)
    return site, packet


def _comment(site: Site, packet: int) -> str:
    assert status_of(site, packet) == "done", reason_of(site, packet)
    return str(reply_to(site, packet).packet.body.get("Comment"))


CASES = [
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
