"""Rules that can never be the one that decides, and conditions that contradict themselves."""

from collections.abc import Iterator

from jinja2 import nodes

from amierules.diagnostics import Finding, Severity, printable
from amierules.rulebook.checks.view import FileView, Surroundings
from amierules.rulebook.compiled import ConditionValue
from amierules.rulebook.model import Condition, Ending, Rule
from amierules.templating.facts import conjuncts, path_of, written


def check_reachable(view: FileView, _surroundings: Surroundings) -> Iterator[Finding]:
    """Rules whose condition holds only where that of an earlier one does, which decides before them."""
    earlier: list[tuple[frozenset[str], Rule]] = []
    for rule in view.file.rules if view.file is not None else ():
        if rule.when is None:
            continue
        parts = frozenset(_written(rule.when))
        before, needs = next(((one, given) for given, one in earlier if given <= parts), (None, parts))
        if before is not None and not _can_be_passed(before):
            name = printable(before.name, 60)
            same = "has the same 'when'" if needs == parts else "applies wherever this 'when' does"
            message = f"this rule is never asked: '{name}' before it {same}"
            hint = "" if needs == parts else "put the narrower rule first"
            yield Finding("unreachable-rule", message, rule.place, hint, Severity.WARNING)
        earlier.append((parts, rule))
        yield from _contradiction(rule.when)


def _contradiction(when: Condition) -> Iterator[Finding]:
    """One value that is asked to be two texts at once."""
    wanted: dict[str, object] = {}
    for part in when.expressions:
        tree = part.expression.tree if isinstance(part, ConditionValue) else None
        for conjunct in conjuncts(tree) if tree is not None else ():
            path, value = _equal(conjunct)
            if path is not None and wanted.setdefault(path, value) != value:
                both = f"'{path}' cannot be both {wanted[path]!r} and {value!r}"
                hint = f"write `or`, or `{path} in [{wanted[path]!r}, {value!r}]`"
                message = printable(f"this never holds: {both}")
                yield Finding("constant-condition", message, part.place, printable(hint), Severity.WARNING)


def _equal(node: nodes.Node) -> tuple[str | None, object]:
    """The path and the constant of `path == constant`."""
    if isinstance(node, nodes.Compare) and len(node.ops) == 1 and node.ops[0].op == "eq":
        other = node.ops[0].expr
        if isinstance(other, nodes.Const):
            return path_of(node.expr), other.value
    return None, None


def _written(when: Condition) -> tuple[str, ...]:
    trees = [part.expression.tree if isinstance(part, ConditionValue) else None for part in when.expressions]
    if any(tree is None for tree in trees):
        return (when.source,)
    return tuple(written(part) for tree in trees if tree is not None for part in conjuncts(tree))


def _can_be_passed(rule: Rule) -> bool:
    """`approve` passes a hold over."""
    return isinstance(rule.outcome, Ending) and rule.outcome.kind == "hold"
