"""Walks an expression as its evaluation would, with what is known of its names; says what cannot go well."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from jinja2 import nodes

from amierules.diagnostics import Severity, printable
from amierules.diagnostics.suggest import hint_for
from amierules.templating import narrowing
from amierules.templating.complaints import Complaints, Doubt
from amierules.templating.facts import Facts, path_of
from amierules.templating.operations import compared, computed, one_kind
from amierules.templating.static import (
    A_BOOLEAN,
    A_TEXT,
    ANYTHING,
    NOT_CONSTANT,
    Nothing,
    Static,
    constant,
    either,
    list_of,
)
from amierules.templating.static_calls import filtered
from amierules.templating.values import DURATION, FUNCTION, LIST, MAPPING, NONE, NUMBER, TEXT


class StaticNames(Protocol):
    """The names in scope at one place, as far as they are known."""

    def static(self, name: str, facts: Facts) -> Static:
        """What is known of a name's value."""

    def definition(self, name: str) -> nodes.Expr | None:
        """The expression that a variable stands for, where it is one."""


class Inference:
    """Walks the expressions of one source."""

    def __init__(self, source: str, names: StaticNames, report: Callable[[Doubt], None]) -> None:
        self._source = source
        self._names = names
        self._say = Complaints(source, report)
        self._local: dict[str, Static] = {}

    def value(self, node: nodes.Node, facts: Facts) -> Static:
        """What is known of an expression's value."""
        handle = getattr(self, f"_{type(node).__name__.lower()}", None)
        if handle is None:
            for child in node.iter_child_nodes():
                self.value(child, facts)
            return ANYTHING
        found: Static = handle(node, facts)
        path = path_of(node) if facts.empty else None
        told = facts.of(path) if path is not None else None
        return found if told is None else found.known(told)

    def text(self, node: nodes.Node, facts: Facts) -> Static:
        """An expression whose value goes into a text."""
        self._say.in_text(self.value(node, facts), node)
        return A_TEXT

    def condition(self, node: nodes.Node, facts: Facts) -> tuple[Static, Facts, Facts]:
        """A condition's value, and the facts where it holds and where it does not."""
        value = self.value(node, facts)
        if value.kind == FUNCTION:
            self._say.not_called(node)
        return value, self.after(node, True, facts), self.after(node, False, facts)

    def after(self, node: nodes.Node, holds: bool, facts: Facts) -> Facts:
        """The facts once a condition has been found to hold, or not to hold."""
        found = narrowing.told(node, holds, self._names.definition)
        return facts.and_also(found, narrowing.conditions(node) if holds else ())

    def body(self, statements: Iterable[nodes.Node], facts: Facts) -> None:
        """The statements of a template."""
        for statement in statements:
            match statement:
                case nodes.Output():
                    for child in statement.nodes:
                        if not isinstance(child, nodes.TemplateData):
                            self.text(child, facts)
                case nodes.If():
                    _, holding, other = self.condition(statement.test, facts)
                    self.body(statement.body, holding)
                    self.body([*statement.elif_, *statement.else_], other)
                case nodes.For():
                    self._loop(statement, facts)
                case nodes.Assign():
                    self._assign(statement, facts)
                case _:
                    self._parts(statement, facts)

    def _parts(self, statement: nodes.Node, facts: Facts) -> None:
        for part in statement.iter_child_nodes():
            if isinstance(part, nodes.Stmt):
                self.body([part], facts)
            else:
                self.value(part, facts)

    def _assign(self, statement: nodes.Assign, facts: Facts) -> None:
        value = self.value(statement.node, facts)
        if isinstance(statement.target, nodes.Name):
            self._local[statement.target.name] = value

    def _loop(self, statement: nodes.For, facts: Facts) -> None:
        each = self.value(statement.iter, facts)
        if isinstance(statement.target, nodes.Name):
            self._local[statement.target.name] = (each.element or ANYTHING) if each.kind == LIST else ANYTHING
        if statement.test is not None:
            _, facts, _ = self.condition(statement.test, facts)
        self.body(statement.body, facts)
        self.body(statement.else_, facts)

    def _const(self, node: nodes.Const, _facts: Facts) -> Static:
        return constant(node.value)

    def _name(self, node: nodes.Name, _facts: Facts) -> Static:
        return self._local.get(node.name, ANYTHING)

    def _getitem(self, node: nodes.Getitem, facts: Facts) -> Static:
        if isinstance(node.node, nodes.ContextReference) and isinstance(node.arg, nodes.Const):
            return self._names.static(str(node.arg.value), facts)
        base = self.value(node.node, facts)
        if isinstance(node.arg, nodes.Slice):
            for part in (node.arg.start, node.arg.stop, node.arg.step):
                if part is not None:
                    self.value(part, facts)
            self._say.used(base, node.node, "sliced")
            return replace(base, nothing=Nothing.NEVER, constant=NOT_CONSTANT)
        key = self.value(node.arg, facts)
        if isinstance(key.constant, str):
            return self._say.attribute(base, node.node, key.constant, self._say.place_of_text(node.arg, key.constant))
        self._say.used(base, node.node, "asked for an item")
        if base.kind not in (LIST, TEXT, MAPPING, FUNCTION, NONE, None):
            self._say.doubt("unknown-attribute", f"{base.kind} has no items", node.node)
        return (base.element or ANYTHING) if base.kind == LIST else A_TEXT if base.kind == TEXT else ANYTHING

    def _getattr(self, node: nodes.Getattr, facts: Facts) -> Static:
        base = self.value(node.node, facts)
        found = re.compile(r"\.\s*(\w+)").match(self._source, node.lineno)
        start = found.start(1) if found else self._say.start(node)
        return self._say.attribute(base, node.node, node.attr, (start, len(node.attr)))

    def _and(self, node: nodes.And, facts: Facts) -> Static:
        left, holding, _ = self.condition(node.left, facts)
        if left.constant is not NOT_CONSTANT and not left.constant:
            return left
        right = self.value(node.right, holding)
        return either([replace(left, constant=NOT_CONSTANT), replace(right, constant=NOT_CONSTANT)])

    def _or(self, node: nodes.Or, facts: Facts) -> Static:
        left, _, other = self.condition(node.left, facts)
        if left.constant is not NOT_CONSTANT and left.constant:
            return left
        right = self.value(node.right, other)
        if left.nothing is Nothing.ALWAYS:
            return right
        return either(
            [replace(left, constant=NOT_CONSTANT).known(Nothing.NEVER), replace(right, constant=NOT_CONSTANT)]
        )

    def _not(self, node: nodes.Not, facts: Facts) -> Static:
        value, _, _ = self.condition(node.node, facts)
        return A_BOOLEAN if value.constant is NOT_CONSTANT else replace(A_BOOLEAN, constant=not value.constant)

    def _condexpr(self, node: nodes.CondExpr, facts: Facts) -> Static:
        test, holding, other = self.condition(node.test, facts)
        branches = []
        if test.constant is NOT_CONSTANT or test.constant:
            branches.append(self.value(node.expr1, holding))
        if node.expr2 is not None and (test.constant is NOT_CONSTANT or not test.constant):
            branches.append(self.value(node.expr2, other))
        return either(branches)

    def _test(self, node: nodes.Test, facts: Facts) -> Static:
        value = self.value(node.node, facts)
        for argument in node.args or ():
            self.value(argument, facts)
        if node.name == "none" and not value.told and value.nothing in (Nothing.NEVER, Nothing.ALWAYS):
            outcome = value.nothing is Nothing.ALWAYS
            if value.constant is NOT_CONSTANT:
                reason = "a list is never none; an empty one is []" if value.kind == LIST else "it is never none"
                hint = f"write {path_of(node.node)} == []" if value.kind == LIST and path_of(node.node) else ""
                self._say.doubt(
                    "constant-condition", f"this test always says the same: {reason}", node.node, hint, Severity.WARNING
                )
            return replace(A_BOOLEAN, constant=outcome)
        if node.name in ("defined", "undefined"):
            message = "this test always says the same: an undefined name is an error, an absent tag is none"
            self._say.doubt(
                "constant-condition", message, node.node, "ask `is none` or `is not none`", Severity.WARNING
            )
        return A_BOOLEAN

    def _compare(self, node: nodes.Compare, facts: Facts) -> Static:
        left_node: nodes.Expr = node.expr
        left = self.value(node.expr, facts)
        result = A_BOOLEAN
        for operand in node.ops:
            right = self.value(operand.expr, facts)
            clash = compared(operand.op, left, right)
            self._say.never_equal(left, operand.expr)
            self._say.never_equal(right, left_node)
            if clash is not None and clash.breaks:
                self._say.doubt("different-types", clash.message, left_node, one_kind(left, right))
            elif clash is not None:
                message = f"this comparison always says the same: {clash.message}"
                self._say.doubt("constant-condition", message, left_node, "", Severity.WARNING)
            elif operand.op not in ("eq", "ne"):
                self._say.needed(left, left_node, "compared") if operand.op not in ("in", "notin") else None
                self._say.needed(right, operand.expr, "compared")
            if (
                len(node.ops) == 1
                and operand.op in ("eq", "ne")
                and NOT_CONSTANT not in (left.constant, right.constant)
            ):
                result = replace(A_BOOLEAN, constant=(left.constant == right.constant) is (operand.op == "eq"))
            left_node, left = operand.expr, right
        return result

    def _concat(self, node: nodes.Concat, facts: Facts) -> Static:
        for part in node.nodes:
            self.text(part, facts)
        return A_TEXT

    def _binary(self, node: nodes.BinExpr, facts: Facts) -> Static:
        left, right = self.value(node.left, facts), self.value(node.right, facts)
        self._say.needed(left, node.left, f"used with `{node.operator}`")
        self._say.needed(right, node.right, f"used with `{node.operator}`")
        result, wrong = computed(str(node.operator), left, right)
        if wrong is not None:
            self._say.doubt(
                "different-types", wrong, node.left, "join texts with ~" if TEXT in (left.kind, right.kind) else ""
            )
        return result

    _add = _sub = _mul = _div = _floordiv = _mod = _pow = _binary

    def _neg(self, node: nodes.UnaryExpr, facts: Facts) -> Static:
        value = self.value(node.node, facts)
        self._say.needed(value, node.node, f"used with `{node.operator}`")
        if value.kind not in (NUMBER, DURATION, NONE, None):
            self._say.doubt("different-types", f"`{node.operator}` does not work on {value.kind}", node.node)
        return replace(value, constant=NOT_CONSTANT)

    _pos = _neg

    def _list(self, node: nodes.List, facts: Facts) -> Static:
        items = [self.value(item, facts) for item in node.items]
        return replace(list_of(either(items)), constant=[] if not items else NOT_CONSTANT)

    _tuple = _list

    def _filter(self, node: nodes.Filter, facts: Facts) -> Static:
        value = self.value(node.node, facts) if node.node is not None else ANYTHING
        arguments = [self.value(argument, facts) for argument in node.args]
        named = {str(given.key): self.value(given.value, facts) for given in node.kwargs}
        if node.node is not None:
            self._say.filtered(node, value)
        attribute = named.get("attribute") or (arguments[0] if node.name.endswith("attr") and arguments else None)
        if attribute is not None and isinstance(attribute.constant, str) and value.element is not None:
            source = next((given.value for given in node.kwargs if given.key == "attribute"), None)
            at = source if source is not None else node.args[0]
            found = self._say.attribute(
                value.element, node.node or node, attribute.constant, self._say.place_of_text(at, attribute.constant)
            )
            return list_of(found) if node.name == "map" else filtered(node.name, value, arguments)
        return filtered(node.name, value, arguments)

    def _call(self, node: nodes.Call, facts: Facts) -> Static:
        function = self.value(node.node, facts)
        for argument in node.args:
            self.value(argument, facts)
        for given in node.kwargs:
            self.value(given.value, facts)
            if function.parameters is not None and given.key not in function.parameters:
                message = f"{path_of(node.node)}() takes no '{printable(given.key, 60)}'"
                hint = hint_for(given.key, function.parameters)
                self._say.doubt("unknown-argument", message, node.node, hint)
        if function.kind not in (FUNCTION, None):
            self._say.doubt("not-a-function", f"{function.kind} cannot be called", node.node, "remove the ()")
        return function.result or ANYTHING
