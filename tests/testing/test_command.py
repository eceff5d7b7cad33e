"""`amierules test` on the command line."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.command_line import call
from tests.testing.conftest import STOPPED


@pytest.fixture
def passing(site: Path) -> Path:
    file = site / "tests" / "stop.yaml"
    file.write_text(STOPPED, encoding="utf-8")
    return file


@pytest.fixture
def failing(passing: Path) -> Path:
    passing.write_text(STOPPED.replace("hold: no project P-2", "hold: no project at all"), encoding="utf-8")
    return passing


def test_what_passes_is_only_counted(passing: Path) -> None:
    ended = call("test")
    assert (ended.status, ended.stdout) == (0, "")
    assert ended.stderr.startswith("2 passed in 1 file")
    assert call("test", "-v").stdout.splitlines() == [
        "pass tests/stop.yaml:7:11: stopped",
        "pass tests/stop.yaml:20:11: unknown",
    ]


def test_what_fails_is_shown_at_its_place_in_the_file(failing: Path) -> None:
    ended = call("test")
    assert ended.status == 1
    assert ended.stdout.splitlines()[:4] == [
        "FAIL tests/stop.yaml:20:11: unknown",
        "  tests/stop.yaml:22:29: outcome: expected (-), came (+)",
        "    - hold: no project at all",
        "    + hold: no project P-2",
    ]


def test_only_some_tests_are_run(failing: Path) -> None:
    ended = call("test", "-k", "STOPPED")
    assert ended.status == 0
    assert "1 passed, 1 left out" in ended.stderr
    nothing = call("test", "-k", "no such test")
    assert nothing.status == 1
    assert "none of the 2 tests" in nothing.stdout


def test_it_stops_at_the_first_that_fails(failing: Path) -> None:
    failing.write_text(failing.read_text("utf-8").replace("rule: stop ", "rule: start "), encoding="utf-8")
    assert "2 failed" in call("test").stderr
    assert "none passed, 1 failed" in call("test", "-x").stderr


def test_coverage_lists_what_no_test_uses(passing: Path) -> None:
    ended = call("test", "--coverage")
    assert ended.status == 0
    assert ended.stdout.splitlines() == [
        "rules/rules.yaml:8:9: action 'quota' is never begun",
        "rules/rules.yaml:8:9: action 'quota' never fails, and `on_error: continue` says what becomes of that",
        "rules/rules.yaml:8:9: action 'quota' is never in doubt, as after a crash",
        "rules/rules.yaml:9:15: `when: site.merge == 'merge'` is never true",
        "coverage: 60.0 % (rules 2 of 2, actions 1 of 2, when sides 3 of 4, failure paths 0 of 2)",
    ]
    assert call("test", "--coverage-threshold", 60).status == 0
    below = call("test", "--coverage-threshold", 61)
    assert below.status == 1
    assert "60.0 % of the rules, not 61 %" in below.stderr


def test_a_failure_and_a_doubt_are_covered_by_what_a_test_scripts(passing: Path) -> None:
    more = """
  - name: quota fails
    given:
      settings: {merge: merge}
      world: {failures: [{step: quota, is: permanent, says: no}]}
    packet: stop
    expect: {partial: true, rule: stop}
  - name: quota in doubt
    given: {settings: {merge: merge}, world: {commands: [{run: /bin/quota P-1}]}}
    packet: stop
    crash_after: quota
    expect: {partial: true, in_doubt: "quota: it was begun, and nobody recorded how it ended"}
"""
    passing.write_text(STOPPED + more, encoding="utf-8")
    ended = call("test", "--coverage")
    assert ended.stdout.splitlines() == [
        "coverage: 100.0 % (rules 2 of 2, actions 2 of 2, when sides 4 of 4, failure paths 2 of 2)"
    ]


def test_json_follows_its_schema(failing: Path) -> None:
    ended = call("test", "--format", "json", "--coverage")
    assert ended.status == 1
    data = ended.json("test")
    assert (data["passed"], data["failed"]) == (1, 1)
    assert data["tests"][1]["failures"][0]["expected"] == {"hold": "no project at all"}
    assert data["coverage"]["rules"] == {"used": 2, "all": 2}


def test_junit(failing: Path, tmp_path: Path) -> None:
    assert call("test", "--junit", tmp_path / "out.xml").status == 1
    root = ElementTree.parse(tmp_path / "out.xml").getroot()
    assert [(case.get("name"), case.find("failure") is not None) for case in root.iter("testcase")] == [
        ("stopped", False),
        ("unknown", True),
    ]
    failing.write_text("tests: []\n", encoding="utf-8")
    assert call("test", "--junit", tmp_path / "out.xml").status == 1
    assert len(list(ElementTree.parse(tmp_path / "out.xml").getroot().iter("error"))) == 1


def test_wrong_usage(passing: Path) -> None:
    assert call("test", "--update", "-x").status == 2
    assert call("test", "--coverage-threshold", "much").status == 2
    assert call("test", "no/such/file.yaml").status == 1
    assert call("test", "--junit", "no/such/folder/out.xml").status == 1
