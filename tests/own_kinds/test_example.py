"""The package of the documentation, installed: its kind behaves everywhere as a shipped one does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from amierules.database.connection import Database
from amierules.engine.pausing import pausable, pause, resume
from amierules.engine.site import Site
from amierules.engine.site_folder import write_site_folder
from tests.own_kinds.conftest import EXAMPLE
from tests.support.command_line import Ended, call, program
from tests.support.crash_matrix import Record
from tests.support.deaths import KILLS, at_point, run_in_process
from tests.support.sites import load, make_site, plan, reason_of, registry, rpi, run, status_of, steps_of, work_of

RULE = """\
packet: request_project_inactivate
rules:
  - name: all
    actions:
      - name: announcements
        mailing_list: {list: users, add: "{{ packet.Comment }}", folder: "FOLDER"}
        register: done
      - {name: same list, mailing_list: {list: users, remove: ["old@site.example"], folder: "FOLDER"}}
      - {name: sure, assert: {that: "done.members > 0", message: nobody}}
    reply: {copy: [ProjectID, ResourceList]}
"""
POINTS = ("before intent", "in intent", "after intent", "after effect", "in result", "after result", "in settling")


def packet(number: int, address: str) -> dict[str, object]:
    return rpi({"ProjectID": f"p-{number}", "Comment": address})


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "users").write_bytes(b"# whoever reads this\nold@site.example\n")
    return folder


@pytest.fixture
def site(installed: Path, fresh: pytest.MonkeyPatch, sqlite_url: str, tmp_path: Path, lists: Path) -> Site:
    fresh.syspath_prepend(installed)
    rules = {"rule.yaml": RULE.replace("FOLDER", str(lists))}
    return make_site(Database.open_unchecked(sqlite_url), tmp_path / "site", rules)


def test_its_own_tests_pass(installed: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", "tmp"]
    command.append(str(EXAMPLE / "tests"))
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_from_validate_to_a_second_run_as_a_person_does_it(installed: Path, tmp_path: Path, lists: Path) -> None:
    site = tmp_path / "site"
    write_site_folder(site, "TestSite", ("alpha.site.example",))
    rule = site / "rules" / "request_project_inactivate.yaml"

    def amierules(*words: str) -> Ended:
        return program(*words, cwd=site, PYTHONPATH=str(installed))

    rule.write_text(RULE.replace("FOLDER", str(lists)).replace("mailing_list", "mailing_lst", 1))
    ended = amierules("validate")
    assert ended.status == 1
    assert "did you mean 'mailing_list'?" in ended.stdout
    rule.write_text(RULE.replace("FOLDER", str(lists)).replace("remove", "remov"))
    ended = amierules("validate")
    assert "'remov' is not a key of the kind 'mailing_list'" in ended.stdout
    assert "did you mean 'remove'?" in ended.stdout
    rule.write_text(RULE.replace("FOLDER", str(lists)).replace("members", "membrs"))
    assert "did you mean 'members'?" in amierules("validate").stdout
    rule.write_text(RULE.replace("FOLDER", str(lists)))
    assert "stale-schemas" in amierules("validate").stdout
    assert amierules("schema", "--write", "schemas").status == 0
    ended = amierules("validate", "--strict")
    assert (ended.status, "stale" in ended.stdout) == (0, False), ended.stdout
    (site / "packets.json").write_text(json.dumps([packet(1, "mara@site.example"), packet(2, "|/bin/sh")]))
    assert amierules("load", "packets.json").status == 0
    before = (lists / "users").read_bytes()
    ended = amierules("dry-run", "1")
    assert "add mara@site.example to mailing list users" in ended.stdout
    assert "remove old@site.example from mailing list users" in ended.stdout
    assert (lists / "users").read_bytes() == before
    assert amierules("run", "1").status == 0
    assert (lists / "users").read_bytes() == b"# whoever reads this\nmara@site.example\n"
    ended = amierules("run", "2")
    assert ended.status == 3
    assert "'|/bin/sh' is no address that a list may hold" in ended.stdout
    assert "announcements" in amierules("show", "1").stdout
    assert amierules("pause", "mailing_list", "--reason", "moving").status == 0
    assert amierules("resume", "mailing_list").status == 0


def test_explain_and_schema_know_it(installed: Path, fresh: pytest.MonkeyPatch) -> None:
    fresh.syspath_prepend(installed)
    topic = call("explain", "mailing_list", "--format", "json").json("explain")["topics"][0]
    assert (topic["topic"], [one["name"] for one in topic["parameters"]]) == (
        "kind",
        ["list", "add", "remove", "folder"],
    )
    assert json.loads(call("schema", "mailing_list").stdout)["title"] == "mailing_list"
    assert "mailing_list" in call("schema").stdout


@pytest.mark.parametrize("point", POINTS)
def test_after_a_crash_it_is_looked_for_and_not_done_twice(
    site: Site, point: str, lists: Path, record_property: Record
) -> None:
    (number,) = load(site, packet(1, "mara@site.example"))
    assert run_in_process(site, crash_point=at_point(point))
    record_property(KILLS, ["sqlite", "a package's kind", point, 1])
    assert not run_in_process(site)
    assert status_of(site, number) == "done"
    assert (lists / "users").read_bytes() == b"# whoever reads this\nmara@site.example\n"
    assert {path: step.state for path, step in steps_of(site, number).items()} == dict.fromkeys(
        ("announcements", "same list", "sure"), "done"
    )
    (again,) = load(site, packet(2, "mara@site.example"))
    (report,) = plan(site, [again])
    assert [step.state for step in report.steps[:2]] == ["present", "present"]
    assert registry(site).find_project(project_id="p-1") is None


def test_it_is_paused_by_its_name_and_pauses_itself_where_it_is_away(site: Site, lists: Path) -> None:
    assert "mailing_list" in pausable(site)
    pause(site, "mailing_list", "moving", "pat")
    (number,) = load(site, packet(1, "mara@site.example"))
    run(site)
    assert "mailing_list is paused: moving" in reason_of(site, number)
    resume(site, "mailing_list", "moved", "pat")
    lists.rename(lists.with_name("away"))
    run(site)
    assert "is it mounted?" in reason_of(site, number)
    assert work_of(site, number).attempts == 0
    lists.with_name("away").rename(lists)
    resume(site, "mailing_list", "mounted", "pat")
    run(site)
    assert status_of(site, number) == "done"
