"""What collecting and reporting usage work with at one site."""

from dataclasses import dataclass

from amierules.database.connection import Database
from amierules.ports import Clock
from amierules.rulebook.configuration import Configuration
from amierules.usage.model import UsageRules


@dataclass(frozen=True)
class UsageSite:
    """A site's configuration, usage rules and database."""

    configuration: Configuration
    rules: UsageRules
    database: Database
    clock: Clock
    who: str
    """Who acts, for the events."""

    def now(self) -> int:
        """Now, in seconds since 1970."""
        return int(self.clock.now().timestamp())
