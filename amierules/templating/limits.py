"""How large a value that an expression makes may become."""

from typing import Final

from amierules.templating.problems import EvaluationError

MAX_LENGTH: Final = 10_000_000
"""Characters of a text, elements of a list."""

MAX_BITS: Final = 4096
"""Of a whole number; beyond it Python would not print it either."""


def check_length(length: int) -> None:
    """Raise `EvaluationError` if a text or list of this length would be too large."""
    if length > MAX_LENGTH:
        raise EvaluationError("the value would be too large", "too-large")


def check_bits(bits: int) -> None:
    """Raise `EvaluationError` if a whole number of this many bits would be too large."""
    if bits > MAX_BITS:
        raise EvaluationError("the number would be too large", "too-large")
