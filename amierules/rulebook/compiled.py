"""The values of a rule file once compiled: constants, templates, expressions, words, and lists and mappings of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from amierules.diagnostics import Place
from amierules.rulebook.model import Compiled, Condition, Names
from amierules.rulebook.nodes import ScalarNode
from amierules.rulebook.positions import name_place
from amierules.templating import (
    Command,
    DistinguishedName,
    EvaluationError,
    Expression,
    Filter,
    Script,
    Template,
    Unknown,
)


@dataclass(frozen=True)
class Constant:
    """A value without any expression in it."""

    place: Place
    value: object

    def evaluate(self, _names: Names) -> object:
        """The value."""
        return self.value


@dataclass(frozen=True)
class TemplateValue:
    """A text with expressions, or exactly one expression, which yields its own value."""

    node: ScalarNode
    template: Template

    @property
    def place(self) -> Place:
        """Where the text stands."""
        return self.node.place

    def evaluate(self, names: Names) -> object:
        """The text, or the expression's value. Raises `EvaluationError` with a place."""
        try:
            return self.template.evaluate(names)
        except EvaluationError as error:
            raise placed(error, self.node) from None


@dataclass(frozen=True)
class ExpressionValue:
    """A bare expression, which yields its own value."""

    node: ScalarNode
    expression: Expression

    @property
    def place(self) -> Place:
        """Where the expression stands."""
        return self.node.place

    def evaluate(self, names: Names) -> object:
        """The expression's value. Raises `EvaluationError` with a place."""
        try:
            return self.expression.evaluate(names)
        except EvaluationError as error:
            raise placed(error, self.node) from None


@dataclass(frozen=True)
class ConditionValue:
    """A bare expression of which only its truth counts."""

    node: ScalarNode
    expression: Expression

    @property
    def place(self) -> Place:
        """Where the expression stands."""
        return self.node.place

    def evaluate(self, names: Names) -> bool | Unknown:
        """Whether it holds. Raises `EvaluationError` with a place."""
        try:
            return self.expression.condition(names)
        except EvaluationError as error:
            raise placed(error, self.node) from None


@dataclass(frozen=True)
class Words:
    """The words of a command; `nodes` has one scalar for the text form, one a word for the list form."""

    place: Place
    nodes: tuple[ScalarNode, ...]
    command: Command

    def evaluate(self, names: Names) -> object:
        """The list of words. Raises `EvaluationError` with a place."""
        try:
            return self.command.evaluate(names)
        except EvaluationError as error:
            culprit = next((node for node in self.nodes if error.name and error.name in node.text), None)
            if culprit is None:
                error.place = error.place or self.place
                raise
            raise placed(error, culprit) from None


@dataclass(frozen=True)
class ScriptValue:
    """A shell script and the scalar that it stands in."""

    node: ScalarNode
    script: Script

    @property
    def place(self) -> Place:
        """Where the script stands."""
        return self.node.place

    def evaluate(self, names: Names) -> dict[str, object]:
        """The values that the script takes from its environment. Raises `EvaluationError` with a place."""
        try:
            return dict(self.script.evaluate(names))
        except EvaluationError as error:
            raise placed(error, self.node) from None


@dataclass(frozen=True)
class ScriptEnvironment:
    """The environment of a shell script: what `env` gives, and the script's values."""

    script: ScriptValue
    given: Compiled | None

    @property
    def place(self) -> Place:
        """Where the script stands."""
        return self.script.place

    def evaluate(self, names: Names) -> object:
        """The variables; what `env` itself came to where that is no mapping."""
        given = {} if self.given is None else self.given.evaluate(names)
        if given is not None and not isinstance(given, Mapping):
            return given
        return {**(given or {}), **self.script.evaluate(names)}


@dataclass(frozen=True)
class LdapText:
    """A DN or a filter of LDAP, whose values may hold expressions."""

    node: ScalarNode
    text: DistinguishedName | Filter

    @property
    def place(self) -> Place:
        """Where the text stands."""
        return self.node.place

    def evaluate(self, names: Names) -> object:
        """What is written, and the values, apart from each other. Raises `EvaluationError` with a place."""
        try:
            return self.text.evaluate(names)
        except EvaluationError as error:
            raise placed(error, self.node) from None


@dataclass(frozen=True)
class ListValue:
    """A list of values."""

    place: Place
    items: tuple[Compiled, ...]

    def evaluate(self, names: Names) -> list[object]:
        """A new list of the items' values."""
        return [item.evaluate(names) for item in self.items]


@dataclass(frozen=True)
class MappingValue:
    """A mapping to values."""

    place: Place
    entries: tuple[tuple[str, Compiled], ...]

    def evaluate(self, names: Names) -> dict[str, object]:
        """A new mapping of the entries' values."""
        return {key: value.evaluate(names) for key, value in self.entries}


def placed(error: EvaluationError, node: ScalarNode) -> EvaluationError:
    """The error with the place of the name that it is about, where it has no place yet."""
    if error.place is None:
        error.place = name_place(node, error.name) if error.name else node.place
    return error


def used_names(value: Compiled | None) -> Iterator[tuple[str, ScalarNode]]:
    """Each free name that a value's expressions use, with the scalar that uses it."""
    match value:
        case TemplateValue():
            yield from ((name, value.node) for name in sorted(value.template.names))
        case ExpressionValue() | ConditionValue():
            yield from ((name, value.node) for name in sorted(value.expression.names))
        case LdapText():
            yield from ((name, value.node) for name in sorted(value.text.names))
        case Words():
            for name in sorted(value.command.names):
                yield name, next((node for node in value.nodes if name in node.text), value.nodes[0])
        case ScriptEnvironment():
            yield from ((name, value.script.node) for name in sorted(value.script.script.names))
            yield from used_names(value.given)
        case ListValue():
            for item in value.items:
                yield from used_names(item)
        case MappingValue():
            for _, entry in value.entries:
                yield from used_names(entry)
        case Condition():
            for expression in value.expressions:
                yield from used_names(expression)
