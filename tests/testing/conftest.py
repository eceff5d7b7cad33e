"""Sites with rules of a test's own, and test files for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amierules.cli.rule_tests_text import result_lines
from amierules.testing.stage import Stages
from amierules.testing.suite import Suite
from tests.support import sites

RunTests = Callable[..., Suite]
"""Runs test files, given as a text or as texts by name, for rules given as texts by path (None: the shipped ones)."""


def told(suite: Suite) -> str:
    """What a person is told of the tests that failed."""
    return "\n".join(line for result in suite.failed for line in result_lines(result, verbose=False))


@pytest.fixture
def run_tests(tmp_path: Path) -> RunTests:
    """Runs test files on a site of the test's own; returns what came of them."""

    def run(tests: str | dict[str, str], rules: dict[str, str] | None = None, **config: Any) -> Suite:
        sites.configure(tmp_path, rules, **config)
        folder = tmp_path / "tests"
        folder.mkdir(exist_ok=True)
        for name, text in ({"case.yaml": tests} if isinstance(tests, str) else tests).items():
            (folder / name).write_text(text, encoding="utf-8")
        suite = Suite(None)
        with Stages.opened() as stages:
            list(suite.run([folder], stages))
        return suite

    return run
