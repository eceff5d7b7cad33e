"""Walking through a rule's actions: conditions, loops, blocks, parameters. Its executor knows what a step does."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from amierules.actions.assert_ import AssertionFailed
from amierules.actions.base import (
    ActionError,
    BackendUnavailable,
    Conflict,
    InDoubt,
    Params,
    Plan,
    Surroundings,
    Transient,
)
from amierules.actions.parameters import check_params
from amierules.actions.table import COMPOSED
from amierules.database.journal import StepRow
from amierules.engine.begun import DONE, decision_of_begun
from amierules.engine.decision import Decision, StepReport, Stop
from amierules.engine.frozen import digest, shown
from amierules.engine.outcome import default_deferral, failure
from amierules.engine.packet_case import PacketCase
from amierules.engine.scope import ROW_NAMES, Scope, unwrapped, wrapped
from amierules.engine.site import Site
from amierules.rulebook.model import Action, Block
from amierules.templating import EvaluationError, Unknown, located, secrets_in


@dataclass(frozen=True)
class StepCall:
    """One step as an executor gets it: the action, its path, and its parameters rendered and checked."""

    action: Action
    path: str
    item: object
    params: Params
    surroundings: Surroundings
    goes_on: bool = False
    """Whether the pass goes on if the step fails."""
    until: Callable[[object], bool | Unknown] | None = None
    """Whether a result is the one that the step's `until` waits for."""
    within: tuple[str, ...] = ()
    """The sources of the `use` actions and blocks that the step stands in, which decide what it does as well."""

    @property
    def source_digest(self) -> str:
        """Of all that is written for the step."""
        return source_digest(self.action, self.within)

    def report(self, state: str, plan: Plan) -> StepReport:
        """What came of the step."""
        action = self.action
        return StepReport(action.name, self.path, action.kind, shown(self.item), state, plan.reason, plan.changes)


@dataclass(frozen=True)
class StepDone:
    """What a step came to, and what `register` or the row in scope gets."""

    report: StepReport
    result: object = None


def source_digest(action: Action, within: Sequence[str]) -> str:
    """Of all that is written for a step: the action, and what it stands in."""
    return digest("\0".join((*within, action.source)))


class Executor(Protocol):
    """What is done at each step: a dry run plans, a run plans and applies."""

    dry: bool
    written: frozenset[str]
    """The paths of all steps that the rule has, as it is written now; set before the first one."""
    in_doubt: bool
    """Whether an effect was begun whose end is not recorded."""

    def step(self, call: StepCall) -> StepDone:
        """Do, or show, one step. Raises `ActionError`, `AssertionFailed` or `Stop`."""

    def items(self, path: str, items: Sequence[object], source: str) -> Sequence[object]:
        """The list of a `for_each`, which a run keeps: the same on every pass. `source` is how it is written."""

    def surroundings(self, path: str, action: Action, scope: Scope) -> Surroundings:
        """What the step may touch."""

    def former(self, path: str) -> StepRow | None:
        """What former passes recorded of a step, as long as this one has not recorded how it ended."""

    def passed_over(self, path: str, kind: str, reason: str) -> None:
        """The step failed, and the pass goes on: so it does on every later pass."""


class Walk:
    """One pass over a rule's actions. Step reports are collected in `reports`."""

    def __init__(self, site: Site, case: PacketCase, rule: str, executor: Executor, reports: list[StepReport]) -> None:
        self._site = site
        self._rule = rule
        self._case = case
        self._executor = executor
        self._reports = reports
        self._cover = "park"
        """What the `on_error` beside the nearest `use` says."""
        self._within: tuple[str, ...] = ()
        self._at_most: int | None = None
        """Seconds that each step may take by the `timeout` beside the `use` that it is in."""

    def actions(self, actions: Sequence[Action], scope: Scope, prefix: str = "") -> None:
        """All actions in order. Raises `Stop` where one of them ends the pass."""
        for action in actions:
            path = f"{prefix}/{action.name}" if prefix else action.name
            result = self._each(action, path, scope) if action.for_each else self._one(action, path, scope, None)
            if action.register is not None:
                scope.local[action.register] = result

    def _each(self, action: Action, path: str, scope: Scope) -> object:
        """One round an item; the results in order."""
        assert action.for_each is not None  # noqa: S101 - the caller looked
        try:
            listed = action.for_each.evaluate(scope)
        except EvaluationError as error:
            return self._failed(action, path, None, error)
        if isinstance(listed, Unknown):
            self._report(action, path, None, "unknown", f"its list is known after {listed.step}")
            return listed
        if not isinstance(listed, list | tuple):
            problem = EvaluationError("`for_each` must yield a list", code="evaluation", place=action.for_each.place)
            return self._failed(action, path, None, problem)
        if secrets_in(listed):
            problem = EvaluationError("secrets cannot be looped over", "secret-used", place=action.for_each.place)
            return self._failed(action, path, None, problem)
        kept = self._executor.items(path, unwrapped(list(listed)), json.loads(action.source)["for_each"])
        items = [wrapped(one, scope.registry) for one in kept]
        return [
            self._one(action, f"{path}[{position}]", scope.with_item(item), item, looped=True)
            for position, item in enumerate(items)
        ]

    def _one(self, action: Action, path: str, scope: Scope, item: object, *, looped: bool = False) -> object:
        try:
            holds = action.when is None or action.when.evaluate(scope)
            if isinstance(holds, Unknown):
                self._report(action, path, item, "unknown", f"its condition is known after {holds.step}")
                if not looped:
                    scope.rows.update(dict.fromkeys(self._rows_changed(action), holds))
                return holds
            if not holds:
                self._report(action, path, item, "skipped", f"when: {action.when.source if action.when else ''}")
                return None
            if action.kind == COMPOSED:
                return self._use(action, path, scope, item)
            return self._step(action, path, scope, item, looped=looped)
        except AssertionFailed as error:
            if error.otherwise == "hold" and _approvable(self._rule, path) in self._case.approvals:
                self._report(action, path, item, "present", "approved")
                return None
            return self._failed(action, path, item, error)
        except (ActionError, EvaluationError) as error:
            return self._failed(action, path, item, error)

    def _use(self, action: Action, path: str, scope: Scope, item: object) -> object:
        """A block's actions; `on_error` beside `use` covers what fails in it and has no `on_error` of its own."""
        outer, within, at_most = self._cover, self._within, self._at_most
        self._cover = outer if action.on_error == "park" else action.on_error
        self._at_most = self._bounded(action).timeout
        block = self._site.rulebook.blocks[str(action.params.evaluate(scope))]
        self._within = (*within, action.source, block.source)
        try:
            return self._block(block, action, path, scope)
        except Stop as stop:
            if stop.failure is None or action.on_error == "park":
                raise
            if action.on_error == "continue" and stop.path is not None:
                self._executor.passed_over(stop.path, action.kind, stop.failure)
            return self._failed(action, path, item, ActionError(stop.failure))
        finally:
            self._cover, self._within, self._at_most = outer, within, at_most

    def _block(self, block: Block, action: Action, path: str, scope: Scope) -> object:
        given = {name: value.evaluate(scope) for name, value in action.with_.items()}
        outside = scope.enter({})
        defaults = {
            name: parameter.default.evaluate(outside)
            for name, parameter in block.parameters.items()
            if name not in given and parameter.default is not None
        }
        inside = scope.enter(block.variables, {**defaults, **given})
        if action.for_each is not None:
            inside.rows = dict(scope.rows)  # what a round does to the rows in scope, the next one does not see
        parameters = set(inside.local)
        self.actions(block.actions, inside, path)
        return {name: value for name, value in inside.local.items() if name not in parameters}

    def _step(self, action: Action, path: str, scope: Scope, item: object, *, looped: bool) -> object:
        params = self._params(action, path, scope)
        surroundings = self._executor.surroundings(path, self._bounded(action), scope)
        goes_on = "continue" in (action.on_error, self._cover if action.on_error == "park" else "")
        row = action.kind if action.kind in ROW_NAMES and not looped else None

        def until(result: object) -> bool | Unknown:
            assert action.repetition is not None  # noqa: S101 - handed on only where it is there
            return action.repetition.until.evaluate(scope.with_result(action.register, result, row))

        repeated = until if action.repetition is not None else None
        call = StepCall(action, path, item, params, surroundings, goes_on, repeated, self._within)
        done = self._executor.step(call)
        self._reports.append(done.report)
        if row is not None:
            scope.rows[row] = done.result
        return done.result

    def _params(self, action: Action, path: str, scope: Scope) -> Params:
        """The parameters, rendered and checked; none where that is not possible any more, and the step as it is written
        was done before.
        """
        try:
            rendered = unwrapped(action.params.evaluate(scope))
            params, problems = check_params(self._site.schemas[action.kind], rendered)
            if problems:
                raise ActionError("; ".join(problems))
        except (ActionError, EvaluationError):
            former = self._executor.former(path)
            written = source_digest(action, self._within)
            if former is None or former.state != DONE or former.source_digest != written:
                raise
            return {}
        return params

    def _bounded(self, action: Action) -> Action:
        """The action with the shortest of the times that it and those around it are given."""
        given = [seconds for seconds in (action.timeout, self._at_most) if seconds is not None]
        return replace(action, timeout=min(given, default=None))

    def _rows_changed(self, action: Action) -> set[str]:
        """The rows in scope that an action may leave as others."""
        if action.kind != COMPOSED:
            return {action.kind} & set(ROW_NAMES)
        block = self._site.rulebook.blocks.get(str(action.params.evaluate({})))
        inside = block.actions if block is not None else ()
        return {row for one in inside if one.for_each is None for row in self._rows_changed(one)}

    def _failed(self, action: Action, path: str, item: object, error: Exception) -> object:
        """What becomes of a failed step: the pass ends, or under `on_error: continue` goes on with it as result."""
        reason = located(error)
        former = self._executor.former(path)
        looked = isinstance(error, Conflict | InDoubt | Transient | BackendUnavailable)
        begun = None if looked else decision_of_begun(former, reason)
        decision = begun or self._decision_of_failure(action, path, error, reason)
        state = "conflict" if decision is not None and decision.kind == "hold" else "error"
        self._report(action, path, item, state, reason)
        if decision is not None:
            # What an `on_error` further out may cover: nothing that has been begun.
            failure = f"{action.name}: {reason}" if decision.kind == "park" and begun is None else None
            raise Stop(decision, failure, asserted=isinstance(error, AssertionFailed), path=path)
        self._executor.passed_over(path, action.kind, reason)
        return {"failed": True, "error": reason}

    def _report(self, action: Action, path: str, item: object, state: str, reason: str) -> None:
        self._reports.append(StepReport(action.name, path, action.kind, shown(item), state, reason))

    def _decision_of_failure(self, action: Action, path: str, error: Exception, reason: str) -> Decision | None:
        """The decision that a failure leads to; None where `on_error` says to go on."""
        said = f"{path}: {reason}"
        if isinstance(error, AssertionFailed):
            return self._of_assertion(path, error)
        if isinstance(error, Conflict):
            return Decision("hold", said)
        if isinstance(error, InDoubt):
            return Decision("doubt", said)
        if isinstance(error, Transient | BackendUnavailable):
            return Decision("unavailable" if isinstance(error, BackendUnavailable) else "retry", said)
        if action.on_error == "continue":
            return None
        if action.on_error == "fail":
            return failure(self._site, self._case, said)
        return Decision(action.on_error, said)

    def _of_assertion(self, path: str, error: AssertionFailed) -> Decision:
        message = str(error)
        if error.otherwise == "fail":
            return failure(self._site, self._case, message)
        if error.otherwise == "defer":
            return default_deferral(self._case, message)
        approvable = _approvable(self._rule, path) if error.otherwise == "hold" else None
        return Decision(error.otherwise, message, approvable=approvable)


def _approvable(rule: str, path: str) -> str:
    """What an approval of a held assert is known by: an assert of this name in another rule is another one."""
    return f"{rule}: {path}"
