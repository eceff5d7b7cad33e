"""A value that exists only after an earlier change, wherever a rule can put it: a dry run says after which step."""

import json
from typing import Any

import pytest

from amierules.cli.plan_text import as_lines
from amierules.engine.plan_json import as_json
from amierules.engine.site import Site
from tests.support.sites import MakeSite, load, plan, reason_of, reply_to, rpi, run, status_of

MADE = '      - {name: make it, command: {run: [printf, "7"], unless: {run: "false"}}, register: made}\n'
HEAD = "packet: request_project_inactivate\nrules:\n  - name: a\n    actions:\n" + MADE
REPLY = "    reply: {copy: [ProjectID, ResourceList]}\n"
BLOCK = """
block: b
params: {given: {default: "{{ header.packet_id }}"}}
vars: {around: "<{{ given }}>", uid: "{{ person.uid if person is not none else 0 }}"}
actions:
  - {name: inside, command: {run: [printf, "%s", "{{ around }}"], unless: {run: "false"}}, register: printed}
"""


def _site(make: MakeSite, actions: str = "", end: str = REPLY, block: str = BLOCK) -> Site:
    lines = "".join(f"      - {line}\n" for line in actions.strip().splitlines() if line)
    return make({"rules.yaml": HEAD + lines + end, "blocks/b.yaml": block})


def _planned(site: Site) -> tuple[dict[str, Any], str]:
    """The plan as JSON, and as text."""
    load(site, rpi())
    (report,) = plan(site)
    return json.loads(json.dumps(as_json([report])))["packets"][0], "\n".join(as_lines(report, lambda t, _: t, 300))


@pytest.mark.parametrize(
    "command",
    [
        'run: [echo, "{{ made.stdout }}"]',
        'run: "echo x{{ made.stdout }}"',
        'run: [echo, "{{ [1, made.rc] }}"]',
        'run: [echo, "{{ made }}"]',
        'run: [cat], stdin: "{{ made.stdout }}"',
        'run: [env], env: {A: "{{ made.stdout }}"}',
        'run: [env], env: "{{ made }}"',
        'run: [env], cwd: "/tmp/{{ made.stdout }}"',
        'run: "echo {{ made.stdout }}", shell: true',
        'run: [echo], unless: {run: [test, -e, "/{{ made.stdout }}"]}',
        'run: [echo], unless: {run: [date], contains: "{{ made.stdout }}"}',
        'run: [cat, "{{ made.stdout }}"], read_only: true',
    ],
)
def test_in_a_command(make: MakeSite, command: str) -> None:
    site = _site(make, f"{{name: two, command: {{{command}}}, register: two}}", _comment("{{ two.rc }}"))
    document, text = _planned(site)
    assert document["actions"][1]["state"] in ("change", "unknown")
    assert "known after make it" in text
    assert set(document["outcome"]["body"]["Comment"]) == {"unknown"}


def _comment(value: str) -> str:
    return REPLY.replace("ResourceList]", f'ResourceList], fields: {{Comment: "{value}"}}')


def test_in_a_list_and_all_that_comes_of_it(make: MakeSite) -> None:
    actions = """
{name: loop, for_each: "made.stdout | list", command: [echo, "{{ item }}"], register: looped}
{name: after it, for_each: looped, command: [echo, "{{ item.rc }}"], register: last}
{name: only then, when: looped | length > 0, command: "true", register: skipped}
"""
    document, text = _planned(_site(make, actions, _comment("{{ last }} {{ skipped is none }}")))
    assert [step["state"] for step in document["actions"]] == ["change", "unknown", "unknown", "unknown"]
    assert text.count("known after make it") >= 4
    assert document["outcome"]["body"]["Comment"] == {"unknown": "make it"}


def test_in_what_is_awaited(make: MakeSite) -> None:
    look = "{name: look, command: {run: [date], read_only: true}, register: seen, until: made.rc == seen.rc, delay: 5m}"
    document, text = _planned(_site(make, look, _comment("{{ seen.rc }}")))
    assert document["actions"][1]["state"] in ("present", "unknown")
    assert "5m" in text or "300" in text


def test_in_the_parameters_and_vars_of_a_block(make: MakeSite) -> None:
    use = '{name: use it, use: b, with: {given: "{{ made.stdout }}"}, register: used}'
    document, text = _planned(_site(make, use, _comment("{{ used.printed.stdout }}")))
    assert (document["actions"][1]["path"], document["actions"][1]["state"]) == ("use it/inside", "unknown")
    assert "needs a value known after make it" in text
    assert document["outcome"]["body"]["Comment"] == {"unknown": "make it"}


def test_in_the_vars_of_a_block_that_is_entered_later(make: MakeSite) -> None:
    actions = """
{name: row, person: {attributes: {LastName: Sample}}}
{name: use it, use: b, with: {given: x}}
"""
    block = BLOCK.replace("<{{ given }}>", "{{ uid }}").replace("person.uid if person is not none else 0", "person.uid")
    document, _ = _planned(_site(make, actions, block=block))
    assert document["actions"][2]["changes"][0]["argv"] == ["printf", "%s", {"unknown": "row", "expected": "20000"}]


UNKNOWN_ROWS = """
{name: row, person: {attributes: {LastName: "{{ made.stdout }}"}, data: {made: "{{ made.rc }}"}}}
{name: again, person: {data: {a: b}}}
{name: project, project: {title: "{{ person.uid }}", pi: "{{ person }}"}}
{name: account, account: {}}
{name: if none, when: person is none, command: "false"}
"""


def test_in_the_kinds_of_the_registry(make: MakeSite) -> None:
    document, text = _planned(_site(make, UNKNOWN_ROWS, _comment("{{ person.LastName }} {{ project is none }}")))
    assert [step["state"] for step in document["actions"]] == ["change", *["unknown"] * 5]
    assert text.count("known after make it") >= 6
    assert document["outcome"]["body"]["Comment"] == {"unknown": "make it"}


@pytest.mark.parametrize("action", ["person: {attributes: {LastName: Sample}}", "use: b, with: {}"])
def test_a_row_that_may_have_been_made_is_not_none(make: MakeSite, action: str) -> None:
    block = "block: b\nactions:\n  - {name: deep, person: {attributes: {LastName: Sample}}}\n"
    actions = (
        f"{{name: perhaps, when: made.rc == 0, {action}}}\n{{name: if none, when: person is none, command: 'false'}}"
    )
    site = _site(make, actions, _comment("none: {{ person is none }}"), block=block)
    document, _ = _planned(site)
    assert [step["state"] for step in document["actions"][1:]] == ["unknown", "unknown"]
    assert document["outcome"]["body"]["Comment"] == {"unknown": "make it"}
    run(site)
    assert reply_to(site, 1).packet.body["Comment"] == "none: false"


def test_in_a_packet_of_our_own(make: MakeSite) -> None:
    fields = '{PersonID: "{{ made.stdout }}", PrimaryPersonID: "8", PersonIdList: ["7", "{{ made.stdout }}"]}'
    document, text = _planned(
        _site(make, f"{{name: tell, send_packet: {{type: notify_person_ids, fields: {fields}}}}}")
    )
    assert document["actions"][1]["state"] in ("change", "unknown")
    assert "known after make it" in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('"{{ made.stdout }}"', {"unknown": "make it"}),
        ('"no. {{ made.stdout }}"', {"unknown": "make it"}),
        ('"{{ made.stdout ~ made.stderr }}"', {"unknown": "make it"}),
        ("\"{{ 'x' if made.rc == 0 else 'y' }}\"", {"unknown": "make it"}),
        ("\"{{ 'x' if packet.ProjectID else made }}\"", "x"),
    ],
)
def test_in_a_field_of_the_reply(make: MakeSite, value: str, shown: Any) -> None:
    document, text = _planned(
        _site(make, end=REPLY.replace("ResourceList]", f"ResourceList], fields: {{Comment: {value}}}"))
    )
    assert document["outcome"]["body"]["Comment"] == shown
    assert ("(known after make it)" in text) is isinstance(shown, dict)


def test_in_an_element_of_a_list_tag_of_the_reply(make: MakeSite) -> None:
    document, text = _planned(
        _site(make, end='    reply: {fields: {ProjectID: p, ResourceList: [a, "{{ made.stdout }}"]}}\n')
    )
    assert document["outcome"]["body"]["ResourceList"] == ["a", {"unknown": "make it"}]
    assert "(known after make it)" in text


def test_in_the_reason_of_an_outcome(make: MakeSite) -> None:
    document, text = _planned(_site(make, end='    complete: "made {{ made.stdout }}"\n'))
    assert document["outcome"]["reason"] == "(known after make it)"
    assert "(known after make it)" in text


@pytest.mark.parametrize("otherwise", ["park", "hold", "defer", "fail"])
def test_in_an_assert(make: MakeSite, otherwise: str) -> None:
    check = f'{{name: check, assert: {{that: [made.rc == 5], message: "{{{{ made.stderr }}}}", else: {otherwise}}}}}'
    document, _ = _planned(_site(make, check))
    assert document["outcome"]["kind"] == "reply"
    assert document["actions"][1]["state"] == "unknown"


def test_a_failing_step_after_it_stops_the_plan_as_it_would_the_run(make: MakeSite) -> None:
    site = _site(make, '{name: check, assert: {that: [made.rc == 0, "header.packet_id == 99"], message: no}}')
    document, _ = _planned(site)
    assert document["actions"][1]["state"] == "unknown"
    run(site)
    assert (status_of(site, 1), reason_of(site, 1)) == ("parked", "no")


@pytest.mark.parametrize(
    "message",
    [
        "slack: {text: 'made {{ made.stdout }}'}",
        "slack: {text: 'made {{ item }}'}, for_each: made.stdout | list",
        "slack: {text: made}, when: made.rc == 0",
        "mail: {to: '{{ made.stdout }}', text: made}",
        "webhook: {url: 'https://a.site.example', json: {made: '{{ made.stdout }}'}}",
    ],
)
def test_in_a_message(make: MakeSite, message: str) -> None:
    document, text = _planned(_site(make, end=REPLY + f"    notify: [{{{message}}}]\n"))
    assert document["outcome"]["kind"] == "reply"
    assert "known after make it" in text
