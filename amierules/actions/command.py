"""The kind `command`: run a program."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from amierules.actions.base import (
    ActionError,
    Change,
    Doubt,
    InDoubt,
    Params,
    Plan,
    Surroundings,
    Transient,
    Word,
)
from amierules.actions.words import all_known, last_line, shown, shown_command
from amierules.ports import Completed, NotStarted
from amierules.templating import VARIABLE, Secret, Unknown, Withheld, secrets_in


@dataclass(frozen=True)
class CommandState:
    """What a probe found."""

    done: bool = False
    """The guard said that the work is done already."""
    asked: bool = False
    """There is a guard, and it was asked; in a dry run its words may not be known yet."""
    output: Completed | None = None
    """What a read-only command left; None where it was not run."""


def doubt(params: Params) -> Doubt:
    """Nothing for a read-only command, else its guard, else a person."""
    if params.get("read_only"):
        return Doubt.STAGED
    return Doubt.GUARD if "unless" in params else Doubt.PERSON


def target(params: Params) -> str:
    """The whole command: only the very same one shares a probe."""
    asked = params.get("unless", {})
    env = params.get("env", {})
    parts: list[object] = [*params["run"], "unless", *asked.get("run", ()), asked.get("contains", "")]
    parts += [f"{name}={_whole(params[name])}" for name in ("cwd", "stdin") if name in params]
    parts += [f"{name}={_whole(value)}" for name, value in env.items()] if isinstance(env, Mapping) else [env]
    return "\0".join(map(_whole, parts))


def probe(params: Params, surroundings: Surroundings) -> CommandState:
    """Run a read-only command, or ask the guard, in a dry run too. Raises `ActionError`."""
    if params.get("read_only"):
        if not _runnable(params, params["run"]):
            return CommandState()
        completed = _run(params["run"], params, surroundings)
        if completed.timed_out:
            raise Transient(_took_too_long(completed))
        _check_status(completed, params)
        return CommandState(output=completed)
    guard = params.get("unless")
    if guard is None or not _runnable(params, [*guard["run"], guard.get("contains")]):
        return CommandState()
    return CommandState(done=_ask(guard, params, surroundings), asked=True)


def plan(params: Params, state: object, surroundings: Surroundings) -> Plan:
    """One change, the run itself; none for a read-only command, or where the guard says that it is done."""
    assert isinstance(state, CommandState)  # noqa: S101 - it is our own probe's
    unknown = Unknown(surroundings.step)
    if params.get("read_only"):
        known = None if state.output is None else _result(state.output, params, changed=False)
        return Plan(reason="read only", after=state, result=unknown if known is None else known)
    if state.done:
        result = {"rc": 0, "stdout": None, "stderr": None, "changed": False}
        return Plan(reason="its guard says that it is done", after=state, result=result)
    words: tuple[Word, ...] = tuple(params["run"])
    guarded = "unless" in params
    unasked = guarded and not state.asked
    summary = f"run {shown_command(words)}{_aside(params)}" + (" (unless it is done already)" if unasked else "")
    change = Change(summary, "run", shown(words[0]), argv=words, values=_script_values(params))
    return Plan((change,), after=CommandState(done=guarded, asked=guarded), result=unknown)


def apply(params: Params, plan: Plan, surroundings: Surroundings) -> object:
    """Run the command. Raises `InDoubt` where it took too long and no guard can tell what it did."""
    if not plan.changes:
        return plan.result
    words = plan.changes[0].argv
    completed = _run(words or (), params, surroundings)
    if completed.timed_out:
        raise (Transient if "unless" in params else InDoubt)(_took_too_long(completed))
    _check_status(completed, params)
    return _result(completed, params, changed=True)


def contains_words(output: str, wanted: str) -> bool:
    """Whether `output` holds `wanted` as whole words.

    Letters, digits, `_` and `-` belong to a word, and so do `.`, `@` and `+` between them: `p-1` is in `acct|p-1|x` and
    in `for p-1.`, but not in `p-12`, `xp-1`, `p-1.2` or `p-1@site`. Any white space in `wanted` stands for any other.
    """
    text = r"\s+".join(re.escape(part) for part in wanted.split())
    return bool(text) and re.search(rf"(?<![\w-])(?<!\w[.@+]){text}(?![\w-]|[.@+]\w)", output) is not None


def _ask(guard: Mapping[str, Any], params: Params, surroundings: Surroundings) -> bool:
    """Whether the guard says that the work is done. A guard that cannot be asked says nothing: that is an error."""
    completed = _run(guard["run"], params, surroundings, stdin=False)
    if completed.timed_out:
        raise Transient(f"the guard {_took_too_long(completed)}")
    if completed.rc < 0:
        raise ActionError(f"the guard {completed.argv[0]} was ended by signal {-completed.rc}")
    if completed.rc != 0:
        return False
    if "contains" not in guard:
        return True
    found = contains_words(completed.stdout, guard["contains"])
    if not found and completed.truncated:
        raise ActionError(f"the guard {completed.argv[0]} printed more than can be looked through")
    return found


def _runnable(params: Params, words: Iterable[object]) -> bool:
    """Whether the words, and all else that the program is given, are known."""
    env = params.get("env")
    values = [*words, params.get("stdin"), params.get("cwd"), env]
    return all_known([*values, *(env.values() if isinstance(env, Mapping) else ())])


def _run(words: Iterable[Word], params: Params, surroundings: Surroundings, *, stdin: bool = True) -> Completed:
    known = list(words)
    if not all_known(known):
        raise ActionError("the command has words that are not known yet")
    env, given = params.get("env"), params.get("stdin") if stdin else None
    hidden = secrets_in([known, given, env])
    limits = [seconds for seconds in (params.get("timeout"), surroundings.timeout) if seconds is not None]
    try:
        completed = surroundings.world.processes.run(
            known, stdin=given, env=env, cwd=params.get("cwd"), timeout=min(limits, default=None)
        )
    except NotStarted as error:
        raise ActionError(f"not started: {_without(hidden, str(error))}") from None
    return replace(completed, stdout=_without(hidden, completed.stdout), stderr=_without(hidden, completed.stderr))


def _without(secrets: Iterable[Secret], text: str) -> str:
    """The text without what the program was given in secret: it may print it back."""
    for secret in secrets:
        text = secret.hide(text)
    return text


def _check_status(completed: Completed, params: Params) -> None:
    if completed.rc in params.get("ok", (0,)):
        return
    said = "" if params.get("secret_output") else last_line(completed.stderr)
    ended = f"was ended by signal {-completed.rc}" if completed.rc < 0 else f"ended with status {completed.rc}"
    raise ActionError(f"{completed.argv[0]} {ended}{': ' if said else ''}{said}")


def _took_too_long(completed: Completed) -> str:
    return f"{completed.argv[0]} took too long and was ended"


def _result(completed: Completed, params: Params, *, changed: bool) -> dict[str, object]:
    hidden = bool(params.get("secret_output"))
    return {
        "rc": completed.rc,
        "stdout": Withheld() if hidden else completed.stdout.rstrip("\r\n"),
        "stderr": Withheld() if hidden else completed.stderr.rstrip("\r\n"),
        "changed": changed,
    }


def _whole(value: object) -> str:
    return shown(value) if isinstance(value, Unknown) else str(value)


def _script_values(params: Params) -> Mapping[str, Word] | None:
    env = params.get("env")
    if not params.get("shell") or not isinstance(env, Mapping):
        return None
    return {name: value for name, value in env.items() if name.startswith(VARIABLE)}


def _aside(params: Params) -> str:
    """What else the run is given, beside its words."""
    parts = [f"in {shown(params['cwd'])}"] if "cwd" in params else []
    if "env" in params:
        env = params["env"]
        names = sorted(env) if isinstance(env, Mapping) else [shown(env)]
        parts += [f"with {', '.join(names)} set"] if names else []
    if "stdin" in params:
        given = params["stdin"]
        parts.append("with a secret on its input" if isinstance(given, Secret) else "with input")
    return f" ({', '.join(parts)})" if parts else ""
