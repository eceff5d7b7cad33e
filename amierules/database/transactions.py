"""The transactions that packets from outside belong to: found, and made where they are not here."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Connection, Select, and_, bindparam, or_, select

from amierules.database import own_tables
from amierules.database.amie_tables import STATE_IDS, packet_tbl, transaction_tbl
from amierules.database.made import Made
from amierules.database.one_of import one_of
from amierules.protocol.packet import Header


class Owner(NamedTuple):
    """The transaction of a packet."""

    trans_rec_id: int
    is_new: bool
    """Whether it was made for the packet, so that there is no other packet of it yet."""


def find_transactions(connection: Connection, headers: Sequence[Header]) -> list[int | None]:
    """For each packet the trans_rec_id of the transaction that it belongs to; None where that is not here."""
    ours = _started_here(connection, headers)
    rest = [header for header in headers if _place_here(header) not in ours]
    found = _numbered(connection, rest)
    return [ours.get(_place_here(header), found.get(_number(header))) for header in headers]


def transactions_for(connection: Connection, headers: Sequence[Header]) -> list[Owner]:
    """For each packet the transaction that it belongs to, which is made where it is not here. Nothing is committed."""
    found = find_transactions(connection, headers)
    lacking = {_number(header): header for header, one in zip(headers, found, strict=True) if one is None}
    made = _make(connection, list(lacking.values()))
    if raced := [header for number, header in lacking.items() if number not in made]:
        # Another process made them at the same time, and has committed.
        found = find_transactions(connection, headers)
    owners = []
    for header, one in zip(headers, found, strict=True):
        new = made.get(_number(header))
        owner = one if new is None else new
        if owner is None:
            raise RuntimeError(f"transaction {raced[0].transaction_id} was removed while its packet was stored")
        owners.append(Owner(owner, new is not None))
    return owners


_Number = tuple[str, int, str, str]
"""Who started a transaction, its transaction_id, and both sides."""
_COLUMNS = transaction_tbl.c


def _number(header: Header) -> _Number:
    sides = (header.local_site_name, header.remote_site_name)
    return (header.originating_site_name, header.transaction_id, *sides)


def _numbered(connection: Connection, headers: Iterable[Header]) -> dict[_Number, int]:
    """The transactions that have the packets' transaction_ids, by those."""
    sides = attrgetter("originating_site_name", "local_site_name", "remote_site_name")
    found: dict[_Number, int] = {}
    for (originating, us, theirs), group in groupby(sorted(headers, key=sides), sides):
        wanted = sorted({header.transaction_id for header in group})
        rows = _NUMBERED.rows(connection, originating=originating, us=us, theirs=theirs, numbers=list(map(str, wanted)))
        for transaction_id, trans_rec_id in rows:
            found[originating, int(transaction_id), us, theirs] = trans_rec_id
    return found


def _query(numbered: ColumnElement[bool]) -> Select[Any]:
    us: BindParameter[str] = bindparam("us")
    theirs: BindParameter[str] = bindparam("theirs")
    return (
        select(_COLUMNS.transaction_id, _COLUMNS.trans_rec_id)
        .where(_COLUMNS.originating_site_name == bindparam("originating"), numbered)
        # Found tables may name the two sides from the other one's view.
        .where(
            or_(
                and_(_COLUMNS.local_site_name == us, _COLUMNS.remote_site_name == theirs),
                and_(_COLUMNS.local_site_name == theirs, _COLUMNS.remote_site_name == us),
            )
        )
        .order_by(_COLUMNS.local_site_name == us)
    )


# SQLite has these numbers as texts.
_NUMBERED = Made(
    _query(one_of(_COLUMNS.transaction_id, "numbers")),
    _query(_COLUMNS.transaction_id.in_(bindparam("numbers", expanding=True))),
)


_Place = tuple[str, int | None]
"""A remote site, and the key that it has given to one of our transactions."""


def _place_here(header: Header) -> _Place | None:
    """Where the packet may be one of a transaction that we have started."""
    if header.remote_trans_rec_id is None or header.originating_site_name != header.local_site_name:
        return None
    return header.remote_site_name, header.remote_trans_rec_id


def _started_here(connection: Connection, headers: Iterable[Header]) -> dict[_Place | None, int]:
    """The transactions that we have started over REST, where the server gives them numbers of its own."""
    places = {place for header in headers if (place := _place_here(header)) is not None}
    if not places:
        return {}
    ours = own_tables.packet.c
    query = (
        select(ours.remote_site_name, ours.remote_trans_rec_id, packet_tbl.c.trans_rec_id)
        .join_from(own_tables.packet, packet_tbl, packet_tbl.c.packet_rec_id == ours.packet_rec_id)
        .where(packet_tbl.c.outgoing_flag == 1, ours.in_reply_to.is_(None))
        .where(ours.remote_site_name.in_(sorted({site for site, _ in places})))
        .where(ours.remote_trans_rec_id.in_({key for _, key in places}))
    )
    rows = connection.execute(query)
    return {place: number for site, key, number in rows if (place := (site, key)) in places}


def _make(connection: Connection, headers: Sequence[Header]) -> dict[_Number, int]:
    """Makes a transaction for each, of different ones; those that are there meanwhile are left out."""
    rows = [
        {
            "originating_site_name": header.originating_site_name,
            "transaction_id": header.transaction_id,
            "local_site_name": header.local_site_name,
            "remote_site_name": header.remote_site_name,
            "state_id": STATE_IDS[header.transaction_state],
            "ts": header.timestamp,
        }
        for header in headers
    ]
    made = _NEW.rows_of_each(connection, rows)
    return {(originating, int(number), us, theirs): new for new, originating, number, us, theirs in made}


_IDENTIFYING = ("originating_site_name", "transaction_id", "local_site_name", "remote_site_name")
_NEW = Made.upsert(
    transaction_tbl,
    lambda new: new.on_conflict_do_nothing().returning(
        _COLUMNS.trans_rec_id, *(_COLUMNS[name] for name in _IDENTIFYING)
    ),
    (*_IDENTIFYING, "state_id", "ts"),
)
