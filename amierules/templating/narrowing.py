"""What a condition tells of the values in it, where it holds and where it does not."""

from collections.abc import Callable
from functools import lru_cache

from jinja2 import nodes

from amierules.templating.facts import conjuncts, path_of, written

Definition = Callable[[str], "nodes.Expr | None"]
"""The expression that a variable stands for."""

_MOST_VARIABLES = 8
_LITERALS = (nodes.Const, nodes.List, nodes.Tuple)


def told(condition: nodes.Node, holds: bool, definition: Definition, depth: int = 0) -> dict[str, bool]:
    """Paths of which the condition's truth or falsehood tells whether the value is none."""
    match condition:
        case nodes.Not():
            return told(condition.node, not holds, definition, depth)
        case nodes.And():
            return _both(condition, holds, definition, depth) if holds else {}
        case nodes.Or():
            return {} if holds else _both(condition, holds, definition, depth)
        case nodes.Test():
            return _by_test(condition, holds)
        case nodes.Compare():
            return _by_comparison(condition, holds)
        case _:
            return _by_truth(condition, holds, definition, depth)


@lru_cache(maxsize=4096)
def conditions(node: nodes.Node) -> frozenset[str]:
    """The parts that all hold where the whole does, each in one way of writing."""
    return frozenset(written(part) for part in conjuncts(node))


def _both(node: nodes.BinExpr, holds: bool, definition: Definition, depth: int) -> dict[str, bool]:
    return told(node.left, holds, definition, depth) | told(node.right, holds, definition, depth)


def _by_test(test: nodes.Test, holds: bool) -> dict[str, bool]:
    path = path_of(test.node)
    if path is None:
        return {}
    if test.name == "none":
        return {path: holds}
    return {path: False} if holds and test.name not in ("defined", "undefined", "false") else {}


def _by_comparison(node: nodes.Compare, holds: bool) -> dict[str, bool]:
    found: dict[str, bool] = {}
    left = node.expr
    for operand in node.ops:
        equal = operand.op == "eq" if operand.op in ("eq", "ne") else None
        for one, other in ((left, operand.expr), (operand.expr, left)):
            path = path_of(one)
            if path is None:
                continue
            if isinstance(other, nodes.Const) and other.value is None:
                if equal is not None:
                    found[path] = equal is holds
            elif equal is None and operand.op not in ("in", "notin"):
                # An order needs two values: where it was asked, both were there.
                found[path] = False
            elif isinstance(other, _LITERALS) and (equal is holds or (operand.op == "in" and holds and one is left)):
                found[path] = False
        left = operand.expr
    return found


def _by_truth(node: nodes.Node, holds: bool, definition: Definition, depth: int) -> dict[str, bool]:
    path = path_of(node)
    if path is None:
        return {}
    found = {path: False} if holds else {}
    stands_for = definition(path) if depth < _MOST_VARIABLES else None
    return found if stands_for is None else told(stands_for, holds, definition, depth + 1) | found
