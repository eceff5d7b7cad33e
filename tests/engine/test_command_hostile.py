"""Whatever a packet sends, a command gets it as data: through its words, its input, its environment, and a script."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from amierules.actions import command
from amierules.actions.base import Plan
from amierules.actions.command_guard import contains_words
from amierules.actions.parameters import check_params
from amierules.actions.schemas import kind_schemas
from amierules.diagnostics import Severity
from amierules.rulebook.loader import load_rulebook
from amierules.rulebook.model import Action
from amierules.templating import Environment, EvaluationError
from tests.support.hostile import ATTACKS, OPTIONS, VALUES
from tests.support.rules import write
from tests.support.shadow import Runner
from tests.support.sites import MakeSite, load, reason_of, rum, run, status_of

BATCH = 50
"""How many values one command gets: a process for each would take minutes."""
BATCHES = (*(VALUES[end - BATCH : end] for end in range(BATCH, len(VALUES), BATCH)), VALUES[-BATCH:])
END = "|end|"


def _each_word(printed: str) -> list[str]:
    return printed.split("\0")[:-1]


def _each_variable(printed: str) -> list[str]:
    pairs = dict(pair.split("=", 1) for pair in _each_word(printed))
    return [pairs[name] for name in sorted(pairs) if name.startswith("GOT_")]


@dataclass(frozen=True)
class Way:
    """How values get into a command: its parameters, in which EACH is repeated for every value, which is called V."""

    command: str
    each: str
    words: Callable[[str], Sequence[str]]
    """What the program must have got for a value."""
    between: str = ", "
    printed: Callable[[str], list[str]] = _each_word

    def text(self) -> str:
        """The command for a batch of values."""
        each = json.dumps(self.each)[1:-1] if '"' in self.command else self.each
        parts = (each.replace("V", f"packet.DnList[{at}]").replace("N", f"{at:02}") for at in range(BATCH))
        return self.command.replace("EACH", self.between.join(parts))


def _run(text: str, also: str = "") -> str:
    return f"run: {json.dumps(text)}{also}"


def _script(text: str) -> str:
    return _run(text, ", shell: true")


PRINT = "printf, '%s\\0'"
WAYS: Mapping[str, Way] = {
    "words": Way(f"run: [{PRINT}, EACH]", "w, 'x{{ V }}', '{{ V | option }}'", lambda value: ["w", "x" + value, value]),
    "words behind --": Way(f"run: [{PRINT}, a, --, EACH]", "'{{ V }}'", lambda value: [value]),
    "lists": Way(f"run: [{PRINT}, a, --, EACH]", "'{{ [V, V] }}'", lambda value: [value, value]),
    "text": Way(
        _run("printf '%s\\0' EACH"),
        "x{{ V }} 'x {{ V }}' {{ V | option }}",
        lambda value: ["x" + value, "x " + value, value],
        " ",
    ),
    "text behind --": Way(_run("printf '%s\\0' a -- EACH"), "{{ V }} {{ [V] }}", lambda value: [value, value], " "),
    "input": Way(
        'run: [cat], stdin: "EACH"', f"{{{{ V }}}}{END}", lambda v: [v], "", lambda printed: printed.split(END)[:-1]
    ),
    "environment": Way("run: [env, '-0'], env: {EACH}", "GOT_N: '{{ V }}'", lambda v: [v], printed=_each_variable),
    "script": Way(
        _script("printf '%s\\0' EACH # it's"), "x{{ V }} {{ V | option }}", lambda value: ["x" + value, value], " "
    ),
    "script behind --": Way(_script("printf '%s\\0' a -- EACH"), "{{ V }}", lambda value: [value], " "),
    "assignments into a pipe": Way(
        _script("{ EACH ; } | cat - empty"), "X={{ V }}; printf '%s\\0' \"$X\"", lambda value: [value], "; "
    ),
    "redirections": Way(
        _script("EACH ; cat out; rm out"),
        "printf '%s\\0' {{ V | option }} >> {{ packet.Title }}/out",
        lambda value: [value],
        "; ",
    ),
    "conditions and loops": Way(
        _script("EACH"),
        "if [ x{{ V }} = x ]; then printf 'none\\0'; fi; for X in {{ V | option }}; do printf '%s\\0' \"$X\"; done",
        lambda value: [value] if value else ["none", ""],
        "; ",
    ),
}


def _action(folder: Path, given: str) -> Action:
    rule = "packet: request_user_modify\nrules:\n  - name: it\n    actions:\n"
    rule += f"      - name: x\n        command: {{{given}}}\n    reply: {{}}\n"
    rulebook, findings = load_rulebook([write(folder, {"a.yaml": rule})], kind_schemas(), Environment())
    assert [one for one in findings if one.severity is Severity.ERROR] == []
    return rulebook.by_type["request_user_modify"].rules[0].actions[0]


def _planned(runner: Runner, action: Action, values: Sequence[str], folder: Path) -> tuple[Any, Plan]:
    rendered = action.params.evaluate({"packet": {"DnList": values, "Title": str(folder)}})
    assert isinstance(rendered, dict)
    params, problems = check_params(runner.schema, {"cwd": str(folder), **rendered})
    assert problems == []
    surroundings = runner.surroundings()
    return params, command.plan(params, command.probe(params, surroundings), surroundings)


def _done(runner: Runner, action: Action, values: Sequence[str], folder: Path) -> str:
    """What the command printed."""
    params, plan = _planned(runner, action, values, folder)
    if params.get("shell"):
        (change,) = plan.changes
        assert change.argv is not None
        assert change.argv[:2] == ("/bin/sh", "-c")
        assert not any(attack in str(change.argv[2]) for attack in values if attack in ATTACKS)
        assert {*(change.values or {}).values()} - {str(folder)} == {*values}
    result = command.apply(params, plan, runner.surroundings())
    assert isinstance(result, dict)
    return str(result["stdout"])


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
    how = WAYS[way]
    action = _action(tmp_path / "rules", how.text())
    for values in BATCHES:
        printed = how.printed(_done(runner, action, values, folder))
        if " -- " in how.command or "--, " in how.command:
            assert printed[:2] == ["a", "--"]
            printed = printed[2:]
        assert printed == [word for value in values for word in how.words(value)]
        assert os.listdir(folder) == ["empty"]


def test_guards_are_asked_with_values_as_they_are(tmp_path: Path, folder: Path, runner: Runner) -> None:
    each = ", ".join(f"'{{{{ packet.DnList[{at}] }}}}'" for at in range(BATCH))
    record = "printf '%s\\\\0' \\\"$@\\\" > guard"
    guard = f'{{run: [sh, -c, "{record}", --, {each}]}}'
    action = _action(tmp_path / "rules", f"run: [touch, pwned], unless: {guard}")
    for values in BATCHES:
        _, plan = _planned(runner, action, values, folder)
        assert (plan.changes, plan.reason) == ((), "its guard says that it is done")
        assert (folder / "guard").read_bytes().decode().split("\0")[:-1] == [*values]
        assert sorted(os.listdir(folder)) == ["empty", "guard"]


def test_what_a_guard_must_print_is_a_text_and_no_pattern() -> None:
    for value in VALUES:
        wanted = " ".join(value.split())
        assert contains_words(f"before ({value}) behind", value) is bool(wanted), value
        assert not contains_words("anything else", value), value


def test_folders_are_entered_as_they_are_called(tmp_path: Path, folder: Path, runner: Runner) -> None:
    action = _action(tmp_path / "rules", "run: [pwd, -P], cwd: '{{ packet.Title }}/{{ packet.DnList[0] }}'")
    names = [
        value for value in VALUES if "/" not in value and value not in ("", ".", "..") and len(os.fsencode(value)) < 255
    ]
    # A process for each: some must do. Four and the number of enclosures have no common divisor, so each is among them.
    for name in names[::4]:
        inside = folder / name
        inside.mkdir()
        assert _done(runner, action, [name], folder) == str(inside).rstrip("\r\n")
        inside.rmdir()
    assert os.listdir(folder) == ["empty"]


@pytest.mark.parametrize(
    ("given", "before"),
    [*((given, before) for given in ("", "shell: true, ") for before in ("", "-f ", "''")), ("shell: true, ", "\\\n")],
)
def test_a_value_that_would_be_an_option_is_refused(tmp_path: Path, given: str, before: str) -> None:
    action = _action(tmp_path, f"{given}run: {json.dumps('rm ' + before + '{{ packet.Title }}')}")
    for value in OPTIONS:
        with pytest.raises(EvaluationError) as error:
            action.params.evaluate({"packet": {"Title": value}})
        assert error.value.code == "option-injection"


@pytest.mark.parametrize("value", ["\0", "a\0b", "\ud800"])
@pytest.mark.parametrize("way", ["words", "script"])
def test_a_value_that_no_program_can_be_given_is_refused(tmp_path: Path, way: str, value: str) -> None:
    with pytest.raises(EvaluationError):
        _action(tmp_path, WAYS[way].text()).params.evaluate({"packet": {"DnList": [value] * BATCH}})


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
