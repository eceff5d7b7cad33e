"""`amierules usage`, as a person calls it."""

import os
from pathlib import Path

import pytest

from amierules.database.connection import Database
from tests.support.command_line import call
from tests.support.usage import know_people, raw, write_site

HEAD = (
    "job_id,cluster,account,login,partition,qos,state,submitted,started,ended,elapsed,time_limit,nodes,cpus,tres,"
    "array_id,exit_code,name"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_site(tmp_path)
    monkeypatch.chdir(tmp_path)
    with Database.open(f"sqlite:///{tmp_path}/amie.db", create=True) as database:
        know_people(database)
    jobs = [raw(1), raw(2, cpus=8, login="joe"), raw(3, login="zoe"), raw(4, state="TIMEOUT"), raw(5, elapsed=0)]
    lines = [",".join(f'"{value}"' for value in job) for job in jobs]
    (tmp_path / "jobs.csv").write_text("\n".join([HEAD, *lines, "garbage"]) + "\n", encoding="utf-8")
    return tmp_path


def test_jobs_of_a_file_are_collected_shown_and_sent(folder: Path) -> None:
    assert call("usage", "status").stderr.startswith("nothing is collected yet")
    collected = call("usage", "collect", "jobs.csv")
    assert collected.status == 3
    assert "6 rows: 3 new" in collected.stdout
    assert "line 7: it has 1 columns, and the head 18" in collected.stderr
    assert "job 3: 'zoe' has no account on P-BIO on alpha.site.example" in collected.stderr
    again = call("usage", "collect", "jobs.csv", "--format", "json").json("usage-collect")
    assert (again["new"], again["same"], again["ignored"]) == (0, 3, {"nothing": 1})
    planned = call("usage", "report", "--dry-run", "--format", "json").json("usage-report")
    assert planned["totals"][0] | {"charge": "16"} == planned["totals"][0]
    assert len(planned["first"]) == 3
    assert "3 records would be sent to TGCDB" in call("usage", "report", "--dry-run").stdout
    assert call("usage", "report").stdout == "sent 3 records to TGCDB\n"
    assert call("usage", "report").stdout == "nothing to send\n"
    assert call("usage", "report", "--format", "json").json("usage-report")["records"] == 0


def test_a_dry_run_tells_of_records_that_would_make_no_packet(folder: Path) -> None:
    lines = [",".join(f'"{value}"' for value in raw(number, partition="")) for number in (7, 8)]
    (folder / "jobs.csv").write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")
    call("usage", "collect", "jobs.csv")
    planned = call("usage", "report", "--dry-run")
    assert planned.status == 3
    assert "0 records would be sent to TGCDB\n2 would fail: notify_project_usage must have a value for Queue\n" in (
        planned.stdout
    )
    counted = call("usage", "report", "--dry-run", "--format", "json").json("usage-report")
    assert counted["would_fail"] == {"notify_project_usage must have a value for Queue": 2}
    assert call("usage", "report").stdout.startswith("sent 0 records to TGCDB\n2 failed")
    rules = folder / "rules" / "usage.yaml"
    rules.write_text(rules.read_text("utf-8") + "fields: {Queue: batch}\n", encoding="utf-8")
    assert call("usage", "retry", "--all").status == 0
    assert call("usage", "report", "--dry-run").status == 0
    assert call("usage", "report").stdout == "sent 2 records to TGCDB\n"


def test_status_sums_lists_draws_and_ends_with_what_needs_a_person(folder: Path) -> None:
    call("usage", "collect", "jobs.csv")
    shown = call("usage", "status", "--by", "project", "--by", "day", "--chart")
    assert shown.status == 3
    assert "P-BIO    2026-03-01        3      16       3" in shown.stdout
    assert "█" in shown.stdout or "#" in shown.stdout
    data = call("usage", "status", "--format", "json").json("usage-status")
    assert data["problems"] == {"no-account": 1, "unparsable": 1}
    listed = call("usage", "status", "--problems", "--format", "json").json("usage-status")
    assert [one["code"] for one in sorted(listed["problems"], key=lambda one: one["place"])] == [
        "no-account",
        "unparsable",
    ]
    csv = call("usage", "status", "--format", "csv").stdout.splitlines()
    assert csv == ["project,resource,state,records,charge", "P-BIO,alpha.site.example,unsent,3,16"]
    assert call("usage", "status", "--project", "P-X", "--format", "json").json("usage-status")["sums"] == []
    assert call("usage", "status", "--plot", "usage.svg").status == 3
    assert "<svg" in (folder / "usage.svg").read_text()


def test_without_slurm_there_is_no_comparison_but_a_note(folder: Path) -> None:
    (folder / "amierules.yaml").write_text(
        (folder / "amierules.yaml").read_text() + "usage: {sacct: {program: /nonexistent/sacct}}\n"
    )
    ended = call("usage", "status", "--compare", "--start", "2026-01-01", "--format", "json")
    assert ended.json("usage-status")["comparison"] is None
    assert "not compared with Slurm" in ended.stderr
    failed = call("usage", "collect", "--start", "2 days")
    assert (failed.status, "usage-source-failed" in failed.stderr) == (5, True)


def test_an_adjustment_needs_a_reason_and_names_that_are_there(folder: Path) -> None:
    words = ["usage", "adjust", "refund", "--project", "bio", "--resource", "alpha.site.example", "--charge"]
    good = call(*words, "2.5", "--start", "2026-03-01", "--reason", "bad node")
    assert (good.status, "refund of 2.5 for bio" in good.stdout) == (0, True)
    assert call(*words, "2.5", "--start", "2026-03-01", "--reason", " ").status == 2
    assert call(*words, "much", "--start", "2026-03-01", "--reason", "x").status == 2
    assert call(*words, "-1", "--start", "2026-03-01", "--reason", "x").status == 2
    unknown = call(*words[:3], "--project", "geo", *words[5:], "1", "--start", "2026-03-01", "--reason", "x")
    assert (unknown.status, "the registry has no project 'geo'" in unknown.stderr) == (2, True)
    typo = call("usage", "adjust", "refun", *words[3:], "1", "--start", "2026-03-01", "--reason", "x")
    assert "did you mean 'refund'?" in typo.stderr


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["collect"], 2, "give --start this once"),
        (["collect", "none.csv"], 1, "cannot be read"),
        (["collect", "jobs.csv", "--start", "2 days"], 2, "a file is read whole"),
        (["collect", "--start", "soon"], 2, "'soon' is no moment"),
        (
            ["collect", "--start", "2026-03-02", "--end", "2026-03-01"],
            2,
            "before it begins (2026-03-02",
        ),
        (["collect", "--storage"], 2, "nothing says where storage is measured"),
        (["collect", "--storage", "jobs.csv"], 1, "must name account, resource, time, bytes"),
        (["collect", "broken.csv"], 1, "broken.csv is no CSV: its first line cannot be read"),
        (["retry", "--request", "5", "--taken"], 2, "there is no request 5 whose answer was lost"),
        (["status", "--by", "projct"], 2, "did you mean 'project'?"),
        (["status", "--plot", "x.pdf"], 2, "draws .svg or .png"),
        (["status", "--compare"], 2, "from when on"),
        (["retry"], 2, "name records, or --all"),
        (["retry", "5"], 2, "record 5 has not failed"),
        (["report", "--dry-run", "--follow"], 2, "give one of them"),
    ],
)
def test_wrong_words_are_told(folder: Path, words: list[str], status: int, said: str) -> None:
    (folder / "broken.csv").write_bytes(b"job_id,a\rb,account\n1,2,3\n")
    ended = call("usage", *words)
    assert (ended.status, said in ended.stderr) == (status, True), ended.stderr


def test_a_site_without_usage_rules_is_told_where_they_belong(folder: Path) -> None:
    os.remove(folder / "rules" / "usage.yaml")
    ended = call("usage", "status")
    assert (ended.status, "there is no usage.yaml in rules" in ended.stderr) == (1, True)


def test_validate_checks_usage_rules(folder: Path) -> None:
    assert call("validate").status == 0
    (folder / "rules" / "usage.yaml").write_text('usage: x\njobs:\n  - {name: a, charge: "{{ job.cpu }}"}\n')
    for words in (["validate"], ["validate", "rules/usage.yaml"], ["validate", "rules"]):
        ended = call(*words)
        assert (ended.status, "rules/usage.yaml:3:31: error[unknown-attribute]" in ended.stdout) == (1, True), (
            ended.stdout
        )
    assert call("usage", "status").status == 1
