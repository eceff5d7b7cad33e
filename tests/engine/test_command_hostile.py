"""Whatever a packet sends, a command gets it as data: through its words, its input, its environment, and a script."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from amierules.actions import command
from amierules.actions.command_guard import contains_words
from amierules.templating import EvaluationError
from tests.support.hostile import ATTACKS, OPTIONS, VALUES
from tests.support.hostile_commands import WAYS, action_of, batches, check, done, planned
from tests.support.shadow import Runner
from tests.support.sites import MakeSite, load, reason_of, rum, run, status_of

BATCH = 50
"""How many values one command gets."""
BATCHES = batches(BATCH)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for the commands to run in, with nothing but an empty file."""
    made = tmp_path / "cwd"
    made.mkdir()
    (made / "empty").touch()
    return made


@pytest.fixture
def runner() -> Runner:
    return Runner(command, "command", None)


def test_there_are_enough_values() -> None:
    assert len(VALUES) >= 1000
    assert len(OPTIONS) >= 300


def test_the_attacks_do_work_where_a_value_is_part_of_a_script(folder: Path) -> None:
    for script in ("printf %s {}", "printf %s '{}'", 'printf %s "{}"'):
        for attack in ATTACKS[:37]:
            subprocess.run(
                ["/bin/sh", "-c", script.replace("{}", attack)], cwd=folder, check=False, capture_output=True
            )
        assert (folder / "pwned").exists(), script
        (folder / "pwned").unlink()


@pytest.mark.parametrize("way", WAYS)
def test_values_reach_the_program_as_they_are(tmp_path: Path, folder: Path, runner: Runner, way: str) -> None:
    action = action_of(tmp_path / "rules", WAYS[way].text(BATCH))
    for values in BATCHES:
        check(WAYS[way], runner, action, values, folder)
        assert os.listdir(folder) == ["empty"]


def test_guards_are_asked_with_values_as_they_are(tmp_path: Path, folder: Path, runner: Runner) -> None:
    each = ", ".join(f"'{{{{ packet.DnList[{at}] }}}}'" for at in range(BATCH))
    record = "printf '%s\\\\0' \\\"$@\\\" > guard"
    guard = f'{{run: [sh, -c, "{record}", --, {each}]}}'
    action = action_of(tmp_path / "rules", f"run: [touch, pwned], unless: {guard}")
    for values in BATCHES:
        _, plan = planned(runner, action, values, folder)
        assert (plan.changes, plan.reason) == ((), "its guard says that it is done")
        assert (folder / "guard").read_bytes().decode().split("\0")[:-1] == [*values]
        assert sorted(os.listdir(folder)) == ["empty", "guard"]


def test_what_a_guard_must_print_is_a_text_and_no_pattern() -> None:
    for value in VALUES:
        wanted = " ".join(value.split())
        assert contains_words(f"before ({value}) behind", value) is bool(wanted), value
        assert not contains_words("anything else", value), value


def test_folders_are_entered_as_they_are_called(tmp_path: Path, folder: Path, runner: Runner) -> None:
    action = action_of(tmp_path / "rules", "run: [pwd, -P], cwd: '{{ packet.Title }}/{{ packet.DnList[0] }}'")
    names = [
        value for value in VALUES if "/" not in value and value not in ("", ".", "..") and len(os.fsencode(value)) < 255
    ]
    # A process for each: some must do. Four and the number of enclosures have no common divisor, so each is among them.
    for name in names[::4]:
        inside = folder / name
        inside.mkdir()
        assert done(runner, action, [name], folder) == str(inside).rstrip("\r\n")
        inside.rmdir()
    assert os.listdir(folder) == ["empty"]


@pytest.mark.parametrize(
    ("given", "before"),
    [*((given, before) for given in ("", "shell: true, ") for before in ("", "-f ", "''")), ("shell: true, ", "\\\n")],
)
def test_a_value_that_would_be_an_option_is_refused(tmp_path: Path, given: str, before: str) -> None:
    action = action_of(tmp_path, f"{given}run: {json.dumps('rm ' + before + '{{ packet.Title }}')}")
    for value in OPTIONS:
        with pytest.raises(EvaluationError) as error:
            action.params.evaluate({"packet": {"Title": value}})
        assert error.value.code == "option-injection"


@pytest.mark.parametrize("value", ["\0", "a\0b", "\ud800"])
@pytest.mark.parametrize("way", ["words", "script"])
def test_a_value_that_no_program_can_be_given_is_refused(tmp_path: Path, way: str, value: str) -> None:
    with pytest.raises(EvaluationError):
        action_of(tmp_path, WAYS[way].text(BATCH)).params.evaluate({"packet": {"DnList": [value] * BATCH}})


def test_a_packet_reaches_a_script_as_it_is(make: MakeSite, folder: Path) -> None:
    each = " ".join(f"{{{{ item[{at}] }}}}" for at in range(10))
    rule = "packet: request_user_modify\nrules:\n  - name: it\n    actions:\n      - name: x\n"
    rule += "        for_each: packet.DnList | batch(10, '')\n        command:\n"
    rule += f"          run: \"printf '%s\\\\0' 'a' -- {each} >> {{{{ site.folder }}}}/out # it's\"\n"
    rule += f"          shell: true\n          cwd: {folder}\n    reply: {{}}\n"
    site = make(rule, settings={"folder": str(folder)})
    values = [value for value in VALUES if value]  # an empty element of a list tag says nothing
    (packet,) = load(site, rum({"PersonID": "7", "DnList": values}))
    run(site)
    assert status_of(site, packet) == "done", reason_of(site, packet)
    words = (folder / "out").read_bytes().decode().split("\0")
    got = [word for at in range(0, len(words), 12) for word in words[at + 2 : at + 12]]
    assert got[: len(values)] == values
    assert sorted(os.listdir(folder)) == ["empty", "out"]
