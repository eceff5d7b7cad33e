"""How a packet stands: its status, with what belongs to it, as values."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Protocol

from sqlalchemy import BindParameter, ColumnElement, func


class Counted(Protocol):
    """What of a work row is reckoned with: of one that was read, or (`work.c`) of the one that a statement changes."""

    @property
    def attempts(self) -> Any:
        """How often the packet was tried in vain."""

    @property
    def first_deferred_at(self) -> Any:
        """When it was first deferred."""

    @property
    def fence(self) -> Any:
        """How often it was taken over."""


class Keep(Enum):
    """Says that a column keeps its value."""

    VALUE = "keep"


@dataclass(frozen=True)
class Standing:
    """A status that a packet gets, with what belongs to it. `rule` may keep its value.

    `count_attempt` adds to the attempts; `restart` forgets them, and when the packet was first deferred; `take_over`
    voids the fences of all others.
    """

    status: str
    rule: str | Keep | None = Keep.VALUE
    reason: str | None = None
    next_attempt_at: datetime | None = None
    blocker: int | None = None
    approvable: str | None = None
    asked: tuple[tuple[str, str], ...] = ()
    """Name and description of each value that a hold asks for."""
    count_attempt: bool = False
    restart: bool = False
    take_over: bool = False

    def values(self, now: datetime | BindParameter[datetime], row: Counted) -> dict[str, Any]:
        """The columns that change in a row; `now` may be a parameter of the statement that changes them."""
        same_name = ("status", "reason", "blocker", "approvable", "next_attempt_at")
        values: dict[str, Any] = {name: getattr(self, name) for name in same_name} | {
            "updated_at": now,
            "paused_by": None,
        }
        values["asked"] = dict(self.asked) or None
        if not isinstance(self.rule, Keep):
            values["rule"] = self.rule
        if self.restart:
            values |= {"attempts": 0, "first_deferred_at": None}
        if self.status == "deferred":
            values["first_deferred_at"] = now if self.restart else _earlier(row.first_deferred_at, now)
        if self.count_attempt:
            values["attempts"] = 1 if self.restart else row.attempts + 1
        if self.take_over:
            values["fence"] = row.fence + 1
        return values

    def news(self, status: str, reason: str | None, blocker: int | None) -> tuple[tuple[str, str], ...]:
        """What is told of it: the status and its reason, where the packet stands otherwise than before."""
        unchanged = (status, reason, blocker) == (self.status, self.reason, self.blocker)
        return () if unchanged else ((self.status, self.reason or ""),)


def _earlier(column: Any, now: datetime | BindParameter[datetime]) -> Any:
    return func.coalesce(column, now) if isinstance(column, ColumnElement) else column or now
