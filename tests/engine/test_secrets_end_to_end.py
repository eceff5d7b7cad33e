"""Secrets through every way that a rule has for them: programs get them, and nothing else ever shows them."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from amierules.cli.explain_packet import packet_json, packet_lines
from amierules.database.connection import Database
from amierules.engine.considered import consider
from amierules.engine.explained import Explained
from amierules.engine.overview import details
from amierules.engine.site import Site
from tests.support.command_line import call
from tests.support.sites import (
    MakeSite,
    decision,
    load,
    make_site,
    reason_of,
    reply_to,
    rpi,
    run,
    status_of,
    steps_of,
)

TOKEN = "hush-zq5x-token"
KEY = "first-zw8y-line\nsecond-zv6j-line"
SHOWN_NOWHERE = (TOKEN, *KEY.split("\n"), "zq5x", "zw8y", "zv6j")

SEES = 'command: {run: [sh, -c, \'printf %%s "$1" > %s; echo "$1"; echo "$1" >&2\', x, %s]}, register: out'
ECHO = "command: {run: [sh, -c, '%s', x, '{{ secret.token }}'], read_only: true}, register: out"
"""Prints what it was given in secret."""

# What the rule does; how its packet ends; what the reply says, or a part of the reason.
WAYS: dict[str, tuple[str, str, str]] = {
    "word": (SEES % ("SEEN", "'{{ secret.token }}'"), "done", "***"),
    "part of a word": (SEES % ("SEEN", "'a{{ secret.token }}b'"), "done", "a***b"),
    "several lines": (SEES % ("SEEN", "'{{ secret.key }}'"), "done", "***"),
    "concatenated": (SEES % ("SEEN", "\"{{ 'a' ~ secret.token }}\""), "done", "a***"),
    "joined": (SEES % ("SEEN", "\"{{ ['a', secret.token] | join('-') }}\""), "done", "a-***"),
    "default": (SEES % ("SEEN", "\"{{ secret.token | default('x') }}\""), "done", "***"),
    "variable": (SEES % ("SEEN", "'{{ bearer }}'"), "done", "Bearer ***"),
    "one line printed": (
        "command: {run: [sh, -c, 'echo \"$1\" | tail -n 1', x, '{{ secret.key }}']}, register: out",
        "done",
        "***",
    ),
    "stdin": ("command: {run: [tee, SEEN], stdin: '{{ secret.token }}'}, register: out", "done", "***"),
    "environment": (
        "command: {run: [sh, -c, 'echo \"$T\" | tee SEEN'], env: {T: '{{ secret.token }}'}}, register: out",
        "done",
        "***",
    ),
    "shell": (
        "command: {run: 'echo {{ secret.token }} | tee SEEN', shell: true, unless: {run: 'false'}}, register: out",
        "done",
        "***",
    ),
    "text command": ("command: \"echo {{ secret.token }}\", register: out", "done", "***"),
    "block": ("use: pass, with: {given: '{{ secret.token }}'}, register: out", "done", "***"),
    "guard": (
        "command: {run: ['true'], unless: {run: [sh, -c, 'echo \"$1\"; exit 1', x, '{{ secret.token }}']}}, "
        "register: out",
        "done",
        "",
    ),
    "guard that breaks": (
        "command: {run: ['true'], unless: {run: ['{{ secret.token }}/no-such-program']}}",
        "parked",
        "no such program",
    ),
    "fails": (ECHO % 'echo "no $1" >&2; exit 3', "parked", "sh ended with status 3: no ***"),
    "fails and goes on": (ECHO % 'echo "no $1" >&2; exit 3' + ", on_error: continue", "done", "no ***"),
    "fails the packet": (ECHO % 'echo "no $1" >&2; exit 3' + ", on_error: fail", "failed", "no ***"),
    "holds the packet": (ECHO % 'echo "no $1" >&2; exit 3' + ", on_error: hold", "held", "no ***"),
    "shell that fails": (
        "command: {run: 'echo {{ secret.token }} >&2; exit 3', shell: true}",
        "parked",
        "ended with status 3: ***",
    ),
    "program": ("command: ['{{ secret.token }}', x]", "parked", "no such program"),
    "folder": ("command: {run: [pwd], cwd: '/{{ secret.token }}'}", "parked", "cwd: must not be a secret"),
    "takes too long": (
        "command: {run: [sh, -c, 'sleep 5', '{{ secret.token }}']}, timeout: 1s",
        "in_doubt",
        "took too long",
    ),
    "secret output": (
        "command: {run: [echo, '{{ secret.token }}'], secret_output: true}, register: out",
        "parked",
        "secret",
    ),
    "secret output handed on": (
        "command: {run: [echo, '{{ secret.token }}'], secret_output: true}, register: out}\n"
        "      - {name: again, command: {run: [cat], stdin: '{{ out.stdout }}'}",
        "parked",
        "what was printed in secret is not kept",
    ),
    "until": (
        ECHO % 'echo "$1"' + ", until: out.stdout == 'x', retries: 1, delay: 1h",
        "deferred",
        "waits until out.stdout == 'x'",
    ),
    "loop": ("for_each: '[secret.token]', command: [echo, '{{ item }}']", "parked", "cannot be looped over"),
    "loop over a variable": ("for_each: '[bearer]', command: [echo, '{{ item }}']", "parked", "cannot be looped over"),
    "condition": ("when: secret.token == 'x', command: ['true']", "parked", "a secret is compared"),
    "order": ("when: \"secret.token > secret.key\", command: ['true']", "parked", "a secret cannot be compared"),
    "in": ("when: \"'hush' in secret.token\", command: ['true']", "parked", "secret"),
    "filter": ("command: [echo, '{{ secret.token | upper }}']", "parked", "secret"),
    "length": ("when: secret.token | length > 5, command: ['true']", "parked", "secret"),
    "list filter": ("command: [echo, \"{{ [secret.token, 'x'] | sort | first }}\"]", "parked", "secret"),
    "item": ("command: [echo, '{{ secret.token[0] }}']", "parked", "secret"),
    "format": ("command: [echo, \"{{ '%s' | format(secret.token) }}\"]", "parked", "secret"),
    "person": ("person: {person_id: '1', attributes: {LastName: '{{ secret.token }}'}}", "parked", "secret"),
    "row data": ("project: {project_id: P, data: {token: '{{ secret.token }}'}}", "parked", "secret"),
    "row data in a list": ("project: {project_id: P, data: {token: ['{{ secret.token }}']}}", "parked", "secret"),
    "assert": ("assert: {that: header.type == 'x', message: 'no {{ secret.token }}'}", "parked", "secret"),
    "packet": (
        "send_packet: {type: notify_person_ids, fields: {PersonID: '1', PrimaryPersonID: '{{ secret.token }}'}}",
        "parked",
        "secret",
    ),
}  # fmt: skip
OUTCOMES: dict[str, tuple[str, str, str]] = {
    "reply": ("reply: {copy: [ProjectID, ResourceList], fields: {Comment: '{{ secret.token }}'}}", "parked", "secret"),
    "hold": ("hold: 'is it {{ secret.token }}?'", "parked", "secret"),
    "ask": ("hold: {reason: x, ask: {a: '{{ secret.token }}'}}", "parked", "secret"),
    "defer": ("defer: 'wait for {{ secret.token }}'", "parked", "secret"),
    "ignore": ("ignore: '{{ secret.token }}'", "parked", "secret"),
    "fail": ("fail: 'no {{ secret.token }}'", "parked", "secret"),
}  # fmt: skip
BLOCK = """
block: pass
params: {given: {}}
vars: {quoted: "<{{ given }}>"}
actions:
  - {name: in it, command: {run: [sh, -c, 'echo "$1"', x, "{{ quoted }}"]}, register: said}
  - {name: looks, command: {run: [echo, "{{ quoted }}"], read_only: true}, register: out}
"""
COMMENTS = {"block": "{{ out.out.stdout }}", "fails and goes on": "{{ out.error }}", "guard": "{{ out.rc }}"}
"""What the reply says where that is not what the step printed."""


def _rules(folder: Path) -> str:
    lines = ["packet: request_project_inactivate", "vars: {bearer: 'Bearer {{ secret.token }}'}", "rules:"]
    for name, (action, _, _) in WAYS.items():
        comment = COMMENTS.get(name, "{{ out.stdout }}" if "register: out" in action else "x")
        lines += [f"  - name: {name}", f"    when: packet.ProjectID == '{name}'", "    actions:"]
        lines += [f"      - {{name: step, {action.replace('SEEN', str(folder / name.replace(' ', '-')))}}}"]
        lines += ["    reply:", "      copy: [ProjectID, ResourceList]", f'      fields: {{Comment: "{comment}"}}']
    for name, (outcome, _, _) in OUTCOMES.items():
        lines += [f"  - name: {name}", f"    when: packet.ProjectID == '{name}'", f"    {outcome}"]
    return "\n".join(lines) + "\n"


@pytest.fixture
def site(database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site with the rules, whose folder we are in: the commands find it."""
    (tmp_path / "seen").mkdir()
    (tmp_path / "key").write_text(KEY + "\n", encoding="utf-8")
    monkeypatch.setenv("AMIERULES_TEST_TOKEN", TOKEN)
    monkeypatch.setenv("AMIERULES_DATABASE", database_url)
    secrets = {"token": {"env": "AMIERULES_TEST_TOKEN"}, "key": {"file": str(tmp_path / "key")}}
    rules = {"a.yaml": _rules(tmp_path / "seen"), "blocks/pass.yaml": BLOCK}
    made = make_site(database, tmp_path / "site", rules, secrets=secrets)
    monkeypatch.chdir(tmp_path / "site")
    return made


def _told(site: Site, ids: list[int]) -> str:
    """All that the commands say of these packets."""
    said = []
    for words in (["status", "--all"], ["dry-run"], ["show", str(ids[0])], ["explain", str(ids[0])]):
        for form in ("text", "json"):
            ended = call(*words, "--format", form)
            said += [ended.stdout, ended.stderr]
    for one in ids:
        # The plan is that of the dry run above.
        found = Explained(details(site, one), consider(site, one), None)
        said += [*packet_lines(found, 100), json.dumps(packet_json(found))]
    return "\n".join(said)


def _kept(database: Database, database_url: str) -> str:
    """All that is in the database, in its files where it is one."""
    if database.is_sqlite:
        files = Path(database_url.removeprefix("sqlite:///")).parent.glob("amie.db*")
        return "".join(file.read_bytes().decode("latin-1") for file in files)
    with database.read() as connection:
        tables = [*connection.scalars(text("select tablename from pg_tables where schemaname = 'public'"))]
        rows = [row for name in tables for row in connection.scalars(text(f"select t::text from {name} t"))]
    return "\n".join(rows)


def _leaks(shown: str) -> list[str]:
    return [secret for secret in SHOWN_NOWHERE if secret in shown]


def test_no_secret_is_ever_shown_or_kept(
    site: Site, database: Database, database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = [*WAYS, *OUTCOMES]
    ids = load(site, *(rpi({"ProjectID": name}) for name in names))
    said = _told(site, ids)
    handled = run(site)
    said += "\n".join(repr(one) for one in handled.values()) + caplog.text
    said += _told(site, ids)
    for number, (name, (_, status, wanted)) in zip(ids, {**WAYS, **OUTCOMES}.items(), strict=True):
        reason = reason_of(site, number)
        assert status_of(site, number) == status, (name, reason)
        shown = str(reply_to(site, number).packet.body.get("Comment")) if status == "done" else reason
        assert wanted in shown, (name, shown)
    assert _leaks(said) == []
    assert _leaks(_kept(database, database_url)) == []


def test_programs_are_given_the_secrets_themselves(site: Site, tmp_path: Path) -> None:
    expected = {
        "word": TOKEN,
        "part of a word": f"a{TOKEN}b",
        "several lines": KEY,
        "concatenated": f"a{TOKEN}",
        "joined": f"a-{TOKEN}",
        "default": TOKEN,
        "variable": f"Bearer {TOKEN}",
        "stdin": TOKEN,
        "environment": f"{TOKEN}\n",
        "shell": f"{TOKEN}\n",
    }
    load(site, *(rpi({"ProjectID": name}) for name in expected))
    run(site)
    seen = {name: (tmp_path / "seen" / name.replace(" ", "-")).read_text("utf-8") for name in expected}
    assert seen == expected


def test_a_secret_that_is_not_there_parks_the_packet_and_names_its_source(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AMIERULES_TEST_TOKEN")
    (packet,) = load(site, rpi({"ProjectID": "word"}))
    run(site)
    assert "the secret token cannot be read from the variable AMIERULES_TEST_TOKEN" in reason_of(site, packet)


def test_on_a_later_pass_what_was_printed_in_secret_is_still_secret(make: MakeSite, tmp_path: Path) -> None:
    rules = """
packet: request_project_inactivate
rules:
  - name: a
    actions:
      - {name: one, command: {run: [echo, hush], secret_output: true}, register: out}
      - {name: last, command: [test, -e, "%s/go"]}
    reply: {copy: [ProjectID, ResourceList], fields: {Comment: "{{ out.rc }} {{ 'some' if out.stdout else 'none' }}"}}
"""
    site = make(rules % tmp_path)
    (packet,) = load(site, rpi())
    run(site)
    (tmp_path / "go").touch()
    decision(site, packet, "retry")
    run(site)
    assert reply_to(site, packet).packet.body["Comment"] == "0 some"
    assert "hush" not in str(steps_of(site, packet)["one"].result)
