"""The run's executor: probe, plan, intent, apply, result; each committed to the journal before the next."""

import os
import socket
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

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
from amierules.actions.table import SENDS, back_end, forced_patience
from amierules.database import journal
from amierules.database.journal import StepRow
from amierules.database.registry import RegistryView
from amierules.database.taking_over import take_over
from amierules.database.together import Writer, together
from amierules.database.work import WorkItem
from amierules.engine.begun import DONE, FAILED, GOES_ON, STARTED
from amierules.engine.done_before import done_before, given_to, list_before
from amierules.engine.frozen import digest, freeze, shown
from amierules.engine.left_over import refuse_renamed
from amierules.engine.orphaned import NODES
from amierules.engine.repeating import Verdict, tries_of, verdict, wait
from amierules.engine.scope import Scope
from amierules.engine.site import CrashPoint, Site
from amierules.engine.walk import StepCall, StepDone
from amierules.ports.orphans import LEAVE, marked
from amierules.ports.processes import DEFAULT_TIMEOUT
from amierules.ports.whereabouts import whereabouts
from amierules.rulebook.model import Action


@dataclass
class JournalExecutor:
    """Does each step once. What a former pass recorded as done is taken from the journal."""

    site: Site
    item: WorkItem
    keys: Collection[str] | None
    """The lock keys for others to find the packet by, where they are others than those that are stored."""
    view: RegistryView
    steps: dict[str, StepRow]
    pinned: Callable[[], Mapping[str, object]]
    """What each intent keeps beside it: the rule and the values that it saw."""
    surroundings: Callable[[str, Action, Scope], Surroundings]
    crash_point: CrashPoint
    dry: bool = False
    begun: bool = field(init=False)
    fence: int = field(init=False)
    taken_over: bool = False
    """Whether the packet was made this worker's alone, as it is before the first effect."""
    hurried: bool = False
    """Whether a person wants the packet tried now: a step with `until` does not wait for its time."""
    afresh: bool = False
    """Whether a person lets the packet start over: the tries of a step with `until` are counted anew."""
    in_doubt: bool = False
    """Whether an intent stands whose result is not recorded."""
    written: frozenset[str] = frozenset()
    to_send: list[Any] = field(default_factory=list)
    """What the steps of this pass start transactions with: type, body, and the site that gets it."""
    _unwritten: list[StepRow] = field(default_factory=list)
    _recorded: set[str] = field(default_factory=set)
    """The paths whose end this pass has recorded."""
    _tries: list[StepRow] = field(default_factory=list)
    _position: int = 0
    _fixed: Mapping[str, object] | None = None
    """What this pass has pinned."""

    def __post_init__(self) -> None:
        self.begun, self.fence = self.item.begun, self.item.fence
        self._position = max((step.position for step in self.steps.values()), default=0)

    def items(self, path: str, items: Sequence[object], source: str) -> Sequence[object]:
        """The list of the first pass, from the journal; on the first pass the list as it is, for the journal."""
        kept = self.steps.get(path)
        if kept is not None:
            return list_before(path, items, source, kept, self.view)
        row = self._row(path, "for_each", DONE, digest(source), digest(list(items)))
        frozen = freeze(list(items))
        self._unwritten.append(replace(row, result=frozen, given=shown(frozen)))
        return items

    def step(self, call: StepCall) -> StepDone:
        """Do the step, or take it from the journal. Raises `ActionError`, `AssertionFailed` or `Stop`."""
        done = self._step(call)
        if call.action.kind == SENDS:
            self.to_send.append(done.result)
        return done

    def _step(self, call: StepCall) -> StepDone:
        kind = self.site.kinds[call.action.kind]
        former = done_before(call, self.steps.get(call.path), kind, self.view)
        if former is not None:
            return former
        policy = kind.doubt(call.params)
        refuse_renamed(call, self.steps, self.written)
        if call.until is not None and not (self.hurried or self.afresh):
            wait(self.steps.get(call.path), call.path, self._now())
        if back_end(call.action.kind) is not None:
            self.crash_point("before probe")
        self.view.mark()
        plan = kind.plan(call.params, kind.probe(call.params, call.surroundings), call.surroundings)
        if plan.conflict:
            raise Conflict(plan.reason)
        row = self._row(call.path, call.action.kind, STARTED, call.source_digest, digest(call.params))
        changes = [shown_change(change) for change in plan.changes] or None
        row = replace(row, changes=changes, given=given_to(call))
        if not plan.changes:
            self._settle(call, plan.result, replace(row, reason=plan.reason or None))
            return StepDone(call.report("present", plan), plan.result)
        if policy is Doubt.STAGED:
            result = kind.apply(call.params, plan, call.surroundings)
            self._settle(call, result, replace(row, staged=self.view.staged))
        else:
            result = self._outside(call, plan, row)
        return StepDone(call.report("done", plan), result)

    def former(self, path: str) -> StepRow | None:
        """What former passes recorded of a step, as long as this one has not recorded how it ended."""
        return None if path in self._recorded else self.steps.get(path)

    def passed_over(self, path: str, kind: str, reason: str) -> None:
        """Keep that the step failed and the pass went on: it is not tried again on a later pass."""
        if path not in self._recorded and (path not in self.steps or self.steps[path].state != FAILED):
            row = self._row(path, kind, FAILED, "", "")
            self._unwritten.append(replace(row, reason=reason, result=GOES_ON))

    def forget(self) -> None:
        """What needed no intent is not to be written."""
        self._unwritten.clear()
        self._tries.clear()
        self.to_send.clear()

    def rows(self, *, tries_only: bool) -> list[StepRow]:
        """The steps that needed no intent, and how often steps with `until` were tried: to be written at the end."""
        return [*(() if tries_only else self._unwritten), *self._tries]

    def _settle(self, call: StepCall, result: object, row: StepRow) -> None:
        """Keep how a step without an intent ended. Raises what ends the pass where its `until` does not hold."""
        ended = self._verdict(call, result, row.reason or "")
        kept = replace(row, state=ended.state, result=ended.result, reason=ended.reason or None)
        if ended.raises is None:
            self._unwritten.append(kept)
            return
        self._tries.append(replace(kept, staged=None))
        self._recorded.add(call.path)
        raise ended.raises

    def _verdict(self, call: StepCall, result: object, reason: str = "") -> Verdict:
        return verdict(call, result, None if self.afresh else self.steps.get(call.path), self._now(), reason)

    def _outside(self, call: StepCall, plan: Plan, row: StepRow) -> object:
        """The intent, the effect, the result. A crash in between leaves the step in doubt."""
        self.crash_point("before intent")
        mark = uuid.uuid4().hex
        with together(self.site.database) as writer:
            self._own(writer)
            journal.write_settled(writer, [replace(settled, fence=self.fence) for settled in self._unwritten])
            intent = replace(row, place=whereabouts(), mark=mark)
            journal.write_intent(writer, intent, self.fence, _lasting(call, plan), owned=True)
            self.crash_point("in intent")
        self.taken_over = True
        self._unwritten.clear()
        self.begun = self.in_doubt = True
        self.crash_point("after intent")
        try:
            with marked(mark, forced_patience(call.action.kind)):
                result = self.site.kinds[call.action.kind].apply(call.params, plan, call.surroundings)
        except InDoubt:
            raise
        except ActionError as error:
            if isinstance(error, BackendUnavailable) and error.begun:
                raise
            goes_on = call.goes_on and not isinstance(error, Transient | BackendUnavailable)
            self._record(call.path, FAILED, GOES_ON if goes_on else row.result, str(error))
            raise
        self.crash_point("after effect")
        ended = self._verdict(call, result)
        self._record(call.path, ended.state, ended.result, ended.reason)
        self.crash_point("after result")
        if ended.raises is not None:
            raise ended.raises
        return result

    def _own(self, writer: Writer) -> None:
        """Have the packet alone, and keep what the rule saw; later steps may have asked for more of its variables.

        Raises `LostOwnership`.
        """
        fixed, number = self.pinned(), self.item.packet_rec_id
        if not self.taken_over:
            now, who = self._now(), self.site.who
            self.fence = take_over(writer, self.item, self.keys, pinned=fixed, who=who, now=now)
        elif fixed != self._fixed:
            journal.pin(writer, number, fixed, self.fence)
        else:
            journal.own(writer, number, self.fence)
        self._fixed = fixed

    def _record(self, path: str, state: str, result: object, reason: str) -> None:
        with together(self.site.database) as writer:
            now = self._now()
            fence = self.fence
            journal.write_result(
                writer,
                self.item.packet_rec_id,
                path,
                state=state,
                result=result,
                reason=reason,
                fence=fence,
                now=now,
            )
            self.crash_point("in result")
        self.in_doubt = False
        self._recorded.add(path)

    def _row(self, path: str, kind: str, state: str, source: str, given: str) -> StepRow:
        former = self.steps.get(path)
        self._position += former is None
        return StepRow(
            packet_rec_id=self.item.packet_rec_id,
            path=path,
            position=former.position if former is not None else self._position,
            kind=kind,
            state=state,
            source_digest=source,
            input_digest=given,
            started_at=self._now(),
            result=None if self.afresh else tries_of(former),
            host=socket.gethostname(),
            pid=os.getpid(),
        )

    def _now(self) -> datetime:
        return self.site.world.clock.now()


def _lasting(call: StepCall, plan: Plan) -> timedelta:
    """How long the processes of a step may run in all: each change is one at most, here or on nodes."""
    limits = [seconds for seconds in (call.params.get("timeout"), call.surroundings.timeout) if seconds is not None]
    each = min(limits, default=DEFAULT_TIMEOUT) + LEAVE
    lasting = call.surroundings.world.nodes.lasting
    return timedelta(seconds=sum(lasting(len(change.nodes), each) if change.nodes else each for change in plan.changes))


def shown_change(change: Any) -> dict[str, object]:
    """A change as JSON: what `dry-run` prints and the journal keeps."""
    said: dict[str, object] = {"summary": change.summary, "op": change.op, "target": change.target}
    if change.argv is not None:
        values = {} if change.values is None else {"values": shown(change.values)}
        nodes = {} if change.nodes is None else {NODES: list(change.nodes)}
        return {**said, "argv": [shown(word) for word in change.argv], **values, **nodes}
    return {**said, "before": shown(change.before), "after": shown(change.after)}
