"""Exchanging packets without working on them: what stands in a runner's place where nothing is run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from amierules.engine.site import Site


@dataclass
class Alone:
    """A worker that does nothing, and keeps others from an SQLite file as a run does."""

    site: Site

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Holds the lock of an SQLite file. Raises `Unavailable`."""
        with self.site.database.run_lock():
            yield

    def round(self, slots: None) -> None:
        """Nothing is worked on."""

    def use(self, site: Site) -> None:
        """Other rules change nothing here."""
        self.site = site

    def drain(self) -> None:
        """Nothing is under way."""
