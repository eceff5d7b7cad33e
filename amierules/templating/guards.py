"""What stands around every filter, test and call: no unknown value gets in, no Python error gets out."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Final

from jinja2 import TemplateError

from amierules.diagnostics import printable
from amierules.templating.problems import EvaluationError
from amierules.templating.secret import Secret
from amierules.templating.unknown import Unknown, UnknownUsed
from amierules.templating.values import kind_of

VALUE_ERRORS: Final = (
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
    MemoryError,
    TemplateError,
)
"""What Python and Jinja raise where values do not fit. Anything else (a lost database behind a name) passes through."""


def as_evaluation_error(error: Exception, doing: str) -> EvaluationError:
    """The plain, one-line error for one of `VALUE_ERRORS`; `doing` says what was tried."""
    if isinstance(error, RecursionError):
        return EvaluationError(f"{doing}: nested too deeply", "too-large")
    if isinstance(error, (MemoryError, OverflowError)):
        return EvaluationError(f"{doing}: the value would be too large", "too-large")
    if isinstance(error, ZeroDivisionError):
        return EvaluationError(f"{doing}: division by zero")
    if isinstance(error, (TypeError, AttributeError, LookupError, ArithmeticError)):
        # Their texts speak of Python's types and of ours.
        return EvaluationError(f"{doing}: the values do not fit")
    return EvaluationError(f"{doing}: {printable(error, 120)}")


def refuse_unknown_arguments(args: tuple[object, ...], named: dict[str, object]) -> None:
    """Raise `UnknownUsed` if an argument is unknown; what lists hold is left to whoever looks into them."""
    for value in (*args, *named.values()):
        if isinstance(value, Unknown):
            raise UnknownUsed(value.step)


def guarded(
    what: str, function: Callable[..., Any], *, takes_none: bool = False, takes_secret: bool = False
) -> Callable[..., Any]:
    """The filter or test `function` made safe; `what` names it in messages.

    The result raises `UnknownUsed` for an unknown argument, `EvaluationError` for `none` (unless `takes_none`), for a
    secret (unless `takes_secret`) and wherever `function` fails. Iterators become lists, so that nothing is left to do
    outside the guard.
    """
    skipped = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def guard(*args: object, **named: object) -> object:
        given = args[skipped:]
        refuse_unknown_arguments(given, named)
        if given[0] is None and not takes_none:
            raise EvaluationError(f"{what} does not work on none; give a default with `or`", "none-used")
        if not takes_secret and any(isinstance(value, Secret) for value in (*given, *named.values())):
            raise EvaluationError(f"{what} does not work on a secret", "secret-used")
        try:
            result = function(*args, **named)
            if isinstance(result, Iterator) and not isinstance(result, Unknown):
                return list(result)
        except VALUE_ERRORS as error:
            doing = f"{what} on {kind_of(given[0])}"
            raise as_evaluation_error(error, doing) from error
        return result

    return guard
