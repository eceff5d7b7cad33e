"""`status` for monitoring: what stands out below the list, one line, and metrics."""

import re
from pathlib import Path

import pytest

from tests.support import states
from tests.support.amie_json import rpi, rum
from tests.support.command_line import call

FRESH = {"packet_timestamp": "2099-01-01T00:00:00Z"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site folder; we are in it."""
    monkeypatch.chdir(states.make_folder(tmp_path))
    return tmp_path


def load(site: Path, *names: str, **header: object) -> None:
    packets = [rum({"PersonID": name}, **{**FRESH, **header}) for name in names]
    assert call("load", states.write(site / "packets.json", packets)).status == 0


def metrics() -> dict[str, float]:
    """What Prometheus would read."""
    ended = call("status", "--format", "prometheus")
    assert ended.status == 0
    found = {}
    for line in ended.stdout.splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP [a-z_]+ \S.*|TYPE [a-z_]+ gauge)", line)
            continue
        matched = re.fullmatch(r'([a-z_]+(?:\{[a-z_]+="[^"]*"\})?) ([-0-9.e+]+)', line)
        assert matched, line
        found[matched[1]] = float(matched[2])
    return found


def test_without_packets_all_is_well(site: Path) -> None:
    ended = call("status", "--check")
    assert (ended.status, ended.stdout, ended.stderr) == (0, "ok: 0 open\n", "")
    assert metrics()["amierules_oldest_open_packet_seconds"] == 0


def test_without_a_database_it_says_so_where_monitoring_reads(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert metrics()["amierules_up"] == 1
    monkeypatch.setenv("AMIERULES_DATABASE", "postgresql://amie:s3cret-word@127.0.0.1:1/amie")
    ended = call("status", "--check")
    assert ended.status == 5
    assert re.fullmatch(r"unknown: the database postgresql://\S+ cannot be reached .*\n", ended.stdout)
    assert ended.stderr.startswith("error[database-unreachable]: ")
    measured = call("status", "--format", "prometheus")
    assert (measured.status, measured.stdout.splitlines()[-1]) == (5, "amierules_up 0")
    assert "s3cret-word" not in ended.stdout + ended.stderr + measured.stdout


def test_with_a_broken_configuration_it_says_so_where_monitoring_reads(site: Path) -> None:
    (site / "amierules.yaml").write_text("site_name: [\n")
    ended = call("status", "--check")
    assert ended.status == 1
    assert re.fullmatch(r"unknown: amierules.yaml:1: this is no YAML: .+\n", ended.stdout)
    assert ended.stderr.startswith("amierules.yaml:1:12: error[yaml-syntax]: ")
    measured = call("status", "--format", "prometheus")
    assert (measured.status, measured.stdout.splitlines()[-1]) == (1, "amierules_up 0")


def test_packets_that_wait_are_no_trouble(site: Path) -> None:
    load(site, "done", "deferred")
    ended = call("status", "--check")
    assert ended.status == 0
    assert ended.stdout.startswith("ok: 2 open")


def test_packets_that_need_a_person_are_counted_by_status(site: Path) -> None:
    load(site, "held", "parked", "done", "ignored")
    call("run")
    ended = call("status", "--check")
    assert ended.status == 3
    assert ended.stdout.startswith("attention: 1 held; 1 parked (2 open")
    assert ended.stdout.count("\n") == 1
    counts = metrics()
    for status in ("held", "parked", "done", "ignored"):
        assert counts[f'amierules_packets{{status="{status}"}}'] == 1
    assert counts['amierules_packets{status="ready"}'] == 0


def test_a_reply_that_we_owe_stands_out_and_is_over_once_it_is_given(site: Path) -> None:
    load(site, "done", packet_timestamp="2026-01-01T00:00:00Z")
    ended = call("status")
    assert re.search(r"1 unanswered in time: 1 \((\d+ d late|due \d{4}-\d\d-\d\d)\)", ended.stderr)
    assert re.search(r"1 open for more than a week", ended.stderr)
    assert call("status", "--check").stdout.startswith("attention: 1 unanswered in time")
    (late,) = call("status", "--format", "json").json("status")["overdue"]
    assert (late["packet_rec_id"], late["owed_by"]) == (1, "us")
    assert metrics()['amierules_replies_overdue{owed_by="us"}'] == 1
    call("run")
    assert call("status", "--format", "json").json("status")["overdue"] == []
    assert call("status", "--check").status == 0


def test_what_a_rule_left_alone_is_not_overdue(site: Path) -> None:
    load(site, "ignored", packet_timestamp="2026-01-01T00:00:00Z")
    call("run")
    assert call("status", "--format", "json").json("status")["overdue"] == []


def test_what_is_paused_stands_out(site: Path) -> None:
    load(site, "done", "steps")
    assert call("pause", "commands", "--reason", "new host").status == 0
    call("run")
    ended = call("status")
    assert "commands is paused (new host), until `amierules resume`; 2 waiting" in ended.stderr
    (paused,) = call("status", "--format", "json").json("status")["pauses"]
    assert (paused["name"], paused["reason"], paused["until"], paused["packets"]) == ("commands", "new host", None, 2)
    assert "commands paused since" in call("status", "--check").stdout
    assert metrics()['amierules_paused_packets{name="commands"}'] == 2
    assert call("resume", "commands").status == 0
    call("run")
    assert call("status", "--check").stdout.startswith("ok:")


def test_a_packet_of_a_paused_resource_is_refused_with_the_remedy(site: Path) -> None:
    packet = rpi({"ResourceList": ["alpha.site.example"]}, **FRESH)
    assert call("load", states.write(site / "packets.json", [packet])).status == 0
    assert call("pause", "alpha.site.example").status == 0
    ended = call("run", 1)
    assert ended.status == 2
    assert "packet 1 is not run: alpha.site.example is paused" in ended.stderr
    assert "amierules resume alpha.site.example" in ended.stderr


def test_names_that_are_unknown_or_not_paused_end_with_2(site: Path) -> None:
    assert call("pause", "acounts").status == 2
    assert call("resume", "accounts").status == 2


@pytest.mark.parametrize("words", [("--format", "json"), ("--format", "prometheus"), ("--all",), ("--status", "held")])
def test_check_takes_nothing_that_it_would_not_heed(site: Path, words: tuple[str, ...]) -> None:
    ended = call("status", "--check", *words)
    assert ended.status == 2
    assert "leave out --all, --status and --format" in ended.stdout + ended.stderr


def test_a_packet_is_as_old_as_it_has_been_here(site: Path) -> None:
    old = rpi({"ResourceList": ["alpha.site.example"]}, packet_timestamp="2021-08-24T12:00:00Z")
    assert call("load", states.write(site / "packets.json", [old])).status == 0
    assert "1 open, the oldest since 2021-08-24" in call("status", "--check").stdout
    assert call("hold", 1).status == 0
    said = call("status", "--check").stdout
    assert re.search(r"1 open, the oldest for \d+ [sm]\)", said), said
    assert metrics()["amierules_old_packets"] == 0
