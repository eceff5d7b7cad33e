"""Whatever a packet sends, a command gets it as data: through its words, its input, its environment, and a script."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from amierules.actions import command
from amierules.actions.parameters import check_params
from amierules.actions.schemas import kind_schemas
from amierules.diagnostics import Severity
from amierules.rulebook.loader import load_rulebook
from amierules.rulebook.model import Action
from amierules.templating import Environment, EvaluationError
from tests.support.hostile import HOSTILE
from tests.support.rules import write
from tests.support.shadow import Runner
from tests.support.sites import MakeSite, load, rum, run, status_of

# Scripts, names in which some shells look for code, and what ends a quote or a line; each would make the file `pwned`.
_CODE = "touch pwned"
ATTACKS: tuple[str, ...] = tuple(
    template.format(code)
    for code in (_CODE, ">pwned", "touch${IFS}pwned", "/bin/touch pwned", "eval touch pwned", "sh -c 'touch pwned'")
    for template in (
        *(
            "$({})",
            "`{}`",
            ";{};",
            "; {} #",
            "| {}",
            "|| {}",
            "&& {}",
            "& {} &",
            "\n{}\n",
            "\r\n{}\r\n",
            "x\n{}",
            "({})",
        ),
        *(
            "'; {}; '",
            '"; {}; "',
            "';{} #",
            '";{} #',
            "$'\\n{}'",
            "\\'; {}; \\'",
            "'\"'\"; {}; '",
            "}}; {}; {{",
            ") ; {} ; (",
        ),
        *(
            "a[$({})]",
            "x=$({})",
            "${{x:-$({})}}",
            "$(({}))",
            "<({})",
            "<<E\n$({})\nE",
            "E\n{}\n",
            "{}",
            "${{AMIE_1}}; {}",
        ),
        *("{{{{ '{}' }}}}", "!{}", "#\n{}", "\\\n{}", "--x=$({})"),
    )
)
VALUES = tuple(dict.fromkeys((*HOSTILE, *ATTACKS)))

PRINT = "printf, '%s\\0'"
WAYS: Mapping[str, str] = {
    "words": f"run: [{PRINT}, word, 'x{{{{ packet.Title }}}}', '{{{{ packet.Title | option }}}}']",
    "list": f"run: [{PRINT}, --, '{{{{ [packet.Title, packet.Title] }}}}']",
    "text": "run: \"printf '%s\\\\0' x{{ packet.Title }} -- {{ packet.Title }}\"",
    "stdin": "run: [cat], stdin: '{{ packet.Title }}'",
    "environment": "run: [printenv, VALUE], env: {VALUE: '{{ packet.Title }}'}",
    "shell": "run: \"printf '%s\\\\0' 'it' x{{ packet.Title }} -- {{ packet.Title }} # it's\", shell: true",
    "pipe": "shell: true, run: "
    "'X={{ packet.Title }}; printf %s {{ packet.Title | option }} | cat - empty; printf %s \"$X\"'",
    "file": "run: 'printf %s x{{ packet.Title }} > {{ packet.Folder }}/out && cat out && rm out', shell: true",
}


def _expected(way: str, value: str) -> str:
    """What the program prints."""
    words = {
        "words": ["word", "x" + value, value],
        "list": ["--", value, value],
        "text": ["x" + value, "--", value],
        "shell": ["it", "x" + value, "--", value],
    }
    plain = {"stdin": value, "environment": value + "\n", "pipe": value + value, "file": "x" + value}
    return plain[way] if way in plain else "".join(word + "\0" for word in words[way])


def _action(folder: Path, given: str) -> Action:
    rule = "packet: request_user_modify\nrules:\n  - name: it\n    actions:\n"
    rule += f"      - name: x\n        command: {{{given}}}\n    reply: {{}}\n"
    rulebook, findings = load_rulebook([write(folder, {"a.yaml": rule})], kind_schemas(), Environment())
    assert [one for one in findings if one.severity is Severity.ERROR] == []
    return rulebook.by_type["request_user_modify"].rules[0].actions[0]


def _printed(runner: Runner, action: Action, folder: Path, value: str) -> str:
    rendered = action.params.evaluate({"packet": {"Title": value, "Folder": str(folder)}})
    assert isinstance(rendered, dict)
    params, problems = check_params(runner.schema, {**rendered, "cwd": str(folder)})
    assert problems == []
    surroundings = runner.surroundings()
    plan = command.plan(params, command.probe(params, surroundings), surroundings)
    (change,) = plan.changes
    if params.get("shell"):
        assert change.argv is not None
        assert change.argv[:2] == ("/bin/sh", "-c")
        assert [*(change.values or {}).values()] == [str(folder) if "/" in one else value for one in _values_of(action)]
    result = command.apply(params, plan, surroundings)
    assert isinstance(result, dict)
    return str(result["stdout"])


def _values_of(action: Action) -> list[str]:
    """For each value of the script a name: `/` for the folder."""
    return ["/" if "Folder" in part else "v" for part in action.source.split("{{")[1:]]


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


@pytest.mark.parametrize("way", WAYS)
def test_a_value_reaches_the_program_as_it_is(tmp_path: Path, folder: Path, runner: Runner, way: str) -> None:
    values = [value for value in VALUES if "\0" not in value and value != "\ud800"]
    assert len(values) >= 200
    action = _action(tmp_path / "rules", WAYS[way])
    printed = {value: _printed(runner, action, folder, value) for value in values}
    assert printed == {value: _expected(way, value).rstrip("\r\n") for value in values}
    assert os.listdir(folder) == ["empty"]


@pytest.mark.parametrize(
    ("given", "before"),
    [*((given, before) for given in ("", "shell: true, ") for before in ("", "-f ", "''")), ("shell: true, ", "\\\n")],
)
def test_a_value_that_would_be_an_option_is_refused(tmp_path: Path, given: str, before: str) -> None:
    options = [value for value in VALUES if value.startswith("-") and "\0" not in value]
    assert len(options) > 20
    text = "rm " + before + "{{ packet.Title }}"
    action = _action(tmp_path, f"{given}run: {_quoted(text)}")
    for value in options:
        with pytest.raises(EvaluationError) as error:
            action.params.evaluate({"packet": {"Title": value}})
        assert error.value.code == "option-injection"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@pytest.mark.parametrize("value", ["\0", "a\0b", "\ud800"])
@pytest.mark.parametrize("way", ["words", "shell"])
def test_a_value_that_no_program_can_be_given_is_refused(tmp_path: Path, way: str, value: str) -> None:
    with pytest.raises(EvaluationError):
        _action(tmp_path, WAYS[way]).params.evaluate({"packet": {"Title": value}})


def test_a_packet_reaches_a_script_as_it_is(make: MakeSite, folder: Path) -> None:
    values = [value for value in ATTACKS if value.startswith(("$(", "'", '"', "\n"))][:20]
    rule = "packet: request_user_modify\nrules:\n  - name: it\n    actions:\n      - name: x\n        command:\n"
    rule += "          run: \"printf '%s\\\\n' 'a' {{ packet.Title }} >> {{ site.folder }}/out # it's\"\n"
    rule += f"          shell: true\n          cwd: {folder}\n    reply: {{}}\n"
    site = make(rule, settings={"folder": str(folder)})
    given = load(site, *(rum({"PersonID": str(n), "Title": value}) for n, value in enumerate(values)))
    run(site)
    assert {status_of(site, packet) for packet in given} == {"done"}
    assert (folder / "out").read_text() == "".join(f"a\n{value}\n" for value in values)
    assert sorted(os.listdir(folder)) == ["empty", "out"]
