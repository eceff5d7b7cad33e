"""`run --watch`: go on for ever; survive the database, take in changed rules, end when asked to."""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

from amierules.database.notices import Bell, listening
from amierules.database.ownership import LostOwnership
from amierules.diagnostics import Unavailable
from amierules.engine.site import Site

POLL = 5.0
"""Seconds, about, after which it looks without having been told."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0


class Worker(Protocol):
    """What works, in rounds: `engine.running.Runner`, or something that stands in its place."""

    @property
    def site(self) -> Site:
        """What it works with."""

    def opened(self) -> AbstractContextManager[Any]:
        """What it has while it works, for its rounds. Raises `Unavailable`."""

    def round(self, slots: Any) -> None:
        """Works on all that is due. Raises `Unavailable`, `LostOwnership`."""

    def use(self, site: Site) -> None:
        """Works by other rules from now on."""

    def drain(self) -> None:
        """Begins nothing more. From any thread, or a signal."""


class Beside(Protocol):
    """What is done between the rounds. May raise `Unavailable` and `LostOwnership`."""

    def before_round(self) -> None:
        """What is done before the packets are worked on."""

    def after_round(self) -> None:
        """What is done afterwards."""

    def rests(self) -> float:
        """Seconds for which there is nothing to do, as far as it knows."""

    def use(self, site: Site) -> None:
        """Goes by other rules from now on."""


@dataclass
class Watcher:
    """Works on what comes, as long as it is not drained."""

    runner: Worker
    changed: Callable[[], Site | None]
    """The site with changed rules, where they have changed and can be used."""
    say: Callable[[str], None]
    """Tells people what happens, once."""
    poll: float = POLL
    idle: Callable[[], None] = lambda: None
    """Called when there is nothing to do for now."""
    roused: Callable[[], None] = lambda: None
    """Called when it was told that there may be something to do, and when the database is back."""
    beside: Callable[[], AbstractContextManager[Beside | None]] = lambda: nullcontext(None)
    """What else is done; it is opened once the runner is."""
    _bell: Bell = field(default_factory=Bell)
    _draining: bool = False
    _was_there: bool = False
    _failures: int = 0

    def watch(self) -> None:
        """Work until `drain`. Raises `Unavailable` where the database cannot be had at the beginning."""
        while not self._draining:
            try:
                self._rounds()
            except (Unavailable, LostOwnership) as error:
                if not self._was_there:
                    raise
                self._wait_for_it(error)

    def drain(self) -> None:
        """Begin nothing more, and end after the step that is under way. From any thread, or a signal's handler."""
        self._draining = True
        self.runner.drain()
        self._bell.ring()

    def _rounds(self) -> None:
        database = self.runner.site.database
        with self.runner.opened() as slots, self.beside() as beside, listening(database, self._bell) as listener:
            self._was_there = True
            while not self._draining:
                if (site := self.changed()) is not None:
                    for one in (self.runner, beside):
                        if one is not None:
                            one.use(site)
                self._round(slots, beside)
                self._is_there()
                if not self._draining:
                    self.idle()
                    wanted = _jittered(self.poll)
                    if listener.wait(wanted if beside is None else min(wanted, beside.rests())):
                        self.roused()

    def _round(self, slots: Any, beside: Beside | None) -> None:
        if beside is not None:
            beside.before_round()
        self.runner.round(slots)
        if beside is not None:
            beside.after_round()

    def _is_there(self) -> None:
        if self._failures:
            self.say("the database is back")
            self.roused()
        self._failures = 0

    def _wait_for_it(self, error: Unavailable | LostOwnership) -> None:
        if self._failures == 0:
            reason = error.reason if isinstance(error, LostOwnership) else error.findings[0].message
            self.say(f"{reason}; trying until it is back")
        self._bell.wait(_jittered(min(_FIRST_PAUSE * 2 ** min(self._failures, 10), _LONGEST_PAUSE)))
        self._failures += 1


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, guards nothing
