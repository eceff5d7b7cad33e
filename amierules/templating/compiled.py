"""Expressions and templates: compiled once, evaluated with the names in scope."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import jinja2
from jinja2 import nodes

from amierules.templating.complaints import Doubt
from amierules.templating.facts import Facts
from amierules.templating.guards import VALUE_ERRORS, as_evaluation_error
from amierules.templating.inference import Inference, StaticNames
from amierules.templating.parsing import normalised, parse_expression, parse_template, tokens
from amierules.templating.paths import value_paths
from amierules.templating.problems import EvaluationError, TemplateSyntaxProblem
from amierules.templating.sandbox import GLOBALS, Sandbox, Scope
from amierules.templating.scopes import Resolver
from amierules.templating.secret import Secret, secret_text
from amierules.templating.static import A_TEXT, ANYTHING, Static
from amierules.templating.unknown import Unknown, UnknownUsed
from amierules.templating.values import FUNCTION, as_text, kind_of, not_called

Names = Mapping[str, object]
"""The names in scope. A name is looked up when it is needed, never earlier; a mapping may compute it then."""

_Render = Callable[[Scope], Iterator[str | Secret]]
_RESULT = "result"


def _compile(sandbox: Sandbox, body: list[nodes.Node]) -> _Render:
    template = nodes.Template(body, lineno=1)
    template.set_environment(sandbox)
    try:
        code = sandbox.compile(template)
        render: _Render = jinja2.Template.from_code(sandbox, code, {}).root_render_func
    except (jinja2.TemplateError, SyntaxError, RecursionError, MemoryError) as error:
        raise TemplateSyntaxProblem("the template cannot be compiled; it may be nested too deeply") from error
    return render


def _scope(sandbox: Sandbox, names: Names) -> Scope:
    scope = Scope(sandbox, {}, None, {})
    scope.names = names
    return scope


class Expression:
    """A bare expression, as `when` and `for_each` have it."""

    def __init__(self, sandbox: Sandbox, source: str) -> None:
        """Raises `TemplateSyntaxProblem`."""
        tree = parse_expression(sandbox, source)
        self.source = source
        self.offset = 0
        """Where the expression begins in a longer source."""
        self.outermost_filter = tree.name if isinstance(tree, nodes.Filter) else ""
        resolver = Resolver(source, sandbox.filters.keys(), sandbox.tests.keys())
        self._tree: nodes.Expr | None = resolver.expression(tree)
        self._sandbox = sandbox
        self._render: _Render | None = None
        self.names = frozenset(resolver.free - GLOBALS.keys())

    @property
    def tree(self) -> nodes.Expr | None:
        """The expression, parsed; None where it could not be compiled."""
        return self._tree

    def infer(self, names: StaticNames, facts: Facts, report: Callable[[Doubt], None]) -> Static:
        """What is known of the value before there is one; what cannot go well is reported."""
        return self._infer(names, facts, report, Inference.value)

    def infer_text(self, names: StaticNames, facts: Facts, report: Callable[[Doubt], None]) -> Static:
        """As `infer`, for an expression whose value goes into a text."""
        return self._infer(names, facts, report, Inference.text)

    def infer_condition(
        self, names: StaticNames, facts: Facts, report: Callable[[Doubt], None]
    ) -> tuple[Static, Facts, Facts]:
        """As `infer`, and the facts where the expression holds and where it does not."""
        if self._tree is None:
            return ANYTHING, facts, facts
        return self._inference(names, report).condition(self._tree, facts)

    def _inference(self, names: StaticNames, report: Callable[[Doubt], None]) -> Inference:
        return Inference(self.source, names, lambda doubt: report(replace(doubt, offset=doubt.offset + self.offset)))

    def _infer(
        self,
        names: StaticNames,
        facts: Facts,
        report: Callable[[Doubt], None],
        walk: Callable[[Inference, nodes.Node, Facts], Static],
    ) -> Static:
        if self._tree is None:
            return ANYTHING
        inference = Inference(
            self.source, names, lambda doubt: report(replace(doubt, offset=doubt.offset + self.offset))
        )
        return walk(inference, self._tree, facts)

    def evaluate(self, names: Names) -> object:
        """The expression's own value; `Unknown` where it needed one that is not there yet.

        Raises `EvaluationError` where it has no value.
        """
        try:
            return self.value(names)
        except UnknownUsed as used:
            return Unknown(used.step)

    def condition(self, names: Names) -> bool | Unknown:
        """Whether the expression holds; `Unknown` where that is not known yet. Raises `EvaluationError`."""
        try:
            return bool(self.value(names))
        except UnknownUsed as used:
            return Unknown(used.step)
        except VALUE_ERRORS as error:
            raise as_evaluation_error(error, "the condition") from error

    def value(self, names: Names) -> object:
        """As `evaluate`, but raises `UnknownUsed`."""
        render = self._render or self._compiled()
        scope = _scope(self._sandbox, names)
        try:
            for _nothing in render(scope):
                pass
        except VALUE_ERRORS as error:
            raise as_evaluation_error(error, "the expression") from error
        value: object = scope.vars[_RESULT]
        if callable(value) and not isinstance(value, Unknown) and kind_of(value) == FUNCTION:
            raise not_called(value)
        return value

    def looks_at(self) -> dict[str, "Expression"]:
        """The values that the expression is about: their paths (`packet.UserEmail`), each as an expression."""
        paths = value_paths(self._sandbox, self.source)
        return {path: Expression(self._sandbox, path) for path in paths}

    def _compiled(self) -> _Render:
        # Not before the first use: `validate` and most runs need only a few of all expressions.
        if self._tree is None:
            raise EvaluationError("the expression cannot be compiled")
        target = nodes.Name(_RESULT, "store", lineno=1)
        try:
            self._render = _compile(self._sandbox, [nodes.Assign(target, self._tree, lineno=1)])
        except TemplateSyntaxProblem as problem:
            raise EvaluationError(problem.message) from problem
        return self._render


class Template:
    """A string of a rule file: a literal, exactly one expression, or a text with expressions."""

    def __init__(self, sandbox: Sandbox, source: str) -> None:
        """Raises `TemplateSyntaxProblem`."""
        self.source = source
        self._expression: Expression | None = None
        self._body: list[nodes.Node] = []
        self._render: _Render | None = None
        self._sandbox = sandbox
        self.names: frozenset[str] = frozenset()
        self.is_literal = not any(mark in source for mark in ("{{", "{%", "{#"))
        if self.is_literal:
            return
        inner = _only_expression(sandbox, normalised(source))
        if inner is not None:
            self._parse_only_expression(sandbox, *inner)
        else:
            self._parse_text(sandbox)

    @property
    def is_expression(self) -> bool:
        """Whether the string is exactly one `{{ expression }}`, so that it yields the expression's own value."""
        return self._expression is not None

    @property
    def expression(self) -> Expression | None:
        """The expression, where the string is exactly one."""
        return self._expression

    def _parse_only_expression(self, sandbox: Sandbox, inner: str, offset: int) -> None:
        self._expression = expression_at(sandbox, inner, offset)
        self.names = self._expression.names

    def _parse_text(self, sandbox: Sandbox) -> None:
        tree = parse_template(sandbox, self.source)
        resolver = Resolver(self.source, sandbox.filters.keys(), sandbox.tests.keys())
        resolver.body(tree.body)
        self.names = frozenset(resolver.free - GLOBALS.keys())
        self._body = tree.body
        self._render = _compile(sandbox, tree.body)

    @property
    def tree(self) -> nodes.Expr | None:
        """The expression, parsed, where the string is exactly one."""
        return self._expression.tree if self._expression is not None else None

    def infer(self, names: StaticNames, facts: Facts, report: Callable[[Doubt], None]) -> Static:
        """What is known of the value before there is one; what cannot go well is reported."""
        if self._expression is not None:
            return self._expression.infer(names, facts, report)
        Inference(normalised(self.source), names, report).body(self._body, facts)
        return A_TEXT

    def evaluate(self, names: Names) -> object:
        """The value: the expression's own, or a text; `Secret` if the text holds one, `Unknown` if it needs one.

        Raises `EvaluationError`, also for `none` inside a text.
        """
        if self.is_literal:
            return self.source
        if self._expression is not None:
            return self._expression.evaluate(names)
        try:
            return self._text(names)
        except UnknownUsed as used:
            return self._expected(names, used.step)

    def _expected(self, names: Names, step: str) -> Unknown:
        """The text that is known after `step`, with what it will probably be where its expressions tell as much."""
        outputs = [node for node in self._body if isinstance(node, nodes.Output)]
        if len(outputs) != len(self._body):
            return Unknown(step)
        return expected_text(step, (self._part(node, names) for output in outputs for node in output.nodes))

    def _part(self, node: nodes.Expr, names: Names) -> object:
        if isinstance(node, nodes.TemplateData):
            return node.data
        target, scope = nodes.Name(_RESULT, "store", lineno=1), _scope(self._sandbox, names)
        try:
            for _nothing in _compile(self._sandbox, [nodes.Assign(target, node, lineno=1)])(scope):
                pass
        except UnknownUsed as used:
            return Unknown(used.step)
        except VALUE_ERRORS as error:
            raise as_evaluation_error(error, "the text") from error
        return scope.vars[_RESULT]

    def _text(self, names: Names) -> str | Secret:
        assert self._render is not None  # noqa: S101 - a template of the third sort is always compiled
        try:
            return secret_text(self._render(_scope(self._sandbox, names)))
        except VALUE_ERRORS as error:
            raise as_evaluation_error(error, "the text") from error


def expected_text(step: str, parts: Iterable[object]) -> Unknown:
    """A text of which a part is known only after `step`, with what it will probably be where all parts tell as much.

    Raises `EvaluationError` where a part is no text.
    """
    texts: list[str | Secret] = []
    for part in parts:
        if isinstance(part, Unknown) and not part.has_expected:
            return Unknown(step)
        texts.append(as_text(part.expected if isinstance(part, Unknown) else part))
    return Unknown(step, secret_text(texts))


def expression_at(sandbox: Sandbox, source: str, offset: int) -> Expression:
    """The expression whose source stands at `offset` of a longer one, where its problems are placed."""
    try:
        expression = Expression(sandbox, source)
        expression.offset = offset
        return expression
    except TemplateSyntaxProblem as problem:
        place = None if problem.offset is None else problem.offset + offset
        raise TemplateSyntaxProblem(problem.message, place, problem.length, problem.name) from problem


def _only_expression(sandbox: Sandbox, source: str) -> tuple[str, int] | None:
    """The inside of a source that is exactly one `{{ … }}`, and its offset; else None."""
    if not source.startswith("{{") or not source.endswith("}}"):
        return None
    listed = tokens(sandbox, source)
    kinds = [token.kind for token in listed]
    if kinds.count("variable_begin") != 1 or kinds[0] != "variable_begin" or kinds[-1] != "variable_end":
        return None
    begin, end = listed[0].offset + len(listed[0].text), listed[-1].offset
    return source[begin:end], begin
