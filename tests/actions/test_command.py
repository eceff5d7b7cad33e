"""The kind `command`: at most once without a guard, never where its guard says that it is done."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.actions import command
from amierules.actions.base import ActionError, Doubt, InDoubt, Transient
from amierules.actions.command_guard import contains_words
from amierules.templating import EvaluationError, Secret, Unknown
from tests.support.shadow import STEP, Runner


@pytest.fixture
def runner() -> Runner:
    return Runner(command, "command", None)


def test_doubt_is_for_a_person_unless_there_is_a_guard_or_nothing_to_doubt() -> None:
    guard = {"run": ["true"]}
    assert command.doubt({"run": ["x"]}) is Doubt.PERSON
    assert command.doubt({"run": ["x"], "unless": guard}) is Doubt.GUARD
    assert command.doubt({"run": ["x"], "read_only": True}) is Doubt.STAGED
    assert command.doubt({"run": ["x"], "read_only": False}) is Doubt.PERSON


def test_a_command_is_run_once_and_registers_what_it_left(runner: Runner, tmp_path: Path) -> None:
    found = runner.run(run=["sh", "-c", "echo a >> log; echo out; echo; echo err >&2"], cwd=str(tmp_path))
    assert found == {"rc": 0, "stdout": "out", "stderr": "err", "changed": True}
    assert (tmp_path / "log").read_text() == "a\n"


def test_the_plan_is_the_argument_list_and_runs_nothing(runner: Runner, tmp_path: Path) -> None:
    plan = runner.plan(run=["touch", str(tmp_path / "made"), "a b"], dry=True)
    (change,) = plan.changes
    assert (change.op, change.target) == ("run", "touch")
    assert change.argv == ("touch", str(tmp_path / "made"), "a b")
    assert change.summary == f"run touch {tmp_path / 'made'} 'a b'"
    assert isinstance(plan.result, Unknown)
    assert plan.result.step == STEP
    assert not (tmp_path / "made").exists()


def test_secrets_and_unknown_words_are_shown_as_such(runner: Runner) -> None:
    plan = runner.plan(
        run=["x", Secret("hush"), Unknown("person"), Unknown("id", expected=7)],
        stdin=Secret("hush"),
        env={"TOKEN": Secret("hush")},
        dry=True,
    )
    (change,) = plan.changes
    assert change.summary == (
        "run x *** (known after person) (known after id, probably 7) (with TOKEN set, with a secret on its input)"
    )
    assert change.argv is not None
    assert isinstance(change.argv[2], Unknown)


def test_input_folder_and_environment_reach_the_program(runner: Runner, tmp_path: Path) -> None:
    found = runner.run(
        run=["sh", "-c", "cat; pwd; echo $A $B"], stdin="in\n", cwd=str(tmp_path), env={"A": "1", "B": Secret("hush")}
    )
    assert found["stdout"] == f"in\n{tmp_path.resolve()}\n1 ***"


def test_secret_output_is_not_registered_nor_in_the_error(runner: Runner) -> None:
    found = runner.run(run=["sh", "-c", "echo hush; echo hush >&2"], secret_output=True)
    assert (str(found["stdout"]), str(found["stderr"])) == ("***", "***")
    with pytest.raises(EvaluationError, match="not kept"):
        found["stdout"].reveal()
    with pytest.raises(ActionError) as caught:
        runner.run(run=["sh", "-c", "echo hush >&2; exit 1"], secret_output=True)
    assert str(caught.value) == "sh ended with status 1"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 4", "sh ended with status 4"),
        ("echo first >&2; echo last >&2; echo >&2; exit 1", "sh ended with status 1: last"),
        ("printf '\\033[31mred\\n' >&2; exit 1", "sh ended with status 1: \\x1b[31mred"),
        ("kill -9 $$", "sh was ended by signal 9"),
    ],
)
def test_another_status_than_the_ok_ones_is_a_failure(runner: Runner, script: str, said: str) -> None:
    with pytest.raises(ActionError) as caught:
        runner.run(run=["sh", "-c", script])
    assert type(caught.value) is ActionError
    assert str(caught.value) == said


def test_a_long_complaint_is_cut(runner: Runner) -> None:
    with pytest.raises(ActionError) as caught:
        runner.run(run=["sh", "-c", "head -c 5000 /dev/zero | tr '\\0' x >&2; exit 1"])
    assert len(str(caught.value)) < 250


def test_ok_lists_the_statuses_that_are_no_failure(runner: Runner) -> None:
    assert runner.run(run=["sh", "-c", "exit 4"], ok=[0, 4])["rc"] == 4
    with pytest.raises(ActionError):
        runner.run(run=["true"], ok=[4])


def test_a_program_that_is_not_there_is_a_permanent_failure(runner: Runner) -> None:
    with pytest.raises(ActionError, match="not started: no-such-program: no such program") as caught:
        runner.run(run=["no-such-program"])
    assert type(caught.value) is ActionError


def test_what_took_too_long_is_in_doubt_or_asked_of_its_guard_later(runner: Runner) -> None:
    with pytest.raises(InDoubt, match="sleep took too long"):
        runner.run(run=["sleep", "71"], timeout="1s")
    with pytest.raises(Transient, match="sleep took too long"):
        runner.run(run=["sleep", "71"], timeout="1s", unless={"run": ["false"]})


def test_the_steps_own_limit_holds_too(runner: Runner) -> None:
    params = runner.params(run=["sleep", "72"], timeout="1h")
    surroundings = runner.surroundings(timeout=0.2)
    with pytest.raises(InDoubt):
        command.apply(params, command.plan(params, command.probe(params, surroundings), surroundings), surroundings)


# ------------------------------------------------------------------ read-only commands


def test_a_read_only_command_runs_in_a_dry_run_and_changes_nothing(runner: Runner) -> None:
    plan = runner.plan(run=["echo", "seen"], read_only=True, dry=True)
    assert (plan.changes, plan.reason) == ((), "read only")
    assert plan.result == {"rc": 0, "stdout": "seen", "stderr": "", "changed": False}


def test_a_read_only_command_is_run_once_by_a_run(runner: Runner, tmp_path: Path) -> None:
    found = runner.run(run=["sh", "-c", "echo a >> log; cat log"], cwd=str(tmp_path), read_only=True)
    assert found["stdout"] == "a"


def test_a_read_only_command_that_fails_is_an_error_of_the_probe(runner: Runner) -> None:
    with pytest.raises(ActionError, match="status 2"):
        runner.plan(run=["sh", "-c", "exit 2"], read_only=True)
    assert runner.run(run=["sh", "-c", "exit 2"], read_only=True, ok=[0, 2])["rc"] == 2


def test_a_read_only_command_that_took_too_long_is_tried_again(runner: Runner) -> None:
    with pytest.raises(Transient):
        runner.plan(run=["sleep", "73"], read_only=True, timeout="1s")


@pytest.mark.parametrize(
    "given",
    [{"run": ["echo", Unknown("user")]}, {"stdin": Unknown("user")}, {"env": {"A": Unknown("user")}}],
)
def test_a_read_only_command_with_unknown_parts_is_not_run(runner: Runner, given: dict[str, Any]) -> None:
    plan = runner.plan(**{"run": ["no-such-program"], **given}, read_only=True, dry=True)
    assert plan.changes == ()
    assert isinstance(plan.result, Unknown)


# ------------------------------------------------------------------ guards


def test_what_the_guard_calls_done_is_not_run(runner: Runner, tmp_path: Path) -> None:
    made = tmp_path / "made"
    given: dict[str, Any] = {"run": ["touch", str(made)], "unless": {"run": ["test", "-e", str(made)]}}
    assert len(runner.plan(**given, dry=True).changes) == 1
    assert runner.run(**given)["changed"] is True
    plan = runner.plan(**given, dry=True)
    assert (plan.changes, plan.reason) == ((), "its guard says that it is done")
    assert runner.run(**given) == {"rc": 0, "stdout": None, "stderr": None, "changed": False}


def test_the_guard_gets_no_input_and_the_same_folder(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    guard = {"run": ["sh", "-c", 'test -e here && test -z "$(cat)"']}
    assert runner.plan(run=["false"], stdin="x", cwd=str(tmp_path), unless=guard).changes == ()


@pytest.mark.parametrize(
    ("output", "wanted", "done"),
    [("acct|p-1|x", "p-1", True), ("acct|p-12|x", "p-1", False), ("", "p-1", False)],
)
def test_contains_must_be_in_the_guards_output(runner: Runner, output: str, wanted: str, done: bool) -> None:
    guard = {"run": ["echo", output], "contains": wanted}
    assert (runner.plan(run=["true"], unless=guard).changes == ()) is done


def test_contains_does_not_help_a_guard_that_failed(runner: Runner) -> None:
    guard = {"run": ["sh", "-c", "echo p-1; exit 1"], "contains": "p-1"}
    assert len(runner.plan(run=["true"], unless=guard).changes) == 1


def test_a_guard_that_cannot_be_asked_says_nothing(runner: Runner) -> None:
    with pytest.raises(ActionError, match="not started"):
        runner.plan(run=["true"], unless={"run": ["no-such-program"]})
    with pytest.raises(ActionError, match="ended by signal 9"):
        runner.plan(run=["true"], unless={"run": ["sh", "-c", "kill -9 $$"]})
    with pytest.raises(Transient, match="the guard sleep took too long"):
        runner.plan(run=["true"], timeout="1s", unless={"run": ["sleep", "74"]})
    flood = {"run": ["sh", "-c", "yes | head -c 3000000"], "contains": "p-1"}
    with pytest.raises(ActionError, match="more than can be looked through"):
        runner.plan(run=["true"], unless=flood)


@pytest.mark.parametrize(
    "guard", [{"run": ["no-such-program", Unknown("user")]}, {"run": ["no-such-program"], "contains": Unknown("user")}]
)
def test_a_guard_with_unknown_parts_is_not_asked(runner: Runner, guard: dict[str, Any]) -> None:
    (change,) = runner.plan(run=["true"], unless=guard, dry=True).changes
    assert change.summary == "run true (unless it is done already)"


def test_after_a_planned_run_the_guard_would_call_it_done(runner: Runner) -> None:
    params = runner.params(run=["true"], unless={"run": ["false"]})
    surroundings = runner.surroundings(dry=True)
    first = command.plan(params, command.probe(params, surroundings), surroundings)
    assert command.plan(params, first.after, surroundings).changes == ()


def test_only_the_very_same_command_shares_a_probe() -> None:
    long = "x" * 500
    commands: list[dict[str, Any]] = [
        {"run": ["a", "b"]},
        {"run": ["a b"]},
        {"run": ["a", "b"], "cwd": "/"},
        {"run": ["a", "b"], "stdin": "/"},
        {"run": ["a", "b"], "env": {"A": "1"}},
        {"run": ["a", "b"], "unless": {"run": ["c"]}},
        {"run": ["a", "b"], "unless": {"run": ["c"], "contains": "d"}},
        {"run": ["a", "b", "c"]},
        {"run": [long + "1"]},
        {"run": [long + "2"]},
        {"run": ["a", Unknown("s")]},
        {"run": ["a", Unknown("t")]},
    ]
    assert len({command.target(params) for params in commands}) == len(commands)
    assert command.target({"run": ["a", "b"]}) == command.target({"run": ["a", "b"], "timeout": 5})


@pytest.mark.parametrize(
    ("output", "wanted", "holds"),
    [
        ("p-1", "p-1", True),
        ("x p-1\ny", "p-1", True),
        ("a|p-1|b", "p-1", True),
        ("a:p-1,q", "p-1", True),
        ("/home/p-1", "p-1", True),
        ("made p-1.", "p-1", True),
        ("'p-1'", "p-1", True),
        ("p-12", "p-1", False),
        ("xp-1", "p-1", False),
        ("p-1-2", "p-1", False),
        ("x-p-1", "p-1", False),
        ("p-1.2", "p-1", False),
        ("x.p-1", "p-1", False),
        ("p-1@site", "p-1", False),
        ("p_1", "p-1", False),
        ("p-1é", "p-1", False),
        ("p-12 p-1", "p-1", True),
        ("P-1", "p-1", False),
        ("a.b", "a+b", False),
        ("axb", "a.b", False),
        ("user   alice\tactive", "alice active", True),
        ("alice inactive", "alice active", False),
        ("anything", "", False),
        ("anything", " ", False),
        ("(.*)", "(.*)", True),
    ],
)
def test_contains_means_whole_words(output: str, wanted: str, holds: bool) -> None:
    assert contains_words(output, wanted) is holds


@given(st.from_regex(r"[A-Za-z0-9_-]{1,10}", fullmatch=True), st.from_regex(r"[A-Za-z0-9_-]{1,5}", fullmatch=True))
def test_a_longer_word_never_contains_a_shorter_one(word: str, more: str) -> None:
    assert contains_words(f"a {word} b", word)
    assert not contains_words(word + more, word)
    assert not contains_words(f"|{more}{word}|", word)
