"""A message as it is made, and how a dry run and the outbox show and keep it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amierules.database.outbox import Draft
from amierules.engine.frozen import shown
from amierules.engine.message_content import CannotBeMade, as_kept, target_of

OF_RULE, OF_STATUS = "rule", "status"


@dataclass(frozen=True)
class Occasion:
    """What messages tell of: how the packet stands, why, and the rule that was chosen, if one was."""

    status: str
    reason: str
    rule: str | None

    def names(self) -> dict[str, object]:
        """The names that messages see beside those in scope."""
        return {"status": self.status, "reason": self.reason, "rule": self.rule}


@dataclass(frozen=True)
class Message:
    """A message as it is made. Without content it cannot be made, and `reason` says why."""

    source: str
    rule: str
    outcome: str
    position: str
    channel: str
    content: Mapping[str, Any] | None = None
    """Leaves may be `Secret`, in a dry run `Unknown`."""
    reason: str | None = None
    unknown: bool = False
    """Whether only an earlier step's effect tells if there will be a message at all."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What is sent once for a packet."""
        return self.source, self.rule, self.outcome, self.position

    @property
    def target(self) -> str:
        """Whom it goes to, as people read it."""
        return target_of(self.channel, self.content) if self.content is not None else ""

    def draft(self) -> Draft:
        """The message as it is queued."""
        content, reason = None, self.reason
        if self.content is not None:
            try:
                content = as_kept(self.content)
            except CannotBeMade as error:
                reason = str(error)
        names = (self.source, self.rule, self.outcome, self.position, self.channel)
        return Draft(*names, self.target, content, None if content is not None else reason)

    def as_json(self) -> dict[str, Any]:
        """The message as `dry-run` shows it."""
        state = "unknown" if self.unknown else "failed" if self.content is None else "queue"
        content = {name: shown(value) for name, value in (self.content or {}).items()}
        where = {"channel": self.channel, "of": self.source, "state": state, "target": self.target or None}
        return {**where, "reason": self.reason, "content": content or None}
