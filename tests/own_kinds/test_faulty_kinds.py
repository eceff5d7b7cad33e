"""A package's module that fails as no kind may: its packet waits for a person, the others go on, and it is named."""

from pathlib import Path

import pytest

from amierules.database.connection import Database
from amierules.engine.running import Runner
from amierules.engine.site import Site
from tests.own_kinds.test_own_kinds import GOOD, Packages
from tests.support.deaths import at_point, run_in_process
from tests.support.sites import load, make_site, plan, reason_of, rpi, run, status_of, steps_of, work_of

RULE = """\
packet: request_project_inactivate
rules:
  - name: by the kind
    when: packet.Comment == 'kind'
    actions:
      - {name: quota, project_quota: {project: 7, bytes: 1000}, register: done}
      - {name: changed, command: [echo, "{{ done.changed }}"]}
    reply: {copy: [ProjectID, ResourceList]}
  - name: without
    reply: {copy: [ProjectID, ResourceList]}
"""
MODULE = """\
from amierules.actions.base import *
def target(params): return 'x'
def probe(params, surroundings): return None
def plan(params, state, surroundings):
    return Plan((Change('change', 'modify', 'x'),), result={'changed': True})
def apply(params, plan, surroundings): return {'changed': True}
"""


@pytest.fixture
def packages(tmp_path: Path, fresh: pytest.MonkeyPatch) -> Packages:
    (tmp_path / "packages").mkdir()
    fresh.syspath_prepend(tmp_path / "packages")
    return Packages(tmp_path / "packages")


def site_with(packages: Packages, module: str, sqlite_url: str, folder: Path, **changed: object) -> Site:
    home = packages.add("quota", GOOD | changed, module=module)
    (home / "__init__.py").write_text("")
    return make_site(Database.open_unchecked(sqlite_url), folder / "site", {"rule.yaml": RULE})


def replaced(function: str, body: str) -> str:
    return f"{MODULE}def {function}(*given): {body}\n"


def test_the_module_by_itself_is_in_order(packages: Packages, sqlite_url: str, tmp_path: Path) -> None:
    site = site_with(packages, MODULE, sqlite_url, tmp_path)
    (number,) = load(site, rpi({"Comment": "kind"}))
    assert [step.state for step in plan(site)[0].steps] == ["change", "change"]
    run(site)
    assert status_of(site, number) == "done", reason_of(site, number)


@pytest.mark.parametrize(
    ("module", "status", "said"),
    [
        (replaced("probe", "return {}['x']"), "parked", "probe() failed: KeyError: 'x'"),
        (replaced("plan", "return None"), "parked", "plan() returned no Plan of Changes"),
        (replaced("plan", "return Plan(('run',))"), "parked", "plan() returned no Plan of Changes"),
        (replaced("plan", "return Plan(result={'changd': True})"), "parked", "plan() returned no result with changed"),
        (replaced("plan", "return Plan(result={'changed': object()})"), "parked", "'changed' is no plain value"),
        (replaced("apply", "return 1 / 0"), "in_doubt", "apply() failed: ZeroDivisionError"),
        (replaced("apply", "return None"), "in_doubt", "apply() returned no result with changed"),
        (replaced("apply", "raise Conflict('theirs')"), "held", "theirs"),
        (replaced("probe", "raise ActionError('no')"), "parked", "no"),
    ],
)
def test_what_no_kind_may_do_is_said_to_be_the_packages_fault(
    module: str, status: str, said: str, packages: Packages, sqlite_url: str, tmp_path: Path
) -> None:
    site = site_with(packages, module, sqlite_url, tmp_path)
    wrong, right = load(site, rpi({"Comment": "kind"}), rpi({"ProjectID": "p-2"}))
    handled = {one.report.packet_rec_id: one for one in Runner(site).run()}
    assert (status_of(site, wrong), status_of(site, right)) == (status, "done")
    assert said in reason_of(site, wrong)
    if "()" in said or "plain" in said:
        assert "the kind 'project_quota' of the package site_quota 1.0" in reason_of(site, wrong)
        assert "Traceback" in (handled[wrong].report.crash or "")


def test_a_module_that_cannot_be_imported_costs_no_attempt(packages: Packages, sqlite_url: str, tmp_path: Path) -> None:
    site = site_with(packages, "import no_such_module\n", sqlite_url, tmp_path)
    wrong, right = load(site, rpi({"Comment": "kind"}), rpi({"ProjectID": "p-2"}))
    (planned, _) = plan(site)
    assert "cannot be imported" in planned.decision.reason
    run(site)
    assert status_of(site, right) == "done"
    assert (status_of(site, wrong), work_of(site, wrong).attempts) == ("retrying", 0)
    assert "site_quota 1.0 cannot be imported: ModuleNotFoundError" in reason_of(site, wrong)


def test_a_kind_whose_doubt_is_for_a_person_is_in_doubt_after_a_crash(
    packages: Packages, sqlite_url: str, tmp_path: Path
) -> None:
    site = site_with(packages, MODULE, sqlite_url, tmp_path, **{"x-doubt": "person", "x-until": False})
    (number,) = load(site, rpi({"Comment": "kind"}))
    assert run_in_process(site, crash_point=at_point("after effect"))
    run(site)
    assert status_of(site, number) == "in_doubt"
    assert steps_of(site, number)["quota"].state == "started"
