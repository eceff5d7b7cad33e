"""Nodes to compiled values, as the schemas say: templates, bare expressions, command words, literals."""

from collections.abc import Mapping
from typing import Any

from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.rulebook.braces import half_open
from amierules.rulebook.compiled import (
    ConditionValue,
    Constant,
    ExpressionValue,
    LdapText,
    ListValue,
    MappingValue,
    ScriptEnvironment,
    ScriptValue,
    TemplateValue,
    Words,
)
from amierules.rulebook.literals import check_literal, check_whole_expression
from amierules.rulebook.model import Compiled, Condition
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode
from amierules.rulebook.positions import place_at
from amierules.rulebook.templates import TemplateFiles
from amierules.templating import Environment, TemplateSyntaxProblem

Schema = Mapping[str, Any]

_SHELL_USE = "this runs a shell, to which many characters mean something"
_NO_SHELL = "a plain command, or a program of your own that it starts, is safer"
_BEGINS = ("{{", "{%", "{#")


class Compiler:
    """Compiles the values of one file. What is wrong with them gathers in `findings`; such a value becomes None."""

    def __init__(
        self, environment: Environment, kinds: Mapping[str, Schema], templates: TemplateFiles | None = None
    ) -> None:
        self.findings: list[Finding] = []
        self.kinds = kinds
        self._environment = environment
        self._templates = templates or TemplateFiles(())

    def parameters(self, kind: str, node: Node) -> Compiled:
        """An action's parameters, as the kind's schema describes them; a short form stands under its key."""
        return self.described(node, self.kinds[kind])

    def described(self, node: Node, schema: Schema) -> Compiled:
        """A value as a schema describes it."""
        return _Parameters(self, schema).value(node, schema)

    def template_file(self, node: Node) -> Compiled:
        """The template of a file, from its name."""
        return self._templates.compiled(node, self._environment)

    def typed(self, node: Node, wanted: str) -> Compiled:
        """A value of the type that schemas call `x-type`."""
        schema = {"x-type": wanted}
        return _Parameters(self, schema).value(node, schema)

    def value(self, node: Node) -> Compiled:
        """A value in which every text is a template."""
        match node:
            case ScalarNode():
                return self.text(node)
            case ListNode():
                return ListValue(node.place, tuple(self.value(item) for item in node.items))
            case MappingNode():
                return MappingValue(node.place, tuple((key, self.value(value)) for key, value in node.values.items()))

    def text(self, node: ScalarNode) -> Compiled:
        """A template; a constant where there is no expression in it."""
        if isinstance(node.value, str) and self._is_half_open(node):
            return Constant(node.place, None)
        if not isinstance(node.value, str) or not any(begin in node.text for begin in _BEGINS):
            return Constant(node.place, node.value)
        try:
            return TemplateValue(node, self._environment.template(node.text))
        except TemplateSyntaxProblem as problem:
            return self._refused(problem, node)

    def _is_half_open(self, node: ScalarNode) -> bool:
        """Whether a text has one `{ name }}`: a brace is lost, and it would be taken as it stands."""
        offset = half_open(node.text)
        if offset is None:
            return False
        self._refused(TemplateSyntaxProblem("an expression begins with `{{`", offset), node)
        return True

    def is_one_expression(self, node: ScalarNode) -> bool:
        """Whether a text is exactly one expression; also True where its syntax is wrong, which is found elsewhere."""
        try:
            return self._environment.template(node.text).is_expression
        except TemplateSyntaxProblem:
            return True

    def expression(self, node: Node | None) -> Compiled | None:
        """A bare expression that yields a value; None for what is no text."""
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            return None
        if self._is_template(node):
            return Constant(node.place, None)
        try:
            return ExpressionValue(node, self._environment.expression(node.text))
        except TemplateSyntaxProblem as problem:
            return self._refused(problem, node)

    def condition(self, node: Node | None) -> Condition | None:
        """A bare expression or a list of them, of which the truth counts; None for what is neither."""
        if node is None or isinstance(node, MappingNode):
            return None
        items = [
            item for item in (node.items if isinstance(node, ListNode) else (node,)) if isinstance(item, ScalarNode)
        ]
        source = " and ".join(item.text if len(items) == 1 else f"({item.text})" for item in items)
        return Condition(node.place, tuple(self._condition(item) for item in items), source)

    def _condition(self, node: ScalarNode) -> Compiled:
        if not isinstance(node.value, str) or self._is_template(node):
            return Constant(node.place, node.value)
        try:
            return ConditionValue(node, self._environment.expression(node.text))
        except TemplateSyntaxProblem as problem:
            return self._refused(problem, node)

    def words(self, node: Node) -> Compiled:
        """A command's words, from a text or a list of texts."""
        items = node.items if isinstance(node, ListNode) else (node,)
        scalars = tuple(item for item in items if isinstance(item, ScalarNode))
        if any(self._is_half_open(scalar) for scalar in scalars):
            return Constant(node.place, None)
        try:
            source = (
                [item.text for item in scalars] if isinstance(node, ListNode) else scalars[0].text if scalars else ""
            )
            return Words(node.place, scalars, self._environment.command(source))
        except TemplateSyntaxProblem as problem:
            culprit = self._culprit(scalars) if isinstance(node, ListNode) else None
            if culprit is not None:
                return self._refused(*culprit)
            return self._refused(problem, scalars[0]) if scalars else Constant(node.place, None)

    def ldap_text(self, node: Node, form: str) -> Compiled:
        """A DN (`dn`) or a filter (`filter`) of LDAP."""
        if not isinstance(node, ScalarNode) or self._is_half_open(node):
            return Constant(node.place, None)
        compiled = self._environment.distinguished_name if form == "dn" else self._environment.ldap_filter
        try:
            return LdapText(node, compiled(node.text))
        except TemplateSyntaxProblem as problem:
            return self._refused(problem, node)

    def script(self, node: Node | None) -> ScriptValue | None:
        """A shell script; None where it cannot be used."""
        if not isinstance(node, ScalarNode):
            if node is not None:
                self.find("shell-quoting", "a script is one text, not a list of words", node.place)
            return None
        try:
            return ScriptValue(node, self._environment.script(node.text))
        except TemplateSyntaxProblem as problem:
            self._refused(problem, node)
            return None

    def _culprit(self, scalars: tuple[ScalarNode, ...]) -> tuple[TemplateSyntaxProblem, ScalarNode] | None:
        for scalar in scalars:
            try:
                self._environment.command([scalar.text])
            except TemplateSyntaxProblem as problem:
                return problem, scalar
        return None

    def _is_template(self, node: ScalarNode) -> bool:
        inner = node.text.strip()
        if not inner.startswith("{{"):
            return False
        shown = printable(inner.removeprefix("{{").removesuffix("}}").strip(), 100)
        message = "a bare expression stands here, without '{{ }}'"
        self.find("bare-expression", message, node.place, f"write {shown}")
        return True

    def _refused(self, problem: TemplateSyntaxProblem, node: ScalarNode) -> Compiled:
        place = place_at(node, problem.offset, problem.length)
        self.find(problem.code, printable(problem.message), place, problem.hint)
        return Constant(node.place, None)

    def find(self, code: str, message: str, place: Place, hint: str = "") -> None:
        """Adds an error."""
        self.findings.append(Finding(code, message, place, hint))


class _Parameters:
    """Walks a node and the schema of its kind side by side."""

    def __init__(self, compiler: Compiler, root: Schema) -> None:
        self._compiler = compiler
        self._root = root

    def value(self, node: Node, schema: Schema) -> Compiled:
        schema = self._resolved(schema)
        short = _short_key(schema)
        if short is not None and not isinstance(node, MappingNode):
            return MappingValue(node.place, ((short, self.value(node, schema["properties"][short])),))
        match schema.get("x-compile"):
            case "literal":
                return literal(node)
            case "words":
                return self._compiler.words(node)
            case "dn" | "filter" as form:
                return self._compiler.ldap_text(node, form)
            case "template":
                return self._compiler.template_file(node)
            case "expression":
                return self._compiler.condition(node) or Constant(node.place, None)
            case _:
                return self._template(node, schema)

    def _template(self, node: Node, schema: Schema) -> Compiled:
        match node:
            case ScalarNode():
                compiled = self._compiler.text(node)
                wrong = (
                    check_literal(node, schema)
                    if isinstance(compiled, Constant)
                    else check_whole_expression(node, schema, compiled)
                )
                self._compiler.findings.extend(wrong)
                return compiled
            case ListNode():
                items = schema.get("items", {})
                return ListValue(node.place, tuple(self.value(item, items) for item in node.items))
            case MappingNode():
                known, others = schema.get("properties", {}), schema.get("additionalProperties")
                rest = others if isinstance(others, Mapping) else {}
                shell = node.get("shell") if "shell" in known and "run" in known else None
                if isinstance(shell, ScalarNode) and shell.value is True:
                    return self._shell(node, known)
                entries = tuple((key, self.value(value, known.get(key, rest))) for key, value in node.values.items())
                return MappingValue(node.place, entries)

    def _shell(self, node: MappingNode, known: Mapping[str, Schema]) -> Compiled:
        """A command with `shell: true`: its words are the shell and the script, its values stand in `env`."""
        warning = Finding("shell-use", _SHELL_USE, node.key_place("shell"), _NO_SHELL, Severity.WARNING)
        self._compiler.findings.append(warning)
        script = self._compiler.script(node.get("run"))
        values = {key: self.value(value, known.get(key, {})) for key, value in node.values.items() if key != "run"}
        if script is not None:
            words = tuple(Constant(script.place, word) for word in ("/bin/sh", "-c", script.script.text))
            values |= {"run": ListValue(script.place, words), "env": ScriptEnvironment(script, values.get("env"))}
        return MappingValue(node.place, tuple(values.items()))

    def _resolved(self, schema: Schema) -> Schema:
        reference = schema.get("$ref", "")
        if not reference.startswith("#/"):
            return schema
        found: Any = self._root
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        return self._resolved(found)


def literal(node: Node) -> Compiled:
    """The value as it is written; lists and mappings are made anew at each evaluation."""
    match node:
        case ScalarNode():
            return Constant(node.place, node.value)
        case ListNode():
            return ListValue(node.place, tuple(literal(item) for item in node.items))
        case MappingNode():
            return MappingValue(node.place, tuple((key, literal(value)) for key, value in node.values.items()))


def _short_key(schema: Schema) -> str | None:
    """The property that a text or list stands for, where the schema takes a mapping too."""
    named = schema.get("x-short-for")
    if named is not None:
        return str(named)
    words = [key for key, value in schema.get("properties", {}).items() if value.get("x-compile") == "words"]
    return words[0] if len(words) == 1 else None
