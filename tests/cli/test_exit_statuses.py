"""The exit status of every command in every situation, and which one wins."""

import json
import os
import tempfile
from pathlib import Path

import pytest

from amierules.cli.run import Tally
from amierules.diagnostics import ExitStatus, first_that_applies
from amierules.engine.delivery import Delivery
from amierules.engine.planning import Planner
from amierules.engine.running import Runner
from tests.support import states
from tests.support.amie_json import rpi
from tests.support.command_line import call
from tests.support.states import packets, write


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site folder with the rules for all states, and we are in it."""
    monkeypatch.chdir(states.make_folder(tmp_path))
    return tmp_path


def load(site: Path, *names: str) -> None:
    assert call("load", write(site / "some.json", packets(*names))).status == 0


@pytest.mark.parametrize("command", ["run", "status", "dry-run", "validate", "registry show"])
def test_nothing_to_do_is_fine(site: Path, command: str) -> None:
    assert call(*command.split()).status == 0


@pytest.mark.parametrize(
    ("name", "run", "status"),
    [
        ("done", 0, 0),
        ("failed", 0, 0),
        ("ignored", 0, 0),
        ("deferred", 0, 0),
        ("retrying", 0, 0),
        ("held", 3, 3),
        ("parked", 3, 3),
        ("in_doubt", 3, 3),
    ],
)
def test_run_and_status_say_whether_a_person_is_needed(site: Path, name: str, run: int, status: int) -> None:
    load(site, name)
    assert call("status").status == 0
    assert call("run").status == run
    assert call("status").status == status
    assert call("status", "--all").status == status


def test_a_run_speaks_only_of_what_it_touched(site: Path) -> None:
    load(site, "held")
    assert call("run").status == 3
    assert call("run").status == 0
    load(site, "done")
    assert call("run").status == 0
    assert call("status").status == 3


@pytest.mark.parametrize(
    ("names", "plain", "detailed"),
    [
        (("done",), 0, 10),
        (("failed",), 0, 10),
        (("ignored",), 0, 10),
        (("held",), 0, 0),
        (("deferred",), 0, 0),
        (("nobody knows",), 1, 1),
        (("done", "nobody knows"), 1, 1),
    ],
)
def test_dry_run_says_whether_changes_are_pending(
    site: Path, names: tuple[str, ...], plain: int, detailed: int
) -> None:
    load(site, *names)
    assert call("dry-run").status == plain
    for form in ("text", "json"):
        assert call("dry-run", "--detailed-exitcode", "--format", form).status == detailed


def test_after_a_run_no_changes_are_pending(site: Path) -> None:
    load(site, "done", "ignored", "failed")
    assert call("dry-run", "--detailed-exitcode").status == 10
    assert call("run").status == 0
    assert call("dry-run", "--detailed-exitcode").status == 0


def test_a_refused_packet_of_a_file_has_no_valid_plan(site: Path) -> None:
    (one,) = packets("done")
    del one["header"]["transaction_id"]
    file = write(site / "two.json", [one, *packets("done")])
    ended = call("dry-run", "--packet", file, "--detailed-exitcode")
    assert ended.status == 1
    assert "would reply" in ended.stdout


@pytest.mark.parametrize(
    ("command", "before", "status", "after"),
    [
        ("approve", "held", 0, "ready"),
        ("approve", "parked", 2, "parked"),
        ("retry", "parked", 0, "ready"),
        ("retry", "in_doubt", 2, "in_doubt"),
        ("retry", "done", 2, "done"),
        ("hold", "deferred", 0, "held"),
        ("hold", "done", 2, "done"),
        ("fail", "held", 0, "failed"),
        ("fail", "in_doubt", 2, "in_doubt"),
        ("complete", "held", 0, "done"),
        ("complete", "failed", 2, "failed"),
    ],
)
def test_a_decision_that_the_status_does_not_allow_ends_with_2(
    site: Path, command: str, before: str, status: int, after: str
) -> None:
    load(site, before)
    call("run")
    ended = call(command, "1", "--reason", "because")
    assert ended.status == status
    (line,) = json.loads(call("status", "--all", "--format", "json").stdout)["packets"]
    assert line["status"] == after
    assert ended.stdout == (f"packet 1 is {after}\n" if status == 0 else "")
    assert ("error[not-allowed]" in ended.stderr) == (status == 2)


def test_of_several_decisions_the_possible_ones_are_carried_out(site: Path) -> None:
    load(site, "held", "done", "parked")
    call("run")
    ended = call("retry", "1", "2", "3")
    assert ended.status == 2
    assert ended.stdout == "packet 1 is ready\npacket 3 is ready\n"


def test_all_packets_of_a_status(site: Path) -> None:
    load(site, "held", "parked", "held", "done")
    call("run")
    assert call("approve", "--all", "--status", "held").stdout == "packet 1 is ready\npacket 3 is ready\n"
    ended = call("approve", "--all", "--status", "held")
    assert (ended.status, ended.stdout) == (0, "")


@pytest.mark.parametrize("words", [(), ("--all",), ("--status", "held"), ("1", "--all", "--status", "held")])
def test_packets_are_named_or_all_of_a_status(site: Path, words: tuple[str, ...]) -> None:
    load(site, "held")
    for command in ("approve", "retry", "hold", "fail", "complete"):
        ended = call(command, *words)
        assert ended.status == 2
        assert "error[usage]" in ended.stderr


@pytest.mark.parametrize("status", ["done", "failed", "nope", "\x1b[31m"])
def test_nothing_can_be_decided_about_final_packets(site: Path, status: str) -> None:
    ended = call("retry", "--all", "--status", status)
    assert ended.status == 2
    assert "error[unknown-status]" in ended.stderr
    assert "\x1b" not in ended.stderr


@pytest.mark.parametrize("command", ["show", "run", "dry-run", "approve", "retry", "hold", "fail", "complete"])
def test_an_unknown_id_ends_with_2(site: Path, command: str) -> None:
    load(site, "done")
    names = ["999", "r:999", "r:", "x", "1x", "0", "9" * 30, "r:" + "9" * 30, "\u0661", "\x1b[31m", ""]
    for name in [*names, "1 "] if command == "show" else names[:1] + names[-2:]:
        ended = call(command, name)
        assert ended.status == 2, name
        assert "error[no-such-packet]" in ended.stderr
        assert "\x1b" not in ended.stderr


def test_an_id_is_the_local_one_or_the_remote_one(site: Path) -> None:
    listed = packets("held", "done")
    assert call("load", write(site / "x.json", listed)).status == 0
    remote = f"r:{listed[1]['header']['packet_rec_id']}"
    assert call("show", remote).stdout == call("show", "2").stdout
    assert call("dry-run", remote).stdout == call("dry-run", "2").stdout
    assert call("run", remote).status == 0
    assert json.loads(call("show", "2", "--format", "json").stdout)["status"] == "done"
    assert json.loads(call("show", "1", "--format", "json").stdout)["status"] == "ready"


def test_a_packet_of_ours_is_shown_and_cannot_be_run(site: Path) -> None:
    load(site, "done")
    assert call("run").status == 0
    assert call("show", "2").status == 0
    for command in ("run", "dry-run", "fail", "retry"):
        ended = call(command, "2")
        assert ended.status == 2, command
        assert "error[" in ended.stderr


def test_an_unusable_configuration_ends_with_1(site: Path) -> None:
    (site / "amierules.yaml").write_text("site_name: [\n")
    for command in ("run", "status", "dry-run", "validate", "doctor", "load x.json", "show 1", "approve 1", "db check"):
        ended = call(*command.split())
        assert ended.status == 1, command
        assert "amierules.yaml" in ended.stdout + ended.stderr


@pytest.mark.parametrize("file", ["request_project_inactivate.yaml", "blocks/it.yaml"])
def test_a_run_by_rules_with_errors_ends_with_1_though_nothing_waits(site: Path, file: str) -> None:
    assert call("run").status == 0
    (site / "rules" / file).parent.mkdir(exist_ok=True)
    (site / "rules" / file).write_text("rules: [\n")
    ended = call("run")
    assert (ended.status, ended.stdout) == (1, "")
    assert f"rules/{file}:1:8: error[yaml-syntax]" in ended.stderr


def test_a_broken_rule_file_parks_only_its_own_packets(site: Path) -> None:
    (site / "rules" / "request_project_inactivate.yaml").write_text("packet: request_project_inactivate\nrules: 5\n")
    from_broken = rpi({"ProjectID": "P-1"})
    assert call("load", write(site / "x.json", [from_broken, *packets("done")])).status == 0
    ended = call("run")
    assert ended.status == 1
    assert "rules/request_project_inactivate.yaml:2:8: error[" in ended.stderr
    parked, done = ended.stdout.splitlines()
    assert "status=parked" in parked
    assert "rules/request_project_inactivate.yaml" in parked
    assert "status=done" in done
    assert call("validate").status == 1


def test_an_internal_error_ends_with_70_and_leaves_a_log(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("something \x1b[31m unforeseen")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Runner, "round", broken)
    monkeypatch.setattr(Planner, "waiting", broken)
    ended = call("run")
    assert ended.status == 70
    assert ended.stderr.startswith(
        "error[internal-error]: internal error: RuntimeError: something \\x1b[31m unforeseen"
    )
    assert "Traceback" not in ended.stderr + ended.stdout
    (log,) = tmp_path.glob("amierules-*.log")
    assert str(log) in ended.stderr
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0
    ended = call("dry-run", "--format", "json")
    assert ended.status == 70
    assert ended.json("error")["error"]["code"] == "internal-error"


def test_a_mistake_in_the_sending_of_messages_ends_a_run_with_70_once_all_is_done(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> int:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Delivery, "round", broken)
    load(site, "done")
    ended = call("run")
    assert (ended.status, ended.stderr.count("internal error: RuntimeError: unforeseen")) == (70, 1)
    assert "status=done" in ended.stdout
    assert len([*tmp_path.glob("amierules-*.log")]) == 1


def test_a_run_that_goes_on_tells_of_internal_errors_when_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    Tally().add_mistake(RuntimeError("at the end"))
    assert capsys.readouterr().err == ""
    Tally(at_once=True).add_mistake(RuntimeError("now"))
    assert "internal error: RuntimeError: now" in capsys.readouterr().err


def test_an_internal_error_without_room_for_a_log(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(tempfile, "tempdir", str(site / "no" / "such" / "folder"))
    monkeypatch.setattr(Runner, "round", broken)
    ended = call("run")
    assert ended.status == 70
    assert "no log could be written" in ended.stderr


def test_ctrl_c_ends_with_130(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Runner, "round", interrupted)
    ended = call("run")
    assert (ended.status, ended.stderr.splitlines()[-1]) == (130, "interrupted")


def test_the_first_that_applies_wins() -> None:
    order = [70, 130, 2, 5, 1, 3, 10, 0]
    for position, status in enumerate(order):
        assert first_that_applies(map(ExitStatus, reversed(order[position:]))) == status
    assert first_that_applies([]) == 0
    assert sorted(order) == sorted(ExitStatus)


def test_who_decided_is_remembered_and_escaped(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "pat")
    load(site, "held")
    call("run")
    assert call("approve", "1", "--reason", states.ESCAPES).status == 0
    shown = call("show", "1").stdout
    assert "pat: approved" in shown
    assert "\x1b" not in shown
    assert os.linesep not in states.ESCAPES
