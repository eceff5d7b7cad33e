"""Whatever is misspelt in a test file is found, at its place: nothing passes in silence."""

import re

import pytest

from tests.testing.conftest import RunTests

RULES = {
    "rpi.yaml": """
packet: request_project_inactivate
rules:
  - name: stop
    actions:
      - {name: quota, command: {run: [/usr/sbin/quota, "{{ packet.ProjectID }}"], unless: {run: [/usr/sbin/has-quota]}}}
    reply: {copy: [ProjectID, ResourceList]}
"""
}
GOOD = """\
packets:
  stop: {type: request_project_inactivate, body: {ProjectID: P-1, ResourceList: [alpha.site.example]}}
tests:
  - name: stopped
    given:
      settings: {accounts: shadow}
      clock: 2026-04-01T00:00:00Z
      registry: {projects: [{project_id: P-1, resources: [alpha.site.example]}]}
      world:
        users: [{name: annex, uid: 20000}]
        commands: [{run: /usr/sbin/has-quota, rc: 1}, {run: /usr/sbin/quota *}]
    packet: stop
    expect:
      rule: stop
      changes: [{step: quota, run: /usr/sbin/quota P-1}]
      reply: {type: notify_project_inactivate, body: {ProjectID: P-1, ResourceList: [alpha.site.example]}}
    then:
      - later: 1h
        expect: {partial: true, rule: stop}
"""


def test_it_passes_as_it_is(run_tests: RunTests) -> None:
    suite = run_tests(GOOD, RULES)
    assert (suite.findings, suite.failures, [one.passed for one in suite.results]) == ([], [], [True])
    assert not suite.invalid


@pytest.mark.parametrize(
    "word",
    sorted(set(re.findall(r"(\w+):(?= )|(\w+):\n", GOOD)) - {("stop", ""), ("", "stop")}),
    ids=lambda word: "".join(word),
)
def test_a_misspelt_key_is_found(run_tests: RunTests, word: tuple[str, str]) -> None:
    key = "".join(word)
    text = re.sub(rf"\b{key}:", f"{key}x:", GOOD, count=1)
    suite = run_tests(text, RULES)
    assert suite.invalid
    assert any(f"{key}x" in finding.message and finding.place and finding.place.line for finding in suite.findings)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("packet: stop", "packet: stap", "there is no packet 'stap' under 'packets'"),
        ("accounts: shadow", "acounts: shadow", "the site has no setting 'acounts'"),
        ("type: request_project_inactivate", "type: request_project_inactive", "AMIE has no packet type"),
        ("ProjectID: P-1, ResourceList: [alpha.site.example]}}\ntests", "ProjectId: P-1}}\ntests", "has no tag"),
        ("rule: stop\n      changes", "changes", None),
        ("2026-04-01T00:00:00Z", "2026-13-01", "'2026-13-01' is no moment"),
        ("run: /usr/sbin/has-quota", 'run: "\'/usr/sbin/has-quota"', "cannot be read as words"),
        ("      reply: {type", "      defer: x\n      reply: {type", "several outcomes: 'reply' and 'defer'"),
        ("run: /usr/sbin/quota P-1}", "run: x, create: y}", "does two things"),
        ("run: /usr/sbin/quota P-1}", "partial: false}", "does not say what is done"),
        ("partial: true, rule: stop", "rule: stop", "has no outcome"),
        ("partial: true, rule: stop", "partial: true", "expects nothing"),
    ],
)
def test_what_the_schema_cannot_see_is_found_too(run_tests: RunTests, old: str, new: str, said: str | None) -> None:
    assert old in GOOD
    suite = run_tests(GOOD.replace(old, new, 1), RULES)
    messages = [finding.message for finding in suite.findings]
    assert (any(said in message for message in messages) and suite.invalid) if said else messages == []


def test_no_test_is_a_failure(run_tests: RunTests) -> None:
    suite = run_tests({}, RULES)
    assert suite.invalid
    assert [finding.code for finding in suite.findings] == ["no-tests"]


def test_a_file_that_is_something_else_is_no_test_file_and_an_unknown_one_is_a_mistake(run_tests: RunTests) -> None:
    others = {"other.yaml": "site_name: X\n", "persons.yaml": "persons: []\n", "rules.yaml": "packet: x\n"}
    assert not run_tests({"case.yaml": GOOD, **others}, RULES).invalid
    suite = run_tests({"misnamed.yaml": GOOD.replace("tests:", "test:")}, RULES)
    assert suite.invalid
    assert "'test' is not a key" in suite.findings[0].message
