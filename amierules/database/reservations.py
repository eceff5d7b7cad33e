"""Reservations: ids and logins that are given out, and committed, before the registry rows that will hold them."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    case,
    cast,
    delete,
    exists,
    false,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from amierules.database import own_tables as tables
from amierules.database.connection import Database
from amierules.database.one_of import one_of
from amierules.database.upsert import conflict_insert

Ranges = Sequence[tuple[int, int]]
"""Ranges of whole numbers, each with its first and last; the lowest free number of the first range is given first."""

_HELD_BY: dict[str, tuple[ColumnElement[Any], ...]] = {
    "uid": (tables.person.c.uid,),
    "gid": (tables.project.c.gid,),
    "person_id": (tables.person.c.person_id, tables.person_alias.c.person_id),
    "login": (tables.person_login.c.login, tables.account.c.login),
    "group": (tables.project.c.group,),
    "project_id": (tables.project.c.project_id,),
}
POOLS: Mapping[str, tuple[str, ...]] = {"uid": ("uid", "gid"), "gid": ("uid", "gid")}
"""Ids that draw on the same numbers: useradd gives each new user a group of the user's own number."""
_TRIES = 1000
_NO_PACKET = 0


class Exhausted(Exception):
    """No free value is left among those that the configuration allows."""


def reserve_number(
    database: Database,
    what: str,
    ranges: Ranges,
    packet_rec_id: int,
    path: str,
    *,
    avoid: Collection[int] = (),
    also: Collection[str] = (),
) -> int:
    """The lowest number of the ranges that no registry row and no reservation has, reserved in a commit of its own.

    `what` is uid, gid or person_id; a number that is a uid is never given as a gid, nor the other way round. The same
    packet and path get the same number again. `avoid` has numbers that the caller knows to be taken, `also`
    names ids that will have the same number. Raises `Exhausted`.
    """

    def lowest(connection: Connection) -> str:
        return str(_lowest_free(connection, what, ranges, avoid, also))

    return int(_reserve(database, what, packet_rec_id, path, lowest))


def reserve_text(database: Database, what: str, candidates: Iterable[str], packet_rec_id: int, path: str) -> str:
    """The first of the candidates that no registry row and no reservation has, reserved in a commit of its own.

    `what` is login, group, project_id or person_id. The same packet and path get the same text again. Raises
    `Exhausted` where the candidates end.
    """
    remaining = iter(candidates)
    return _reserve(database, what, packet_rec_id, path, lambda connection: _first_free(connection, what, remaining))


def expected_number(
    database: Database,
    what: str,
    ranges: Ranges,
    packet_rec_id: int,
    path: str,
    *,
    avoid: Collection[int] = (),
    also: Collection[str] = (),
) -> int:
    """The number that `reserve_number` would give now; reserves nothing."""
    with database.read() as connection:
        reserved = _reserved(connection, what, packet_rec_id, path)
        return int(reserved) if reserved is not None else _lowest_free(connection, what, ranges, avoid, also)


def expected_text(database: Database, what: str, candidates: Iterable[str], packet_rec_id: int, path: str) -> str:
    """The text that `reserve_text` would give now; reserves nothing."""
    with database.read() as connection:
        reserved = _reserved(connection, what, packet_rec_id, path)
        return reserved if reserved is not None else _first_free(connection, what, iter(candidates))


def reserved_text(database: Database, what: str, packet_rec_id: int, path: str) -> str | None:
    """The text that was reserved for the packet and path; None where none is."""
    with database.read() as connection:
        return _reserved(connection, what, packet_rec_id, path)


def release(connection: Connection, packet_rec_ids: Collection[int]) -> None:
    """Ends packets' reservations, in the commit that writes the registry rows which now hold the values."""
    if packet_rec_ids:
        connection.execute(_RELEASE, {"ids": list(packet_rec_ids)})


_RELEASE = delete(tables.reservation).where(one_of(tables.reservation.c.packet_rec_id, "ids"))


def never_give(connection: Connection, what: str, value: str, why: str) -> None:
    """Reserves a value for no packet: it is never given out again."""
    _insert(connection, what, value, _NO_PACKET, why)


def _reserve(database: Database, what: str, packet_rec_id: int, path: str, choose: Callable[[Connection], str]) -> str:
    """Reserves what `choose` finds free, until it is really ours: another process may choose the same value."""
    for _ in range(_TRIES):
        with database.begin() as connection:
            reserved = _reserved(connection, what, packet_rec_id, path)
            if reserved is not None:
                return reserved
            value = choose(connection)
            if not _insert(connection, what, value, packet_rec_id, path):
                continue
            # Its last holder may have written its registry row and let go between our two statements.
            if not connection.scalar(select(or_(_is_held(what, value), _is_in_pool(what, value)))):
                return value
            row = tables.reservation.c
            connection.execute(delete(tables.reservation).where(row.what == what, row.value == value))
    raise Exhausted(f"no free {what} could be reserved in {_TRIES} tries")


def _insert(connection: Connection, what: str, value: str, packet_rec_id: int, path: str) -> bool:
    row = {"what": what, "value": value, "packet_rec_id": packet_rec_id, "path": path, "at": datetime.now(UTC)}
    statement = conflict_insert(connection, tables.reservation).values(row).on_conflict_do_nothing()
    return connection.execute(statement).rowcount > 0


def _reserved(connection: Connection, what: str, packet_rec_id: int, path: str) -> str | None:
    row = tables.reservation.c
    query = select(row.value).where(row.packet_rec_id == packet_rec_id, row.path == path, row.what == what)
    return connection.execute(query).scalar()


def _first_free(connection: Connection, what: str, candidates: Iterable[str]) -> str:
    for candidate in candidates:
        if not connection.scalar(select(or_(_is_held(what, candidate), _is_reserved(what, candidate)))):
            return candidate
    raise Exhausted(f"none of the possible values of {what} is free")


def _is_held(what: str, value: str) -> ColumnElement[bool]:
    columns = _HELD_BY[what]
    return or_(*(exists().where(column == (int(value) if _is_number(column) else value)) for column in columns))


def _is_reserved(what: str, value: str) -> ColumnElement[bool]:
    return exists().where(tables.reservation.c.what == what, tables.reservation.c.value == value)


def _is_in_pool(what: str, value: str) -> ColumnElement[bool]:
    """Whether another id of the same pool has the number, or will have it."""
    others = [other for other in POOLS.get(what, ()) if other != what]
    return or_(false(), *(taken(other, value) for other in others for taken in (_is_held, _is_reserved)))


def _lowest_free(
    connection: Connection, what: str, ranges: Ranges, avoid: Collection[int], also: Collection[str]
) -> int:
    for first, last in ranges:
        start = first
        while start <= last:
            found: int | None = connection.execute(_gap(what, start, last, also)).scalar()
            if found is None:
                break
            if found not in avoid:
                return found
            start = found + 1
    shown = ", ".join(f"{first} to {last}" for first, last in ranges)
    raise Exhausted(f"no free {what} is left in {shown}" if shown else f"the configuration has no range for {what}")


def _gap(what: str, first: int, last: int, also: Collection[str]) -> Select[Any]:
    """The lowest number from `first` to `last` that nobody has: one more than a taken number without a successor."""
    reserved = tables.reservation.c
    pool = (*POOLS.get(what, (what,)), *also)
    parts = [_numbers(column) for one in pool for column in _HELD_BY[one]]
    parts.append(_numbers(reserved.value).where(reserved.what.in_(pool)))
    every = union_all(*parts).subquery()
    taken = union_all(
        select(every.c.number).where(every.c.number >= first, every.c.number <= last),
        # As if the number before the range were taken: its successor is the first of the range.
        select(literal(first - 1, BigInteger)),
    ).subquery()
    successor = func.lead(taken.c.number).over(order_by=taken.c.number).label("successor")
    pairs = select(taken.c.number, successor).subquery()
    after = pairs.c.number + 1
    gap = or_(pairs.c.successor.is_(None), pairs.c.successor > after)
    return select(after).where(gap, after <= last).order_by(pairs.c.number).limit(1)


def _numbers(column: ColumnElement[Any]) -> Select[Any]:
    """The column's numbers; text that is none (an id that another program gave) is null."""
    if _is_number(column):
        return select(column.label("number"))
    return select(case((column.regexp_match("^[0-9]{1,18}$"), cast(column, BigInteger)), else_=null()).label("number"))


def _is_number(column: ColumnElement[Any]) -> bool:
    return isinstance(column.type, BigInteger)
