"""A command's words: an expression never makes a word boundary, and a value never becomes an option by accident."""

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from amierules.diagnostics import printable
from amierules.templating.compiled import Expression, Names, expected_text, expression_at
from amierules.templating.complaints import Doubt
from amierules.templating.facts import Facts
from amierules.templating.filters import OPTION
from amierules.templating.inference import StaticNames
from amierules.templating.parsing import normalised, tokens
from amierules.templating.problems import EvaluationError, TemplateSyntaxProblem
from amierules.templating.sandbox import Sandbox
from amierules.templating.secret import Secret, secret_text
from amierules.templating.unknown import Unknown, UnknownUsed
from amierules.templating.values import LIST, as_text, kind_of

_Segment = str | Expression


@dataclass(frozen=True)
class _Word:
    segments: tuple[_Segment, ...]
    may_be_option: bool
    """Whether a value may begin with `-` here: it is marked, or stands behind a literal `--`."""

    @property
    def sole_expression(self) -> Expression | None:
        only = self.segments[0] if len(self.segments) == 1 else None
        return only if isinstance(only, Expression) else None


class Command:
    """The words of a `command`, as one text or as a list of words."""

    def __init__(self, sandbox: Sandbox, source: str | list[str]) -> None:
        """Raises `TemplateSyntaxProblem`."""
        self.source = source
        if isinstance(source, str):
            words = _split(normalised(source), segments_of(sandbox, normalised(source)))
        else:
            words = [_word_of_list(sandbox, word, item) for item, word in enumerate(source)]
        if not words:
            raise TemplateSyntaxProblem("the command is empty", 0)
        self._words = list(_marked(words))
        self.expressions = tuple(part for word in words for part in word if isinstance(part, Expression))
        self._list = not isinstance(source, str)
        self._items = words
        self.names = frozenset(name for expression in self.expressions for name in expression.names)

    def infer(self, names: StaticNames, facts: Facts, report: Callable[[int, Doubt], None]) -> None:
        """Reports what cannot go well, each with the position of the word in a command given as a list, else 0."""
        for position, word in enumerate(self._items):
            item = position if self._list else 0
            for part in word:
                if isinstance(part, Expression):
                    self._infer_part(part, len(word) == 1, names, facts, partial(report, item))

    def _infer_part(
        self, part: Expression, alone: bool, names: StaticNames, facts: Facts, report: Callable[[Doubt], None]
    ) -> None:
        if not alone:
            part.infer_text(names, facts, report)
            return
        value = part.infer(names, facts, lambda _doubt: None)
        if value.kind == LIST:
            part.infer(names, facts, report)
        else:
            part.infer_text(names, facts, report)

    def evaluate(self, names: Names) -> list[str | Unknown | Secret]:
        """The words. Raises `EvaluationError`, with the code `option-injection` where a value would be an option."""
        words = [text for word in self._words for text in _evaluated(word, names)]
        if not words:
            raise EvaluationError("the command has no words", "empty-command")
        return words


def _word_of_list(sandbox: Sandbox, source: str, item: int) -> tuple[_Segment, ...]:
    try:
        return tuple(segments_of(sandbox, normalised(source))) or ("",)
    except TemplateSyntaxProblem as problem:
        problem.item = item
        raise


def segments_of(sandbox: Sandbox, source: str) -> list[_Segment]:
    """The source as literal texts and expressions, in order. Raises `TemplateSyntaxProblem`."""
    segments: list[_Segment] = []
    begin: int | None = None
    for token in tokens(sandbox, source):
        if token.kind == "data":
            segments.append(token.text)
        elif token.kind == "variable_begin":
            _refuse_white_space_control(token.text, token.offset)
            begin = token.offset + len(token.text)
        elif token.kind == "variable_end":
            _refuse_white_space_control(token.text, token.offset)
            segments.append(expression_at(sandbox, source[begin : token.offset], begin or 0))
            begin = None
        elif begin is None:
            message = "a command has no `{% %}` and no `{# #}`, only `{{ }}`"
            raise TemplateSyntaxProblem(message, token.offset, len(token.text))
    if begin is not None:
        raise TemplateSyntaxProblem("`{{` without `}}`", begin - 2, 2)
    return segments


def _refuse_white_space_control(mark: str, offset: int) -> None:
    if mark not in {"{{", "}}"}:
        raise TemplateSyntaxProblem("a command has no `{{-` and no `-}}`", offset, len(mark.strip()))


def _split(source: str, segments: list[_Segment]) -> list[tuple[_Segment, ...]]:
    opening, closing = _private_characters(source)
    expressions = [segment for segment in segments if isinstance(segment, Expression)]
    numbers = iter(range(len(expressions)))
    text = "".join(part if isinstance(part, str) else f"{opening}{next(numbers)}{closing}" for part in segments)
    try:
        words = shlex.split(text)
    except ValueError as error:
        quote = max(source.rfind("'"), source.rfind('"'), source.rfind("\\"))
        message = "a quote that is not closed" if "quotation" in str(error) else "a backslash at the end"
        raise TemplateSyntaxProblem(message, max(quote, 0)) from error
    placeholder = re.compile(f"{opening}([0-9]+){closing}")
    return [tuple(_put_back(placeholder.split(word), expressions)) or ("",) for word in words]


def _private_characters(source: str) -> tuple[str, str]:
    free = (chr(code) for code in range(0xE000, 0xF900) if chr(code) not in source)
    return next(free), next(free)


def _put_back(parts: list[str], expressions: list[Expression]) -> Iterator[_Segment]:
    for position, part in enumerate(parts):
        if position % 2:
            yield expressions[int(part)]
        elif part:
            yield part


def _marked(words: list[tuple[_Segment, ...]]) -> Iterator[_Word]:
    behind_dashes = False
    for segments in words:
        first = segments[0]
        option = isinstance(first, Expression) and first.outermost_filter == OPTION
        yield _Word(segments, behind_dashes or option)
        behind_dashes = behind_dashes or segments == ("--",)


def _evaluated(word: _Word, names: Names) -> list[str | Unknown | Secret]:
    try:
        sole = word.sole_expression
        if sole is None:
            return [_checked(word, secret_text(_text_of(part, names) for part in word.segments))]
        value = sole.value(names)
        if isinstance(value, Unknown):
            return [_foretold(word, value)]
        if kind_of(value) != LIST:
            return [_one_of(word, sole, value)]
        return [_one_of(word, sole, element) for element in value]  # type: ignore[attr-defined]
    except UnknownUsed as used:
        return [_expected(word, used.step, names)]


def _expected(word: _Word, step: str, names: Names) -> Unknown:
    parts = (part if isinstance(part, str) else part.evaluate(names) for part in word.segments)
    unknown = expected_text(step, parts)
    if unknown.has_expected:
        _checked(word, unknown.expected)  # type: ignore[arg-type]
    return unknown


def _text_of(part: _Segment, names: Names) -> str | Secret:
    if isinstance(part, str):
        return part
    try:
        return as_text(part.value(names))
    except EvaluationError as error:
        error.name = error.name or part.source.strip()
        raise


def _foretold(word: _Word, value: Unknown) -> Unknown:
    """A word that is not there yet, with the text that it will probably be: what is expected may be a number."""
    if not value.has_expected or value.expected is None or kind_of(value.expected) == LIST:
        return value
    return Unknown(value.step, _checked(word, as_text(value.expected)))


def _one_of(word: _Word, expression: Expression, value: object) -> str | Unknown | Secret:
    if isinstance(value, Unknown):
        return _foretold(word, value)
    if value is None:
        source = expression.source.strip()
        raise EvaluationError(f"`{printable(source, 60)}` is none; a word needs a value", "none-word", source)
    return _checked(word, as_text(value))


def _checked(word: _Word, text: str | Secret) -> str | Secret:
    first = word.segments[0]
    if isinstance(first, Expression):
        return checked_word(text, first.source.strip(), may_be_option=word.may_be_option)
    return checked_word(text, "", may_be_option=True)


def checked_word(text: str | Secret, source: str, *, may_be_option: bool) -> str | Secret:
    """The word that an expression's value begins. Raises `EvaluationError` where no program can be given it."""
    revealed = text.reveal() if isinstance(text, Secret) else text
    if "\0" in revealed:
        raise EvaluationError("a word of a command cannot hold a NUL character", "nul-character")
    if revealed.startswith("-") and not may_be_option:
        message = f"the value of `{printable(source, 60)}` begins with `-` and would be an option"
        raise EvaluationError(message, "option-injection", source)
    try:
        revealed.encode()
    except UnicodeEncodeError as error:
        raise EvaluationError("a word of a command holds half a character (a lone surrogate)") from error
    return text
