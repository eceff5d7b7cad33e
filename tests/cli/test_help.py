"""Help teaches by example, and wrong usage ends with 2."""

from pathlib import Path
from typing import Any

import pytest
import typer

from amierules import __version__
from amierules.cli.main import MODULES, build
from tests.support.command_line import call, program


def _leaves(command: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    below = getattr(command, "commands", None)
    if below is None:
        return {path: command}
    return {key: leaf for name, one in below.items() for key, leaf in _leaves(one, (*path, name)).items()}


COMMANDS = _leaves(typer.main.get_command(build([])))
IDS = [" ".join(words) for words in COMMANDS]
STATUSES = {"0", "1", "2", "3", "5", "10", "70", "130"}


def test_all_commands_are_there() -> None:
    assert {words[0] for words in COMMANDS} == set(MODULES)
    assert len(COMMANDS) > len(MODULES)


@pytest.mark.parametrize("words", COMMANDS, ids=IDS)
def test_help_shows_what_to_type_and_fits_80_columns(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for option in ("--help", "-h"):
        ended = call(*words, option)
        assert (ended.status, ended.stderr) == (0, "")
        lines = ended.stdout.splitlines()
        example = " ".join(("amierules", *words))
        assert [line for line in lines if example in line and "Usage:" not in line]
        assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("words", COMMANDS, ids=IDS)
def test_no_example_is_broken_at_80_columns(words: tuple[str, ...]) -> None:
    kept = [part for part in str(COMMANDS[words].help).split("\n\n") if part.startswith("\b")]
    assert [line for part in kept for line in part.splitlines() if len(line) > 78] == []


@pytest.mark.parametrize("words", COMMANDS, ids=IDS)
def test_every_option_is_described(words: tuple[str, ...]) -> None:
    for parameter in COMMANDS[words].params:
        assert getattr(parameter, "help", None), f"{' '.join(words)}: {parameter.name}"


@pytest.mark.parametrize("words", COMMANDS, ids=IDS)
def test_the_options_of_an_example_exist(words: tuple[str, ...]) -> None:
    lines = [line.strip() for line in str(COMMANDS[words].help).splitlines()]
    for line in lines:
        typed = line.split("   ")[0].split()
        if tuple(typed[1 : len(words) + 1]) != words or typed[0] != "amierules":
            continue
        known = {option for parameter in COMMANDS[words].params for option in parameter.opts}
        assert {word for word in typed if word.startswith("--")} <= known, line


@pytest.mark.parametrize("words", COMMANDS, ids=IDS)
def test_an_unknown_option_ends_with_2(words: tuple[str, ...]) -> None:
    ended = call(*words, "--no-such-option")
    assert (ended.status, ended.stdout) == (2, "")
    assert "--no-such-option" in ended.stderr


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "registry nonsense",
        "db nonsense",
        "load",
        "show",
        "init",
        "run --limit 0",
        "run --limit x",
        "status --format xml",
        "show 1 2",
        "resolve 1",
        "resolve 1 step",
        "resolve 1 step --done --redo",
        "resolve 1 step --redo --result 1",
        "registry set",
    ],
)
def test_wrong_usage_ends_with_2(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ended = call(*line.split())
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", ["", "registry", "db"])
def test_without_a_command_the_help_is_shown(line: str) -> None:
    ended = call(*line.split())
    assert ended.status == 2
    assert "Commands" in ended.stdout + ended.stderr


def test_the_version(tmp_path: Path) -> None:
    assert program("--version", cwd=tmp_path).stdout == f"amierules {__version__}\n"
    assert call("--version").stdout == f"amierules {__version__}\n"


def test_the_main_help_names_every_exit_status() -> None:
    shown = " ".join(call("--help").stdout.split())
    said = shown.partition("Exit status: ")[2].partition(".")[0]
    assert {word for word in said.replace(",", " ").split() if word.isdigit()} == STATUSES


@pytest.mark.parametrize("line", ["run", "dry-run", "approve", "usage retry"])
def test_where_several_ids_are_taken_the_usage_says_so(line: str) -> None:
    assert "[ID]..." in call(*line.split(), "--help").stdout
