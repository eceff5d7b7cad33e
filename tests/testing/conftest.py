"""Sites with rules of a test's own, and test files for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amierules.cli.rule_tests_text import result_lines
from amierules.testing.stage import Stages
from amierules.testing.suite import Suite
from tests.support import sites

STOPPING = """\
packet: request_project_inactivate
rules:
  - name: not yet
    when: project is none
    hold: no project {{ packet.ProjectID }}
  - name: stop
    actions:
      - name: quota
        when: site.merge == 'merge'
        command: {run: [/bin/quota, "{{ project.project_id }}"]}
        on_error: continue
      - {name: inactive, project: {active: false}}
    reply: {copy: [ProjectID, ResourceList]}
"""
STOPPED = """\
given:
  registry: {projects: [{project_id: P-1, resources: [alpha.site.example]}]}
packets:
  stop: {type: request_project_inactivate, body: {ProjectID: P-1, ResourceList: [alpha.site.example]}}
tests:
  # the usual case
  - name: stopped
    packet: stop
    expect:
      rule: stop   # and no other
      # what is done
      changes:
        - step: inactive   # in the registry
          modify: project P-1 on alpha.site.example
          before: {active: true}
          after: {active: false}
      reply:
        type: notify_project_inactivate
        body: {ProjectID: P-1, ResourceList: [alpha.site.example]}
  - name: unknown
    packet: {like: stop, body: {ProjectID: P-2}}
    expect: {rule: not yet, hold: no project P-2}
"""
"""Tests of the rules in `STOPPING`, which pass."""

RunTests = Callable[..., Suite]
"""Runs test files, given as a text or as texts by name, for rules given as texts by path (None: the shipped ones)."""


def told(suite: Suite) -> str:
    """What a person is told of the tests that failed."""
    return "\n".join(line for result in suite.failed for line in result_lines(result, verbose=False))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site with rules for one packet type; we are in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AMIERULES_CONFIG", raising=False)
    sites.configure(tmp_path, {"rules.yaml": STOPPING})
    (tmp_path / "tests").mkdir()
    return tmp_path


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
