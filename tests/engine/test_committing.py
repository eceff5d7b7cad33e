"""A packet that is committed alone: the worker goes on while PostgreSQL does it, and each ends as if it had waited."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from amierules.database import work
from amierules.database.amie_tables import STATE_IDS, packet_tbl
from amierules.database.connection import Database
from amierules.database.own_tables import work as work_tbl
from amierules.database.ownership import LostOwnership
from amierules.diagnostics import Unavailable
from amierules.engine.running import Runner
from amierules.engine.site import Site
from tests.support.postgres import PostgresServer
from tests.support.sites import load, make_site, replies_to, rpi, run, status_of, work_of

ANSWERS = "packet: request_project_inactivate\nrules:\n  - {name: a, reply: {copy: [ProjectID, ResourceList]}}\n"
WORKS = """\
packet: request_project_inactivate
rules:
  - name: a
    actions: [{name: do, command: {run: ['true'], unless: {run: ['false']}}}]
    reply: {copy: [ProjectID, ResourceList]}
"""


@pytest.fixture
def database(postgres_ready_url: str) -> Iterator[Database]:
    with Database.open(postgres_ready_url, create=False) as opened:
        yield opened


def site_with(database: Database, folder: Path, rules: str) -> tuple[Site, list[int]]:
    """The site, and four packets that wait, of projects of their own."""
    site = make_site(database, folder, {"rules.yaml": rules})
    return site, load(site, *(rpi({"ProjectID": f"P{number}"}, packet_rec_id=100 + number) for number in range(4)))


def at(point: str, passage: int, what: Callable[[], None]) -> Callable[[str], None]:
    """Does something when a point is passed for so many times."""
    passed: list[str] = []

    def crash_point(name: str) -> None:
        passed.append(name)
        if name == point and passed.count(name) == passage:
            what()

    return crash_point


def change(database: Database, statement: Any) -> Callable[[], None]:
    """Something that another program commits."""

    def changed() -> None:
        # In a thread of its own: the worker's connections are its own.
        def commit() -> None:
            with database.begin() as connection:
                connection.execute(statement)

        other = threading.Thread(target=commit)
        other.start()
        other.join()

    return changed


def test_the_worker_goes_on_while_a_packet_is_committed(database: Database, tmp_path: Path) -> None:
    site, packets = site_with(database, tmp_path, ANSWERS)
    begun = threading.Event()
    released: list[bool] = []

    def hold(connection: Connection) -> None:
        row = select(packet_tbl.c.packet_rec_id).where(packet_tbl.c.packet_rec_id == packets[0]).with_for_update()
        connection.execute(row)
        holding.set()
        released.append(begun.wait(30))

    def in_the_way() -> None:
        with database.begin() as connection:
            hold(connection)

    holding = threading.Event()
    other = threading.Thread(target=in_the_way)
    runner = Runner(site, commit_together=1)
    runner.take_in()
    other.start()
    assert holding.wait(30)
    runner.crash_point = at("before settling", 2, begun.set)
    ended = [one.report.packet_rec_id for one in runner.run()]
    other.join()
    assert released == [True]
    assert ended == packets
    assert [status_of(site, packet) for packet in packets] == ["done"] * 4
    assert [len(replies_to(site, packet)) for packet in packets] == [1] * 4


def test_its_keys_are_kept_until_it_is_committed(database: Database, tmp_path: Path) -> None:
    site, packets = site_with(database, tmp_path, ANSWERS)
    seen: list[bool] = []
    runner = Runner(site, commit_together=1)
    key = f"trans:{work_of(site, packets[0]).trans_rec_id}" if runner.take_in() else ""

    def look() -> None:
        seen.append(runner._slots is not None and key in runner._slots.slots[0].claims.held)

    runner.crash_point = at("before settling", 2, look)
    runner.run()
    # Whether PostgreSQL has committed it by then is its affair: nobody has asked yet.
    assert seen == [True]


HELD = update(work_tbl).values(status="held", reason="by hand")
TAKEN = update(work_tbl).values(status="held", fence=work_tbl.c.fence + 1)
ENDED = update(packet_tbl).values(state_id=STATE_IDS["completed"])


@pytest.mark.parametrize(
    ("rules", "changed", "status"),
    [
        (ANSWERS, HELD, "held"),
        (ANSWERS, TAKEN, "held"),
        (WORKS, TAKEN, "held"),
        (ANSWERS, ENDED, "parked"),
        (WORKS, ENDED, "parked"),
    ],
)
def test_what_changes_before_the_commit_is_noticed(
    database: Database, tmp_path: Path, rules: str, changed: Any, status: str
) -> None:
    site, packets = site_with(database, tmp_path, rules)
    mine = changed.where(changed.table.c.packet_rec_id == packets[1])
    runner = Runner(site, commit_together=1, crash_point=at("in settling", 2, change(database, mine)))
    ended = {one.report.packet_rec_id: one.status for one in runner.run()}
    assert status_of(site, packets[1]) == status
    assert replies_to(site, packets[1]) == []
    assert {ended[packet] for packet in packets if packet != packets[1]} == {"done"}


def test_a_packet_is_committed_before_the_next_one_has_an_effect(database: Database, tmp_path: Path) -> None:
    site, packets = site_with(database, tmp_path, WORKS)
    found: list[str] = []

    def look() -> None:
        with database.read() as connection:
            item = work.get(connection, packets[0])
        found.append(item.status if item else "")

    runner = Runner(site, crash_point=at("before intent", 2, look))
    ended = [one.report.packet_rec_id for one in runner.run()]
    assert found == ["done"]
    assert ended == packets


def test_a_lost_connection_ends_the_run_and_the_next_one_goes_on(
    database: Database, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    site, packets = site_with(database, tmp_path, ANSWERS)
    runner = Runner(site, commit_together=1)

    def cut() -> None:
        assert postgres_server.end_connections(database.url.database or "")

    runner.crash_point = at("before settling", 3, cut)
    with pytest.raises((Unavailable, LostOwnership)):
        runner.run()
    run(site)
    assert [status_of(site, packet) for packet in packets] == ["done"] * 4
    assert [len(replies_to(site, packet)) for packet in packets] == [1] * 4
