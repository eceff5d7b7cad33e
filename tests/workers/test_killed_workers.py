"""Workers that are killed at random, over a database that stops twice: each packet is answered once, in its order."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from amierules.database import work
from amierules.database.connection import Database
from amierules.diagnostics import Unavailable
from tests.support.chaos import (
    Workers,
    chaos_site,
    check_effects,
    check_replies,
    effects,
    is_long,
    load,
    related_packets,
    size,
)
from tests.support.command_line import call
from tests.support.postgres import PostgresServer

PATIENCE = float(os.environ.get("AMIERULES_PATIENCE") or 1800)
"""Seconds after which what is left counts as forgotten."""

SMALL = 60
"""How many packets there are where nobody says."""

DRAINED = {0, -signal.SIGTERM, 128 + signal.SIGTERM}
"""How a worker ends when it is asked to; the others where it had not begun yet, here and on a host of its own."""


def statuses(url: str) -> Counter[str]:
    with Database.open(url, create=False) as database, database.read() as connection:
        return Counter(work.count_by_status(connection))


def drive(
    workers: Workers,
    url: str,
    packets: int,
    *,
    kills: int,
    stops: list[Callable[[], None]],
    choice: random.Random,
) -> None:
    """Kills workers now and then, and amid each long effect, and stops the database when a part of the packets is done,
    until all are."""
    deadline = time.monotonic() + PATIENCE
    stop_at = [packets * (number + 1) // (len(stops) + 1) for number in range(len(stops))]
    kill_at = sorted(choice.randrange(packets) for _ in range(kills))
    orphaned: set[int] = set()
    tick = threading.Event()
    while True:
        log = effects(workers.folder / "log")
        done = len({one.packet for one in log if one.end is not None and not one.cut})
        if done == packets:
            break
        assert time.monotonic() < deadline, (done, statuses(url), (workers.folder / "output").read_text()[-3000:])
        workers.revive()
        for one in log:
            worker = workers.at_work_on(one) if one.end is None and is_long(one) else None
            if worker is not None and one.packet not in orphaned:
                orphaned.add(one.packet)
                workers.kill(worker)
        if kill_at and done >= kill_at[0]:
            kill_at.pop(0)
            workers.kill(choice.choice(workers.running))
        if stop_at and done >= stop_at[0]:
            stop_at.pop(0)
            stops.pop(0)()
        tick.wait(choice.uniform(0.02, 0.1))
    while True:
        try:
            found = statuses(url)
        except Unavailable:
            found = Counter[str]()
        if found["done"] == packets:
            workers.revive()
            return
        assert time.monotonic() < deadline, (found, (workers.folder / "output").read_text()[-3000:])
        tick.wait(0.2)


@pytest.mark.parametrize("processes", [2, 8])
def test_workers_on_postgresql(tmp_path: Path, processes: int) -> None:
    packets, choice = size(SMALL), random.Random(processes)
    server = PostgresServer(durable=True)

    def restart(stop: Callable[[], None]) -> Callable[[], None]:
        def stop_and_start() -> None:
            stop()
            server.start()

        return stop_and_start

    name = server.create_database()
    folder = chaos_site(tmp_path / "site", server.url(name))
    # What is left on another host is waited for, for half a minute each time: at full size alone.
    workers = Workers(folder, ("--watch",), elsewhere=0 if packets == SMALL else processes // 2)
    try:
        assert call("db", "create", "--config", folder / "amierules.yaml").status == 0
        load(folder, related_packets(packets, choice))
        workers.start(processes)
        stops = [restart(server.stop), restart(server.crash)]
        drive(workers, server.url(name), packets, kills=3 + packets // 50, stops=stops, choice=choice)
        assert set(workers.end()) <= DRAINED
        check_effects(folder / "log")
        assert workers.outlived()
        with Database.open(server.url(name), create=False) as database:
            check_replies(database)
    finally:
        workers.abandon()
        server.remove()


def test_jobs_on_sqlite(tmp_path: Path) -> None:
    packets, choice = size(SMALL), random.Random(7)
    folder = chaos_site(tmp_path / "site", None)
    workers = Workers(folder, ("--watch", "--jobs", "4"))
    try:
        load(folder, related_packets(packets, choice))
        workers.start()
        url = f"sqlite:///{folder}/amie.db"
        drive(workers, url, packets, kills=3 + packets // 50, stops=[], choice=choice)
        assert set(workers.end()) <= DRAINED
        check_effects(folder / "log")
        assert workers.outlived()
        with Database.open(url, create=False) as database:
            check_replies(database)
    finally:
        workers.abandon()
