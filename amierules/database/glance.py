"""Whether anything was committed since an earlier look: PostgreSQL says so in one message, however much there is."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Text, cast, func, select

from amierules.database.connection import Database
from amierules.database.lookups import Lookup
from amierules.database.marks import Marks

SNAPSHOT = cast(func.txid_current_snapshot(), Text)
"""Which transactions are over: as long as it is the same, so is all that anybody can see. By the name that
PostgreSQL 12 has for it, too."""
_NOW = Lookup("amierules_snapshot", select(SNAPSHOT))


@dataclass
class Glance:
    """A look that found nothing, of one worker. Not for SQLite, where a look asks no server."""

    _snapshot: str | None = None
    _marks: Marks | None = None

    def keep(self, snapshot: str | None, marks: Marks) -> None:
        """There was nothing in this snapshot (None: nobody knows which it was), in which intake stood so."""
        self._snapshot, self._marks = snapshot, marks

    def forget(self) -> None:
        """There was something."""
        self._snapshot = self._marks = None

    def is_enough(self, database: Database, now: datetime, sweep_every: timedelta) -> bool:
        """Whether a new look would find nothing either, and no sweep is due."""
        if self._snapshot is None or self._marks is None or self._marks.sweep_is_due(now, sweep_every):
            return False
        with database.direct() as connection:
            ((snapshot,),) = _NOW.rows(connection)
        return bool(snapshot == self._snapshot)
