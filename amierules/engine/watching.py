"""`run --watch`: go on for ever; survive the database, take in changed rules, end when asked to."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from amierules.database.notices import Bell, listening
from amierules.database.ownership import LostOwnership
from amierules.diagnostics import Unavailable
from amierules.engine.running import Runner
from amierules.engine.site import Site

POLL = 5.0
"""Seconds, about, after which it looks without having been told."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0


@dataclass
class Watcher:
    """Works on what comes, as long as it is not drained."""

    runner: Runner
    changed: Callable[[], Site | None]
    """The site with changed rules, where they have changed and can be used."""
    say: Callable[[str], None]
    """Tells people what happens, once."""
    poll: float = POLL
    idle: Callable[[], None] = lambda: None
    """Called when there is nothing to do for now."""
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
        with self.runner.opened() as slots, listening(self.runner.site.database, self._bell) as listener:
            self._was_there = True
            while not self._draining:
                if (site := self.changed()) is not None:
                    self.runner.use(site)
                self.runner.round(slots)
                self._is_there()
                if not self._draining:
                    self.idle()
                    listener.wait(_jittered(self.poll))

    def _is_there(self) -> None:
        if self._failures:
            self.say("the database is back")
        self._failures = 0

    def _wait_for_it(self, error: Unavailable | LostOwnership) -> None:
        if self._failures == 0:
            reason = error.reason if isinstance(error, LostOwnership) else error.findings[0].message
            self.say(f"{reason}; trying until it is back")
        self._bell.wait(_jittered(min(_FIRST_PAUSE * 2 ** min(self._failures, 10), _LONGEST_PAUSE)))
        self._failures += 1


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, guards nothing
