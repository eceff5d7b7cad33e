"""One parameter for several values, on either database."""

import pytest
from sqlalchemy import select

from amierules.database.connection import Database
from amierules.database.one_of import among_found, one_of
from amierules.database.own_tables import work, work_key
from amierules.database.usage_tables import usage
from tests.support.amie_rows import add_work

KEYS = ["grant:a", 'person:O\'Hara "x" \\ %s', "grant:é\u2603", "", '{"a": [1]}', "null", "1"]


@pytest.mark.parametrize("wanted", [[], [1], [2, 1, 1, 99], range(1, 2000)])
def test_numbers(database: Database, wanted: list[int]) -> None:
    with database.begin() as connection:
        for number in (1, 2, 3):
            add_work(connection, number)
        found = connection.scalars(select(work.c.packet_rec_id).where(one_of(work.c.packet_rec_id, wanted))).all()
        named = select(work.c.packet_rec_id).where(one_of(work.c.packet_rec_id, "ids"))
        assert sorted(connection.scalars(named, {"ids": wanted})) == sorted(found)
        unwanted = connection.scalars(select(work.c.packet_rec_id).where(~one_of(work.c.packet_rec_id, wanted))).all()
    assert sorted(found) == sorted({1, 2, 3} & set(wanted))
    assert sorted(unwanted) == sorted({1, 2, 3} - set(wanted))


@pytest.mark.parametrize("wanted", [[], ["grant:2"], ["grant:1", "grant:2", "grant:9"]])
def test_what_a_query_finds(database: Database, wanted: list[str]) -> None:
    with database.begin() as connection:
        for number in (1, 2, 3):
            add_work(connection, number, keys=(f"grant:{number}",))
        found = select(work_key.c.packet_rec_id).where(one_of(work_key.c.key, wanted))
        query = select(work.c.packet_rec_id).where(among_found(work.c.packet_rec_id, found))
        assert sorted(connection.scalars(query)) == [int(key[-1]) for key in wanted if key != "grant:9"]


@pytest.mark.parametrize("number", [7, 2**40])
def test_numbers_as_large_as_their_column(database: Database, number: int) -> None:
    with database.read() as connection:
        assert connection.execute(select(usage.c.job_id).where(one_of(usage.c.usage_id, [number]))).all() == []


@pytest.mark.parametrize("wanted", [[], KEYS[:1], KEYS, ["unknown"], ["gränt:a"]])
def test_texts(database: Database, wanted: list[str]) -> None:
    with database.begin() as connection:
        add_work(connection, 1, keys=tuple(KEYS))
        found = connection.scalars(select(work_key.c.key).where(one_of(work_key.c.key, wanted))).all()
    assert sorted(found) == sorted(set(KEYS) & set(wanted))


def test_an_index_serves(database: Database) -> None:
    with database.begin() as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql("set local enable_seqscan = off")
        query = select(work_key.c.packet_rec_id).where(one_of(work_key.c.key, KEYS), work_key.c.packet_rec_id > 0)
        text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
        how = "explain query plan" if database.is_sqlite else "explain"
        plan = " ".join(str(row) for row in connection.exec_driver_sql(f"{how} {text.replace('%', '%%')}"))
    assert "amierules_work_key_by_key" in plan
    assert "key=?" in plan if database.is_sqlite else "key = ANY" in plan
