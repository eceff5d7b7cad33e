"""The line to one server: fetching, posting, acknowledging, telling; and how long it is left alone when it is away."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from amierules.database import client_states, posts
from amierules.database.claims import Claims
from amierules.database.client_states import Untold
from amierules.database.order import ENDS_PROJECT
from amierules.database.posts import ACKNOWLEDGEMENT, SENDING, Posted, ToPost
from amierules.diagnostics import printable
from amierules.engine.site import CrashPoint, Site
from amierules.exchange.fetching import Fetched, Fetcher
from amierules.exchange.posting import Away, Poster
from amierules.exchange.remote import Remote
from amierules.ports.taking import Refused, SendingFault

_AFTER_A_REPLY = timedelta(seconds=3)
"""After which the next packet of a transaction is asked for: each reply brings it about."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 300.0
_LEAST = 0.5
PROJECT, ACCOUNT = "notify_project_create", "notify_account_create"
_TOLD = timedelta(days=7)
"""The status of a packet that ended longer ago is not told any more."""


@dataclass
class Results:
    """What came of an exchange with one server."""

    name: str
    fetched: Fetched = field(default_factory=Fetched)
    posted: list[tuple[ToPost, Posted]] = field(default_factory=list)
    """What was taken or refused, in this order."""
    told: int = 0
    """How often the server was told the status of a packet."""
    waiting: int = 0
    """Packets of ours that it has yet to get."""
    trouble: str = ""
    """Why the server is left alone; empty where it is not."""

    def count(self, state: str) -> int:
        """How many of our packets were `sent`, or `refused`."""
        return sum(1 for one, posted in self.posted if posted.state == state and one.what != ACKNOWLEDGEMENT)


def _keep(results: Results) -> Callable[[ToPost, Posted], None]:
    return lambda one, posted: results.posted.append((one, posted))


@dataclass
class Line:
    """The line to one server; `claims` are those of whoever exchanges packets with it."""

    site: Site
    remote: Remote
    claims: Claims
    on_fetched: Callable[[str, Fetched], None] = lambda name, fetched: None
    on_posted: Callable[[ToPost, Posted], None] | None = None
    """Told of each packet that was taken or refused; by default they are kept in `results`."""
    say: Callable[[str], None] = lambda text: None
    """Tells people that the server is away, or back."""
    stopped: Callable[[], bool] = lambda: False
    wait: Callable[[float], bool] = lambda seconds: False
    """Waits until a lost answer can be looked up; False where that is not waited for."""
    settle: float = Poster.settle
    crash_point: CrashPoint = lambda name: None
    results: Results = field(init=False)
    _next_fetch: datetime | None = field(default=None, init=False)
    _left_alone_until: datetime | None = field(default=None, init=False)
    _failures: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.results = Results(self.remote.server.name)

    def claim(self) -> bool:
        """Whether nobody else exchanges packets with the server, so that we may. Raises `LostOwnership`."""
        return self.claims.try_claim(self._keys())

    def _keys(self) -> set[str]:
        return {f"exchange:{name}" for name in self.remote.server.remote_site_names}

    def incoming(self, *, full: bool = False) -> None:
        """Looks up what may have been posted, and fetches. Raises `Unavailable`, `LostOwnership`."""
        try:
            self._poster().settle_doubts()
            fetched = Fetcher(self.site, self.remote, self.crash_point).fetch(full=full)
        except (SendingFault, Away) as error:
            self._leave_alone(error)
            return
        self._next_fetch = self._now() + timedelta(seconds=self.remote.server.poll)
        self.results.fetched.add(fetched)
        self.results.fetched.full |= fetched.full
        self._is_back()
        self.on_fetched(self.results.name, fetched)

    def outgoing(self) -> None:
        """Posts what waits, acknowledges, and tells what has become of packets. Raises as `incoming` does."""
        poster = self._poster()
        begun = False
        try:
            while not self.stopped() and (due := self._due()):
                begun = True
                poster.post(due)
                poster.settle_doubts()
            if self.remote.server.client_state:
                self._tell_states()
        except (SendingFault, Away) as error:
            self._leave_alone(error)
        if begun and self._next_fetch is not None:
            self._next_fetch = min(self._next_fetch, self._now() + _AFTER_A_REPLY)

    def incoming_if_due(self) -> None:
        """Fetches where it is time, and the server is not left alone."""
        now = self._now()
        poll = timedelta(seconds=self.remote.server.poll)
        is_due = self._next_fetch is None or not now < self._next_fetch <= now + poll
        if is_due and not self._is_left_alone():
            self.incoming()

    def outgoing_if_there(self) -> None:
        """Posts what waits, where the server is not left alone."""
        if not self._is_left_alone():
            self.outgoing()

    def rests(self) -> float:
        """Seconds until the server is to be asked again, at least half a second; for ever where others exchange."""
        if not self._keys() <= self.claims.held:
            return float("inf")
        moments = [one for one in (self._next_fetch, self._left_alone_until) if one is not None]
        return max(max(((one - self._now()).total_seconds() for one in moments), default=_LEAST), _LEAST)

    def count_waiting(self) -> None:
        """Counts what the server has yet to get."""
        with self.site.database.read() as connection:
            counts = posts.count_by_site(connection, self.remote.server.remote_site_names)
        self.results.waiting = sum(counts.values())

    def close(self) -> None:
        """Lets the connection go."""
        self.remote.service.close()

    def _poster(self) -> Poster:
        return Poster(
            self.site,
            self.remote,
            claims_hold=self.claims.look,
            stopped=self.stopped,
            wait=self.wait,
            crash_point=self.crash_point,
            settle=self.settle,
            on_end=self.on_posted or _keep(self.results),
        )

    def _due(self) -> list[ToPost]:
        server, now = self.remote.server, self._now()
        with self.site.database.read() as connection:
            waiting = posts.to_post(connection, server.remote_site_names)
            if server.acknowledge != "never":
                expected = server.acknowledge == "expected"
                waiting += posts.to_acknowledge(connection, server.remote_site_names, expected_alone=expected)
        due = [one for one in waiting if one.state != SENDING and one.is_due(now)]
        # The server knows no account on a project that it may not have yet, or that is not complete there.
        projects = any(one.type == PROJECT or one.answers == ENDS_PROJECT for one in waiting)
        return [one for one in due if not (projects and one.type == ACCOUNT)]

    def _tell_states(self) -> None:
        since = self._now() - _TOLD
        with self.site.database.read() as connection:
            untold = client_states.untold(connection, self.remote.server.remote_site_names, since)
        for one in untold:
            if self.stopped():
                return
            self._tell_state(one)

    def _tell_state(self, one: Untold) -> None:
        try:
            self.remote.tell_state(one.remote_packet_rec_id, one.status)
            self.results.told += 1
        except Refused:
            pass  # the server does not have it any more: nothing is lost
        with self.site.database.begin() as connection:
            client_states.note_told(connection, one)
        self.crash_point("after telling")

    def _is_left_alone(self) -> bool:
        until = self._left_alone_until
        return until is not None and self._now() < until <= self._now() + timedelta(seconds=2 * _LONGEST_PAUSE)

    def _leave_alone(self, error: SendingFault | Away) -> None:
        fault = error.fault if isinstance(error, Away) else error
        if not self.results.trouble:
            self.say(f"{self.results.name}: {printable(str(fault), 500)}; trying until it is back")
        self.results.trouble = printable(str(fault), 500)
        spread = random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, guards nothing
        pause = min(_FIRST_PAUSE * 2 ** min(self._failures, 10), _LONGEST_PAUSE) * spread
        self._failures += 1
        pause = max(pause, min(fault.retry_after or 0, _LONGEST_PAUSE))
        self._left_alone_until = self._now() + timedelta(seconds=pause)

    def _is_back(self) -> None:
        if self.results.trouble:
            self.say(f"{self.results.name} is back")
        self.results.trouble, self._failures, self._left_alone_until = "", 0, None

    def _now(self) -> datetime:
        return self.site.world.clock.now()
