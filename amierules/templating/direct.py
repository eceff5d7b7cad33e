"""Expressions over values whose kinds are known, as plain Python: for work on millions of rows.

The sandbox asks of each value what it is, each time; where that is known beforehand the same operations need no asking.
What is not covered here is left to the sandbox, and so is saying what went wrong.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from jinja2 import nodes

from amierules.templating.arithmetic import binary
from amierules.templating.compiled import Expression
from amierules.templating.facts import path_of
from amierules.templating.problems import EvaluationError
from amierules.templating.values import BOOLEAN, MAPPING, NUMBER, TEXT

Definition = Callable[[str], "nodes.Expr | None"]
"""The expression that a variable stands for, where it is one."""

_ARITHMETIC = {nodes.Add: "+", nodes.Sub: "-", nodes.Mul: "*", nodes.Div: "/"}
_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">=", "in": "in", "notin": "not in"}
_EXTREMES = frozenset({"max", "min"})
_DEPTH = 40


@dataclass(frozen=True)
class Known:
    """A value as Python source, and what it is: a `Decimal`, a text, a boolean, or a mapping; any may be none."""

    source: str
    kind: str
    constant: object = None
    """The value, where it stands in the expression itself."""
    exact: bool = True
    """Of a number: whether it is always a `Decimal` (or a constant); else it may be a whole number too."""


class _NotCovered(Exception):
    """Something that is left to the sandbox."""


def direct_source(expression: Expression, known: Mapping[str, Known], definition: Definition) -> Known | None:
    """The expression as Python source; None where it is left to the sandbox.

    `known` has the values by their paths (`job.nodes`). The source raises `TypeError` and `ArithmeticError` where
    the expression has no value; `D` in it is `Decimal`.
    """
    if expression.tree is None:
        return None
    try:
        return _Walk(known, definition).value(expression.tree, 0)
    except _NotCovered:
        return None


class _Walk:
    def __init__(self, known: Mapping[str, Known], definition: Definition) -> None:
        self._known = known
        self._definition = definition

    def value(self, node: nodes.Node, depth: int) -> Known:
        if depth > _DEPTH:
            raise _NotCovered
        path = path_of(node)
        if path is not None and path in self._known:
            return self._known[path]
        if path is not None and "." not in path and (variable := self._definition(path)) is not None:
            return self.value(variable, depth + 1)
        handle = getattr(self, f"_{type(node).__name__.lower()}", None)
        if handle is None:
            raise _NotCovered
        found: Known = handle(node, depth + 1)
        return found

    def _const(self, node: nodes.Const, _depth: int) -> Known:
        return _constant(node.value)

    def _binary(self, node: nodes.BinExpr, depth: int) -> Known:
        left, right = self.value(node.left, depth), self.value(node.right, depth)
        sign = _ARITHMETIC[type(node)]
        if left.kind != NUMBER or right.kind != NUMBER:
            raise _NotCovered
        if left.constant is not None and right.constant is not None:
            try:
                return _constant(binary(sign, left.constant, right.constant))
            except (EvaluationError, ArithmeticError) as error:
                raise _NotCovered from error
        decimal = [one.exact and one.constant is None for one in (left, right)]
        if not any(decimal):
            raise _NotCovered
        return Known(f"({left.source} {sign} {right.source})", NUMBER)

    _add = _sub = _mul = _div = _binary

    def _neg(self, node: nodes.Neg, depth: int) -> Known:
        value = self.value(node.node, depth)
        if value.kind != NUMBER or value.constant is not None:
            raise _NotCovered
        return Known(f"(-{value.source})", NUMBER, exact=value.exact)

    def _compare(self, node: nodes.Compare, depth: int) -> Known:
        if len(node.ops) != 1:
            raise _NotCovered
        operation, left = node.ops[0].op, self.value(node.expr, depth)
        if operation in ("in", "notin"):
            return self._contained(operation, left, node.ops[0].expr)
        right = self.value(node.ops[0].expr, depth)
        if left.kind != right.kind or left.kind not in (NUMBER, TEXT, BOOLEAN):
            raise _NotCovered
        if left.kind == BOOLEAN and operation not in ("eq", "ne"):
            raise _NotCovered
        return Known(f"({left.source} {_COMPARISONS[operation]} {right.source})", BOOLEAN)

    def _contained(self, operation: str, needle: Known, haystack: nodes.Node) -> Known:
        if needle.kind != TEXT or not isinstance(haystack, nodes.List):
            raise _NotCovered
        texts = [item.value for item in haystack.items if isinstance(item, nodes.Const)]
        if len(texts) != len(haystack.items) or not all(isinstance(text, str) for text in texts):
            raise _NotCovered
        listed = ", ".join(map(repr, texts))
        return Known(f"({needle.source} {_COMPARISONS[operation]} ({listed},))", BOOLEAN)

    def _and(self, node: nodes.And, depth: int) -> Known:
        return self._joined(node, "and", depth)

    def _or(self, node: nodes.Or, depth: int) -> Known:
        return self._joined(node, "or", depth)

    def _joined(self, node: nodes.And | nodes.Or, word: str, depth: int) -> Known:
        left, right = self.value(node.left, depth), self.value(node.right, depth)
        if left.kind != right.kind or left.constant is not None:
            raise _NotCovered
        exact = left.exact and right.exact and (right.constant is None or isinstance(right.constant, Decimal))
        return Known(f"({left.source} {word} {right.source})", left.kind, exact=exact)

    def _not(self, node: nodes.Not, depth: int) -> Known:
        return Known(f"(not {self.value(node.node, depth).source})", BOOLEAN)

    def _condexpr(self, node: nodes.CondExpr, depth: int) -> Known:
        if node.expr2 is None:
            raise _NotCovered
        test, one, other = (self.value(part, depth) for part in (node.test, node.expr1, node.expr2))
        if one.kind != other.kind:
            raise _NotCovered
        exact = all(part.exact and part.constant is None for part in (one, other))
        return Known(f"({one.source} if {test.source} else {other.source})", one.kind, exact=exact)

    def _test(self, node: nodes.Test, depth: int) -> Known:
        if node.name != "none" or node.args or node.kwargs:
            raise _NotCovered
        return Known(f"({self.value(node.node, depth).source} is None)", BOOLEAN)

    def _filter(self, node: nodes.Filter, depth: int) -> Known:
        if node.name not in _EXTREMES or node.args or node.kwargs or not isinstance(node.node, nodes.List):
            raise _NotCovered
        items = [self.value(item, depth) for item in node.node.items]
        if len(items) < 2 or not all(item.kind == NUMBER and item.exact and item.constant is None for item in items):
            raise _NotCovered
        return Known(f"{node.name}({', '.join(item.source for item in items)})", NUMBER)


def _constant(value: object) -> Known:
    """A float beside a `Decimal` becomes the decimal number that it prints as: here, once."""
    match value:
        case bool():
            return Known(repr(value), BOOLEAN, value)
        case int():
            return Known(repr(value), NUMBER, value)
        case float() | Decimal():
            return Known(f"D({str(value)!r})", NUMBER, value)
        case str():
            return Known(repr(value), TEXT, value)
    raise _NotCovered


def compiled(source: str, arguments: str, names: Mapping[str, Any]) -> Callable[..., Any]:
    """A function of these arguments that returns what `direct_source` wrote."""
    scope: dict[str, Any] = {"D": Decimal, **names}
    # The source was written here, from a tree of which each part is one of a few kinds; texts stand in it as literals.
    exec(compile(f"def value({arguments}):\n return {source}", "<expression>", "exec"), scope)  # noqa: S102
    function: Callable[..., Any] = scope["value"]
    return function


__all__ = ["BOOLEAN", "MAPPING", "NUMBER", "TEXT", "Known", "compiled", "direct_source"]
