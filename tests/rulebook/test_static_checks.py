"""What is wrong with a rule file is found where it stands, all at once, with a remedy."""

from pathlib import Path

import pytest

from amierules.diagnostics import Severity
from tests.support.rules import errors, load, marked, write

RULE = """\
packet: request_account_create
vars: {{full: "{{{{ packet.UserFirstName }}}}"}}
rules:
  - name: one
    when: project is none
    hold: "no project"
  - name: two
    {}
"""

# What stands in the second rule; the code; the text pointed at; a part of the hint.
CASES = [
    ("repy: {}", "unknown-key", "repy", "did you mean 'reply'?"),
    ("description: x", "no-outcome", "n", "reply, complete, ignore"),
    ("{hold: x, fail: y}", "several-outcomes", "fail", "exactly one"),
    ("{hold: x, actions: [{name: a, command: x}]}", "actions-not-allowed", "actions", "only a rule with reply"),
    ("complete:", "no-value", "complete", "give it a value"),
    ("complete: ''", "empty", "complete", ""),
    ("complete: 2025-10-01", "quote-me", "2025-10-01", 'write "2025-10-01"'),
    ("complete: 1E5", "quote-me", "1E5", 'write "1E5"'),
    ("complete: 1.10", "quote-me", "1.10", 'write "1.10"'),
    ("complete: 0032425", "quote-me", "0032425", 'write "0032425"'),
    ("complete: true", "quote-me", "true", 'write "true"'),
    ("complete: [x]", "wrong-type", "[", ""),
    ("defer: {reason: x, at_most: 10}", "bad-duration", "10", "30s, 10m"),
    ("defer: {reason: x, at_most: 2 weeks}", "bad-duration", "2 weeks", "30s, 10m"),
    ("defer: {reason: x, at_most: 0m}", "bad-duration", "0m", "30s, 10m"),
    ("defer: {at_most: 10m}", "missing-key", "defer", "add 'reason:'"),
    ("defer: {reson: x}", "unknown-key", "reson", "did you mean 'reason'?"),
    ("hold: {reason: x, aks: {a: b}}", "unknown-key", "aks", "did you mean 'ask'?"),
    ("hold: {ask: {a: b}}", "missing-key", "hold", "add 'reason:'"),
    ("hold: {reason: x, ask: {}}", "empty", "ask", ""),
    ("hold: {reason: x, ask: {by: who}}", "bad-name", "by", "is not by or reason"),
    ("hold: {reason: x, ask: {a-b: who}}", "bad-name", "a-b", "letters, digits and _"),
    ("hold: {reason: x, ask: {a: }}", "no-value", "a", "give it a value"),
    ("hold: {reason: x, ask: [quota]}", "wrong-type", "[", ""),
    ("hold: {reason: x, ask: {a: '{{ prject }}'}}", "unknown-name", "prject", "did you mean 'project'?"),
    ("{when: '{{ project }}', hold: x}", "bare-expression", "'{{ project }}'", "write project"),
    ("{when: 'project is nome', hold: x}", "template-syntax", "nome", ""),
    ("{when: 'project ==', hold: x}", "template-syntax", "=", ""),
    ("hold: '{{ packet.UserFirstName'", "template-syntax", None, ""),
    ("hold: '{{ prject.group }}'", "unknown-name", "prject", "did you mean 'project'?"),
    ("hold: '{{ UserFirstName }}'", "unknown-name", "UserFirstName", "write packet.UserFirstName"),
    ("hold: '{{ vars.full }}'", "unknown-name", "vars", "write the variable's own name"),
    ("hold: '{{ item }}'", "unknown-name", "item", "for_each"),
    ("reply: {type: notify_project_create}", "unexpected-reply", "notify_project_create", "notify_account_create"),
    ("reply: {type: notify_acount_create}", "unknown-packet-type", "notify_acount_create", "'notify_account_create'"),
    ("reply: {copy: [UserFirstNam]}", "unknown-tag", "UserFirstNam", "did you mean 'UserFirstName'?"),
    ("reply: {fields: {ProjectId: x}}", "unknown-tag", "ProjectId", "did you mean 'ProjectID'?"),
    ("reply: {copy: UserFirstName}", "wrong-type", "UserFirstName", "write [UserFirstName]"),
    ("reply: {copy: [ProjectID, ProjectID]}", "duplicate-value", "ProjectID", "remove one"),
    ("reply: {fields: 'x {{ record.reply }}'}", "not-a-mapping", "'x {{ record.reply }}'", "record.reply"),
    ("reply: {fields: text}", "not-a-mapping", "text", "record.reply"),
]


@pytest.mark.parametrize(("rest", "code", "at", "hint"), CASES, ids=[case[0] for case in CASES])
def test_a_mistake_in_a_rule_is_one_finding(tmp_path: Path, rest: str, code: str, at: str | None, hint: str) -> None:
    if rest.startswith("{"):
        rest = (
            rest[1:-1]
            .replace(", fail", "\n    fail")
            .replace(", actions", "\n    actions")
            .replace(", hold", "\n    hold")
        )
    _, findings = load(write(tmp_path, {"a.yaml": RULE.format(rest)}))
    assert [finding.code for finding in findings] == [code]
    assert at is None or marked(findings[0]) == at
    assert hint in findings[0].hint
    assert len(findings[0].message) <= 200


ACTION = """\
packet: request_user_modify
vars: {{full: x}}
rules:
  - name: one
    actions:
      - name: first
        command: x
        register: seen
      - name: second
        {}
    reply: {{}}
"""

ACTION_CASES = [
    ("when: true", "no-kind", "n", "assert, command, use, user"),
    ("comand: x", "unknown-key", "comand", "did you mean 'command'?"),
    ("command: x\n        until: seen.rc == 0", "until-not-allowed", "until", "read_only: true"),
    ("command: {run: x, read_only: false}\n        until: seen.rc == 0", "until-not-allowed", "until", "read_only"),
    (
        "command: {run: x, read_only: true}\n        register: own\n        until: [own.rc == 0, own.changed]",
        None,
        None,
        "",
    ),
    ("command: {run: x, read_only: true}\n        until: own.rc == 0", "unknown-name", "own", ""),
    ("command: {run: x, read_only: true}\n        for_each: packet.DnList\n        until: item == 'a'", None, None, ""),
    ("command: {run: x, read_only: true}\n        until: '{{ true }}'", "bare-expression", "'{{ true }}'", "true"),
    ("user: {name: x}\n        until: resource is none\n        retries: 3\n        delay: 10m", None, None, ""),
    ("user: {name: x}\n        until: 'true'\n        delay: 10", "bad-duration", "10", "30s, 10m"),
    ("user: {name: x}\n        retries: 3\n        delay: 10m", "without-until", "retries", "until"),
    ("user: {name: x}\n        delay: 10m", "without-until", "delay", "until"),
    ("assert: {that: 'true', message: x}\n        until: 'true'", "until-not-allowed", "until", ""),
    ("command: x\n        user: {name: x}", "several-kinds", "user", "several actions"),
    ("command: x\n        with: {a: b}", "with-without-use", "with", ""),
    ("user: {nam: x}", "unknown-key", "nam", "did you mean 'name'?"),
    ("user: {uid: 5}", "missing-key", "user", "add 'name:'"),
    ("user:", "no-value", "user", ""),
    ("user: {name: 0032425}", "quote-me", "0032425", 'write "0032425"'),
    ("user: {name: x, uid: abc}", "wrong-type", "abc", ""),
    ("user: {name: x, uid: 5.0}", "wrong-type", "5.0", ""),
    ("user: {name: x, locked: yes}", "yaml-1.1", "yes", "write true"),
    ("user: {name: x, state: absnt}", "bad-value", "absnt", "did you mean 'absent'?"),
    ("user: {name: x, groups: staff}", None, "", ""),
    ("user: {name: x, expires: 2025-10-01}", None, "", ""),
    ("user: {name: x, expires: soon}", "wrong-type", "soon", ""),
    ("user: {name: x, owner: person}", "wrong-type", "person", "{{ person }}"),
    ("user: {name: x, owner: 'the {{ person }}'}", "wrong-type", "'the {{ person }}'", "{{ person }}"),
    ("command: [echo, 5]", "quote-me", "5", 'write "5"'),
    ("command: [echo, '{{ 1 + }}']", "template-syntax", None, ""),
    ("command: 'echo {{ nobody }}'", "unknown-name", "nobody", ""),
    ("command: [echo, '{{ nobody }}']", "unknown-name", "nobody", ""),
    ("command: 'echo {% if x %}'", "template-syntax", None, ""),
    ("command: 'echo \"x'", "template-syntax", None, ""),
    ("command: x\n        register: person", "shadowed-name", "person", "another name"),
    ("command: x\n        register: now", "shadowed-name", "now", "another name"),
    ("command: x\n        register: full", "shadowed-name", "full", "another name"),
    ("command: x\n        register: loop", "shadowed-name", "loop", "another name"),
    ("command: x\n        register: seen", "duplicate-register", "seen", "overwrite"),
    ("command: x\n        register: a-b", "bad-name", "a-b", "letters, digits and _"),
    ("command: x\n        on_error: contineu", "bad-value", "contineu", "did you mean 'continue'?"),
    ("command: x\n        timeout: 90", "bad-duration", "90", "30s, 10m"),
    ("command: x\n        for_each: [a, b]", "wrong-type", "[", ""),
    (
        "command: x\n        for_each: '{{ person.logins }}'",
        "bare-expression",
        "'{{ person.logins }}'",
        "person.logins",
    ),
    ("assert: {that: 'item == 1', message: x}", "unknown-name", "item", "for_each"),
    ("assert: {that: [a ==], message: x}", "template-syntax", None, ""),
    ("assert: {that: 'seen.rc == 0', message: x, else: hld}", "bad-value", "hld", "did you mean 'hold'?"),
]


@pytest.mark.parametrize(("rest", "code", "at", "hint"), ACTION_CASES, ids=[case[0] for case in ACTION_CASES])
def test_a_mistake_in_an_action_is_one_finding(
    tmp_path: Path, rest: str, code: str | None, at: str | None, hint: str
) -> None:
    _, findings = load(write(tmp_path, {"a.yaml": ACTION.format(rest)}))
    assert [finding.code for finding in findings] == ([code] if code else [])
    if code:
        assert at is None or marked(findings[0]) == at
        assert hint in findings[0].hint
        assert len(findings[0].message) <= 200


FILE_CASES = [
    ("packet: request_acount_create\nrules: [{name: a, complete: x}]", "unknown-packet-type", "did you mean"),
    ("packet: xyz\nrules: [{name: a, complete: x}]", "unknown-packet-type", "the packet types stand in schemas"),
    ('packet: "{{ x }}"\nrules: [{name: a, complete: x}]', "unknown-packet-type", "the packet types stand in schemas"),
    ("packet: request_user_modify\nrules: [{name: '{{ x }}', complete: x}]", "bad-name", "plain text"),
    ("packet: []\nrules: [{name: a, complete: x}]", "empty", ""),
    ("packet: [1]\nrules: [{name: a, complete: x}]", "quote-me", 'write "1"'),
    ("packet: [[x]]\nrules: [{name: a, complete: x}]", "wrong-type", ""),
    ("packet: {a: b}\nrules: [{name: a, complete: x}]", "wrong-type", ""),
    ("packet:\nrules: [{name: a, complete: x}]", "no-value", "give it a value"),
    ("packet: request_user_modify\nrules: []", "empty", ""),
    ("packet: request_user_modify", "missing-key", "add 'rules:'"),
    ("rules: [{name: a, complete: x}]", "missing-key", "add 'packet:'"),
    ("[a]", "wrong-type", ""),
    ("packet: request_user_modify\nrules: [x]", "wrong-type", ""),
    ("packet: request_user_modify\nrules: [{complete: x}]", "missing-key", "add 'name:'"),
    ("packet: request_user_modify\nrules: [{name: a/b, complete: x}]", "bad-name", "plain text"),
    (
        "packet: request_user_modify\nrules: [{name: a, when: x is none, ignore: x}, {name: a, fail: x}]\nvars: {x: 1}",
        "duplicate-name",
        "",
    ),
    ("packet: request_user_modify\nvars: {person: x}\nrules: [{name: a, complete: x}]", "shadowed-name", ""),
    ("packet: request_user_modify\nvars: {a-b: x}\nrules: [{name: a, complete: x}]", "bad-name", ""),
    (
        'packet: request_user_modify\nvars: {a: "{{ b }}", b: "{{ a }}"}\nrules: [{name: a, complete: x}]',
        "vars-circle",
        "",
    ),
    ('packet: request_user_modify\nvars: {a: "{{ b }}"}\nrules: [{name: a, complete: x}]', "unknown-name", ""),
    ("packet: inform_transaction_complete\nrules: [{name: a, reply: {}}]", "no-reply-due", "complete"),
    ("packet: inform_transaction_complete\nrules: [{name: a, fail: x}]", "no-reply-due", "complete"),
]


@pytest.mark.parametrize(("text", "code", "hint"), FILE_CASES, ids=[case[0] for case in FILE_CASES])
def test_a_mistake_in_a_file_is_one_finding(tmp_path: Path, text: str, code: str, hint: str) -> None:
    _, findings = load(write(tmp_path, {"a.yaml": text}))
    assert [finding.code for finding in findings] == [code]
    assert hint in findings[0].hint


def test_names_of_actions_are_unique_in_a_rule_only(tmp_path: Path) -> None:
    when = "    when: packet.ActionType == '{0}'\n"
    rule = "  - name: {0}\n" + when + "    actions:\n      - {{name: a, command: x}}\n    reply: {{}}\n"
    text = "packet: request_user_modify\nrules:\n" + rule.format("add") + rule.format("delete")
    assert load(write(tmp_path / "good", {"a.yaml": text}))[1] == []
    twice = text.replace("{name: a, command: x}", "{name: a, command: x}\n      - {name: a, command: y}")
    _, findings = load(write(tmp_path / "bad", {"a.yaml": twice}))
    assert [finding.code for finding in findings] == ["duplicate-name"] * 2


def test_a_registered_name_exists_only_after_its_action(tmp_path: Path) -> None:
    text = ACTION.format("command: y").replace("command: x", "command: 'x {{ seen.rc }}'")
    _, findings = load(write(tmp_path, {"a.yaml": text}))
    assert [(finding.code, finding.hint) for finding in findings] == [("unknown-name", "")]


def test_a_later_registered_name_is_said_to_be_so(tmp_path: Path) -> None:
    text = ACTION.format("command: y\n        register: other").replace("command: x", "command: 'x {{ other.rc }}'")
    _, findings = load(write(tmp_path, {"a.yaml": text}))
    assert [finding.hint for finding in findings] == ["it is registered by a later action"]


def test_rules_after_one_that_always_applies_are_warned_of(tmp_path: Path) -> None:
    text = "packet: request_user_modify\nrules:\n  - {name: a, FIRST: x}\n  - {name: b, complete: y}\n"
    _, findings = load(write(tmp_path / "a", {"a.yaml": text.replace("FIRST", "ignore")}))
    assert [(finding.code, finding.severity) for finding in findings] == [("unreachable-rule", Severity.WARNING)]
    assert load(write(tmp_path / "b", {"a.yaml": text.replace("FIRST", "hold")}))[1] == []


def test_types_that_sites_send_and_tags_of_other_packets_are_warned_of(tmp_path: Path) -> None:
    text = "packet: notify_person_ids\nrules: [{name: a, complete: x}]"
    assert [finding.code for finding in load(write(tmp_path / "a", {"a.yaml": text}))[1]] == ["never-arrives"]
    text = "packet: request_user_modify\nrules: [{name: a, reply: {fields: {GrantNumber: x}}}]"
    _, findings = load(write(tmp_path / "b", {"a.yaml": text}))
    assert [(finding.code, finding.severity) for finding in findings] == [("tag-not-in-packet", Severity.WARNING)]


def test_all_mistakes_of_all_files_are_found_at_once_in_order(tmp_path: Path) -> None:
    files = {
        "b.yaml": "packet: request_user_modify\nrulez: []\nrules: [{name: 5, hold: '{{ a b }}'}]\n",
        "a.yaml": "packet: xyz\nrules:\n  - {name: a, complete: x}\n  - {name: a, hold: y, fail: z}\n",
    }
    _, findings = load(write(tmp_path, files))
    assert findings == sorted(findings, key=lambda finding: finding.sort_key())
    assert [finding.code for finding in errors(findings)] == [
        *("unknown-packet-type", "duplicate-name", "several-outcomes"),
        *("unknown-key", "quote-me", "template-syntax"),
    ]
