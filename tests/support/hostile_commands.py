"""The ways by which values get into a command, to be tried with values that somebody sends to do harm."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amierules.actions import command
from amierules.actions.base import Plan
from amierules.actions.parameters import check_params
from amierules.actions.schemas import kind_schemas
from amierules.diagnostics import Severity
from amierules.rulebook.loader import load_rulebook
from amierules.rulebook.model import Action
from amierules.templating import Environment
from tests.support.hostile import ATTACKS, VALUES
from tests.support.rules import write
from tests.support.shadow import Runner

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

    def text(self, count: int) -> str:
        """The command for so many values."""
        each = json.dumps(self.each)[1:-1] if '"' in self.command else self.each
        parts = (each.replace("V", f"packet.DnList[{at}]").replace("N", f"{at:04}") for at in range(count))
        return self.command.replace("EACH", self.between.join(parts))


def _run(text: str, also: str = "") -> str:
    return f"run: {json.dumps(text)}{also}"


def _script(text: str) -> str:
    return _run(text, ", shell: true")


_PRINT = "printf, '%s\\0'"
WAYS: Mapping[str, Way] = {
    "words": Way(
        f"run: [{_PRINT}, EACH]", "w, 'x{{ V }}', '{{ V | option }}'", lambda value: ["w", "x" + value, value]
    ),
    "words behind --": Way(f"run: [{_PRINT}, a, --, EACH]", "'{{ V }}'", lambda value: [value]),
    "lists": Way(f"run: [{_PRINT}, a, --, EACH]", "'{{ [V, V] }}'", lambda value: [value, value]),
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


def check(way: Way, runner: Runner, action: Action, values: Sequence[str], folder: Path) -> None:
    """Does the command, and checks that its program has got the values as they are."""
    printed = way.printed(done(runner, action, values, folder))
    if " -- " in way.command or "--, " in way.command:
        assert printed[:2] == ["a", "--"]
        printed = printed[2:]
    assert printed == [word for value in values for word in way.words(value)]


def batches(size: int) -> Sequence[tuple[str, ...]]:
    """All values, so many at a time: a process for each would take minutes."""
    return (*(VALUES[end - size : end] for end in range(size, len(VALUES), size)), VALUES[-size:])


def action_of(folder: Path, given: str) -> Action:
    """The action of the kind `command` with these parameters, from a rule file that is made in the folder."""
    rule = "packet: request_user_modify\nrules:\n  - name: it\n    actions:\n"
    rule += f"      - name: x\n        command: {{{given}}}\n    reply: {{}}\n"
    rulebook, findings = load_rulebook([write(folder, {"a.yaml": rule})], kind_schemas(), Environment())
    assert [one for one in findings if one.severity is Severity.ERROR] == []
    return rulebook.by_type["request_user_modify"].rules[0].actions[0]


def planned(runner: Runner, action: Action, values: Sequence[str], folder: Path) -> tuple[Any, Plan]:
    """The parameters and the plan, where a packet sends these values and the command runs in this folder."""
    rendered = action.params.evaluate({"packet": {"DnList": values, "Title": str(folder)}})
    assert isinstance(rendered, dict)
    params, problems = check_params(runner.schema, {"cwd": str(folder), **rendered})
    assert problems == []
    surroundings = runner.surroundings()
    return params, command.plan(params, command.probe(params, surroundings), surroundings)


def done(runner: Runner, action: Action, values: Sequence[str], folder: Path) -> str:
    """What the command printed. No value is part of a script; a script gets all of them beside it."""
    params, plan = planned(runner, action, values, folder)
    if params.get("shell"):
        (change,) = plan.changes
        assert change.argv is not None
        assert change.argv[:2] == ("/bin/sh", "-c")
        assert not any(attack in str(change.argv[2]) for attack in values if attack in ATTACKS)
        assert {*(change.values or {}).values()} - {str(folder)} == {*values}
    result = command.apply(params, plan, runner.surroundings())
    assert isinstance(result, dict)
    return str(result["stdout"])
