"""One attempt at a packet that a worker has claimed: look once more, pass over it, and settle how it ends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from amierules.database import order, packets, work
from amierules.database.journal import StepRow, bump_fence, steps
from amierules.database.json_values import can_be_kept
from amierules.database.registry import RegistryView
from amierules.database.work import WorkItem
from amierules.engine.all_actions import all_actions
from amierules.engine.allocating import RunAllocator
from amierules.engine.cases import read_case
from amierules.engine.decision import PacketReport, Stop
from amierules.engine.doing import JournalExecutor
from amierules.engine.early_asserts import AssertsOnly
from amierules.engine.keys import PacketKeys, packet_keys
from amierules.engine.left_over import settle_left_over
from amierules.engine.orphaned import end_processes
from amierules.engine.packet_case import PacketCase
from amierules.engine.packet_pass import Pass
from amierules.engine.scope import Scope
from amierules.engine.settling import Ending, settle
from amierules.engine.site import CrashPoint, Site
from amierules.rulebook.model import Rule

WORKABLE = ("ready", "waiting", "deferred", "retrying", "running")
"""The statuses in which a worker may try a packet."""


@dataclass(frozen=True)
class Handled:
    """A packet that a run touched: its report, and the status that it ended in."""

    report: PacketReport
    status: str


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
    """An attempt at one packet."""

    site: Site
    item: WorkItem
    on_start: Callable[[WorkItem], None]
    crash_point: CrashPoint
    named: bool = False
    """Whether the packet is tried because a person named it, whatever its time."""

    def keys(self) -> PacketKeys | None:
        """The lock keys of the packet as the registry stands now; None where the packet is gone."""
        packet_rec_id = self.item.packet_rec_id
        with self.site.database.read() as connection:
            stored = packets.read_packets(connection, [packet_rec_id], self.site.name).get(packet_rec_id)
        return packet_keys(stored.packet, self._view()) if stored else None

    def make(self, keys: PacketKeys) -> Handled | None:
        """Try the packet, whose keys are ours; None where it turned out that there is nothing to do.

        Raises `LostOwnership` and `Unavailable`.
        """
        now = self.site.world.clock.now()
        packet_rec_id = self.item.packet_rec_id
        view = self._view()
        with self.site.database.begin() as connection:
            current = work.get(connection, packet_rec_id, lock=True)
            if current is None or current.status not in WORKABLE:
                return None
            waits = self._why_wait(connection, current, keys, view)
            if waits is not None:
                reason, blocker = waits
                work.set_status(
                    connection, current, "waiting", who=self.site.who, now=now, reason=reason, blocker=blocker
                )
                return None
            work.set_keys(connection, packet_rec_id, keys.keys)
            fence = bump_fence(connection, packet_rec_id)
            work.set_status(connection, current, "running", who=self.site.who, now=now, fence=fence)
            stored = packets.read_packets(connection, [packet_rec_id], self.site.name)[packet_rec_id]
            case = read_case(connection, self.site, stored, current, now)
            journal = steps(connection, packet_rec_id)
        self.on_start(current)
        return self._pass(current, fence, case, view, journal)

    def _pass(
        self, item: WorkItem, fence: int, case: PacketCase, view: RegistryView, journal: dict[str, StepRow]
    ) -> Handled:
        one_pass = Pass(self.site, case, view)
        pin = _Pin(self.site, case)
        executor = JournalExecutor(
            site=self.site,
            packet_rec_id=item.packet_rec_id,
            fence=fence,
            view=view,
            steps=journal,
            pinned=pin.values,
            surroundings=one_pass.surroundings(False, self._allocator),
            crash_point=self.crash_point,
            begun=item.begun,
            hurried=self.named,
            # `retry` and `resolve` make a packet ready again; a new one has tried nothing yet.
            afresh=item.status == "ready",
        )

        def before_actions(rule: Rule, scope: Scope) -> None:
            end_processes(journal.values(), self.site.database, self.site.world.clock.now())
            pin.take(rule, scope)
            if not item.begun and self._asserts_late(rule):
                self._rehearse(case)

        report = one_pass.run(executor, before_actions)
        settle_left_over(report, executor.steps)
        self.crash_point("before settling")
        ending = Ending(self.site, item, fence, case, view, executor)
        status = settle(ending, report)
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
        kinds = [action.kind for _, action in all_actions(rule.actions, self.site.rulebook.blocks)]
        return "assert" in kinds[next((n for n, kind in enumerate(kinds) if kind != "assert"), len(kinds)) :]

    def _why_wait(
        self, connection: Connection, item: WorkItem, keys: PacketKeys, view: RegistryView
    ) -> tuple[str, int | None] | None:
        why = packets.why_not_eligible(connection, item.packet_rec_id)
        if why is not None:
            return why, None
        project = view.find_project(grant_number=keys.grant_number) if keys.grant_number else None
        presence = view.presence(project.key, keys.resource) if project and keys.resource else None
        found = order.blocker(connection, item, keys.keys, project_here=presence is not None)
        return (found.reason, found.packet_rec_id) if found else None

    def _allocator(self, path: str) -> RunAllocator:
        site = self.site
        return RunAllocator(site.database, site.configuration, self.item.packet_rec_id, path, site.world.processes)

    def _view(self) -> RegistryView:
        return RegistryView(self.site.database.read)
