"""`tgcdb` as a person calls it."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.amie_json import rac, rpc
from tests.support.command_line import PROGRAM, call


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _run(*words: object, until: str = "Ctrl-C ends it") -> str:
    """`tgcdb run` until it has said something, then SIGTERM; what it printed."""
    command = [str(PROGRAM), "tgcdb", "run", "--port", "0", *map(str, words)]
    printed = Path("printed.txt")
    with printed.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        deadline = time.monotonic() + 120
        try:
            _wait_for(until, printed, process, deadline)
        finally:
            process.terminate()
        assert process.wait(timeout=120) == 0, printed.read_text(encoding="utf-8")
    return printed.read_text(encoding="utf-8")


def _wait_for(until: str, printed: Path, process: "subprocess.Popen[bytes]", deadline: float) -> None:
    while until not in printed.read_text(encoding="utf-8"):
        assert process.poll() is None, printed.read_text(encoding="utf-8")
        assert time.monotonic() < deadline, printed.read_text(encoding="utf-8")
        time.sleep(0.05)


def test_scenarios_are_listed() -> None:
    listed = call("tgcdb", "scenarios")
    assert "request_person_merge" in listed.stdout
    data = call("tgcdb", "scenarios", "--format", "json").json("tgcdb-scenarios")
    assert sum(one["official"] for one in data["scenarios"]) == 4
    assert {"T01", "T50"} <= {one["number"] for one in data["rules"]}


def test_run_says_where_it_is_and_goes_on_where_it_was() -> None:
    said = _run("--scenario", "known_person", "--seed", 7, until="->")
    assert "http://127.0.0.1:" in said
    assert "-> request_project_create" in said
    again = _run()
    assert "-> " not in again
    report = call("tgcdb", "report", "--format", "json")
    assert report.status == 0
    data = report.json("tgcdb-report")
    assert (data["site"], data["summary"]["in_progress"], data["summary"]["unsent"]) == ("TestSite", 1, 5)
    text = call("tgcdb", "report").stdout
    assert "waits for the reply to request_project_create" in text
    assert "no violation" in text


def test_the_site_of_the_configuration_is_played_with(tmp_path: Path) -> None:
    call("init", ".", "--site-name", "Here", "--resource", "one.example")
    said = _run("--scenario", "known_person", until="->")
    assert "central database for Here at" in said
    assert call("tgcdb", "report", "--format", "json").json("tgcdb-report")["site"] == "Here"


def test_packets_of_ones_own(tmp_path: Path) -> None:
    mine: list[dict[str, Any]] = [rpc(), rac(), {**rac(), "type": "data_account_create"}]
    (tmp_path / "mine.json").write_text(json.dumps(mine), encoding="utf-8")
    said = _run("--packets", "mine.json", until="account_create 2")
    assert "is left out: it begins no transaction" in said
    assert "-> request_account_create" in said


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["run", "--scenario", "known_persom"], 2, "did you mean 'known_person'?"),
        (["run", "--packets", "nowhere.json"], 1, "cannot be read"),
        (["run", "--site", "a" * 17], 2, "cannot have the name"),
        (["run", "--fault", "nix"], 2, "nix"),
        (["report"], 5, "there is no store tgcdb.db"),
        (["report", "--store", "."], 5, "store-unusable"),
    ],
)
def test_typed_wrong(words: list[str], status: int, said: str) -> None:
    ended = call("tgcdb", *words)
    assert (ended.status, said in ended.stderr) == (status, True), ended.stderr


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tgcdb.db").write_text("what somebody wrote", encoding="utf-8")
    ended = call("tgcdb", "report")
    assert (ended.status, "store-unusable" in ended.stderr) == (5, True)
    call("init", "site")
    call("db", "create", "--config", "site/amierules.yaml")
    ended = call("tgcdb", "report", "--store", "site/amie.db")
    assert (ended.status, "is no store" in ended.stderr) == (5, True)
    assert (tmp_path / "tgcdb.db").read_text(encoding="utf-8") == "what somebody wrote"


def test_a_site_that_breaks_a_rule_makes_the_report_end_with_1(tmp_path: Path) -> None:
    _run("--scenario", "known_person", until="->")
    from_elsewhere = call("tgcdb", "report", "--site", "Other")
    assert (from_elsewhere.status, "it knows: TestSite" in from_elsewhere.stderr) == (2, True)


def test_a_site_is_played_with_through_its_database(tmp_path: Path) -> None:
    call("init", ".", "--resource", "one.example")
    words = ["tgcdb", "run", "--front", "database", "--scenario", "known_person", "--until-done"]
    printed, deadline = Path("printed.txt"), time.monotonic() + 240
    with (
        printed.open("wb") as output,
        subprocess.Popen([str(PROGRAM), *words], stdout=output, stderr=output) as process,
    ):
        try:
            while process.poll() is None:
                assert time.monotonic() < deadline, printed.read_text(encoding="utf-8")
                assert call("run").status == 0
                time.sleep(0.1)
        finally:
            process.terminate()
    assert process.returncode == 0, printed.read_text(encoding="utf-8")
    assert "6 transactions, 6 completed; no violation" in printed.read_text(encoding="utf-8")
    assert call("tgcdb", "report", "--format", "json").json("tgcdb-report")["summary"]["completed"] == 6


def test_certify(tmp_path: Path) -> None:
    call("init", ".", "--resource", "one.example")
    ended = call("tgcdb", "certify", "--scenario", "known_person", "--format", "json")
    data = ended.json("tgcdb-certify")
    assert (ended.status, data["passed"], data["assumed"]) == (0, True, [])
    assert not (tmp_path / "amie.db").exists()
    rule = tmp_path / "rules" / "request_account_create.yaml"
    rule.write_text(
        rule.read_text(encoding="utf-8").replace('{{ project.project_id }}"\n        User', 'none"\n        User')
    )
    ended = call("tgcdb", "certify", "--scenario", "known_person")
    assert (ended.status, "T20 known-project" in ended.stdout) == (1, True)
    assert "not ready: 1 of 1 scenarios failed (T20)" in ended.stdout


def test_a_site_that_names_no_resource(tmp_path: Path) -> None:
    call("init", ".")
    assert "the configuration names no resource" in _run("--front", "database")
    assert call("tgcdb", "certify", "--scenario", "known_person").status == 0


@pytest.mark.parametrize("words", [["certify"], ["run", "--front", "database"]])
def test_without_a_configuration(words: list[str]) -> None:
    ended = call("tgcdb", *words)
    assert (ended.status in (1, 2), "no-configuration" in ended.stderr) == (True, True)
