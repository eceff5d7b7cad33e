"""Whatever a packet sends, a command on another node gets it as data, over a real sshd; so do folders and guards."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from amierules.actions import command
from amierules.ports.cluster import ClusterNodes
from amierules.ports.nodes import BadNodes
from amierules.templating import EvaluationError
from tests.support.hostile import ATTACKS, OPTIONS, VALUES
from tests.support.hostile_commands import WAYS, action_of, batches, check, done, planned
from tests.support.shadow import Runner
from tests.support.sshd import ADDRESSES, SshServer

BATCH = 350
"""How many values one command gets: ssh takes its time."""
BATCHES = batches(BATCH)
ON_NODE = f"nodes: {ADDRESSES[0]}, "
MARKER = "pwned"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for the commands to run in, with nothing but an empty file; nothing is made where a login begins."""
    made = tmp_path / "cwd"
    made.mkdir()
    (made / "empty").touch()
    assert not (Path.home() / MARKER).exists()
    yield made
    assert not (Path.home() / MARKER).exists()


@pytest.fixture
def runner(sshd: SshServer) -> Runner:
    made = Runner(command, "command", None)
    made.world = replace(made.world, nodes=sshd.nodes())
    return made


def test_there_are_enough_values() -> None:
    assert len({value for values in BATCHES for value in values}) >= 1000


def test_the_attacks_do_work_on_a_node_where_a_value_is_part_of_a_script(sshd: SshServer, folder: Path) -> None:
    each = 'for one do sh -c "$one"; done'
    for quoted in ("printf %s {}", "printf %s '{}'", 'printf %s "{}"'):
        scripts = [quoted.replace("{}", attack) for attack in ATTACKS[:37]]
        sshd.nodes().run([ADDRESSES[0]], ["sh", "-c", each, "sh", *scripts], cwd=str(folder))
        assert (folder / MARKER).exists(), quoted
        (folder / MARKER).unlink()


def test_the_attacks_do_work_where_the_words_are_given_to_ssh(sshd: SshServer, folder: Path) -> None:
    ssh = ["ssh", "-F", "none", "-i", str(sshd.folder / "user"), "-p", str(sshd.port)]
    ssh += [f"-oUserKnownHostsFile={sshd.known_hosts}", ADDRESSES[0], "cd", str(folder), "&&", "printf", "%s"]
    subprocess.run([*ssh, "$(touch pwned)"], check=True, capture_output=True, stdin=subprocess.DEVNULL)
    assert (folder / MARKER).exists()


@pytest.mark.parametrize("way", WAYS)
def test_values_reach_the_program_on_a_node_as_they_are(tmp_path: Path, folder: Path, runner: Runner, way: str) -> None:
    action = action_of(tmp_path / "rules", ON_NODE + WAYS[way].text(BATCH))
    for values in BATCHES:
        check(WAYS[way], runner, action, values, folder)
        assert os.listdir(folder) == ["empty"]


def test_no_value_is_part_of_what_ssh_is_told(
    tmp_path: Path, folder: Path, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs, told = tmp_path / "programs", tmp_path / "told"
    programs.mkdir()
    ssh = programs / "ssh"
    ssh.write_text(f'#!/bin/sh\nprintf "%s\\0" "$@" >> {told}\nexec {shutil.which("ssh")} "$@"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    for number, way in enumerate(("words", "input", "environment", "script")):
        action = action_of(tmp_path / f"rules{number}", ON_NODE + WAYS[way].text(BATCH))
        check(WAYS[way], runner, action, BATCHES[0], folder)
    # The only thing that differs is the random text by which the node's reports are known.
    words = re.sub(rb"\b[0-9a-f]{32}\b", b"RANDOM", told.read_bytes()).split(b"\0")[:-1]
    one = words[: len(words) // 4]
    assert words == one * 4
    assert one[-2] == ADDRESSES[0].encode()
    assert one[-1].startswith(b"exec /bin/sh -c '")


def test_guards_on_a_node_are_asked_with_values_as_they_are(tmp_path: Path, folder: Path, runner: Runner) -> None:
    each = ", ".join(f"'{{{{ packet.DnList[{at}] }}}}'" for at in range(BATCH))
    record = "printf '%s\\\\0' \\\"$@\\\" > guard"
    guard = f'{{run: [sh, -c, "{record}", --, {each}]}}'
    action = action_of(tmp_path / "rules", f"{ON_NODE}run: [touch, pwned], unless: {guard}")
    for values in BATCHES:
        _, plan = planned(runner, action, values, folder)
        assert (plan.changes, plan.reason) == ((), "its guard says that it is done")
        assert (folder / "guard").read_bytes().decode().split("\0")[:-1] == [*values]
        assert sorted(os.listdir(folder)) == ["empty", "guard"]


def test_folders_on_a_node_are_entered_as_they_are_called(tmp_path: Path, folder: Path, runner: Runner) -> None:
    action = action_of(
        tmp_path / "rules", f"{ON_NODE}run: [pwd, -P], cwd: '{{{{ packet.Title }}}}/{{{{ packet.DnList[0] }}}}'"
    )
    names = [
        value for value in VALUES if "/" not in value and value not in ("", ".", "..") and len(os.fsencode(value)) < 255
    ]
    assert len(names) >= 1000
    while names:
        # Each is in the one before, as deep as a path may be long: one call asks for many.
        inside = Path()
        while names and len(os.fsencode(inside / names[0])) < 3500:
            inside /= names.pop(0)
        (folder / inside).mkdir(parents=True)
        assert done(runner, action, [str(inside)], folder) == str(folder / inside).rstrip("\r\n")
        shutil.rmtree(folder / inside.parts[0])
    assert os.listdir(folder) == ["empty"]


@pytest.mark.parametrize("given", ["", "shell: true, "])
def test_a_value_that_would_be_an_option_is_refused(tmp_path: Path, given: str) -> None:
    action = action_of(tmp_path, f"{ON_NODE}{given}run: {json.dumps('rm {{ packet.Title }}')}")
    for value in OPTIONS:
        with pytest.raises(EvaluationError) as error:
            action.params.evaluate({"packet": {"Title": value}})
        assert error.value.code == "option-injection"


def test_a_value_that_is_to_name_nodes_names_nodes_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    named: set[str] = set()
    for value in VALUES:
        for text in (value, f"n1,{value}", f"@{value}", f"@g:{value}", f"n[1-2]{value}"):
            try:
                named |= {*ClusterNodes().expand(text)}
            except BadNodes:
                continue
    assert {"root", "n1root", "n2root", "1234"} <= named
    assert [name for name in named if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name, re.ASCII)] == []
    assert os.listdir(tmp_path) == []
