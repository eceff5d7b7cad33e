"""Why a test fails."""

from dataclasses import dataclass

from amierules.diagnostics import Place
from amierules.testing.comparing import Difference


@dataclass(frozen=True)
class Failure:
    """Why a test fails: what is wrong, where in the test file, and what to do; or a difference."""

    place: Place | None
    message: str
    hint: str = ""
    difference: Difference | None = None
