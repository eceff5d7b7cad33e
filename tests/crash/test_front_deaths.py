"""The database front of the test central database, killed wherever it carries: each packet is carried once."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from amierules.database.amie_tables import STATE_NAMES, data_tbl, packet_tbl, transaction_tbl, type_des
from amierules.database.connection import Database
from amierules.testing.certified_site import ScratchSite, scratch_site
from amierules.tgcdb.central import Central
from amierules.tgcdb.database_front import DatabaseFront
from amierules.tgcdb.report import Report, make_report
from amierules.tgcdb.scenarios import scenarios
from amierules.tgcdb.store import Store
from amierules.tgcdb.tables import packet
from tests.support.certifying import SITE, a_site
from tests.support.crash_matrix import Backend, Record
from tests.support.deaths import KILLS, at_point, in_process
from tests.support.model_site import NOW, RESOURCES

POINTS = (
    *("in delivery", "after delivery", "after mark"),
    *("in taking", "after taking", "in writing back", "after writing back"),
)
SCENARIO = "request_project_reactivate"
ROUNDS = 20


class Play:
    """A scratch site, and a store and a front that others open anew."""

    def __init__(self, scratch: ScratchSite, url: str, store: Path) -> None:
        self.scratch = scratch
        self._url, self._store = url, store

    @contextmanager
    def central(self) -> Iterator[Central]:
        with Store.open(self._store, NOW) as store:
            yield Central(store, self.scratch.clock)

    def begin(self) -> None:
        with self.central() as central:
            central.agenda.begin(SITE, SCENARIO, scenarios()[SCENARIO].steps_on(RESOURCES), 1, RESOURCES)

    def carry(self, point: str = "") -> None:
        with self.central() as central, Database.open(self._url, create=False) as database:
            central.agenda.go_on()
            DatabaseFront(central, database, SITE, at_point(point)).carry()

    def killed(self, point: str) -> bool:
        """Whether it came to the point, and died there."""

        def work() -> str:
            self.carry(point)
            return ""

        return in_process(work)

    def report(self) -> Report:
        with self.central() as central:
            return make_report(central.store, SITE, NOW, unsent=central.agenda.unfinished(SITE))

    def is_over(self) -> bool:
        report = self.report()
        return not report.unsent and not report.counts()["in-progress"]

    def carried(self) -> Counter[tuple[str, bool]]:
        """How often the central database has a packet of each type, and whether it is for the site."""
        with self.central() as central, central.store.begin() as connection:
            return Counter(
                (name, to_site) for name, to_site in connection.execute(select(packet.c.type, packet.c.to_site))
            )

    def packets(self) -> Sequence[Any]:
        """What the site's tables have, each with its state and that of its transaction."""
        query = (
            select(type_des.c.type_name, packet_tbl.c.outgoing_flag, packet_tbl.c.state_id, transaction_tbl.c.state_id)
            .join_from(packet_tbl, type_des, type_des.c.type_id == packet_tbl.c.type_id)
            .join(transaction_tbl, transaction_tbl.c.trans_rec_id == packet_tbl.c.trans_rec_id)
            .order_by(packet_tbl.c.packet_rec_id)
        )
        with self.scratch.site.database.read() as connection:
            found = connection.execute(query).all()
        return [(name, flag, STATE_NAMES[state], STATE_NAMES[within]) for name, flag, state, within in found]


@contextmanager
def a_play(folder: Path, backend: Backend) -> Iterator[Play]:
    with (
        Database.open(backend.url, create=False) as database,
        scratch_site(a_site(folder / "site"), NOW, database) as scratch,
    ):
        play = Play(scratch, backend.url, folder / "central.db")
        play.begin()
        yield play


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.getfixturevalue({"sqlite": "file", "postgresql": "durable"}[request.param])
    return found


@pytest.mark.parametrize("point", POINTS)
def test_wherever_it_is_killed_each_packet_is_carried_once(
    tmp_path: Path, backend: Backend, point: str, record_property: Record
) -> None:
    kills = 0
    with a_play(tmp_path, backend) as play:
        for _ in range(ROUNDS):
            if play.killed(point):
                kills += 1
                backend.gone()
                play.carry()
            if play.is_over():
                break
            play.scratch.work()
        # What ends a transaction is sent last.
        play.scratch.work()
        play.carry()
        report, packets, carried = play.report(), play.packets(), play.carried()
    record_property(KILLS, [backend.name, "database front", point, kills])
    assert kills >= 2
    assert [one.rule for one in report.violations] == []
    assert report.lines
    assert report.counts()["completed"] == len(report.lines)
    assert {(state, within) for _, _, state, within in packets} == {("completed", "completed")}
    assert Counter((name, flag == 0) for name, flag, *_ in packets) == carried


@pytest.mark.parametrize("point", ["in taking", "after taking", "in writing back", "after writing back"])
def test_a_reply_that_is_refused_fails_its_transaction_wherever_it_is_killed(
    tmp_path: Path, backend: Backend, point: str, record_property: Record
) -> None:
    with a_play(tmp_path, backend) as play:
        play.carry()
        play.scratch.work()
        spoilt = update(data_tbl).where(data_tbl.c.tag == "ProjectID").values(tag="NoProjectID")
        with play.scratch.site.database.begin() as connection:
            connection.execute(spoilt)
        assert play.killed(point)
        record_property(KILLS, [backend.name, "database front", point, 1])
        backend.gone()
        play.carry()
        packets, report = play.packets(), play.report()
    assert packets[1][2:] == ("failed", "failed")
    assert "T10" in {one.rule for one in report.violations}
