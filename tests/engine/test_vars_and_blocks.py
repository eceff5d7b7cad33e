"""`vars` and blocks: what is evaluated when, and who sees what."""

import pytest

from amierules.database.rows import Presence, Project
from tests.support.sites import (
    ALPHA,
    MakeSite,
    know,
    load,
    reason_of,
    registry,
    reply_to,
    rpi,
    run,
    status_of,
    steps_of,
)

REPLY = '    reply: {copy: [ProjectID, ResourceList], fields: {Comment: "%s"}}\n'
KNOWN = (Project("k", project_id="P-XYZ259276", grant_number="XYZ259276"), Presence("k", ALPHA, active=False))


def _comment(make: MakeSite, rules: str | dict[str, str], *, known: bool = False) -> str:
    """The comment that the rule's reply carries."""
    site = make(rules)
    if known:
        know(site, *KNOWN)
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "done", reason_of(site, packet)
    return str(reply_to(site, packet).packet.body["Comment"])


def test_a_variable_that_nothing_uses_is_never_evaluated(make: MakeSite) -> None:
    text = "packet: request_project_inactivate\nvars: {bad: '{{ 1 // 0 }}', good: fine}\nrules:\n  - name: a\n"
    assert _comment(make, text + REPLY % "{{ good }}") == "fine"


def test_a_condition_that_stops_early_does_not_reach_a_variable(make: MakeSite) -> None:
    text = "packet: request_project_inactivate\nvars: {bad: '{{ 1 // 0 }}'}\nrules:\n"
    text += "  - name: a\n    when: [project is not none, bad]\n    ignore: x\n  - name: b\n"
    assert _comment(make, text + REPLY % "went on") == "went on"


def test_variables_may_use_each_other_in_any_order(make: MakeSite) -> None:
    text = "packet: request_project_inactivate\nvars: {a: '{{ b ~ 1 }}', b: '{{ c ~ 2 }}', c: x}\nrules:\n  - name: a\n"
    assert _comment(make, text + REPLY % "{{ a }}") == "x21"


def test_variables_in_a_circle_are_refused_by_the_loader(make: MakeSite) -> None:
    text = "packet: request_project_inactivate\nvars: {a: '{{ b }}', b: '{{ a }}'}\n"
    text += "rules: [{name: a, ignore: '{{ a }}'}]\n"
    site = make(text, may_be_broken=True)
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "parked"


@pytest.mark.parametrize(
    "variable",
    [
        "{{ project.active }}",
        "{{ find_person(person_id='20000') is not none }}",
        "{{ project.title == 'new' }}",
        "{{ person is not none }}",
    ],
)
def test_a_variable_sees_the_names_as_they_stood_on_entry(make: MakeSite, variable: str) -> None:
    """It is used for the first time after the actions have changed what it looks at."""
    text = f"""
packet: request_project_inactivate
vars: {{was: "{variable}"}}
rules:
  - name: a
    actions:
      - name: one
        project: {{active: true, title: new}}
      - name: two
        person: {{attributes: {{LastName: Sample}}, person_id: "20000"}}
"""
    assert _comment(make, text + REPLY % "{{ was }} {{ project.active }}", known=True) == "false true"


def test_a_variable_is_evaluated_once(make: MakeSite) -> None:
    """Its value at the first use stays, though the second use stands after a change."""
    text = """
packet: request_project_inactivate
vars: {was: "{{ project.active }}"}
rules:
  - name: a
    actions:
      - {name: look, assert: {that: not was, message: active}}
      - {name: one, project: {active: true}}
"""
    assert _comment(make, text + REPLY % "was {{ was }}", known=True) == "was false"


BLOCK = """
block: greet
params:
  who: {description: whom}
  word: {description: how, default: "{{ 'hello ' ~ packet.ProjectID }}"}
vars: {text: "{{ word }} {{ who }}"}
actions:
  - {name: inner, command: {run: [printf, "%s", "{{ text }}"], read_only: true}, register: out}
  - {name: never, when: who == 'nobody', command: {run: ["false"], read_only: true}, register: skipped}
"""
CALLER = """
packet: request_project_inactivate
vars: {mine: "{{ packet.ProjectID }}"}
rules:
  - name: a
    actions:
      - name: call
        use: greet
        with: {who: "%s"}
        register: greeted
"""


def test_a_block_gets_parameters_and_defaults_and_registers_a_mapping(make: MakeSite) -> None:
    rules = CALLER % "{{ mine }}" + REPLY % "{{ greeted.out.stdout }}, {{ greeted.skipped is none }}"
    assert _comment(make, {"a.yaml": rules, "blocks/greet.yaml": BLOCK}) == "hello P-XYZ259276 P-XYZ259276, true"


def test_the_mapping_of_a_block_has_nothing_but_what_it_registered(make: MakeSite) -> None:
    rules = CALLER % "you" + REPLY % "{{ greeted | list | sort | join(' ') }}"
    assert _comment(make, {"a.yaml": rules, "blocks/greet.yaml": BLOCK}) == "out skipped"


def test_a_given_parameter_replaces_the_default(make: MakeSite) -> None:
    rules = CALLER.replace('with: {who: "%s"}', "with: {who: Ann, word: bye}") + REPLY % "{{ greeted.out.stdout }}"
    assert _comment(make, {"a.yaml": rules, "blocks/greet.yaml": BLOCK}) == "bye Ann"


def test_the_journal_names_the_path_through_the_block(make: MakeSite) -> None:
    site = make({"a.yaml": CALLER % "you" + REPLY % "x", "blocks/greet.yaml": BLOCK})
    (packet,) = load(site, rpi())
    run(site)
    assert [*steps_of(site, packet)] == ["call/inner"]


@pytest.mark.parametrize("name", ["mine", "greeted", "item"])
def test_a_block_sees_nothing_else_of_its_caller(make: MakeSite, name: str) -> None:
    block = BLOCK.replace("{{ text }}", f"{{{{ {name} }}}}")
    site = make({"a.yaml": CALLER % "you" + REPLY % "x", "blocks/greet.yaml": block}, may_be_broken=True)
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "parked"


def test_rows_that_a_block_leaves_are_seen_by_its_caller(make: MakeSite) -> None:
    block = "block: title\nparams: {}\nactions: [{name: set, project: {title: '{{ packet.ProjectID }}'}}]\n"
    rules = "packet: request_project_inactivate\nrules:\n  - name: a\n    actions: [{name: t, use: title}]\n"
    texts = {"a.yaml": rules + REPLY % "{{ project.title }}", "blocks/title.yaml": block}
    assert _comment(make, texts, known=True) == "P-XYZ259276"


def test_rows_that_a_round_of_a_for_each_leaves_are_not(make: MakeSite) -> None:
    block = "block: title\nparams: {t: {description: x}}\nactions:\n  - {name: set, project: {title: '{{ t }}'}}\n"
    block += "  - {name: seen, assert: {that: project.title == t, message: 'not {{ t }}'}}\n"
    rules = "packet: request_project_inactivate\nrules:\n  - name: a\n    actions:\n"
    rules += "      - {name: t, for_each: \"['one', 'two']\", use: title, with: {t: '{{ item }}'}}\n"
    texts = {"a.yaml": rules + REPLY % "{{ project.title }}", "blocks/title.yaml": block}
    site = make(texts)
    know(site, *KNOWN)
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "done", reason_of(site, packet)
    assert "Comment" not in reply_to(site, packet).packet.body
    changed = registry(site).project("k")
    assert changed is not None
    assert changed.title == "two"
