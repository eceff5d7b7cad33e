"""Tests that several processes play come out as if one had played them, in order."""

from pathlib import Path
from typing import Any

import pytest

from amierules.testing.coverage import Coverage
from amierules.testing.side_by_side import WORTH_IT, usual_jobs
from amierules.testing.stage import Stages
from amierules.testing.suite import Suite, named
from tests.testing.conftest import STOPPED

CASE = """\
  - name: {name}
    packet: {{like: stop, body: {{ProjectID: {project}}}}}
    expect: {{rule: not yet, hold: no project P-{number}}}
"""
SHARED = "given:\n  world: {commands: [{run: /bin/quota *}, {run: /bin/nobody-asks}]}\n"


@pytest.fixture
def many(site: Path) -> Path:
    """A site with two files of tests, of which one in ten fails."""
    for letter in "ab":
        numbers = range(2, 27)
        cases = (CASE.format(name=f"{letter}{n}", number=n, project=f"P-{1 if n % 10 == 0 else n}") for n in numbers)
        (site / "tests" / f"{letter}.yaml").write_text(STOPPED + "".join(cases), encoding="utf-8")
    return site


def played(site: Path, jobs: int, **how: Any) -> Suite:
    """The site's tests, played in so many processes."""
    suite = Suite(None, jobs=jobs, **how)
    with Stages.opened() as stages:
        list(suite.run([site / "tests"], stages))
    return suite


def seen(suite: Suite) -> list[tuple[object, ...]]:
    """What came of each test."""
    return [(one.file.shown, one.case.name, one.failures, one.turn, one.used) for one in suite.results]


def test_results_are_the_same_and_in_the_same_order(many: Path) -> None:
    alone, several = played(many, 1), played(many, 3)
    assert len(alone.failed) == 4
    assert seen(several) == seen(alone)
    assert several.findings == alone.findings == []
    assert _gaps(several.coverage()) == _gaps(alone.coverage())


def test_the_first_failure_stops_all(many: Path) -> None:
    several = played(many, 2, stop_at_first=True)
    assert seen(several) == seen(played(many, 1, stop_at_first=True))
    assert [one.case.name for one in several.failed] == ["a10"]


def test_what_any_process_has_used_is_used(many: Path) -> None:
    file = many / "tests" / "b.yaml"
    file.unlink()
    text = STOPPED.partition("packets:")
    rest = "".join(CASE.format(name=f"n{n}", number=n, project=f"P-{n}") for n in range(2, 20))
    settings = (
        "  settings: {merge: merge}\n  registry: {projects: [{project_id: P-1, resources: [alpha.site.example]}]}\n"
    )
    changed = text[2].replace("- step: inactive", "- {step: quota, run: /bin/quota P-1}\n        - step: inactive")
    (many / "tests" / "a.yaml").write_text(SHARED + settings + text[1] + changed + rest, encoding="utf-8")
    for jobs in (1, 3):
        suite = played(many, jobs)
        assert suite.failed == []
        assert [failure.message for failure in suite.failures] == ["nobody runs `/bin/nobody-asks`"]


def test_only_what_is_wanted_is_played(many: Path) -> None:
    several = played(many, 2, wanted=named(["b.yaml:b1"]))
    assert [one.case.name for one in several.results] == [f"b{n}" for n in range(10, 20)]


def test_few_tests_are_played_in_one_process() -> None:
    assert usual_jobs(WORTH_IT - 1) == 1
    assert usual_jobs(WORTH_IT) >= 1


def _gaps(coverage: Coverage) -> list[object]:
    return list(coverage.missing)
