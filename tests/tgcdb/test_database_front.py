"""The database front: rows that a site writes wrong are told, and what it writes right is carried, once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from amierules.database.amie_tables import (
    STATE_IDS,
    STATE_NAMES,
    data_tbl,
    expected_reply_tbl,
    packet_tbl,
    transaction_tbl,
)
from amierules.database.connection import Database
from amierules.database.originating import originate
from amierules.tgcdb.report import make_report
from amierules.tgcdb.scenarios import scenarios
from tests.support.certifying import SITE, Bench, a_bench, a_site
from tests.support.model_site import NOW, RESOURCES


@pytest.fixture
def bench(tmp_path: Path, database: Database) -> Iterator[Bench]:
    with a_bench(a_site(tmp_path / "site"), database=database) as made:
        yield made


def _begin(bench: Bench, name: str = "request_project_reactivate") -> None:
    steps = scenarios()[name].steps_on(RESOURCES)
    bench.central.agenda.begin(SITE, name, steps, 1, RESOURCES)
    bench.front.carry()


def _change(bench: Bench, *statements: Any) -> None:
    with bench.scratch.site.database.begin() as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0


def _broken(bench: Bench) -> set[str]:
    return {one.rule for one in make_report(bench.central.store, SITE, bench.central.clock.now()).wrong}


def _packets(bench: Bench) -> list[tuple[int, str]]:
    columns = packet_tbl.c
    with bench.scratch.site.database.read() as connection:
        found = connection.execute(select(columns.outgoing_flag, columns.state_id).order_by(columns.packet_rec_id))
        return [(row.outgoing_flag, STATE_NAMES[row.state_id]) for row in found]


SENT = packet_tbl.c.outgoing_flag == 1
REPLY = select(packet_tbl.c.packet_rec_id).where(SENT).scalar_subquery()
WRONG = {
    "T40": update(packet_tbl).where(SENT).values(version="2.0"),
    "T41": delete(expected_reply_tbl).where(expected_reply_tbl.c.packet_rec_id == REPLY),
    "T42": update(packet_tbl).where(~SENT).values(state_id=STATE_IDS["in-progress"]),
    "T43": update(data_tbl).where(data_tbl.c.packet_rec_id == REPLY, data_tbl.c.tag == "ResourceList").values(seq=4),
}


@pytest.mark.parametrize("rule", WRONG)
def test_rows_that_are_written_wrong(bench: Bench, rule: str) -> None:
    _begin(bench)
    bench.scratch.work()
    _change(bench, WRONG[rule])
    bench.front.carry()
    assert _broken(bench) == {rule}


def test_a_transaction_that_names_the_sites_wrong(bench: Bench) -> None:
    body: dict[str, Any] = {"GlobalID1": "1", "GlobalID2": "2"}
    with bench.scratch.site.database.begin() as connection:
        originate(
            connection,
            type_name="notify_person_duplicate",
            body=body,
            site_name=SITE,
            remote_site_name="TGCDB",
            now=NOW,
        )
    _change(bench, update(transaction_tbl).values(local_site_name="TGCDB", remote_site_name=SITE))
    bench.front.carry()
    assert _broken(bench) == {"T44"}


def test_what_the_site_starts_is_answered(bench: Bench) -> None:
    body: dict[str, Any] = {"GlobalID1": "1", "GlobalID2": "2"}
    with bench.scratch.site.database.begin() as connection:
        originate(
            connection,
            type_name="notify_person_duplicate",
            body=body,
            site_name=SITE,
            remote_site_name="TGCDB",
            now=NOW,
        )
    bench.front.carry()
    assert _packets(bench) == [(1, "completed"), (0, "in-progress")]
    bench.scratch.work()
    bench.front.carry()
    assert _packets(bench) == [(1, "completed"), (0, "completed")]
    assert _broken(bench) == set()


def test_a_reply_that_is_refused_fails_the_transaction(bench: Bench) -> None:
    _begin(bench)
    bench.scratch.work()
    _change(bench, update(data_tbl).where(data_tbl.c.tag == "ProjectID").values(tag="NoProjectID"))
    bench.front.carry()
    assert "T10" in _broken(bench)
    assert _packets(bench)[1] == (1, "failed")
    with bench.scratch.site.database.read() as connection:
        assert connection.execute(select(transaction_tbl.c.state_id)).scalars().first() == STATE_IDS["failed"]


def test_nothing_is_carried_twice(bench: Bench) -> None:
    _begin(bench)
    before = _packets(bench)
    bench.front.carry()
    assert _packets(bench) == before == [(0, "in-progress")]
    bench.scratch.work()
    bench.front.carry()
    bench.front.carry()
    assert _broken(bench) == set()
    assert _packets(bench) == [(0, "completed"), (1, "completed"), (0, "in-progress")]


def test_a_packet_that_was_delivered_by_a_front_that_died_is_not_delivered_again(bench: Bench) -> None:
    _begin(bench)
    with bench.central.store.begin() as connection:
        connection.exec_driver_sql("update packet set local_rec_id = null")
    bench.front.carry()
    assert _packets(bench) == [(0, "in-progress")]


def test_a_failed_copy_is_replaced_when_the_packet_is_sent_again(bench: Bench) -> None:
    _begin(bench)
    _change(
        bench,
        update(packet_tbl).values(state_id=STATE_IDS["failed"]),
        update(data_tbl).where(data_tbl.c.tag == "ProjectTitle").values(value="damaged"),
    )
    with bench.central.store.begin() as connection:
        connection.exec_driver_sql("update packet set local_rec_id = null")
    bench.front.carry()
    assert _packets(bench) == [(0, "in-progress")]
    with bench.scratch.site.database.read() as connection:
        values = connection.execute(select(data_tbl.c.value).where(data_tbl.c.tag == "ProjectTitle")).scalars().all()
    assert values != ["damaged"]
    assert len(values) == 1
