"""What goes wrong with an expression: in its syntax, or while it is evaluated."""

from collections.abc import Iterable

from amierules.diagnostics import Place
from amierules.diagnostics.suggest import did_you_mean


class TemplateSyntaxProblem(Exception):
    """A source that is no valid expression, template or command.

    `offset` and `length` say which characters of the source are meant (None where nobody can tell); `name` is the
    offending word, where the problem is one; `code` and `hint` are those of a finding; `item` is the position of the
    word in a command given as a list.
    """

    def __init__(
        self,
        message: str,
        offset: int | None = None,
        length: int = 1,
        name: str = "",
        *,
        code: str = "template-syntax",
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint
        self.message = message
        self.offset = offset
        self.length = length
        self.name = name
        self.item: int | None = None


class EvaluationError(Exception):
    """A value that an expression does not have. `code` is stable, `name` the offending name or expression, or empty.

    `place` is set by whoever knows where the expression stands.
    """

    def __init__(self, message: str, code: str = "evaluation", name: str = "", place: Place | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.name = name
        self.place = place


def located(error: Exception) -> str:
    """The error with its place, where it has one."""
    place = error.place if isinstance(error, EvaluationError) else None
    return f"{place.file}:{place.line}:{place.column}: {error}" if place else str(error)


def meant(word: str, choices: Iterable[object]) -> str:
    """`; did you mean …?` with the closest of the choices, or an empty text."""
    close = did_you_mean(word, [choice for choice in choices if isinstance(choice, str)])
    return f"; did you mean {close}?" if close else ""
