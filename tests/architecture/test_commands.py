"""The table of commands, and what a command imports."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from amierules.cli.main import MODULES, build
from amierules.shipped import ROOT

BACK_ENDS = ("sqlalchemy", "psycopg2", "ldap", "ldap3", "ClusterShell")
"""Libraries that a machine on which somebody only writes rules need not have."""

WITHOUT = """
import sys

class Absent:
    asked = []

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {back_ends!r}:
            self.asked.append(name)
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
sys.argv = ["amierules", *{words!r}]
from amierules.cli.main import main
try:
    main()
finally:
    sys.stderr.write(f"\\nasked for: {{Absent.asked}}\\n")
"""

CONFIGURATION = f"""\
site_name: TestSite
remote_site_name: TGCDB
database: sqlite:///amie.db
rules: ["{ROOT}/rules"]
settings: {{accounts: none, scheduler: none, dns: none, approve_accounts: false}}
ids: {{uid: {{range: [20000, 29999]}}, gid: {{range: [20000, 29999]}}, person_id: {{from: uid}}}}
"""


@pytest.mark.parametrize("name", MODULES)
def test_a_module_of_the_table_adds_its_command(name: str) -> None:
    command = typer.main.get_command(build([name, "--help"]))
    assert name in getattr(command, "commands", {})
    assert command.commands[name].help  # type: ignore[attr-defined]


def test_help_lists_every_command() -> None:
    command = typer.main.get_command(build(["--help"]))
    assert sorted(getattr(command, "commands", {})) == sorted(MODULES)


def test_validate_needs_no_library_of_a_back_end(tmp_path: Path) -> None:
    (tmp_path / "amierules.yaml").write_text(CONFIGURATION, encoding="utf-8")
    done = _without_back_ends(tmp_path, "validate")
    assert "asked for: []" in done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "amie.db").exists()


def test_the_version_costs_nothing(tmp_path: Path) -> None:
    done = _without_back_ends(tmp_path, "--version")
    assert done.returncode == 0
    assert done.stdout.startswith("amierules ")
    assert "asked for: []" in done.stderr


def _without_back_ends(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """A command, run by a Python in which the libraries of the back ends are not to be had."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AMIERULES_")}
    script = WITHOUT.format(back_ends=BACK_ENDS, words=list(words))
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
