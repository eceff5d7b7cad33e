"""One pass over a packet: choose the rule, walk through its actions, come to a decision. Dry run and run share it."""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from amierules.actions.base import Allocator, Surroundings
from amierules.actions.own_module import FaultyKind
from amierules.database.journal import StepRow
from amierules.database.registry import RegistryView
from amierules.diagnostics import AmierulesError, printable
from amierules.engine.all_actions import all_actions
from amierules.engine.choose import choose, rules_for
from amierules.engine.decision import Decision, PacketReport, Spoken, Stop
from amierules.engine.dry import DryExecutor
from amierules.engine.outcome import decide
from amierules.engine.packet_case import PacketCase
from amierules.engine.packet_names import packet_scope
from amierules.engine.scope import Scope
from amierules.engine.site import Site
from amierules.engine.walk import Executor, Walk
from amierules.rulebook.model import Action, Rule
from amierules.templating import EvaluationError, located

MakeAllocator = Callable[[str], Allocator]
"""Makes the allocator of a step, given its path."""

BeforeActions = Callable[[Rule, Scope], None]


@dataclass(frozen=True)
class Pass:
    """A pass over a packet, before its executor is known."""

    site: Site
    case: PacketCase
    view: RegistryView

    def run(self, executor: Executor, before_actions: BeforeActions | None = None) -> PacketReport:
        """The report of the whole pass. `before_actions` is called with the rule once it is chosen, and its scope.

        Raises nothing that a rule or packet is to blame for, nor what we are: that ends in a decision, and the other
        packets go on. Raises `Unavailable` where the database is not to be had.
        """
        header = self.case.packet.header
        report = PacketReport(header.packet_rec_id, header.remote_packet_rec_id, header.type)
        try:
            report.decision = self._decide(executor, report, before_actions)
        except Stop as stop:
            report.decision, report.asserted = stop.decision, stop.asserted
        except EvaluationError as error:
            report.decision = Decision("park", located(error))
        except AmierulesError:
            raise
        except Exception as error:
            what = "" if isinstance(error, FaultyKind) else f"internal error: {type(error).__name__}: "
            reason = f"{what}{printable(error)}"
            report.decision = Decision("doubt" if executor.in_doubt else "park", reason)
            report.crash = traceback.format_exc()
        return report

    def _decide(self, executor: Executor, report: PacketReport, before_actions: BeforeActions | None) -> Decision:
        parking = [problem.message for problem in self.case.all_problems if problem.parks]
        if parking:
            return Decision("park", "; ".join(parking))
        rule_file = rules_for(self.site, self.case)
        scope = packet_scope(self.site, self.case, self.view, rule_file)
        rule = choose(rule_file, self.case, scope)
        report.rule = rule.name
        executor.written = frozenset(path for path, _ in all_actions(rule.actions, self.site.rulebook.blocks))
        if before_actions is not None:
            before_actions(rule, scope)
        Walk(self.site, self.case, rule.name, executor, report.steps).actions(rule.actions, scope)
        decision = decide(self.site, self.case, rule, scope)
        if decision.kind == rule.outcome_kind:
            report.spoken = Spoken(rule, scope, decision)
        return decision

    def surroundings(self, dry: bool, allocator: MakeAllocator) -> Callable[[str, Action, Scope], Surroundings]:
        """What makes each step's surroundings."""
        readings: dict[object, object] = {}
        header = self.case.packet.header

        def make(path: str, action: Action, scope: Scope) -> Surroundings:
            rows: Mapping[str, Any] = scope.rows
            return Surroundings(
                world=self.site.world,
                registry=self.view,
                step=path,
                dry=dry,
                allocate=allocator(path),
                resource=scope.registry.resource,
                rows=rows,
                defaults=self.site.defaults,
                timeout=action.timeout,
                brings=header.packet_rec_id if header.type == "request_project_create" else None,
                readings=readings,
            )

        return make

    def dry_executor(self, allocator: MakeAllocator, steps: Mapping[str, StepRow] | None = None) -> DryExecutor:
        """The executor that only plans, over what the journal has of the packet."""
        return DryExecutor(self.site, self.surroundings(True, allocator), self.view, steps or {})


def noticed(case: PacketCase) -> list[str]:
    """What is odd about a packet and does not park it: worth an event."""
    return [problem.message for problem in case.all_problems if not problem.parks]
