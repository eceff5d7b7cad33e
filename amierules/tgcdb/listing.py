"""Which packets of a site a call of the REST API asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, or_, select, update

from amierules.diagnostics import printable
from amierules.protocol.packet import IN_PROGRESS
from amierules.tgcdb.packet_json import packet_json
from amierules.tgcdb.records import Transaction
from amierules.tgcdb.rows import find_transaction, read_packet
from amierules.tgcdb.tables import packet, transaction

LARGEST = 2**63 - 1
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")
_FILTERS = ("trans_rec_id", "states", "client_state", "transaction_state", "outgoing", "incoming", "update_time")


class BadFilter(ValueError):
    """A filter that cannot be read; the message says why."""


@dataclass(frozen=True)
class Wanted:
    """What a list is to hold; None where a filter is not given."""

    trans_rec_ids: tuple[int, ...] | None = None
    states: tuple[str, ...] | None = None
    client_states: tuple[str, ...] | None = None
    transaction_states: tuple[str, ...] | None = None
    to_site: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    unfiltered: bool = True
    """No filter is given: what is in progress."""


def read_filters(query: Mapping[str, str]) -> Wanted:
    """The filters of a call. Raises `BadFilter`."""
    given = {name: query[name].strip() for name in _FILTERS if query.get(name, "").strip()}
    since, until = _range(given.get("update_time", ","))
    outgoing, incoming = _boolean(given, "outgoing"), _boolean(given, "incoming")
    # Seen from the central database's side, as in a packet's header.
    to_site = None if outgoing is None and incoming is None else outgoing if incoming is None else not incoming
    if outgoing is not None and incoming is not None and outgoing == incoming:
        to_site = None
    return Wanted(
        trans_rec_ids=_numbers(given["trans_rec_id"]) if "trans_rec_id" in given else None,
        states=_states(given, "states"),
        client_states=_listed(given, "client_state"),
        transaction_states=_states(given, "transaction_state"),
        to_site=to_site,
        since=since,
        until=until,
        unfiltered=not given,
    )


def list_packets(connection: Connection, site: str, wanted: Wanted) -> list[dict[str, object]]:
    """The packets of a site that are wanted, in JSON, oldest first."""
    columns, of = packet.c, transaction.c
    statement = select(packet).join(transaction).where(columns.site == site).order_by(columns.packet_rec_id)
    if wanted.unfiltered:
        statement = statement.where(or_(columns.state == IN_PROGRESS, columns.relist > 0))
    for column, values in (
        (columns.trans_rec_id, wanted.trans_rec_ids),
        (columns.state, wanted.states),
        (columns.client_state, wanted.client_states),
        (of.state, wanted.transaction_states),
    ):
        if values is not None:
            statement = statement.where(column.in_(values))
    if wanted.to_site is not None:
        statement = statement.where(columns.to_site == wanted.to_site)
    if wanted.since is not None:
        statement = statement.where(columns.updated_at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(columns.updated_at <= wanted.until)
    listed = []
    transactions: dict[int, Transaction | None] = {}
    for row in connection.execute(statement).mappings().all():
        number = row["trans_rec_id"]
        if number not in transactions:
            transactions[number] = find_transaction(connection, site, number)
        if (within := transactions[number]) is not None:
            again = wanted.unfiltered and row["relist"] > 0
            listed.append(packet_json(read_packet(row), within, listed_again=again))
    if wanted.unfiltered:
        again_listed = update(packet).where(columns.site == site, columns.relist > 0)
        connection.execute(again_listed.values(relist=columns.relist - 1))
    return listed


def _listed(given: Mapping[str, str], name: str) -> tuple[str, ...] | None:
    return tuple(part.strip() for part in given[name].split(",")) if name in given else None


def _states(given: Mapping[str, str], name: str) -> tuple[str, ...] | None:
    listed = _listed(given, name)
    return None if listed is None else tuple(state.replace("_", "-") for state in listed)


def _numbers(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if any(not (part.isascii() and part.isdigit()) for part in parts):
        raise BadFilter(f"trans_rec_id: '{printable(text, 60)}' is no list of numbers")
    return tuple(number for number in map(int, parts) if number <= LARGEST)


def _boolean(given: Mapping[str, str], name: str) -> bool | None:
    if name not in given:
        return None
    text = given[name].lower()
    if text not in (*_TRUE, *_FALSE):
        raise BadFilter(f"{name}: '{printable(text, 20)}' is neither true nor false")
    return text in _TRUE


def _range(text: str) -> tuple[datetime | None, datetime | None]:
    since, comma, until = text.partition(",")
    if not comma:
        raise BadFilter("update_time is FROM,UNTIL; either may be empty")
    return _moment(since), _moment(until)


def _moment(text: str) -> datetime | None:
    # A plus sign that was not escaped arrives as a space.
    text = text.strip().replace(" ", "+") if "T" in text else text.strip()
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadFilter(f"update_time: '{printable(text, 40)}' is no ISO date and time") from None
