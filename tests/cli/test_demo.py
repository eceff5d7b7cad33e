"""The demo: what it shows, and that README shows the same."""

import re
from pathlib import Path

from amierules.shipped import ROOT
from tests.support.command_line import program

README = ROOT / "README.md"


def played(folder: Path) -> str:
    """What the demo prints in a fresh folder."""
    ended = program("demo", str(folder / "demo"), cwd=folder, COLUMNS="80")
    assert ended.status == 0, ended.stderr
    return ended.stdout


def test_the_demo_plays_a_day_in_the_width_of_a_terminal(tmp_path: Path) -> None:
    shown = played(tmp_path)
    statuses = [line.split()[0] for line in shown.partition("$ amierules run")[2].splitlines() if line[:1].isalpha()]
    assert statuses[:16].count("done") == 13
    assert {"parked", "held", "deferred"} <= set(statuses[:16])
    place = str(tmp_path)
    assert [line for line in shown.splitlines() if len(line) > 80 and place not in line] == []


def test_the_screen_in_the_readme_is_what_the_demo_shows(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8")
    found = re.search(r"<!-- screen: amierules demo -->\n```console\n(.*?)```\n<!-- end of screen -->", text, re.S)
    assert found
    shown = " ".join(played(tmp_path).replace(str(tmp_path), "/tmp").split())
    lines = [" ".join(line.split()) for line in found.group(1).splitlines()]
    assert [line for line in lines if line not in ("", "...") and line not in shown] == []
