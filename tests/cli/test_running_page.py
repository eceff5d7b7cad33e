"""What the page about running a service says can be done so."""

import re
import shutil
import subprocess
from pathlib import Path

from amierules.shipped import ROOT
from tests.support.command_line import call
from tests.support.real import require

PROGRAM = "/opt/amierules/.venv/bin/amierules"
PAGE = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    analyze = require("systemd-analyze")
    unit = re.search(r"```ini\n(.*?)```", PAGE, re.DOTALL)
    assert unit
    file = tmp_path / "amierules.service"
    there = shutil.which("true") or "/bin/true"
    # Only what is checked may have to be there: the program, and the folder.
    text = unit[1].replace(PROGRAM, there).replace("/srv/amierules", "/tmp")
    file.write_text(text, encoding="utf-8")
    done = subprocess.run([analyze, "verify", str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "amierules" in line]) == (0, [])


def test_the_commands_and_options_of_the_page_exist() -> None:
    for line in re.findall(r"^(?:.*&& )?amierules ([a-z][^>#]*)", PAGE, re.MULTILINE):
        words = line.split()
        help_text = call(words[0], "--help").stdout
        for option in (word for word in words if word.startswith("--")):
            assert option in help_text, line


def test_the_service_and_cron_run_as_one_user_with_the_same_program_and_environment() -> None:
    said = dict(re.findall(r"^(User|EnvironmentFile|ExecStart)=(\S+)", PAGE, re.MULTILINE))
    assert said["ExecStart"] == PROGRAM
    lines = [line.split(maxsplit=6) for line in PAGE.splitlines() if line.startswith("* * * * *")]
    assert {(user, PROGRAM in what) for *_, user, what in lines} == {(said["User"], True)}
    assert f". {said['EnvironmentFile']} && {PROGRAM} run " in lines[0][-1]


def test_the_line_for_cron_gives_the_program_what_the_file_says(tmp_path: Path) -> None:
    line = next(line for line in PAGE.splitlines() if line.startswith("* * * * *")).split(maxsplit=6)[-1]
    file = re.search(r"```\n(SLACK_WEBHOOK=.*?)```", PAGE, re.DOTALL)
    assert file
    (tmp_path / "environment").write_text(file[1], encoding="utf-8")
    shown = (
        line.replace(f"{PROGRAM} run", "env").replace("/etc/amierules", str(tmp_path)).replace("/srv/amierules", ".")
    )
    subprocess.run(["sh", "-c", shown], cwd=tmp_path, check=True)
    assert "AMIE_KEY=...\n" in (tmp_path / "run.log").read_text(encoding="utf-8")
