"""One attempt at a packet that a worker has claimed: a pass over it that does what the rule says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from amierules.database import work
from amierules.database.json_values import can_be_kept
from amierules.database.registry import RegistryView
from amierules.engine.all_actions import all_actions
from amierules.engine.allocating import RunAllocator
from amierules.engine.decision import PacketReport, Stop
from amierules.engine.doing import JournalExecutor
from amierules.engine.early_asserts import AssertsOnly
from amierules.engine.gate import Gate
from amierules.engine.left_over import settle_left_over
from amierules.engine.orphaned import end_processes, left_running
from amierules.engine.packet_case import PacketCase
from amierules.engine.packet_pass import Pass
from amierules.engine.prepared import Prepared
from amierules.engine.scope import Scope
from amierules.engine.settling import Ending
from amierules.engine.site import CrashPoint, Site
from amierules.rulebook.model import Rule


@dataclass(frozen=True)
class Handled:
    """A packet that a run touched: its report, and the status that it ended in."""

    report: PacketReport
    status: str


class Drained(BaseException):
    """The run is to end: the pass goes no further than to the step that it is at."""


class _Pin:
    """What the first intent of a packet fixes for all later passes."""

    def __init__(self, site: Site, case: PacketCase) -> None:
        settings = case.pinned.settings if case.pinned else site.configuration.settings
        self._fixed: dict[str, object] = {"now": case.now.isoformat(), "site": dict(settings)}
        self._fixed["approval"] = case.approval()
        self._scope: Scope | None = None

    def take(self, rule: Rule, scope: Scope) -> None:
        """The rule is chosen, and no action has changed a row yet."""
        self._fixed |= {"rule": rule.name, "rows": dict(scope.rows)}
        self._scope = scope

    def values(self) -> Mapping[str, object]:
        """What is to be kept. A variable that cannot be kept, since it holds a secret, is evaluated again."""
        evaluated = self._scope.variables.evaluated() if self._scope and self._scope.variables else {}
        return {**self._fixed, "vars": {name: value for name, value in evaluated.items() if can_be_kept(value)}}


@dataclass(frozen=True)
class Attempt:
    """An attempt at one packet, whose keys are the worker's."""

    site: Site
    prepared: Prepared
    crash_point: CrashPoint
    named: bool = False
    """Whether the packet is tried because a person named it, whatever its time."""
    draining: Callable[[], bool] = lambda: False
    """Whether the run is to end: then no further step is begun."""
    before_outside: Callable[[], None] = lambda: None
    """Called when something outside the database is about to be looked at or done."""

    def make(self) -> Ending:
        """Pass over the packet; how that ended is still to be settled. Raises `LostOwnership` and `Drained`."""
        self.crash_point("before start")
        item, case, view = self.prepared.item, self.prepared.case, self.prepared.view
        one_pass = Pass(self.site, case, view)
        pin = _Pin(self.site, case)
        gate = Gate(self.site, item.packet_rec_id, self.named)
        executor = JournalExecutor(
            site=replace(self.site, kinds=gate.kinds()),
            item=item,
            keys=None if self.prepared.keys.keys == self.prepared.stored_keys else self.prepared.keys.keys,
            view=view,
            steps=self.prepared.steps,
            pinned=pin.values,
            surroundings=one_pass.surroundings(False, self._allocator),
            crash_point=self._point,
            hurried=self.named,
            # `retry` and `resolve` make a packet ready again; a new one has tried nothing yet.
            afresh=item.status == "ready",
        )

        def before_actions(rule: Rule, scope: Scope) -> None:
            if left := left_running(self.prepared.steps.values()):
                self.before_outside()  # to end one takes seconds
                end_processes(left, self.site.database, self.site.world, self.site.world.clock.now())
            pin.take(rule, scope)
            if not item.begun and self._asserts_late(rule):
                self._rehearse(case)

        try:
            report = one_pass.run(executor, before_actions)
        except Drained:
            self._give_back(executor)
            raise
        settle_left_over(report, executor.steps)
        self.crash_point("before settling")
        return Ending(self.site, case, view, executor, report, gate)

    def _point(self, name: str) -> None:
        if name == "before intent" and self.draining():
            raise Drained
        if name == "before probe":
            self.before_outside()
        self.crash_point(name)

    def _give_back(self, executor: JournalExecutor) -> None:
        """The packet as the next run is to find it."""
        if executor.taken_over:
            with self.site.database.begin() as connection:
                work.set_status(
                    connection,
                    self.prepared.item.packet_rec_id,
                    "ready",
                    who=self.site.who,
                    now=self.site.world.clock.now(),
                    reason="the run was ended before its next step",
                    fence=executor.fence,
                )

    def _rehearse(self, case: PacketCase) -> None:
        """Asserts before the first effect: what they refuse by what is known now is refused before anything is done."""
        rehearsal = Pass(self.site, case, self._view())
        surroundings = rehearsal.surroundings(True, self._allocator)
        report = rehearsal.run(AssertsOnly(self.site, surroundings))
        if report.asserted:
            raise Stop(report.decision)

    def _asserts_late(self, rule: Rule) -> bool:
        """Whether the rule asserts something after its first action."""
        kinds = [action.kind for _, action in all_actions(rule.actions, self.site.rulebook.blocks)]
        return "assert" in kinds[next((n for n, kind in enumerate(kinds) if kind != "assert"), len(kinds)) :]

    def _allocator(self, path: str) -> RunAllocator:
        site, packet_rec_id = self.site, self.prepared.item.packet_rec_id
        return RunAllocator(
            database=site.database,
            configuration=site.configuration,
            packet_rec_id=packet_rec_id,
            path=path,
            processes=site.world.processes,
            crash_point=self.crash_point,
            before_outside=self.before_outside,
        )

    def _view(self) -> RegistryView:
        return RegistryView(self.site.database.read)
