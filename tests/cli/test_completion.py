"""`amierules completion`: what the shells are given, and that it completes."""

import subprocess
from pathlib import Path

import pytest

from tests.support import real
from tests.support.command_line import PROGRAM, call, program


def test_bash_completes_commands_and_options(tmp_path: Path) -> None:
    script = """
        source <(amierules completion bash)
        answer() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _amierules_completion amierules; echo "${COMPREPLY[@]}"; }
        answer amierules vali
        answer amierules validate --str
        answer amierules db m
    """
    command = [str(real.require("bash")), "--norc", "-c", script]
    path = f"{PROGRAM.parent}:/usr/bin:/bin"
    answered = subprocess.run(command, env={"PATH": path}, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert answered.stderr == ""
    assert answered.stdout.split() == ["validate", "--strict", "migrate"]


def test_zsh_and_fish_are_answered_too(tmp_path: Path) -> None:
    words = {"_TYPER_COMPLETE_ARGS": "amierules vali", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    for shell in ("zsh", "fish"):
        ended = program(cwd=tmp_path, _AMIERULES_COMPLETE=f"complete_{shell}", **words)
        assert "validate" in ended.stdout
        assert ended.stderr == ""


def test_the_zsh_script_can_stand_in_a_folder_of_functions() -> None:
    assert call("completion", "zsh").stdout.startswith("#compdef amierules\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_says_how_to_keep_it(shell: str) -> None:
    ended = call("completion", shell)
    assert ended.status == 0
    assert ended.stdout.splitlines()[-1].startswith(f"# to keep it: amierules completion {shell} > ~/")


def test_the_shell_is_yours_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert call("completion").stdout == call("completion", "fish").stdout


@pytest.mark.parametrize("shell", ["", "/bin/tcsh"])
def test_a_shell_that_is_not_known_must_be_named(monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    monkeypatch.setenv("SHELL", shell)
    ended = call("completion")
    assert ended.status == 2
    assert "error[unknown-shell]" in ended.stderr


def test_another_shell_is_wrong_usage() -> None:
    assert call("completion", "tcsh").status == 2
