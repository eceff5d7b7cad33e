"""Shell scripts: each expression becomes a variable, so that the script itself never holds a value."""

from dataclasses import dataclass

from amierules.diagnostics import printable
from amierules.templating.commands import checked_word, segments_of
from amierules.templating.compiled import Expression, Names
from amierules.templating.filters import OPTION
from amierules.templating.parsing import normalised
from amierules.templating.problems import EvaluationError, TemplateSyntaxProblem
from amierules.templating.sandbox import Sandbox
from amierules.templating.secret import Secret
from amierules.templating.shell_places import spots_of
from amierules.templating.unknown import Unknown, UnknownUsed
from amierules.templating.values import LIST, MAPPING, as_text, kind_of

VARIABLE = "AMIE_"
"""What the variables that carry values are called, before their number."""


@dataclass(frozen=True)
class _Value:
    variable: str
    expression: Expression
    begins_word: bool
    follows: bool
    """Whether only other expressions stand before it in its word."""
    may_be_option: bool


class Script:
    """A script for `/bin/sh -c`. Its values travel in the environment."""

    def __init__(self, sandbox: Sandbox, source: str) -> None:
        """Raises `TemplateSyntaxProblem`, with the code `shell-quoting` where an expression stands in no safe place."""
        self.source = source
        segments = segments_of(sandbox, normalised(source))
        spots = spots_of(segments)
        self._values: list[_Value] = []
        parts: list[str] = []
        for segment in segments:
            if isinstance(segment, str):
                parts.append(segment)
                continue
            spot = spots[len(self._values)]
            may_be_option = spot.behind_dashes or segment.outermost_filter == OPTION
            name = f"{VARIABLE}{len(self._values) + 1}"
            self._values.append(_Value(name, segment, spot.begins_word, spot.follows, may_be_option))
            parts.append(f'"${{{name}}}"')
        self.text = "".join(parts)
        if not self.text.strip():
            raise TemplateSyntaxProblem("the script is empty", 0)
        self.expressions = tuple(value.expression for value in self._values)
        self.names = frozenset(name for expression in self.expressions for name in expression.names)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables, in the order of their expressions."""
        return tuple(value.variable for value in self._values)

    def evaluate(self, names: Names) -> dict[str, str | Unknown | Secret]:
        """The environment of the script. Raises `EvaluationError`, also where a value would be an option."""
        environment: dict[str, str | Unknown | Secret] = {}
        begun = True
        for value in self._values:
            begins_word = value.begins_word or (value.follows and not begun)
            found = _evaluated(value, names, begins_word and not value.may_be_option)
            environment[value.variable] = found
            begun = not begins_word or isinstance(found, Unknown) or _revealed(found) != ""
        return environment


def _revealed(text: str | Secret) -> str:
    return text.reveal() if isinstance(text, Secret) else text


def _evaluated(value: _Value, names: Names, no_option: bool) -> str | Unknown | Secret:
    source = value.expression.source.strip()
    try:
        found = value.expression.value(names)
        if isinstance(found, Unknown):
            return found
        if found is None:
            raise EvaluationError(f"`{printable(source, 60)}` is none; a script needs a value", "none-word", source)
        if kind_of(found) in (LIST, MAPPING):
            message = f"`{printable(source, 60)}` is {kind_of(found)}; a script takes texts: join it, or use no shell"
            raise EvaluationError(message, "not-text", source)
        return checked_word(as_text(found), source, may_be_option=not no_option)
    except UnknownUsed as used:
        return Unknown(used.step)
