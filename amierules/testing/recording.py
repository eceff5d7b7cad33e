"""What steps do in a test: each kind as it is, which also notes its changes and fails where the test says so."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from amierules.actions.base import (
    ActionError,
    AroundKind,
    BackendUnavailable,
    Change,
    Conflict,
    Doubt,
    InDoubt,
    Kind,
    Params,
    Plan,
    Surroundings,
    Transient,
)
from amierules.actions.table import KINDS, back_end
from amierules.engine.doing import shown_change
from amierules.engine.frozen import shown
from amierules.testing.expectations import DONE, change_as_expected
from amierules.testing.model import ScriptedFailure, ScriptedKind

_ERRORS: Mapping[str, Callable[[str], ActionError]] = {
    "transient": Transient,
    "permanent": ActionError,
    "conflict": Conflict,
    "in_doubt": InDoubt,
}


@dataclass
class Recorder:
    """What the steps of a test have done, packet by packet."""

    failures: list[ScriptedFailure] = field(default_factory=list)
    own_kinds: list[ScriptedKind] = field(default_factory=list)
    """What steps of kinds come to that packages bring."""
    unscripted: list[tuple[str, str]] = field(default_factory=list)
    """The steps of such kinds for which nothing is scripted, with their kinds."""
    packet: int = 0
    """The packet that the engine is at."""
    step: str = ""
    """The last step that was begun."""
    changes: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """What was changed, for which packet; the newest last."""

    def kinds(self, kinds: Mapping[str, Kind]) -> dict[str, Kind]:
        """The kinds, watched."""
        played = {name: kind if name in KINDS else _Scripted(name, kind, self) for name, kind in kinds.items()}
        return {name: _Watched(kind, name, self) for name, kind in played.items()}

    def scripted(self, kind: str, step: str) -> ScriptedKind:
        """What is scripted for a step of a package's kind. Raises `ActionError` where nothing is."""
        for one in self.own_kinds:
            if one.kind == kind and one.step in (None, step):
                one.used += 1
                return one
        self.unscripted.append((step, kind))
        raise ActionError("the rule test does not say what it comes to")

    def of(self, packet: int, since: int = 0) -> list[dict[str, Any]]:
        """The changes for a packet, from the `since`th of all on."""
        return [change for number, change in self.changes[since:] if number == packet]

    def fail_if_scripted(self, step: str, kind: str, *, at_probe: bool) -> None:
        """Raises what the test has scripted for the step."""
        for one in self.failures:
            if (one.step, one.at_probe) == (step, at_probe) and one.used < one.times:
                one.used += 1
                if one.kind == "unavailable":
                    raise BackendUnavailable(one.says, back_end(kind))
                raise _ERRORS[one.kind](one.says)

    def note(self, step: str, plan: Plan, *, failed: bool) -> None:
        """Keep the changes of a plan, as they were made or failed."""
        shown_changes = (shown_change(change) for change in plan.changes)
        self.changes += [(self.packet, change_as_expected(step, one, failed=failed)) for one in shown_changes]


@dataclass(frozen=True)
class _Watched(AroundKind):
    """A kind of action; see `amierules.actions.base.Kind`."""

    name: str
    recorder: Recorder

    def probe(self, params: Params, surroundings: Surroundings) -> object:
        self.recorder.step = surroundings.step
        if not surroundings.dry:
            self.recorder.fail_if_scripted(surroundings.step, self.name, at_probe=True)
        return super().probe(params, surroundings)

    def apply(self, params: Params, plan: Plan, surroundings: Surroundings) -> object:
        try:
            self.recorder.fail_if_scripted(surroundings.step, self.name, at_probe=False)
            result = super().apply(params, plan, surroundings)
        except ActionError:
            self.recorder.note(surroundings.step, plan, failed=True)
            raise
        self.recorder.note(surroundings.step, plan, failed=False)
        return result


@dataclass(frozen=True)
class _Scripted:
    """A kind that a package brings: its code might reach anywhere, so it is not called."""

    name: str
    kind: Kind
    recorder: Recorder

    def doubt(self, params: Params) -> Doubt:
        return self.kind.doubt(params)

    def target(self, params: Params) -> str:
        return f"{self.name} {shown(dict(params))}"

    def probe(self, params: Params, surroundings: Surroundings) -> object:
        return self.recorder.scripted(self.name, surroundings.step)

    def plan(self, params: Params, state: object, surroundings: Surroundings) -> Plan:
        assert isinstance(state, ScriptedKind)  # noqa: S101 - it is our own probe's
        if state.present:
            return Plan(reason="all is as wanted, says the rule test", after=state, result=state.result)
        change = Change(f"do {self.name}", DONE, self.name, after=dict(params))
        return Plan((change,), after=state, result=state.result)

    def apply(self, params: Params, plan: Plan, surroundings: Surroundings) -> object:
        return plan.result


def unused_failures(failures: Sequence[ScriptedFailure]) -> list[ScriptedFailure]:
    """The failures that did not happen, or not often enough."""
    return [one for one in failures if one.used < one.times]
