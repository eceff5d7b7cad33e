"""The crash matrix: processes killed by SIGKILL at each point of each kind of action, and how it ends after each."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from amierules.database.connection import Database
from amierules.engine.directories import directory_of
from amierules.engine.doubt import Resolution, settle_doubt
from amierules.engine.site import Site
from tests.support.crash_kinds import DURING, CrashKind
from tests.support.deaths import KILLS, at_point, run_in_process
from tests.support.outcomes import left_by, plain
from tests.support.shadow import ScratchRoot
from tests.support.sites import load, make_site, reason_of, registry, rpi, run, status_of

IDS = {"uid": {"range": [20000, 29999]}, "gid": {"range": [40000, 49999]}, "person_id": {"from": "uid"}}

Record = Callable[[str, object], None]
"""Pytest's `record_property`."""


@dataclass(frozen=True)
class Backend:
    """A database for processes that die."""

    name: str
    url: str
    gone: Callable[[], None] = lambda: None
    """Waits until the server has noticed that its clients are dead."""

    @property
    def database(self) -> str:
        """Its name."""
        return self.url.split("?", maxsplit=1)[0].rsplit("/", 1)[1]


@dataclass(frozen=True)
class Elsewhere:
    """A server beside the database on which a kind of action works."""

    sections: Mapping[str, Any] = field(default_factory=dict)
    """What the site's configuration says of it."""
    look: Callable[[str], object] = lambda name: None
    """What it has by the name of a packet."""


class Matrix:
    """A site whose rule has one kind of action, and packets; the first one is done already, in this process.

    So what SQLAlchemy makes of the statements is there for the processes that are forked from it.
    """

    def __init__(
        self, kind: CrashKind, backend: Backend, folder: Path, packets: int, elsewhere: Elsewhere = Elsewhere()
    ) -> None:
        self.kind = kind
        self.backend = backend
        self.log = folder / "log"
        self.root = ScratchRoot.make(folder / "root")
        self.elsewhere = elsewhere
        self.site: Site = make_site(
            Database.open_unchecked(backend.url),
            folder,
            kind.rules(folder),
            prefix=self.root.path,
            ids=IDS,
            **elsewhere.sections,
        )
        self.names = [f"p{number:04}" for number in range(1 + packets)]
        self.packets = load(self.site, *(rpi({"ProjectID": name}) for name in self.names))
        run(self.site, [self.packets[0]])
        # The processes that are forked must not use this one's connection.
        world = replace(self.site.world, directory=directory_of(self.site.configuration))
        self.site = replace(self.site, world=world)
        self.wanted = self.left(0)
        assert self.wanted["status"] == "done", reason_of(self.site, self.packets[0])

    def kill(self, number: int, point: str, passage: int) -> None:
        """Let a process work on a packet until it dies there."""
        packet, name = self.packets[number], self.names[number]
        if point == DURING:
            armed = Path(f"{self.log}.kill-{self.kind.commands[passage - 1]}-{name}")
            killed = run_in_process(self.site, [packet], first=lambda: _write_own_id(armed))
        else:
            killed = run_in_process(self.site, [packet], crash_point=at_point(point, passage))
        assert killed, f"not killed {point} ({passage}): {reason_of(self.site, packet)}"
        self.backend.gone()

    def left(self, number: int) -> dict[str, object]:
        """What the packet has left."""
        name = self.names[number]
        elsewhere = plain(self.elsewhere.look(name), name)
        return {**left_by(self.site, self.packets[number], name, self.log, self.root.path), "elsewhere": elsewhere}

    def check(self) -> None:
        """All packets have left what the first one has, each effect was had once, and no id was lost."""
        with self.site.database.kept():
            ends = {number: self.left(number) for number in range(1, len(self.packets))}
        others = {number: end for number, end in ends.items() if end != self.wanted}
        assert others == {}, (others, self.wanted)
        assert Counter(self.log.read_text().splitlines()).most_common(1)[0][1] == 1
        self._no_id_was_lost()

    def _no_id_was_lost(self) -> None:
        """Each packet has its own ids, and they are the first that there are."""
        view = registry(self.site)
        persons = [view.find_person(login=name) for name in self.names]
        projects = [view.find_project(project_id=name) for name in self.names]
        uids = [person.uid or 0 for person in persons if person is not None]
        gids = [project.gid or 0 for project in projects if project is not None]
        assert sorted(uids) == list(range(20000, 20000 + len(uids)))
        assert sorted(gids) == list(range(40000, 40000 + len(gids)))


def _write_own_id(armed: Path) -> None:
    armed.write_text(f"{os.getpid()}\n")


def play(
    kind: CrashKind,
    backend: Backend,
    folder: Path,
    record: Record,
    elsewhere: Elsewhere = Elsewhere(),
    *,
    passages: range | None = None,
) -> None:
    """Kills a process in each cell of the kind, and lets one more end what they left; all must be as without kills.

    With `passages` only in the cells of these.
    """
    cells = [cell for cell in kind.cells() if passages is None or cell[1] in passages]
    matrix = Matrix(kind, backend, folder, len(cells), elsewhere)
    for number, (point, passage) in enumerate(cells, 1):
        matrix.kill(number, point, passage)
        record(KILLS, [backend.name, kind.name, point, 1])
    assert not run_in_process(matrix.site)
    effects = matrix.log.read_text().splitlines()
    settle_by_hand(matrix, cells)
    matrix.check()
    for number in kind.doubtful(cells):
        # Killed before the command was started, or after: a person sees it, and no program can.
        assert (f"kind {matrix.names[number]}" in effects) == (cells[number - 1][0] != "after intent")


def settle_by_hand(matrix: Matrix, cells: Sequence[tuple[str, int]]) -> None:
    """Packets whose command may have had its effect are in doubt, and nothing else is; a person looks and says so."""
    doubtful = matrix.kind.doubtful(cells)
    statuses = {number: status_of(matrix.site, packet) for number, packet in enumerate(matrix.packets)}
    not_done = {number: status for number, status in statuses.items() if status != "done"}
    assert not_done == dict.fromkeys(doubtful, "in_doubt")
    effects = matrix.log.read_text().splitlines()
    for number in doubtful:
        done = f"kind {matrix.names[number]}" in effects
        result = {"rc": 0, "stdout": "", "stderr": "", "changed": True}
        settle_doubt(matrix.site, matrix.packets[number], "kind", Resolution(done, result if done else None, "", "pat"))
    if doubtful:
        run(matrix.site)
