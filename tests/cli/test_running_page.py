"""What the page about running a service says can be done so."""

import re
import shutil
import subprocess
from pathlib import Path

from amierules.shipped import ROOT
from tests.support.command_line import call
from tests.support.real import require

PAGE = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    analyze = require("systemd-analyze")
    unit = re.search(r"```ini\n(.*?)```", PAGE, re.DOTALL)
    assert unit
    file = tmp_path / "amierules.service"
    there = shutil.which("true") or "/bin/true"
    # Only what is checked may have to be there: the program, and the folder.
    text = unit[1].replace("/usr/bin/amierules", there).replace("/srv/amierules", "/tmp")
    file.write_text(text, encoding="utf-8")
    done = subprocess.run([analyze, "verify", str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "amierules" in line]) == (0, [])


def test_the_commands_and_options_of_the_page_exist() -> None:
    for line in re.findall(r"^(?:.*&& )?amierules ([a-z][^>#]*)", PAGE, re.MULTILINE):
        words = line.split()
        help_text = call(words[0], "--help").stdout
        for option in (word for word in words if word.startswith("--")):
            assert option in help_text, line
