"""The run's executor: probe, plan, intent, apply, result; each committed to the journal before the next."""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from amierules.actions.base import (
    ActionError,
    BackendUnavailable,
    Conflict,
    Doubt,
    InDoubt,
    Plan,
    Surroundings,
    Transient,
)
from amierules.database import journal
from amierules.database.journal import StepRow
from amierules.database.registry import RegistryView
from amierules.engine.done_before import DONE, FAILED, STARTED, done_before
from amierules.engine.frozen import digest, freeze, shown, thaw
from amierules.engine.scope import Scope
from amierules.engine.site import CrashPoint, Site
from amierules.engine.walk import StepCall, StepDone
from amierules.rulebook.model import Action


@dataclass
class JournalExecutor:
    """Does each step once. What a former pass recorded as done is taken from the journal."""

    site: Site
    packet_rec_id: int
    fence: int
    view: RegistryView
    steps: dict[str, StepRow]
    pinned: Callable[[], Mapping[str, object]]
    """What the first intent keeps beside it: the rule and the values that it saw."""
    surroundings: Callable[[str, Action, Scope], Surroundings]
    crash_point: CrashPoint
    dry: bool = False
    begun: bool = False
    in_doubt: bool = False
    """Whether an intent stands whose result is not recorded."""
    _unwritten: list[StepRow] = field(default_factory=list)
    _recorded: set[str] = field(default_factory=set)
    """The paths whose end this pass has recorded."""
    _position: int = 0

    def __post_init__(self) -> None:
        self._position = max((step.position for step in self.steps.values()), default=0)

    def items(self, path: str, items: Sequence[object]) -> Sequence[object]:
        """The list of the first pass, from the journal; on the first pass the list as it is, for the journal."""
        kept = self.steps.get(path)
        if kept is not None:
            return [thaw(item, self.view) for item in kept.result]
        self._keep(self._row(path, "for_each", DONE, "", "", result=freeze(list(items))))
        return items

    def step(self, call: StepCall) -> StepDone:
        """Do the step, or take it from the journal. Raises `ActionError`, `AssertionFailed` or `Stop`."""
        source, given = digest(call.action.source), digest(call.params)
        kind = self.site.kinds[call.action.kind]
        policy = kind.doubt(call.params)
        former = done_before(call, self.steps.get(call.path), policy, self.view)
        if former is not None:
            return former
        self.view.mark()
        plan = kind.plan(call.params, kind.probe(call.params, call.surroundings), call.surroundings)
        if plan.conflict:
            raise Conflict(plan.reason)
        if not plan.changes:
            self._keep(self._row(call.path, call.action.kind, DONE, source, given, plan.reason, freeze(plan.result)))
            return StepDone(call.report("present", plan), plan.result)
        if policy is Doubt.STAGED:
            result = kind.apply(call.params, plan, call.surroundings)
            row = self._row(
                call.path, call.action.kind, DONE, source, given, "", freeze(result), plan, self.view.staged
            )
            self._keep(row)
        else:
            row = self._row(call.path, call.action.kind, STARTED, source, given, plan=plan)
            result = self._outside(call, plan, row)
        return StepDone(call.report("done", plan), result)

    def passed_over(self, path: str, kind: str, reason: str) -> None:
        """Keep that the step failed and the pass went on: it is not tried again on a later pass."""
        if path not in self._recorded and (path not in self.steps or self.steps[path].state != FAILED):
            self._keep(self._row(path, kind, FAILED, "", "", reason, {"failed": True}))

    def write_steps(self, connection: Connection) -> None:
        """Record the steps that needed no intent. Raises `LostOwnership`."""
        for row in self._unwritten:
            journal.write_done(connection, row, self.fence)

    def _outside(self, call: StepCall, plan: Plan, row: StepRow) -> object:
        """The intent, the effect, the result. A crash in between leaves the step in doubt."""
        self.crash_point("before intent")
        with self.site.database.begin() as connection:
            self.write_steps(connection)
            if not self.begun:
                journal.pin(connection, self.packet_rec_id, self.pinned(), self.fence)
            journal.write_intent(connection, row, self.fence)
        self._unwritten.clear()
        self.begun = self.in_doubt = True
        self.crash_point("after intent")
        try:
            result = self.site.kinds[call.action.kind].apply(call.params, plan, call.surroundings)
        except InDoubt:
            raise
        except ActionError as error:
            goes_on = call.goes_on and not isinstance(error, Transient | BackendUnavailable)
            self._record(call.path, FAILED, {"failed": True} if goes_on else None, str(error))
            raise
        self.crash_point("after effect")
        self._record(call.path, DONE, freeze(result), "")
        self.crash_point("after result")
        return result

    def _record(self, path: str, state: str, result: object, reason: str) -> None:
        with self.site.database.begin() as connection:
            now = self._now()
            fence = self.fence
            journal.write_result(
                connection, self.packet_rec_id, path, state=state, result=result, reason=reason, fence=fence, now=now
            )
        self.in_doubt = False
        self._recorded.add(path)

    def _keep(self, row: StepRow) -> None:
        self._unwritten.append(row)

    def _row(
        self,
        path: str,
        kind: str,
        state: str,
        source: str,
        given: str,
        reason: str = "",
        result: object = None,
        plan: Plan | None = None,
        staged: object = None,
    ) -> StepRow:
        former = self.steps.get(path)
        self._position += former is None
        return StepRow(
            packet_rec_id=self.packet_rec_id,
            path=path,
            position=former.position if former is not None else self._position,
            kind=kind,
            state=state,
            source_digest=source,
            input_digest=given,
            started_at=self._now(),
            changes=[shown_change(change) for change in plan.changes] if plan else None,
            staged=staged,
            result=result,
            reason=reason or None,
            host=socket.gethostname(),
            pid=os.getpid(),
        )

    def _now(self) -> datetime:
        return self.site.world.clock.now()


def shown_change(change: Any) -> dict[str, object]:
    """A change as JSON: what `dry-run` prints and the journal keeps."""
    said: dict[str, object] = {"summary": change.summary, "op": change.op, "target": change.target}
    if change.argv is not None:
        return {**said, "argv": [shown(word) for word in change.argv]}
    return {**said, "before": shown(change.before), "after": shown(change.after)}
