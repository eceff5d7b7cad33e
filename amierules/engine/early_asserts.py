"""Asserts that need nothing that an action yields are asked before the first effect."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from amierules.actions.base import Doubt, Surroundings
from amierules.database.journal import StepRow
from amierules.engine.decision import StepReport
from amierules.engine.frozen import shown
from amierules.engine.scope import ROW_NAMES, Scope
from amierules.engine.site import Site
from amierules.engine.walk import StepCall, StepDone
from amierules.rulebook.model import Action
from amierules.templating import Unknown

ASSERT = "assert"


@dataclass
class AssertsOnly:
    """Asks asserts, and does, probes and plans nothing: whatever another action would yield is unknown."""

    site: Site
    make_surroundings: Callable[[str, Action, Scope], Surroundings]
    dry: bool = True
    in_doubt: bool = False
    written: frozenset[str] = frozenset()
    _scope: Scope | None = None

    def items(self, path: str, items: Sequence[object], source: str) -> Sequence[object]:
        """The list as it is."""
        return items

    def surroundings(self, path: str, action: Action, scope: Scope) -> Surroundings:
        """What the step may touch."""
        self._scope = scope
        return self.make_surroundings(path, action, scope)

    def former(self, path: str) -> StepRow | None:
        """Nothing is known."""

    def passed_over(self, path: str, kind: str, reason: str) -> None:
        """Nothing is recorded."""

    def step(self, call: StepCall) -> StepDone:
        """Ask an assert; raises `AssertionFailed` where it is known not to hold."""
        kind = self.site.kinds[call.action.kind]
        report = StepReport(call.action.name, call.path, call.action.kind, shown(call.item), "unknown")
        if call.action.kind == ASSERT:
            kind.plan(call.params, kind.probe(call.params, call.surroundings), call.surroundings)
            return StepDone(report)
        if kind.doubt(call.params) is Doubt.STAGED and call.action.kind in ROW_NAMES and self._scope is not None:
            # Any row may look different after a change of the registry, its accounts and allocations too.
            self._scope.rows.update({name: Unknown(call.path) for name in ROW_NAMES})
        return StepDone(report, Unknown(call.path))
