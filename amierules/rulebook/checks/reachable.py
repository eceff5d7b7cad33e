"""Rules that can never be the one that decides."""

from collections.abc import Iterator

from amierules.diagnostics import Finding, Severity, printable
from amierules.rulebook.checks.view import FileView, Surroundings
from amierules.rulebook.compiled import ConditionValue
from amierules.rulebook.model import Condition, Ending, Rule
from amierules.templating.facts import written


def check_reachable(view: FileView, _surroundings: Surroundings) -> Iterator[Finding]:
    """Rules with the condition of an earlier one, which decides before them."""
    earlier: dict[tuple[str, ...], Rule] = {}
    for rule in view.file.rules if view.file is not None else ():
        if rule.when is None:
            continue
        condition = _written(rule.when)
        before = earlier.setdefault(condition, rule)
        if before is not rule and not _can_be_passed(before):
            message = f"this rule is never asked: '{printable(before.name, 60)}' before it has the same 'when'"
            yield Finding("unreachable-rule", message, rule.place, "", Severity.WARNING)


def _written(when: Condition) -> tuple[str, ...]:
    trees = [part.expression.tree if isinstance(part, ConditionValue) else None for part in when.expressions]
    if any(tree is None for tree in trees):
        return (when.source,)
    return tuple(written(tree) for tree in trees if tree is not None)


def _can_be_passed(rule: Rule) -> bool:
    """`approve` passes a hold over."""
    return isinstance(rule.outcome, Ending) and rule.outcome.kind == "hold"
