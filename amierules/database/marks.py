"""How far intake has come: kept in the table of notes, shared by all workers."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Connection, bindparam, cast, or_, select, update

from amierules.database.lookups import Lookup
from amierules.database.made import Made
from amierules.database.one_of import one_of
from amierules.database.own_tables import meta

_MARK, _OBSERVED, _SWEPT_AT = "intake_mark", "observe_mark", "swept_at"


@dataclass(frozen=True)
class Marks:
    """How far intake has come."""

    seen: int | None
    """The highest packet_rec_id that it has seen; None before the first sweep."""
    swept_at: str | None

    def sweep_is_due(self, now: datetime, every: timedelta) -> bool:
        """Whether nobody has swept for so long, or ever. A moment in the future is that of another host whose clock is
        ahead; one that is further away is a clock that was set back.
        """
        if self.seen is None or self.swept_at is None:
            return True
        return not _text(now - every) < self.swept_at <= _text(now + every)


def intake_marks(connection: Connection) -> Marks:
    """How far intake has come."""
    found: dict[str, str] = {row[0]: row[1] for row in _INTAKE.rows(connection, names=[_MARK, _SWEPT_AT])}
    return Marks(int(found[_MARK]) if _MARK in found else None, found.get(_SWEPT_AT))


_INTAKE = Lookup("amierules_intake", select(meta.c.name, meta.c.value).where(one_of(meta.c.name, "names")))


def raise_intake_mark(connection: Connection, seen: int) -> None:
    """Notes that intake has seen this packet_rec_id; the mark is never lowered."""
    _raise(connection, _MARK, seen)


def observe_mark(connection: Connection) -> int | None:
    """The highest packet_rec_id that `run --observe` has seen; None before it first was run."""
    return _mark(connection, _OBSERVED)


def raise_observe_mark(connection: Connection, seen: int) -> None:
    """Notes that `run --observe` has seen this packet_rec_id; the mark is never lowered."""
    _raise(connection, _OBSERVED, seen)


def _mark(connection: Connection, name: str) -> int | None:
    found = connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar_one_or_none()
    return None if found is None else int(found)


def _raise(connection: Connection, name: str, seen: int) -> None:
    if not _insert(connection, name, str(seen)):
        _RAISE.hits(connection, which=name, seen=seen, new=str(seen))


_RAISE = Made(
    update(meta)
    .where(meta.c.name == bindparam("which"), cast(meta.c.value, BigInteger) < bindparam("seen", type_=BigInteger))
    .values(value=bindparam("new"))
)


def take_sweep(connection: Connection, now: datetime, every: timedelta) -> bool:
    """Notes that a sweep begins now; whether it is the caller's, as nobody else has begun one meanwhile."""
    if _insert(connection, _SWEPT_AT, _text(now)):
        return True
    due = or_(meta.c.value <= _text(now - every), meta.c.value > _text(now + every))
    mine = update(meta).where(meta.c.name == _SWEPT_AT, due).values(value=_text(now))
    return connection.execute(mine).rowcount > 0


def _insert(connection: Connection, name: str, value: str) -> bool:
    return _INSERT.hits(connection, name=name, value=value) > 0


_INSERT = Made.upsert(meta, lambda new: new.on_conflict_do_nothing(), ("name", "value"))


def _text(moment: datetime) -> str:
    """The moment as a text that sorts by time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
