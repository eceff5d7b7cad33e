"""Walks a parsed template: which names are free, what the language does not have; makes free names lazy lookups."""

import re
from collections.abc import Callable, Collection, Iterable
from typing import Final, TypeVar

from jinja2 import nodes

from amierules.templating.foreign import FILTERS, TESTS
from amierules.templating.problems import TemplateSyntaxProblem, meant

MAX_DEPTH: Final = 60
"""Of nested expressions; Python's own limits lie a little above."""

_Node = TypeVar("_Node", bound=nodes.Node)
_MEANS_TEST = {"select": 0, "reject": 0, "selectattr": 1, "rejectattr": 1}


class Resolver:
    """Resolves the names of one source. After `expression` or `body`, `free` holds the names that it asks for."""

    def __init__(self, source: str, filters: Collection[str], tests: Collection[str]) -> None:
        self.free: set[str] = set()
        self._source = source
        self._filters = filters
        self._tests = tests
        self._statements: dict[type[nodes.Node], Callable[..., None]] = {
            nodes.Output: self._output,
            nodes.If: self._if,
            nodes.For: self._for,
            nodes.Assign: self._assign,
            nodes.AssignBlock: self._assign_block,
            nodes.With: self._with,
        }

    def expression(self, node: nodes.Expr) -> nodes.Expr:
        """The expression with each name made a lookup. Raises `TemplateSyntaxProblem`."""
        return self._expr(node, set(), 0)

    def body(self, statements: list[nodes.Node]) -> None:
        """Resolve the statements of a template, in place. Raises `TemplateSyntaxProblem`."""
        self._body(statements, set(), 0)

    def _body(self, statements: Iterable[nodes.Node], local: set[str], depth: int) -> None:
        self._check_depth(depth)
        for statement in statements:
            handle = self._statements.get(type(statement))
            if handle is None:
                tag = re.sub(r"(?<!^)(?=[A-Z])", " ", type(statement).__name__).lower()
                raise TemplateSyntaxProblem(f"templates have no `{tag}`", *self._find(r"\{%[-+]?\s*(\w+)"))
            handle(statement, local, depth)

    def _output(self, node: nodes.Output, local: set[str], depth: int) -> None:
        node.nodes = [self._expr(child, local, depth) for child in node.nodes]

    def _if(self, node: nodes.If, local: set[str], depth: int) -> None:
        node.test = self._expr(node.test, local, depth)
        branches: list[list[nodes.Node]] = [node.body, node.else_, *_each(node.elif_)]
        made: set[str] = set()
        for branch in branches:
            inner = set(local)
            self._body(branch, inner, depth + 1)
            made |= inner
        local |= made

    def _for(self, node: nodes.For, local: set[str], depth: int) -> None:
        if node.recursive:
            raise TemplateSyntaxProblem("templates have no recursive `for`", *self._find(r"\b(recursive)\b"))
        each = self._expr(node.iter, local, depth)
        # The filter's guard refuses what is no list before Python's own loop meets it.
        node.iter = nodes.Filter(each, "list", [], [], None, None, lineno=node.lineno)
        inner = local | _stored(node.target) | {"loop"}
        if node.test is not None:
            node.test = self._expr(node.test, inner, depth)
        self._body(node.body, set(inner), depth + 1)
        self._body(node.else_, set(local), depth + 1)

    def _assign(self, node: nodes.Assign, local: set[str], depth: int) -> None:
        node.node = self._expr(node.node, local, depth)
        for reference in (
            node.target.find_all(nodes.NSRef) if not isinstance(node.target, nodes.NSRef) else [node.target]
        ):
            if reference.name not in local:
                raise TemplateSyntaxProblem(
                    f"{reference.name} is no namespace of this template", *self._find(rf"\b({reference.name})\b")
                )
        local |= _stored(node.target)

    def _assign_block(self, node: nodes.AssignBlock, local: set[str], depth: int) -> None:
        if node.filter is not None:
            self._node(node.filter, local, depth)
        self._body(node.body, set(local), depth + 1)
        local |= _stored(node.target)

    def _with(self, node: nodes.With, local: set[str], depth: int) -> None:
        node.values = [self._expr(value, local, depth) for value in node.values]
        self._body(node.body, local.union(*map(_stored, node.targets)), depth + 1)

    def _expr(self, node: nodes.Node, local: set[str], depth: int) -> nodes.Expr:
        resolved = self._node(node, local, depth)
        assert isinstance(resolved, nodes.Expr)  # noqa: S101 - tells the type checker
        return resolved

    def _node(self, node: nodes.Node, local: set[str], depth: int) -> nodes.Node:
        self._check_depth(depth)
        if isinstance(node, nodes.Name):
            return node if node.name in local else self._lookup(node)
        self._check_node(node)
        for field, value in node.iter_fields():
            if isinstance(value, nodes.Node):
                setattr(node, field, self._node(value, local, depth + 1))
            elif isinstance(value, list):
                value[:] = [self._node(v, local, depth + 1) if isinstance(v, nodes.Node) else v for v in value]
        return node

    def _lookup(self, node: nodes.Name) -> nodes.Node:
        self.free.add(node.name)
        name = nodes.Const(node.name, lineno=node.lineno)
        return nodes.Getitem(nodes.ContextReference(lineno=node.lineno), name, "load", lineno=node.lineno)

    def _check_node(self, node: nodes.Node) -> None:
        if isinstance(node, nodes.Filter):
            self._check_name("filter", node.name, self._filters, r"\|\s*({})\b")
            self._check_named_by_text(node)
        elif isinstance(node, nodes.Test):
            self._check_name("test", node.name, self._tests, r"\bis\s+(?:not\s+)?({})\b")
        elif isinstance(node, nodes.CondExpr) and node.expr2 is None:
            message = "an `if` inside an expression needs an `else`: write `A if CONDITION else B`"
            raise TemplateSyntaxProblem(message, *self._find(r"\b(if)\b"))

    def _check_named_by_text(self, node: nodes.Filter) -> None:
        position = 0 if node.name == "map" else _MEANS_TEST.get(node.name)
        if position is None or len(node.args) <= position:
            return
        argument = node.args[position]
        if isinstance(argument, nodes.Const) and isinstance(argument.value, str):
            quoted = r"['\"]({})['\"]"
            if node.name == "map":
                self._check_name("filter", argument.value, self._filters, quoted)
            else:
                self._check_name("test", argument.value, self._tests, quoted)

    def _check_name(self, what: str, name: str, known: Collection[str], pattern: str) -> None:
        if name not in known:
            foreign = (FILTERS if what == "filter" else TESTS).get(name)
            message = f"there is no {what} {name}" + (f"; {foreign}" if foreign else meant(name, known))
            raise TemplateSyntaxProblem(message, *self._find(pattern.format(re.escape(name))), name=name)

    def _find(self, pattern: str) -> tuple[int | None, int]:
        found = re.search(pattern, self._source)
        return (found.start(1), len(found.group(1))) if found else (None, 1)

    def _check_depth(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise TemplateSyntaxProblem("the expression is nested too deeply")


def _each(branches: Iterable[nodes.Node]) -> list[list[nodes.Node]]:
    return [[branch] for branch in branches]


def _with_itself(node: nodes.Node, wanted: type[_Node]) -> list[_Node]:
    return [*([node] if isinstance(node, wanted) else []), *node.find_all(wanted)]


def _stored(target: nodes.Node) -> set[str]:
    return {name.name for name in _with_itself(target, nodes.Name)}
