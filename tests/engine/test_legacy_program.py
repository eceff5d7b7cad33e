"""Beside a legacy AMIE program that writes AMIE's tables while two runs work: all it does is found, none twice."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
from psycopg2 import extensions

from amierules.database.amie_tables import STATE_IDS
from amierules.database.connection import Database
from amierules.engine.running import Runner
from amierules.engine.site import Site
from tests.support.sites import ALPHA, CENTRAL, SITE, events_of, make_site, replies_to, run, status_of

TRANSACTIONS = 32
FAR = 1500
"""So many ids further on, a quick pass does not look back."""
RULES = """
packet: request_project_inactivate
rules:
  - name: a
    actions:
      - name: effect
        command: {run: [sh, -c, 'echo "$0" >> LOG', "{{ header.packet_rec_id }}"], unless: {run: ["false"]}}
    reply: {copy: [ProjectID, ResourceList]}
"""


class LegacyProgram:
    """It owns the tables: it knows nothing of us, and what it has begun it commits when it likes."""

    def __init__(self, url: str, choice: random.Random) -> None:
        self._url, self._choice = url, choice
        self._later: list[Callable[[], None]] = []
        self._transactions: list[int] = []
        self.packets: dict[int, str] = {}
        """What it did with each packet."""

    def work(self) -> None:
        """Writes packets of every sort in between each other."""
        sorts = [self.plain, self.late, self.far_behind, self.released, self.depends, self.ended]
        for number in range(TRANSACTIONS):
            sorts[number % len(sorts)]()
            if len(self._later) > 4:
                self._later.pop(self._choice.randrange(len(self._later)))()
        while self._later:
            self._later.pop(0)()

    def plain(self) -> None:
        with self._committed() as session:
            self._packet(session, "plain")

    def late(self) -> None:
        """Commits a packet when others, which began later, are there already."""
        session = psycopg2.connect(self._url)
        self._packet(session, "late")
        self._later.append(lambda: self._commit(session))

    def far_behind(self) -> None:
        self.late()
        with self._committed() as session:
            self._tell(
                session,
                f"select setval('packet_tbl_packet_rec_id_seq', (nextval('packet_tbl_packet_rec_id_seq') + {FAR}))",
            )
        self.plain()

    def released(self) -> None:
        with self._committed() as session:
            self._packet(session, "released", "on-hold")
        trans = self._transactions[-1]

        def release() -> None:
            with self._committed() as session:
                self._set_transaction(session, trans, "in-progress")

        self._later.append(release)

    def depends(self) -> None:
        with self._committed() as session:
            before = self._choice.choice(self._transactions)
            self._packet(session, "depends")
            self._tell(session, f"insert into transaction_depends_tbl values ({self._transactions[-1]}, {before})")

    def ended(self) -> None:
        """A person at the central site ends it, if nobody has yet."""
        with self._committed() as session:
            packet = self._packet(session, "ended")

        def end() -> None:
            with self._committed() as session:
                states = f"state_id = {STATE_IDS['completed']} where state_id = {STATE_IDS['in-progress']}"
                self._tell(session, f"update packet_tbl set {states} and packet_rec_id = {packet}")

        self._later.append(end)

    def set_back(self, packets: list[int]) -> None:
        """Puts packets that were answered back in progress."""
        with self._committed() as session:
            for packet in packets:
                self._tell(
                    session,
                    f"update packet_tbl set state_id = {STATE_IDS['in-progress']} where packet_rec_id = {packet}",
                )
                self.packets[packet] = "set back"

    def complete(self) -> None:
        """The other side has seen the replies: their transactions are over, and those of packets that it has ended."""
        with self._committed() as session:
            over = f"outgoing_flag = 1 or state_id = {STATE_IDS['completed']}"
            answered = f"select trans_rec_id from packet_tbl where {over}"
            self._tell(
                session,
                f"update transaction_tbl set state_id = {STATE_IDS['completed']} where trans_rec_id in ({answered})",
            )

    def _packet(self, session: extensions.connection, sort: str, state: str = "in-progress") -> int:
        number = len(self.packets) + 1
        trans = self._tell(
            session,
            "insert into transaction_tbl"
            " (originating_site_name, transaction_id, local_site_name, remote_site_name, state_id)"
            f" values ('{CENTRAL}', {number}, '{SITE}', '{CENTRAL}', {STATE_IDS[state]}) returning trans_rec_id",
        )
        packet = self._tell(
            session,
            "insert into packet_tbl (trans_rec_id, packet_id, type_id, version, state_id, outgoing_flag)"
            f" select {trans}, 1, type_id, '1.0', {STATE_IDS['in-progress']}, 0 from type_des"
            " where type_name = 'request_project_inactivate' returning packet_rec_id",
        )
        for tag, value in (("ProjectID", f"P{number}"), ("ResourceList", ALPHA)):
            self._tell(session, f"insert into data_tbl values ({packet}, '{tag}', null, 0, '{value}')")
        self._transactions.append(trans)
        self.packets[packet] = sort
        return packet

    def _set_transaction(self, session: extensions.connection, trans: int, state: str) -> None:
        self._tell(session, f"update transaction_tbl set state_id = {STATE_IDS[state]} where trans_rec_id = {trans}")

    @staticmethod
    def _tell(session: extensions.connection, statement: str) -> int:
        with session.cursor() as cursor:
            cursor.execute(statement)
            return int(cursor.fetchall()[0][0]) if cursor.description else 0

    @contextmanager
    def _committed(self) -> Iterator[extensions.connection]:
        session = psycopg2.connect(self._url)
        yield session
        self._commit(session)

    @staticmethod
    def _commit(session: extensions.connection) -> None:
        session.commit()
        session.close()


def _beside(site: Site, work: Callable[[], None]) -> None:
    """Does the work while two runs go on."""
    over = threading.Event()
    errors: list[BaseException] = []

    def go_on() -> None:
        try:
            while not over.is_set():
                handled = Runner(site).run()
                assert not [one.report.crash for one in handled if one.report.crash]
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=go_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        work()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert errors == []


def test_all_that_a_legacy_program_does_is_found_and_nothing_is_done_twice(
    legacy_postgres_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.touch()
    with Database.open(legacy_postgres_url, create=False) as database:
        site = make_site(database, tmp_path / "site", {"a.yaml": RULES.replace("LOG", str(log))})
        legacy = LegacyProgram(legacy_postgres_url, random.Random(5))
        _beside(site, legacy.work)
        for _ in range(TRANSACTIONS):
            legacy.complete()
            if not run(site):
                break
        # What depends on others' transactions is left alone while those go on.
        free = [packet for packet, sort in legacy.packets.items() if sort != "depends" and replies_to(site, packet)]
        back = free[::5]
        with database.begin() as connection:
            connection.exec_driver_sql(f"update transaction_tbl set state_id = {STATE_IDS['in-progress']}")
        _beside(site, lambda: legacy.set_back(back))
        run(site)
        effects = Counter(log.read_text().split())
        for packet, sort in legacy.packets.items():
            replies = len(replies_to(site, packet))
            if sort == "ended" and replies == 0:
                assert effects[str(packet)] <= 1, packet  # before any run had seen it, or while its command ran
                continue
            assert effects[str(packet)] == replies, (packet, sort)
            assert replies == 1, (packet, sort)
            assert status_of(site, packet) == ("held" if sort == "set back" else "done"), (packet, sort)
            assert [event.why for event in events_of(site, packet)].count("arrived") == 1, (packet, sort)
        assert Counter(legacy.packets.values())["set back"] == len(back) > 3
