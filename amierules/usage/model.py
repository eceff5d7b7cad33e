"""What usage rules say, compiled."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP

from amierules.diagnostics import Place
from amierules.rulebook.model import Compiled, Condition

DIGITS = 6
"""Digits behind the point that the ledger keeps of a charge."""


@dataclass(frozen=True)
class UsageRule:
    """One rule: it charges, or it ignores with a reason."""

    name: str
    place: Place
    when: Condition | None
    charge: Compiled | None
    ignore: Compiled | None
    project: Compiled | None = None
    login: Compiled | None = None
    resource: Compiled | None = None
    minimum: Compiled | None = None
    digits: int = DIGITS
    rounding: str = ROUND_HALF_UP
    fields: Mapping[str, Compiled] = field(default_factory=dict)


@dataclass(frozen=True)
class UsageRules:
    """The rules of a file."""

    path: str
    variables: Mapping[str, Compiled]
    jobs: tuple[UsageRule, ...]
    storage: tuple[UsageRule, ...]
