"""Processes killed by SIGKILL at each point of each kind of action: the next one does each thing once, or asks."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from amierules.database.connection import Database
from amierules.engine.deciding import Resolution, settle_doubt
from amierules.engine.site import Site
from tests.support.crash_kinds import DURING, KINDS, NOBODY_KNOWS, CrashKind
from tests.support.deaths import KILLS, at_point, run_in_process
from tests.support.outcomes import left_by
from tests.support.postgres import PostgresServer
from tests.support.shadow import ScratchRoot
from tests.support.sites import load, make_site, reason_of, registry, rpi, run, status_of

DATABASES = ("sqlite", "postgresql")
IDS = {"uid": {"range": [20000, 29999]}, "gid": {"range": [40000, 49999]}, "person_id": {"from": "uid"}}


class Matrix:
    """A site whose rule has one kind of action, and a packet for each way to die."""

    def __init__(self, kind: CrashKind, url: str, folder: Path, gone: Callable[[], None]) -> None:
        self.kind = kind
        self.log = folder / "log"
        self.root = ScratchRoot.make(folder / "root")
        self.site: Site = make_site(
            Database.open_unchecked(url), folder, kind.rules(folder), prefix=self.root.path, ids=IDS
        )
        self.gone = gone
        self.names = [f"p{number:04}" for number in range(1 + len(kind.cells()))]
        self.packets = load(self.site, *(rpi({"ProjectID": name}) for name in self.names))

    def kill(self, number: int, point: str, passage: int) -> None:
        """Let a process work on a packet until it dies there."""
        packet, name = self.packets[number], self.names[number]
        if point == DURING:
            armed = Path(f"{self.log}.kill-{self.kind.commands[passage - 1]}-{name}")
            killed = run_in_process(self.site, [packet], first=lambda: _write_own_id(armed))
        else:
            killed = run_in_process(self.site, [packet], crash_point=at_point(point, passage))
        assert killed, f"not killed {point} ({passage}): {reason_of(self.site, packet)}"
        self.gone()

    def left(self, number: int) -> dict[str, object]:
        """What the packet has left."""
        return left_by(self.site, self.packets[number], self.names[number], self.log, self.root.path)


def _write_own_id(armed: Path) -> None:
    armed.write_text(f"{os.getpid()}\n")


@pytest.fixture(params=DATABASES)
def backend(request: pytest.FixtureRequest) -> tuple[str, str, Callable[[], None]]:
    """The database's kind, its URL, and what waits until the server has noticed that a client is dead."""
    if request.param == "sqlite":
        return request.param, request.getfixturevalue("sqlite_url"), lambda: None
    url: str = request.getfixturevalue("durable_url")
    server: PostgresServer = request.getfixturevalue("durable_server")
    name = url.split("?", maxsplit=1)[0].rsplit("/", 1)[1]
    return request.param, url, lambda: server.wait_until_alone(name)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kill_changes_nothing_of_how_it_ends(
    kind: CrashKind, backend: tuple[str, str, Callable[[], None]], tmp_path: Path
) -> None:
    database, url, gone = backend
    matrix = Matrix(kind, url, tmp_path, gone)
    # In this process, once: what SQLAlchemy makes of the statements is there for those that are forked from it.
    run(matrix.site, [matrix.packets[0]])
    wanted = matrix.left(0)
    assert wanted["status"] == "done"
    for number, (point, passage) in enumerate(kind.cells(), 1):
        matrix.kill(number, point, passage)
        KILLS[database, kind.name, point] += 1
    assert not run_in_process(matrix.site)
    doubtful = {
        number: point
        for number, (point, passage) in enumerate(kind.cells(), 1)
        if kind.at_most_once and point in NOBODY_KNOWS and passage == 2
    }
    _settle_by_hand(matrix, doubtful)
    with matrix.site.database.kept():
        ends = {cell: matrix.left(number) for number, cell in enumerate(kind.cells(), 1)}
    assert {cell: end for cell, end in ends.items() if end != wanted} == {}
    assert Counter(matrix.log.read_text().splitlines()).most_common(1)[0][1] == 1
    _no_id_was_lost(matrix)


def _settle_by_hand(matrix: Matrix, doubtful: dict[int, str]) -> None:
    """Packets whose command may have had its effect are in doubt, and nothing else is; a person looks and says so."""
    statuses = {number: status_of(matrix.site, packet) for number, packet in enumerate(matrix.packets)}
    not_done = {number: status for number, status in statuses.items() if status != "done"}
    assert not_done == dict.fromkeys(doubtful, "in_doubt")
    effects = matrix.log.read_text().splitlines()
    for number, point in doubtful.items():
        done = f"kind {matrix.names[number]}" in effects
        assert done == (point != "after intent")
        result = {"rc": 0, "stdout": "", "stderr": "", "changed": True}
        settle_doubt(matrix.site, matrix.packets[number], "kind", Resolution(done, result if done else None, "", "pat"))
    if doubtful:
        assert not run_in_process(matrix.site)


def _no_id_was_lost(matrix: Matrix) -> None:
    """Each packet has its own ids, and they are the first that there are."""
    view = registry(matrix.site)
    persons = [view.find_person(login=name) for name in matrix.names]
    projects = [view.find_project(project_id=name) for name in matrix.names]
    uids = [person.uid or 0 for person in persons if person is not None]
    gids = [project.gid or 0 for project in projects if project is not None]
    assert sorted(uids) == list(range(20000, 20000 + len(uids)))
    assert sorted(gids) == list(range(40000, 40000 + len(gids)))


def test_the_matrix_is_of_at_least_500_kills() -> None:
    assert len(DATABASES) * sum(len(kind.cells()) for kind in KINDS) >= 500
