"""Statements that are made once do the same on both databases, at once or for many rows."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError

from amierules.database.connection import Database
from amierules.database.made import Made
from amierules.database.own_tables import meta, reservation

NEW = Made.upsert(meta, lambda new: new.on_conflict_do_nothing().returning(meta.c.name), ("name", "value"))
VALUE = Made(select(meta.c.value.label("said")).where(meta.c.name == bindparam("name")))
GONE = Made(delete(meta).where(meta.c.name == bindparam("name")))
RESERVED = Made(insert(reservation), columns=("what", "value", "packet_rec_id", "path", "at"))
TIMES = Made(select(reservation.c.at))
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


def _row(value: str, packet: int = 1) -> dict[str, object]:
    return {"what": "uid", "value": value, "packet_rec_id": packet, "path": value, "at": MOMENT}


def test_what_is_found_and_changed_is_told(any_database: Database) -> None:
    with any_database.begin() as connection:
        made = NEW.rows_of_each(connection, [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}])
        again = NEW.rows_of_each(connection, [{"name": "b", "value": "3"}, {"name": "c", "value": "4"}])
        assert [[list(row) for row in rows] for rows in (made, again)] == [[["a"], ["b"]], [["c"]]]
        assert NEW.rows_of_each(connection, []) == []
        assert (VALUE.value(connection, name="b"), VALUE.value(connection, name="z")) == ("2", None)
        assert VALUE.mappings(connection, name="b") == [{"said": "2"}]
        assert [VALUE.hits(connection, name=name) for name in ("a", "z")] == [1, 0]
        assert [GONE.hits(connection, name="a") for _ in range(2)] == [1, 0]


def test_values_have_the_types_of_their_columns(any_database: Database) -> None:
    with any_database.begin() as connection:
        RESERVED.for_each(connection, [_row("1"), _row("2")])
        RESERVED.for_each(connection, [])
        assert [row[0] for row in TIMES.rows(connection)] == [MOMENT, MOMENT]


@pytest.mark.parametrize("many", [False, True])
def test_what_the_database_refuses_is_told_as_always(any_database: Database, *, many: bool) -> None:
    def twice(connection: Connection) -> None:
        if many:
            RESERVED.for_each(connection, [_row("1"), _row("1", 2)])
        else:
            RESERVED.hits(connection, **_row("1"))
            RESERVED.hits(connection, **_row("1", 2))

    with pytest.raises(IntegrityError), any_database.begin() as connection:
        twice(connection)
    with any_database.read() as connection:
        assert list(TIMES.rows(connection)) == []
