"""One attempt at a packet that a worker has claimed: look once more, pass over it, and settle how it ends."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from amierules.database import intake, order, packets, work
from amierules.database.journal import StepRow, bump_fence, steps
from amierules.database.json_values import can_be_kept
from amierules.database.registry import RegistryView
from amierules.database.work import WorkItem
from amierules.engine.allocating import RunAllocator
from amierules.engine.cases import read_case
from amierules.engine.decision import PacketReport, Stop
from amierules.engine.doing import JournalExecutor
from amierules.engine.early_asserts import AssertsOnly
from amierules.engine.gate import Gate
from amierules.engine.keys import PacketKeys, packet_keys
from amierules.engine.packet_case import PacketCase
from amierules.engine.packet_pass import Pass
from amierules.engine.scope import Scope
from amierules.engine.settling import Ending, settle
from amierules.engine.site import CrashPoint, Site
from amierules.rulebook.model import Action, Rule

WORKABLE = ("ready", "waiting", "deferred", "retrying", "running")
"""The statuses in which a worker may try a packet."""
_LOOKS = 5
"""How often what blocks a packet is looked for where others change it meanwhile."""


@dataclass(frozen=True)
class Handled:
    """A packet that a run touched: its report, and the status that it ended in."""

    report: PacketReport
    status: str


class Drained(BaseException):
    """The run is to end: the pass goes no further than to the step that it is at."""


class _Changed(Exception):
    """What is in a packet's way has changed since it was looked at."""


@dataclass(frozen=True)
class _Begun:
    """A packet that this attempt has taken over."""

    item: WorkItem
    fence: int
    case: PacketCase
    journal: dict[str, StepRow]


class _Pin:
    """What the first intent of a packet fixes for all later passes."""

    def __init__(self, site: Site, case: PacketCase) -> None:
        self._fixed: dict[str, object] = {"now": case.now.isoformat(), "site": dict(site.configuration.settings)}
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
    """An attempt at one packet."""

    site: Site
    packet_rec_id: int
    on_start: Callable[[WorkItem], None]
    crash_point: CrashPoint
    named: bool = False
    """Whether the packet is tried because a person named it, whatever its time."""
    draining: Callable[[], bool] = lambda: False
    """Whether the run is to end: then no further step is begun."""

    def keys(self) -> PacketKeys | None:
        """The lock keys of the packet as the registry stands now; None where the packet is gone."""
        with self.site.database.read() as connection:
            found = packets.read_packets(connection, [self.packet_rec_id], self.site.name)
        stored = found.get(self.packet_rec_id)
        return packet_keys(stored.packet, self._view()) if stored else None

    def make(self, keys: PacketKeys) -> Handled | None:
        """Try the packet, whose keys are ours; None where it turned out that there is nothing to do.

        Raises `LostOwnership` and `Unavailable`.
        """
        view = self._view()
        for _ in range(_LOOKS):
            with contextlib.suppress(_Changed):
                begun = self._begin(keys, view)
                return None if begun is None else self._go(begun, view)
        return None

    def _begin(self, keys: PacketKeys, view: RegistryView) -> _Begun | None:
        """Take the packet over, unless it must wait. Raises `_Changed` where that is to be looked at again."""
        now = self.site.world.clock.now()
        packet_rec_id = self.packet_rec_id
        with self.site.database.begin() as connection:
            current = work.get(connection, packet_rec_id, lock=True)
            if current is None or current.status not in WORKABLE:
                return None
            if self._left_alone(connection, current, now) or self._waits(connection, current, keys, view, now):
                return None
            work.set_keys(connection, packet_rec_id, keys.keys)
            fence = bump_fence(connection, packet_rec_id)
            work.set_status(connection, current, "running", who=self.site.who, now=now, fence=fence)
            stored = packets.read_packets(connection, [packet_rec_id], self.site.name)[packet_rec_id]
            case = read_case(connection, self.site, stored, current, now)
            return _Begun(current, fence, case, steps(connection, packet_rec_id))

    def _go(self, begun: _Begun, view: RegistryView) -> Handled | None:
        self.on_start(begun.item)
        try:
            return self._pass(begun.item, begun.fence, begun.case, view, begun.journal)
        except Drained:
            with self.site.database.begin() as connection:
                now, who = self.site.world.clock.now(), self.site.who
                reason = "the run was ended before its next step"
                work.set_status(connection, begun.item, "ready", who=who, now=now, reason=reason, fence=begun.fence)
            return None

    def _point(self, name: str) -> None:
        if name == "before intent" and self.draining():
            raise Drained
        self.crash_point(name)

    def _pass(
        self, item: WorkItem, fence: int, case: PacketCase, view: RegistryView, journal: dict[str, StepRow]
    ) -> Handled:
        one_pass = Pass(self.site, case, view)
        pin = _Pin(self.site, case)
        gate = Gate(self.site, item.packet_rec_id, self.named)
        executor = JournalExecutor(
            site=replace(self.site, kinds=gate.kinds()),
            packet_rec_id=item.packet_rec_id,
            fence=fence,
            view=view,
            steps=journal,
            pinned=pin.values,
            surroundings=one_pass.surroundings(False, self._allocator),
            crash_point=self._point,
            begun=item.begun,
            hurried=self.named,
            # `retry` and `resolve` make a packet ready again; a new one has tried nothing yet.
            afresh=item.status == "ready",
        )

        def before_actions(rule: Rule, scope: Scope) -> None:
            pin.take(rule, scope)
            if not item.begun and self._asserts_late(rule):
                self._rehearse(case)

        report = one_pass.run(executor, before_actions)
        self.crash_point("before settling")
        ending = Ending(self.site, item, fence, case, view, executor)
        status = settle(ending, report)
        if report.decision.kind == "unavailable":
            gate.note()
        self.crash_point("after settling")
        return Handled(report, status)

    def _rehearse(self, case: PacketCase) -> None:
        """Asserts before the first effect: what they refuse by what is known now is refused before anything is done."""
        rehearsal = Pass(self.site, case, self._view())
        surroundings = rehearsal.surroundings(True, self._allocator)
        report = rehearsal.run(AssertsOnly(self.site, surroundings))
        if report.asserted:
            raise Stop(report.decision)

    def _asserts_late(self, rule: Rule) -> bool:
        """Whether the rule asserts something after its first action."""
        kinds = list(self._kinds(rule.actions))
        return "assert" in kinds[next((n for n, kind in enumerate(kinds) if kind != "assert"), len(kinds)) :]

    def _kinds(self, actions: tuple[Action, ...]) -> list[str]:
        kinds: list[str] = []
        for action in actions:
            block = self.site.rulebook.blocks.get(str(action.params.evaluate({}))) if action.kind == "use" else None
            kinds += self._kinds(block.actions) if block else [action.kind]
        return kinds

    def _left_alone(self, connection: Connection, item: WorkItem, now: datetime) -> bool:
        """Whether AMIE's tables say that the packet is not to be worked on (any more)."""
        why = packets.why_not_eligible(connection, item.packet_rec_id)
        if why is None:
            return False
        if not intake.end_elsewhere(connection, item.packet_rec_id, now):
            work.set_status(connection, item, "waiting", who=self.site.who, now=now, reason=why)
        return True

    def _waits(
        self, connection: Connection, item: WorkItem, keys: PacketKeys, view: RegistryView, now: datetime
    ) -> bool:
        """Whether the packet waits for an earlier one, which will have it looked at again. Raises `_Changed`."""
        found = self._blocker(connection, item, keys, view)
        if found is None:
            return False
        # Whoever changes the blocker wakes those that wait for it: none may slip in between our look and our commit.
        work.get(connection, found.packet_rec_id, lock=True)
        if self._blocker(connection, item, keys, view) != found:
            raise _Changed
        work.set_status(
            connection,
            item,
            "waiting",
            who=self.site.who,
            now=now,
            reason=found.reason,
            blocker=found.packet_rec_id,
        )
        return True

    def _blocker(
        self, connection: Connection, item: WorkItem, keys: PacketKeys, view: RegistryView
    ) -> order.Blocker | None:
        project = view.find_project(grant_number=keys.grant_number) if keys.grant_number else None
        presence = view.presence(project.key, keys.resource) if project and keys.resource else None
        return order.blocker(connection, item, keys.keys, project_here=presence is not None)

    def _allocator(self, path: str) -> RunAllocator:
        site = self.site
        return RunAllocator(site.database, site.configuration, self.packet_rec_id, path, site.world.processes)

    def _view(self) -> RegistryView:
        return RegistryView(self.site.database.read)
