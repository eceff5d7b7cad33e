"""`--mutate` changes the rules one thing at a time, and lists the changes that no test notices."""

from pathlib import Path

import pytest

from tests.support.command_line import call
from tests.testing.conftest import STOPPED

QUOTA = """
  - name: with a quota
    given:
      settings: {merge: merge}
      world: {commands: [{run: /bin/quota P-1}]}
    packet: stop
    expect:
      changes:
        - {step: quota, run: /bin/quota P-1}
        - {step: inactive, modify: project P-1 on alpha.site.example, before: {active: true}, after: {active: false}}
      reply: {type: notify_project_inactivate, body: {ProjectID: P-1, ResourceList: [alpha.site.example]}}
  - name: without its quota
    given:
      settings: {merge: merge}
      world: {failures: [{step: quota, is: permanent}]}
    packet: stop
    expect: {partial: true, reply: {type: notify_project_inactivate, body: {}}}
"""


@pytest.fixture
def tests(site: Path) -> Path:
    return site / "tests" / "stop.yaml"


def test_thorough_tests_notice_every_change(tests: Path) -> None:
    tests.write_text(STOPPED + QUOTA, encoding="utf-8")
    ended = call("test", "--mutate", "--mutation-threshold", 100)
    assert ended.stdout.splitlines() == ["changes of the rules: 100.0 % noticed (13 of 13)"]
    assert ended.status == 0


def test_what_nobody_notices_is_listed_at_its_place(tests: Path) -> None:
    tests.write_text(STOPPED, encoding="utf-8")
    ended = call("test", "--mutate", "--mutation-threshold", 90)
    assert ended.status == 1
    assert "rules/rules.yaml:9:15: 'merge' becomes 'merge~': not noticed (1 test could)" in ended.stdout.splitlines()
    assert "the command has one word more, '~': not noticed (no test gets there)" in ended.stdout
    assert "not 90 %" in ended.stderr


def test_a_vague_test_notices_little(tests: Path) -> None:
    vague = STOPPED.replace("      rule: stop   # and no other\n", "      partial: true\n")
    vague = vague.replace("body: {ProjectID: P-1, ResourceList: [alpha.site.example]}\n  - name", "body: {}\n  - name")
    tests.write_text(vague, encoding="utf-8")
    ended = call("test", "--mutate", "--format", "json")
    data = ended.json("test")
    left = {one["message"] for one in data["mutation"]["unnoticed"]}
    assert {"ProjectID is not copied into the reply", "ResourceList is not copied into the reply"} <= left
    assert data["mutation"]["all"] == data["mutation"]["noticed"] + len(data["mutation"]["unnoticed"])


def test_rules_are_changed_only_where_all_tests_pass(tests: Path) -> None:
    tests.write_text(STOPPED.replace("rule: stop ", "rule: other "), encoding="utf-8")
    ended = call("test", "--mutate")
    assert ended.status == 1
    assert "all tests must pass" in ended.stderr
    assert "changes of the rules" not in ended.stdout
