"""The kind `command`: run a program, here or on other nodes."""

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
from amierules.actions.command_guard import says_done
from amierules.actions.command_nodes import Judge, left_to_do, names_of, result_of, run_on
from amierules.actions.words import all_known, last_line, shown, shown_command, without_secrets
from amierules.ports import Completed, NodeCompleted, NotStarted
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
    names: tuple[str, ...] | None = None
    """The other nodes on which it runs; None where it runs here, or where they are not known yet."""
    left: tuple[str, ...] = ()
    """Those of them where the guard does not say that it is done."""
    outputs: Mapping[str, NodeCompleted] | None = None
    """What a read-only command left on each."""


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
    parts += [f"{name}={_whole(params[name])}" for name in ("nodes", "cwd", "stdin") if name in params]
    parts += [f"{name}={_whole(value)}" for name, value in env.items()] if isinstance(env, Mapping) else [env]
    return "\0".join(map(_whole, parts))


def probe(params: Params, surroundings: Surroundings) -> CommandState:
    """Run a read-only command, or ask the guard, in a dry run too. Raises `ActionError`."""
    if "nodes" in params:
        return _probe_on_nodes(params, surroundings)
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


def _probe_on_nodes(params: Params, surroundings: Surroundings) -> CommandState:
    if isinstance(params["nodes"], Unknown):
        return CommandState()
    names, guard = names_of(params, surroundings), params.get("unless")
    if params.get("read_only"):
        if not _runnable(params, params["run"]):
            return CommandState(names=names)
        outputs = run_on(names, params["run"], params, surroundings)
        judge = Judge(outputs, shown(params["run"][0]), params, surroundings.world)
        judge.look()
        judge.check_status()
        return CommandState(names=names, outputs=outputs)
    if guard is None or not _runnable(params, [*guard["run"], guard.get("contains")]):
        return CommandState(names=names, left=names)
    left = left_to_do(guard, names, params, surroundings)
    return CommandState(done=not left, asked=True, names=names, left=left)


def plan(params: Params, state: object, surroundings: Surroundings) -> Plan:
    """One change, the run itself; none for a read-only command, or where the guard says that it is done."""
    assert isinstance(state, CommandState)  # noqa: S101 - it is our own probe's
    unknown = Unknown(surroundings.step)
    if params.get("read_only"):
        known: object = None
        if state.outputs is not None:
            known = result_of(state.names or (), state.outputs, params, changed=False)
        elif state.output is not None:
            known = _result(state.output, params, changed=False)
        return Plan(reason="read only", after=state, result=unknown if known is None else known)
    if state.done:
        result = {"rc": 0, "stdout": None, "stderr": None, "changed": False}
        by_node = result if state.names is None else result_of(state.names, {}, params, changed=False)
        return Plan(reason="its guard says that it is done", after=state, result=by_node)
    words: tuple[Word, ...] = tuple(params["run"])
    guarded = "unless" in params
    unasked = guarded and not state.asked
    where = "" if "nodes" not in params else f" on {_nodes_shown(params, state, surroundings)}"
    summary = f"run {shown_command(words)}{where}{_aside(params)}" + (" (unless it is done already)" if unasked else "")
    target = f"{shown(words[0])}{where}"
    change = Change(summary, "run", target, argv=words, values=_script_values(params), nodes=state.left or None)
    after = CommandState(done=guarded, asked=guarded, names=state.names)
    return Plan((change,), after=after, result=unknown)


def apply(params: Params, plan: Plan, surroundings: Surroundings) -> object:
    """Run the command. Raises `InDoubt` where it took too long and no guard can tell what it did."""
    if not plan.changes:
        return plan.result
    words = plan.changes[0].argv
    if "nodes" in params:
        return _apply_on_nodes(params, plan, surroundings)
    completed = _run(words or (), params, surroundings)
    if completed.timed_out:
        raise (Transient if "unless" in params else InDoubt)(_took_too_long(completed))
    _check_status(completed, params)
    return _result(completed, params, changed=True)


def _apply_on_nodes(params: Params, plan: Plan, surroundings: Surroundings) -> object:
    (change,) = plan.changes
    words = list(change.argv or ())
    if change.nodes is None or not all_known(words):
        raise ActionError("the command has words, or nodes, that are not known yet")
    names = plan.after.names if isinstance(plan.after, CommandState) and plan.after.names else change.nodes
    done = run_on(change.nodes, words, params, surroundings)
    judge = Judge(done, shown(words[0]), params, surroundings.world)
    judge.change()
    judge.check_status()
    return result_of(names, done, params, changed=True)


def _ask(guard: Mapping[str, Any], params: Params, surroundings: Surroundings) -> bool:
    """Whether the guard says that the work is done. A guard that cannot be asked says nothing: that is an error."""
    completed = _run(guard["run"], params, surroundings, stdin=False)
    if completed.timed_out:
        raise Transient(f"the guard {_took_too_long(completed)}")
    if completed.rc < 0:
        raise ActionError(f"the guard {completed.argv[0]} was ended by signal {-completed.rc}")
    return says_done(guard, completed, f"the guard {completed.argv[0]}")


def _runnable(params: Params, words: Iterable[object]) -> bool:
    """Whether the words, and all else that the program is given, are known."""
    env = params.get("env")
    values = [*words, params.get("stdin"), params.get("cwd"), params.get("nodes"), env]
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
        raise ActionError(f"not started: {without_secrets(hidden, str(error))}") from None
    return replace(
        completed, stdout=without_secrets(hidden, completed.stdout), stderr=without_secrets(hidden, completed.stderr)
    )


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


def _nodes_shown(params: Params, state: CommandState, surroundings: Surroundings) -> str:
    """The nodes that are left to do, and those that are not."""
    if state.names is None:
        return shown(params["nodes"])
    done = [name for name in state.names if name not in state.left]
    fold = surroundings.world.nodes.fold
    return fold(state.left) + (f" (done on {fold(done)} already)" if done else "")


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
