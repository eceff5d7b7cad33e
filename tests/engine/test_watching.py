"""A run that watches: however long its database is away, it waits on."""

from dataclasses import dataclass, field
from pathlib import Path

from amierules.database.connection import Database
from amierules.database.notices import Bell
from amierules.engine.reloading import Reloader
from amierules.engine.running import Runner
from amierules.engine.watching import Watcher
from tests.support.sites import MakeSite, load, make_site, rpi, status_of

TRIES = 1200
"""The doubled pause of so many tries is no number that a computer has."""


@dataclass
class Quick(Bell):
    """Rings at once, and ends the watch after many times."""

    waits: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def wait(self, seconds: float, other: object = None) -> bool:
        self.waits.append(seconds)
        if len(self.waits) == TRIES:
            watchers[0].drain()
        return True


watchers: list[Watcher] = []


def test_a_database_may_be_away_for_days(tmp_path: Path) -> None:
    gone = Database.open_unchecked(f"postgresql:///amie?host={tmp_path}")
    said: list[str] = []
    bell = Quick()
    watcher = Watcher(Runner(make_site(gone, tmp_path, {})), lambda: None, said.append, _bell=bell, _was_there=True)
    watchers[:] = [watcher]
    watcher.watch()
    bell.close()
    gone.close()
    assert len(bell.waits) == TRIES
    assert max(bell.waits) <= 75
    assert len(said) == 1


def test_files_that_change_while_they_are_read_are_read_again(make: MakeSite, tmp_path: Path) -> None:
    site = make("packet: request_project_inactivate\nrules:\n  - {name: a, ignore: x}\n")
    file = site.configuration.rules[0] / "more.yaml"
    texts = ["first", "second half of a save"]

    def load() -> tuple[object, object, list[object]]:
        if texts:
            file.write_text(texts.pop(0), encoding="utf-8")
        return site.configuration, site.rulebook, []

    reloader = Reloader(site, tmp_path / "amierules.yaml", load, lambda text, findings: None)  # type: ignore[arg-type]
    assert reloader.changed() is None
    file.write_text("begun", encoding="utf-8")
    changes = [reloader.changed() is not None for _ in range(4)]
    assert changes == [True, True, True, False]


def test_a_run_that_is_to_end_before_it_has_its_connections_begins_nothing(make: MakeSite) -> None:
    site = make("packet: request_project_inactivate\nrules:\n  - {name: a, complete: x}\n")
    (packet,) = load(site, rpi())
    runner = Runner(site)
    runner.drain()
    assert runner.run() == []
    assert status_of(site, packet) == "ready"
