"""The dry run's executor: probes, plans, and shows; nothing outside is changed, nothing is written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from amierules.actions.base import Conflict, Doubt, Kind, Plan, Surroundings, expected
from amierules.database.journal import StepRow
from amierules.database.registry import RegistryView
from amierules.engine.done_before import done_before, list_before
from amierules.engine.left_over import refuse_renamed
from amierules.engine.repeating import shown_wait
from amierules.engine.scope import Scope
from amierules.engine.site import Site
from amierules.engine.walk import StepCall, StepDone
from amierules.rulebook.model import Action
from amierules.templating import Unknown, UnknownUsed

MakeSurroundings = Callable[[str, Action, Scope], Surroundings]


@dataclass
class DryExecutor:
    """Plans each step against the present state, and against what the steps before it would have made of it."""

    site: Site
    surroundings: MakeSurroundings
    view: RegistryView
    steps: Mapping[str, StepRow] = field(default_factory=dict)
    """What former passes recorded: a run would not do it again."""
    dry: bool = True
    in_doubt: bool = False
    written: frozenset[str] = frozenset()
    _assumed: dict[tuple[str, str], object] = field(default_factory=dict)

    def items(self, path: str, items: Sequence[object], source: str) -> Sequence[object]:
        """The list as it is, or as a former pass had it."""
        kept = self.steps.get(path)
        return items if kept is None else list_before(path, items, source, kept, self.view)

    def former(self, path: str) -> StepRow | None:
        """What former passes recorded of a step."""
        return self.steps.get(path)

    def passed_over(self, path: str, kind: str, reason: str) -> None:
        """Nothing is recorded."""

    def step(self, call: StepCall) -> StepDone:
        """The step's plan. Raises what probing and planning raise."""
        kind = self.site.kinds[call.action.kind]
        former = done_before(call, self.steps.get(call.path), kind, self.view)
        if former is not None:
            return former
        refuse_renamed(call, self.steps, self.written)
        missing = _unknown_without_expectation(call.params)
        if missing is not None:
            reason = f"needs a value known after {missing.step}"
            return StepDone(call.report("unknown", Plan(reason=reason)), missing)
        try:
            return self._planned(call, kind)
        except UnknownUsed as used:
            reason = f"needs a row known after {used.step}"
            return StepDone(call.report("unknown", Plan(reason=reason)), Unknown(used.step))

    def _planned(self, call: StepCall, kind: Kind) -> StepDone:
        hoped: Any = {name: _expected(value) for name, value in call.params.items()}
        key = (call.action.kind, kind.target(hoped))
        staged = kind.doubt(call.params) is Doubt.STAGED
        # What is staged, the view shows; what would be done outside, only we know.
        known = key in self._assumed and not staged
        state = self._assumed[key] if known else kind.probe(hoped, call.surroundings)
        plan = kind.plan(call.params, state, call.surroundings)
        if plan.conflict:
            raise Conflict(plan.reason)
        if plan.changes:
            self._assumed[key] = plan.after
            if staged:
                kind.apply(call.params, plan, call.surroundings)
        return _expecting(call, plan)


def _expecting(call: StepCall, plan: Plan) -> StepDone:
    """What the step comes to, as far as can be told; where its `until` does not hold now, that is not known yet."""
    done = StepDone(call.report("change" if plan.changes else "present", plan), plan.result)
    if call.until is None or call.action.repetition is None or (holds := call.until(plan.result)) is True:
        return done
    waiting = shown_wait(call.action.repetition)
    shown = replace(plan, reason=f"{plan.reason}; {waiting}" if plan.reason else waiting)
    if isinstance(holds, Unknown):
        return StepDone(call.report("change" if plan.changes else "present", shown), plan.result)
    return StepDone(call.report("change" if plan.changes else "unknown", shown), Unknown(call.path))


def _expected(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _expected(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_expected(one) for one in value]
    return expected(value)


def _unknown_without_expectation(value: Any) -> Unknown | None:
    """The first value in parameters of which a dry run does not even know what to expect."""
    if isinstance(value, Unknown):
        return None if value.has_expected else value
    if isinstance(value, Mapping):
        return next((found for one in value.values() if (found := _unknown_without_expectation(one)) is not None), None)
    if isinstance(value, list | tuple):
        return next((found for one in value if (found := _unknown_without_expectation(one)) is not None), None)
    return None
