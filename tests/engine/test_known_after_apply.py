"""Values that exist only after an earlier change, in a dry run."""

import json
from pathlib import Path
from typing import Any

import pytest

from amierules.cli.plan_text import as_lines
from amierules.database.rows import Project
from amierules.engine.decision import PacketReport
from amierules.engine.plan_json import as_json
from amierules.engine.site import Site
from tests.support.sites import MakeSite, know, load, plan, reason_of, registry, rpi, run, status_of

HEAD = """
packet: request_project_inactivate
rules:
  - name: a
    actions:
      - {name: make it, command: {run: [printf, "7"]}, register: made}
"""
REPLY = '    reply: {copy: [ProjectID, ResourceList], fields: {Comment: "%s"}}\n'


def _planned(make: MakeSite, actions: str = "", comment: str = "x") -> tuple[PacketReport, dict[str, Any], str]:
    """The plan as a value, as JSON and as text."""
    site = make(HEAD + "".join(f"      - {line}\n" for line in actions.strip().splitlines() if line) + REPLY % comment)
    load(site, rpi())
    (report,) = plan(site)
    document = json.loads(json.dumps(as_json([report])))["packets"][0]
    return report, document, "\n".join(as_lines(report, lambda text, style: text, 200))


def test_it_is_passed_on_whole(make: MakeSite) -> None:
    _, document, text = _planned(make, comment="{{ made }}")
    assert document["outcome"]["body"]["Comment"] == {"unknown": "make it"}
    assert "Comment: (known after make it)" in text


def test_a_text_around_it_is_unknown_as_a_whole(make: MakeSite) -> None:
    _, document, _ = _planned(make, comment="rc {{ made.rc }}")
    assert document["outcome"]["body"]["Comment"] == {"unknown": "make it"}


def test_so_is_a_word_of_a_command(make: MakeSite) -> None:
    _, document, text = _planned(make, '{name: use it, command: [echo, "{{ made.stdout }}", known]}')
    assert document["actions"][1]["state"] in ("change", "unknown")
    assert "known after make it" in text


@pytest.mark.parametrize(
    "condition",
    [
        "made.rc == 0",
        "made is none",
        "made is not none",
        "not made",
        "made.stdout in ['7']",
        "made",
        "made.rc | int > 0",
    ],
)
def test_a_condition_that_reaches_it_is_neither_true_nor_false(make: MakeSite, condition: str) -> None:
    _, document, _ = _planned(make, f'{{name: two, when: "{condition}", command: "false"}}')
    assert document["actions"][1]["state"] == "unknown"
    assert "make it" in document["actions"][1]["reason"]
    assert document["actions"][1]["changes"] == []


@pytest.mark.parametrize(
    ("condition", "state"),
    [
        ("packet.Comment is none or made", "change"),
        ("packet.Comment is not none and made", "skipped"),
        ("['packet.Comment is not none', 'made.rc == 0']", "skipped"),
        ("['made.rc == 0', 'packet.Comment is not none']", "unknown"),
    ],
)
def test_a_condition_stops_early(make: MakeSite, condition: str, state: str) -> None:
    quoted = condition if condition.startswith("[") else f'"{condition}"'
    _, document, _ = _planned(make, f"{{name: two, when: {quoted}, command: 'false'}}")
    assert document["actions"][1]["state"] == state


def test_a_list_that_is_not_known_yet(make: MakeSite) -> None:
    _, document, _ = _planned(make, "{name: two, for_each: made.stdout, command: 'false'}")
    assert document["actions"][1]["state"] == "unknown"


def test_an_assert_that_reaches_it_does_not_fail(make: MakeSite) -> None:
    report, document, _ = _planned(make, "{name: two, assert: {that: made.rc == 5, message: no}}")
    assert report.decision.kind == "reply"
    assert document["actions"][1]["reason"].endswith("known after make it")


def test_a_mapping_of_fields_that_is_not_known_yet(make: MakeSite) -> None:
    site = make(HEAD + "    reply: {fields: '{{ made }}'}\n")
    load(site, rpi())
    (report,) = plan(site)
    assert (report.decision.kind, report.decision.reason) == ("reply", "known after make it")


def test_the_condition_of_a_rule_knows_everything(make: MakeSite) -> None:
    """Nothing has been applied yet: ids that an action would give cannot be asked for."""
    site = make("packet: request_project_inactivate\nrules:\n  - {name: a, when: person.uid == 1, ignore: x}\n")
    (packet,) = load(site, rpi())
    assert plan(site)[0].decision.kind == "park"
    run(site)
    assert status_of(site, packet) == "parked"


MAKES = """
packet: request_project_inactivate
rules:
  - name: a
    actions:
      - {name: row, person: {attributes: {LastName: Sample}, login_from: [bsample]}}
      - {name: project, project: {group: p-1, data: {owner: "{{ person.login }}"}}}
      - {name: tell, command: {run: [echo, "{{ person.uid }}", "{{ project.gid }}"], unless: {run: "false"}}}
    reply: {copy: [ProjectID, ResourceList], fields: {Comment: "{{ person.login }} is {{ person.uid }}"}}
"""


def test_an_allocated_id_shows_what_is_expected_and_counts_as_unknown(make: MakeSite) -> None:
    site = make(MAKES)
    load(site, rpi())
    (report,) = plan(site)
    row, project, tell = as_json([report])["packets"][0]["actions"]
    made = row["changes"][0]["after"]
    assert made["uid"] == {"unknown": "row", "expected": 20000}
    assert made["logins"] == [{"unknown": "row", "expected": "bsample"}]
    assert project["changes"][0]["after"]["gid"] == {"unknown": "project", "expected": 30000}
    assert project["changes"][0]["after"]["owner"] == {"unknown": "row", "expected": "bsample"}
    assert tell["changes"][0]["argv"][1:] == [
        {"unknown": "row", "expected": "20000"},
        {"unknown": "project", "expected": "30000"},
    ]
    assert as_json([report])["packets"][0]["outcome"]["body"]["Comment"] == {
        "unknown": "row",
        "expected": "bsample is 20000",
    }


def test_an_id_that_somebody_has_is_not_expected(make: MakeSite) -> None:
    site = make(MAKES)
    know(site, Project("taken", project_id="P-9", group="p-9", gid=30000))
    load(site, rpi())
    (report,) = plan(site)
    assert as_json([report])["packets"][0]["actions"][1]["changes"][0]["after"]["gid"]["expected"] == 30001


def test_a_run_gives_what_the_dry_run_expected(make: MakeSite) -> None:
    site = make(MAKES)
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "done", reason_of(site, packet)
    person = registry(site).find_person(person_id="20000")
    assert person is not None
    assert (person.uid, person.logins) == (20000, ("bsample",))


def test_a_dry_run_changes_nothing(make: MakeSite, tmp_path: Path) -> None:
    site = make(HEAD.replace('[printf, "7"]', f"[touch, '{tmp_path}/touched']") + REPLY % "x")
    load(site, rpi())
    before = _everything(site)
    plan(site)
    assert _everything(site) == before
    assert not (tmp_path / "touched").exists()


def _everything(site: Site) -> dict[str, list[Any]]:
    with site.database.read() as connection:
        names = connection.exec_driver_sql("select name from sqlite_master where type = 'table'").scalars().all()
        return {name: list(connection.exec_driver_sql(f'select * from "{name}"')) for name in names}
