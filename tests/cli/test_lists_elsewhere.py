"""Lists that no terminal shows are whole; findings on a terminal fit it."""

import subprocess
from pathlib import Path

import pytest

from tests.support import states
from tests.support.command_line import PROGRAM, call, on_terminal, program
from tests.support.states import packets, write

LONG = "very " * 200 + "long"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site folder whose one packet is held for a long reason, and we are in it."""
    rule = 'packet: request_user_modify\nrules: [{name: it, hold: "{{ packet.PersonID }}"}]\n'
    monkeypatch.chdir(states.make_folder(tmp_path, {"request_user_modify.yaml": rule}))
    monkeypatch.delenv("COLUMNS", raising=False)
    assert call("load", write(tmp_path / "x.json", packets(LONG))).status == 0
    return tmp_path


def test_nothing_is_cut_where_no_terminal_shows_it(site: Path) -> None:
    ran = program("run", cwd=site)
    reason = ran.stdout.partition('reason="')[2].rstrip('\n"')
    assert reason == LONG
    status = program("status", cwd=site).stdout
    assert reason[:490] in status
    assert LONG in program("show", "1", cwd=site).stdout


def test_rows_come_before_the_closing_line(site: Path) -> None:
    program("run", cwd=site)
    both = subprocess.run(
        [str(PROGRAM), "status"], cwd=site, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    ).stdout.splitlines()
    assert both[0].startswith("1  ")
    assert both[-1].startswith("1 needs a person")


def test_findings_and_checks_are_broken_at_words_on_a_terminal(site: Path) -> None:
    (site / "rules" / "request_user_modify.yaml").write_text(f"packet: request_user_modify\nrules: {LONG}\n")
    for command in ("validate", "doctor"):
        lines = on_terminal(command, cwd=site, columns=80, NO_COLOR="1").stdout.splitlines()
        assert [line for line in lines if len(line) > 80 and " " in line.strip()] == []


def test_one_packet_and_the_list_are_broken_at_words_on_a_terminal(site: Path) -> None:
    program("run", cwd=site)
    program("pause", "alpha.example", "--reason", LONG[:150], cwd=site)
    for words in (("show", "1"), ("explain", "1"), ("status",)):
        shown = on_terminal(*words, cwd=site, columns=80, NO_COLOR="1").stdout
        assert [line for line in shown.splitlines() if len(line) > 80 and " " in line.strip()] == []
        # Broken only: with the line breaks taken out, all is there.
        assert "show" not in words or LONG in " ".join(shown.split())


def test_validate_and_doctor_count_the_same_rules(site: Path) -> None:
    (site / "rules" / "request_user_modify.yaml").write_text(
        'packet: request_user_modify\nrules: [{name: it, hold: "why"}]\n'
    )
    (site / "rules" / "usage.yaml").unlink(missing_ok=True)  # of whose rules doctor speaks where usage is reported
    rules, _, _, files, _ = call("validate").stdout.split(maxsplit=4)
    # `validate` has read the configuration, too.
    assert f"{rules} rules for packets in {int(files) - 1} files" in call("doctor").stdout


def test_a_plan_without_a_reason_ends_without_a_colon(site: Path) -> None:
    (site / "rules" / "request_user_modify.yaml").write_text(
        "packet: request_user_modify\nrules: [{name: it, complete: \"{{ '' }}\"}]\n"
    )
    assert "  > would be complete\n" in call("dry-run").stdout
