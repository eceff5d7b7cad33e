"""Commands on other nodes: how what happened on each becomes one outcome of a step."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from amierules.actions.base import ActionError, BackendUnavailable, InDoubt, Params, Surroundings, Transient
from amierules.actions.command_guard import says_done
from amierules.actions.words import last_line, shown, without_secrets
from amierules.diagnostics import printable
from amierules.ports import Ending, NodeCompleted, NotStarted
from amierules.templating import Secret, Withheld, secrets_in

SSH = "ssh"
"""The back end of all commands on other nodes, by the name that `pause` takes."""
_SIGNALLED = 128
"""What a shell adds to the number of the signal that ended a program."""


def back_ends(nodes: Sequence[str]) -> tuple[str, ...]:
    """What a command on these nodes uses: ssh, and the nodes themselves, of which others know nothing."""
    return SSH, f"{SSH} {printable(','.join(nodes), 100)}"


def names_of(params: Params, surroundings: Surroundings) -> tuple[str, ...]:
    """The nodes, one by one. Raises `ActionError`."""
    try:
        return surroundings.world.nodes.expand(",".join(params["nodes"]))
    except NotStarted as error:
        raise ActionError(str(error)) from None


def run_on(
    names: Sequence[str],
    words: Sequence[str | Secret],
    params: Params,
    surroundings: Surroundings,
    *,
    stdin: bool = True,
) -> dict[str, NodeCompleted]:
    """What a program left on each node, without secrets. Raises `ActionError` where it was begun nowhere."""
    env, given = params.get("env"), params.get("stdin") if stdin else None
    hidden = secrets_in([list(words), given, env])
    limits = [seconds for seconds in (params.get("timeout"), surroundings.timeout) if seconds is not None]
    try:
        done = surroundings.world.nodes.run(
            names, words, stdin=given, env=env, cwd=params.get("cwd"), timeout=min(limits, default=None)
        )
    except NotStarted as error:
        raise ActionError(f"not started: {without_secrets(hidden, str(error))}") from None
    return {
        name: replace(
            one,
            stdout=without_secrets(hidden, one.stdout),
            stderr=without_secrets(hidden, one.stderr),
            reason=without_secrets(hidden, one.reason),
        )
        for name, one in done.items()
    }


def left_to_do(
    guard: Mapping[str, Any], names: Sequence[str], params: Params, surroundings: Surroundings
) -> tuple[str, ...]:
    """Where a guard does not say that the work is done. Raises `ActionError` where it cannot be asked on all nodes."""
    answers = run_on(names, guard["run"], params, surroundings, stdin=False)
    program = f"the guard {shown(guard['run'][0])}"
    Judge(answers, program, params, surroundings.world).look()
    for one in answers.values():
        if one.rc is not None and one.rc > _SIGNALLED:
            raise ActionError(f"{one.node}: {program} ended with status {one.rc}, as by signal {one.rc - _SIGNALLED}")
    return tuple(one.node for one in answers.values() if not says_done(guard, one, f"{program} on {one.node}"))


class Judge:
    """Says what a step has come to. `program` is what it ran, as it may be shown."""

    def __init__(self, done: Mapping[str, NodeCompleted], program: str, params: Params, world: Any) -> None:
        self._done = done
        self._program = program
        self._params = params
        self._fold = world.nodes.fold

    def look(self) -> None:
        """Of a program that changes nothing: raises where one of the nodes did not run it to its end."""
        if away := [*self._of(Ending.UNREACHED), *self._of(Ending.LOST)]:
            raise self._away(away)
        if late := self._of(Ending.TIMED_OUT):
            raise Transient(self._took_too_long(late))
        self._refused()

    def change(self) -> None:
        """Of a program that changes something: raises what a step is that was not done everywhere."""
        unreached, lost, late = self._of(Ending.UNREACHED), self._of(Ending.LOST), self._of(Ending.TIMED_OUT)
        begun = [one for one in self._done.values() if one.ending in (Ending.ENDED, Ending.LOST, Ending.TIMED_OUT)]
        if "unless" in self._params:
            if lost:
                raise self._away(lost, begun=True)
            if late:
                raise Transient(self._took_too_long(late))
        elif (lost or late or unreached) and begun:
            ended = self._of(Ending.ENDED)
            parts = [self._where(lost), self._took_too_long(late) if late else "", self._where(unreached)]
            parts.append(f"it ended on {self._fold([one.node for one in ended])}" if ended else "")
            raise InDoubt("; ".join(filter(None, parts)))
        if unreached:
            raise self._away(unreached)
        self._refused()

    def check_status(self) -> None:
        """Raises `ActionError` where an exit status is none of the ok ones."""
        wrong = [one for one in self._of(Ending.ENDED) if one.rc not in self._params.get("ok", (0,))]
        said: dict[str, list[str]] = {}
        for one in wrong:
            why = "" if self._params.get("secret_output") else last_line(one.stderr)
            text = f"{self._program} ended with status {one.rc}{': ' if why else ''}{why}"
            said.setdefault(text, []).append(one.node)
        if said:
            raise ActionError("; ".join(f"{self._fold(names)}: {text}" for text, names in said.items()))

    def _of(self, ending: Ending) -> list[NodeCompleted]:
        return [one for one in self._done.values() if one.ending is ending]

    def _away(self, which: Iterable[NodeCompleted], *, begun: bool = False) -> BackendUnavailable:
        return BackendUnavailable(self._where(which), back_ends(self._params["nodes"])[1], begun=begun)

    def _refused(self) -> None:
        if refused := self._of(Ending.REFUSED):
            raise ActionError(f"{self._program} was not started: {self._where(refused)}")

    def _where(self, which: Iterable[NodeCompleted]) -> str:
        """Each reason once, after the nodes that gave it."""
        reasons: dict[str, list[str]] = {}
        for one in which:
            reasons.setdefault(printable(one.reason, 200), []).append(one.node)
        return "; ".join(f"{self._fold(names)}: {reason}" for reason, names in reasons.items())

    def _took_too_long(self, which: Iterable[NodeCompleted]) -> str:
        return f"{self._program} took too long on {self._fold([one.node for one in which])} and was ended"


def result_of(
    names: Sequence[str], done: Mapping[str, NodeCompleted], params: Params, *, changed: bool
) -> dict[str, object]:
    """What is registered: the worst exit status, what was printed, and all of it by node.

    Nodes of `names` that are not in `done` did not have to run it.
    """
    hidden = bool(params.get("secret_output"))
    by_node = {name: _of_node(done.get(name), hidden, changed=changed) for name in names}
    return {
        "rc": max((one.rc or 0 for one in done.values()), default=0),
        "stdout": _together({name: by_node[name]["stdout"] for name in done}),
        "stderr": _together({name: by_node[name]["stderr"] for name in done}),
        "changed": changed and bool(done),
        "nodes": by_node,
    }


def _of_node(one: NodeCompleted | None, hidden: bool, *, changed: bool) -> dict[str, object]:
    if one is None:
        return {"rc": 0, "stdout": None, "stderr": None, "changed": False}
    printed = {"stdout": one.stdout.rstrip("\r\n"), "stderr": one.stderr.rstrip("\r\n")}
    return {"rc": one.rc, **({name: Withheld() for name in printed} if hidden else printed), "changed": changed}


def _together(texts: Mapping[str, object]) -> object:
    """The text that all nodes have in common, else every line after its node's name."""
    several = list(texts.values())
    if not several:
        return None
    if all(text == several[0] for text in several):
        return several[0]
    return "\n".join(f"{name}: {line}" for name, text in texts.items() for line in str(text).splitlines())
