"""Tests of rules are played by the real engine: what they expect is compared whole, and what they script is used."""

import pytest

from tests.testing.conftest import RunTests, told

QUOTA = """
packet: request_project_inactivate
rules:
  - name: stop
    actions:
      - {name: quota, command: {run: [/usr/sbin/quota, "{{ packet.ProjectID }}"], unless: {run: [/usr/sbin/has-quota]}}}
      - name: seen
        command: {nodes: "login[1-2]", run: [ls], read_only: true, ok: [0, 2]}
        register: seen
        until: seen.rc == 0
        delay: 10m
        when: site.merge == 'merge'
    reply: {copy: [ProjectID, ResourceList]}
"""
PACKET = "{type: request_project_inactivate, body: {ProjectID: P-1, ResourceList: [alpha.site.example]}}"
REPLY = "{type: notify_project_inactivate, body: {ProjectID: P-1, ResourceList: [alpha.site.example]}}"


def _test(given: str = "", expect: str = f"reply: {REPLY}", then: str = "") -> str:
    commands = "[{run: /usr/sbin/has-quota, rc: 1}, {run: /usr/sbin/quota *}]"
    return f"""
tests:
  - name: case
    given: {{world: {{commands: {commands}{given}}}}}
    packet: {PACKET}
    expect:
      changes: [{{step: quota, run: /usr/sbin/quota P-1}}]
      {expect}
{then}
"""


def _why(run_tests: RunTests, text: str) -> list[str]:
    """Why the one test fails; nothing where it passes."""
    suite = run_tests(text, {"rules.yaml": QUOTA})
    assert suite.findings == []
    (result,) = suite.results
    return [failure.message for failure in result.failures]


def test_as_expected(run_tests: RunTests) -> None:
    assert _why(run_tests, _test()) == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (_test().replace("P-1}]", "P-2}]"), ["changes"]),
        (_test().replace("changes: [{step: quota, run: /usr/sbin/quota P-1}]", "rule: stop"), ["changes"]),
        (_test(expect=f"reply: {REPLY}".replace("P-1", "P-2")), ["reply"]),
        (_test(expect="defer: later"), ["outcome"]),
        (_test(expect=f"rule: other\n      reply: {REPLY}"), ["rule"]),
        (_test(expect=f"reply: {REPLY}\n      messages: [{{slack: {{text: x}}}}]"), ["messages"]),
        (_test(expect=f"reply: {REPLY}\n      events: [{{what: replied}}]"), ["events"]),
        (_test(expect=f"reply: {REPLY}\n      registry: {{persons: [{{person_id: '1'}}]}}"), ["persons"]),
    ],
)
def test_what_is_not_as_expected_is_said(run_tests: RunTests, text: str, what: list[str]) -> None:
    assert _why(run_tests, text) == what


def test_partial_compares_only_what_is_named(run_tests: RunTests) -> None:
    partial = "partial: true\n      reply: {type: notify_project_inactivate, body: {ProjectID: P-1}}"
    assert _why(run_tests, _test(expect=partial)) == []
    assert _why(run_tests, _test(expect=partial.replace("P-1", "P-2"))) == ["reply"]
    one = _test().replace("run: /usr/sbin/quota P-1}]", "partial: true}]")
    assert _why(run_tests, one) == []
    assert _why(run_tests, one.replace("step: quota", "step: other")) == ["changes"]
    none = _test(expect=partial).replace("[{step: quota, run: /usr/sbin/quota P-1}]", "[]")
    assert _why(run_tests, none) == ["changes"]


def test_a_program_without_an_answer_fails_the_test_and_says_what_to_script(run_tests: RunTests) -> None:
    suite = run_tests(_test().replace("{run: /usr/sbin/has-quota, rc: 1}, ", ""), {"rules.yaml": QUOTA})
    (failure,) = suite.results[0].failures
    assert failure.message == "`/usr/sbin/has-quota` is run, and the test has no answer for it"
    assert "- {run: /usr/sbin/has-quota, rc: 0}" in failure.hint


def test_a_script_that_is_not_used_is_a_failure(run_tests: RunTests) -> None:
    unused = _test().replace("commands: [", "commands: [{run: [ls, -l]}, ")
    assert _why(run_tests, unused) == ["nobody runs `ls -l`"]
    failing = _test(given=", failures: [{step: other, is: transient}]")
    assert _why(run_tests, failing) == ["no step 'other' changes anything, and none fails"]
    crashing = _test().replace("    expect:", "    crash_after: other\n    expect:")
    assert _why(run_tests, crashing) == ["no step 'other' has had an effect that could be lost in a crash"]


def test_an_account_that_is_there_has_its_home(run_tests: RunTests) -> None:
    rules = QUOTA.split("      - {name: quota")[0]
    rules += "      - {name: login, user: {name: anna, uid: 20001, comment: Anna, create_home: true}}\n"
    rules += "    reply: {copy: [ProjectID, ResourceList]}\n"
    text = f"""
tests:
  - name: case
    given: {{world: {{users: [{{name: anna, uid: 20001}}]}}}}
    packet: {PACKET}
    expect:
      changes: [{{step: login, run: usermod --comment=Anna -- anna}}]
      reply: {REPLY}
"""
    assert run_tests(text, {"rules.yaml": rules}).results[0].failures == []


def test_a_step_that_fails(run_tests: RunTests) -> None:
    given = ", failures: [{step: quota, is: transient, says: busy, times: 2}]"
    failed = "[{step: quota, run: /usr/sbin/quota P-1, failed: true}]"
    first = _test(given, "retry: 'quota: busy'").replace("P-1}]", "P-1, failed: true}]")
    then = f"""
    then:
      - later: 45s
        expect: {{changes: {failed}, retry: "quota: busy"}}
      - later: 10m
        expect: {{changes: [{{step: quota, run: /usr/sbin/quota P-1}}], reply: {REPLY}}}
"""
    assert _why(run_tests, first + then) == []


def test_a_crash_after_a_step_that_its_guard_finds_done(run_tests: RunTests) -> None:
    text = _test().replace(
        "{run: /usr/sbin/has-quota, rc: 1}", "{run: /usr/sbin/has-quota, answers: [{rc: 1}, {rc: 0}]}"
    )
    assert _why(run_tests, text.replace("    expect:", "    crash_after: quota\n    expect:")) == []


def test_until_sees_one_answer_after_the_other(run_tests: RunTests) -> None:
    answers = "{run: ls, nodes: 'login[1-2]', answers: [{rc: 2}, {rc: 0, on: {login2: {rc: 2}}}, {rc: 0}]}"
    text = _test(expect="defer: 'seen: waits until seen.rc == 0, try 1 of 61'")
    text = text.replace("commands: [", f"commands: [{answers}, ").replace(
        "given: {", "given: {settings: {merge: merge}, "
    )
    later = f"    then: [{{later: LATER, expect: {{reply: {REPLY}}}}}]"
    assert _why(run_tests, text + later.replace("LATER", "1h")) == []
    assert _why(run_tests, text + later.replace("LATER", "10m")) == ["outcome"]
    once_more = text.replace(", {rc: 0}]}", "]}") + later.replace("LATER", "1h")
    assert _why(run_tests, once_more) == ["`ls` on login1,login2 is run once more than it has answers"]


def test_a_person_decides(run_tests: RunTests) -> None:
    rules = """
packet: request_project_inactivate
rules:
  - {name: sure, hold: {reason: "stop {{ packet.ProjectID }}?", ask: {when: when?}}}
  - {name: stop, reply: {copy: [ProjectID, ResourceList]}}
"""
    text = f"""
tests:
  - name: approved
    packet: {PACKET}
    expect: {{rule: sure, hold: "stop P-1?"}}
    then:
      - decide: {{word: approve, reason: yes please, set: {{when: now}}}}
        expect:
          reply: {REPLY}
          events: [{{what: ready, why: arrived}},
                   {{what: held, why: "stop P-1?; `amierules approve 1 --set when=VALUE`"}},
                   {{what: approved, why: "sure: when=now, yes please"}}, {{what: ready, why: yes please}},
                   {{what: replied, why: notify_project_inactivate as packet 2}}, {{what: done}}]
"""
    suite = run_tests(text, {"rules.yaml": rules})
    assert suite.findings == []
    assert not told(suite), told(suite)
    refused = run_tests(text.replace("word: approve", "word: complete"), {"rules.yaml": rules})
    (failure,) = refused.results[0].failures
    assert "must be answered by notify_project_inactivate" in failure.message
    assert failure.place is not None


def test_earlier_packets_of_the_transaction_are_there(run_tests: RunTests) -> None:
    rules = """
packet: data_project_create
rules:
  - {name: closed, reply: {fields: {Message: "{{ transaction.notify_project_create.ProjectID }}"}}}
"""
    text = """
tests:
  - name: closed
    given:
      earlier:
        - {type: request_project_create, body: {GrantNumber: BIO1}}
        - {type: notify_project_create, body: {ProjectID: P-1}}
    packet: {type: data_project_create, body: {PersonID: "1", ProjectID: P-1, DnList: [/CN=Bo]}}
    expect:
      reply:
        type: inform_transaction_complete
        body: {StatusCode: Success, DetailCode: "1", Message: P-1}
"""
    suite = run_tests(text, {"rules.yaml": rules})
    assert [failure for result in suite.results for failure in result.failures] == []
    assert not suite.invalid
