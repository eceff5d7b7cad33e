"""Faults of the REST front, on request: by rate with a seed, or for the next calls."""

import random
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What goes wrong with a call."""

    UNAUTHORIZED = "401"
    THROTTLED = "429"
    BROKEN = "500"
    SLOW = "slow"
    EMPTY = "empty"
    """Done, and answered with 200 and no body."""
    CUT = "cut"
    """Done, and the connection ends before the answer."""


ALL_FAULTS = tuple(Fault)


@dataclass(frozen=True)
class FaultPlan:
    """How often calls go wrong, and how."""

    rate: float = 0.0
    kinds: Sequence[Fault] = ALL_FAULTS
    seed: int = 0
    retry_after: int = 1
    """Seconds that a throttled client is told to wait."""
    slow: float = 2.0
    """Seconds that a slow call takes."""


class Faults:
    """Chooses for each call whether it goes wrong; the same seed chooses alike for the same sequence of calls."""

    def __init__(self, plan: FaultPlan) -> None:
        self.plan = plan
        self._chance = random.Random(plan.seed)  # noqa: S311 - faults in a test
        self._wanted: deque[Fault] = deque()
        self._lock = threading.Lock()

    def want(self, kind: Fault, count: int) -> None:
        """The next `count` calls go wrong in this way."""
        with self._lock:
            self._wanted.extend([kind] * count)

    def want_none(self) -> None:
        """No call goes wrong any more that was wanted to."""
        with self._lock:
            self._wanted.clear()

    def next(self) -> Fault | None:
        """What is to go wrong with the next call; None for nothing."""
        with self._lock:
            if self._wanted:
                return self._wanted.popleft()
            if not self.plan.kinds or self._chance.random() >= self.plan.rate:
                return None
            return self._chance.choice(list(self.plan.kinds))
