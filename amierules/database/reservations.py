"""Reservations: ids and logins that are given out, and committed, before the registry rows that will hold them."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    null,
    or_,
    select,
    text,
    union_all,
)

from amierules.database import own_tables as tables
from amierules.database.connection import Database
from amierules.database.made import Made
from amierules.database.one_of import one_of

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
_POOL_LOCK = 0x616D696E
"""The advisory lock of whoever takes a number of a pool ("amin")."""
_NO_PACKET = 0
_DIGITS = re.compile(r"[0-9]+")


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
        _RELEASE.hits(connection, ids=packet_rec_ids)


def give_up(connection: Connection, packet_rec_id: int, what: str, keep: Callable[[str], bool]) -> list[str]:
    """Ends a packet's reservations of values of `what` that are not to be kept, and returns the values."""
    row = tables.reservation.c
    own = (row.packet_rec_id == packet_rec_id, row.what == what)
    gone = [value for value in connection.scalars(select(row.value).where(*own)) if not keep(value)]
    if gone:
        connection.execute(delete(tables.reservation).where(*own, row.value.in_(gone)))
    return gone


_RELEASE = Made(delete(tables.reservation).where(one_of(tables.reservation.c.packet_rec_id, "ids")))


def never_give(connection: Connection, what: str, value: str, why: str) -> None:
    """Reserves a value for no packet: it is never given out again."""
    _insert(connection, what, value, _NO_PACKET, why)


def _reserve(database: Database, what: str, packet_rec_id: int, path: str, choose: Callable[[Connection], str]) -> str:
    """Reserves what `choose` finds free, until it is really ours: another process may choose the same value."""
    for _ in range(_TRIES):
        with database.begin() as connection:
            if what in POOLS and not database.is_sqlite:
                # One that is being made a uid is not seen yet by who looks for a gid, and no key keeps them apart.
                connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _POOL_LOCK})
            reserved = _reserved(connection, what, packet_rec_id, path)
            if reserved is not None:
                return reserved
            value = choose(connection)
            if not _insert(connection, what, value, packet_rec_id, path):
                continue
            # Its last holder may have written its registry row and let go between our two statements.
            if not _taken(what, other_ids=True).value(connection, **_named(value)):
                return value
            row = tables.reservation.c
            connection.execute(delete(tables.reservation).where(row.what == what, row.value == value))
    raise Exhausted(f"no free {what} could be reserved in {_TRIES} tries")


def _insert(connection: Connection, what: str, value: str, packet_rec_id: int, path: str) -> bool:
    row = {"what": what, "value": value, "packet_rec_id": packet_rec_id, "path": path, "at": datetime.now(UTC)}
    return _INSERT.hits(connection, **row) > 0


_INSERT = Made.upsert(
    tables.reservation,
    lambda new: new.on_conflict_do_nothing(),
    ("what", "value", "packet_rec_id", "path", "at"),
)


def _reserved(connection: Connection, what: str, packet_rec_id: int, path: str) -> str | None:
    found: str | None = _RESERVED.value(connection, number=packet_rec_id, path=path, what=what)
    return found


_ROW = tables.reservation.c
_RESERVED = Made(
    select(_ROW.value).where(
        _ROW.packet_rec_id == bindparam("number"), _ROW.path == bindparam("path"), _ROW.what == bindparam("what")
    )
)


def _first_free(connection: Connection, what: str, candidates: Iterable[str]) -> str:
    for candidate in candidates:
        if not _taken(what, other_ids=False).value(connection, **_named(candidate)):
            return candidate
    raise Exhausted(f"none of the possible values of {what} is free")


def _named(value: str) -> dict[str, Any]:
    """What `_taken` asks for."""
    return {"value": value, "number": int(value) if _DIGITS.fullmatch(value) else None}


@cache
def _taken(what: str, *, other_ids: bool) -> Made:
    """Whether a registry row has the `value`, which as a number is `number`, or a packet has reserved it; with
    `other_ids`, whether a registry row has it, or another id of the same pool has it or will.
    """
    if not other_ids:
        return Made(select(or_(_is_held(what), _is_reserved(what))))
    others = [other for other in POOLS.get(what, ()) if other != what]
    return Made(select(or_(_is_held(what), *(taken(one) for one in others for taken in (_is_held, _is_reserved)))))


def _is_held(what: str) -> ColumnElement[bool]:
    columns = _HELD_BY[what]
    return or_(*(exists().where(column == bindparam(_which(column))) for column in columns))


def _which(column: ColumnElement[Any]) -> str:
    return "number" if _is_number(column) else "value"


def _is_reserved(what: str) -> ColumnElement[bool]:
    return exists().where(_ROW.what == what, _ROW.value == bindparam("value"))


def _lowest_free(
    connection: Connection, what: str, ranges: Ranges, avoid: Collection[int], also: Collection[str]
) -> int:
    for first, last in ranges:
        start = first
        while start <= last:
            found: int | None = _gap(what, tuple(sorted(also))).value(
                connection, before=start - 1, start=start, last=last
            )
            if found is None:
                break
            if found not in avoid:
                return found
            start = found + 1
    shown = ", ".join(f"{first} to {last}" for first, last in ranges)
    raise Exhausted(f"no free {what} is left in {shown}" if shown else f"the configuration has no range for {what}")


@cache
def _gap(what: str, also: Sequence[str]) -> Made:
    """The lowest number from `start` to `last` that nobody has: one more than a taken number without a successor.

    `before` is one less than `start`.
    """
    start, last, before = (bindparam(name, type_=BigInteger) for name in ("start", "last", "before"))
    pool = (*POOLS.get(what, (what,)), *also)
    parts = [_numbers(column) for one in pool for column in _HELD_BY[one]]
    parts.append(_numbers(_ROW.value).where(or_(*(_ROW.what == one for one in pool))))
    every = union_all(*parts).subquery()
    taken = union_all(
        select(every.c.number).where(every.c.number >= start, every.c.number <= last),
        # As if the number before the range were taken: its successor is the first of the range.
        select(cast(before, BigInteger)),
    ).subquery()
    successor = func.lead(taken.c.number).over(order_by=taken.c.number).label("successor")
    pairs = select(taken.c.number, successor).subquery()
    after = pairs.c.number + 1
    gap = or_(pairs.c.successor.is_(None), pairs.c.successor > after)
    return Made(select(after).where(gap, after <= last).order_by(pairs.c.number).limit(1))


def _numbers(column: ColumnElement[Any]) -> Select[Any]:
    """The column's numbers; text that is none (an id that another program gave) is null."""
    if _is_number(column):
        return select(column.label("number"))
    return select(case((column.regexp_match("^[0-9]{1,18}$"), cast(column, BigInteger)), else_=null()).label("number"))


def _is_number(column: ColumnElement[Any]) -> bool:
    return isinstance(column.type, BigInteger)
