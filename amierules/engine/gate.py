"""The gate before back ends: what is paused is not tried, and what cannot be reached is paused."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection

from amierules.actions.base import AroundKind, BackendUnavailable, Kind, Params, Plan, Surroundings
from amierules.actions.table import back_end, back_ends
from amierules.database import pauses
from amierules.database.in_turn import in_turn
from amierules.diagnostics import printable
from amierules.engine.site import Site


@dataclass
class Gate:
    """The back ends that one attempt at a packet uses."""

    site: Site
    packet_rec_id: int
    hurried: bool = False
    """Whether a person wants the packet tried: it tries whether a back end is back."""
    closed: str | None = None
    """The back end that ended the attempt."""
    _away: str | None = None
    """Why that one could not be reached; None where it was paused before."""
    _trying: set[str] = field(default_factory=set)

    def kinds(self) -> Mapping[str, Kind]:
        """The site's kinds, each behind the gate."""
        return _Kinds(self)

    @contextmanager
    def using(self, names: Sequence[str]) -> Iterator[None]:
        """Within it back ends are used: whether they can be reached is noted."""
        try:
            yield
        except BackendUnavailable as error:
            self.closed, self._away = error.back_end or names[-1], str(error)
            raise
        for name in [one for one in names if one in self._trying]:
            self._trying.discard(name)
            with self.site.database.begin() as connection:
                why = f"packet {self.packet_rec_id} reached it"
                pauses.is_back(connection, name, self.site.who, why, self.site.world.clock.now())

    def note(self) -> None:
        """Record that a back end was away, and that the packet waits for it; after its attempt was settled."""
        if self.closed is None:
            return
        now, closed, away = self.site.world.clock.now(), self.closed, self._away

        def write(connection: Connection) -> None:
            if away is not None:
                pauses.is_away(connection, closed, printable(away, 300), self.site.who, now)
            pauses.wait_for(connection, self.packet_rec_id, closed, now)

        in_turn(self.site.database, write)

    def enter(self, names: Sequence[str]) -> None:
        """Raises `BackendUnavailable` where a back end is paused, and this packet is not the one that tries it."""
        with self._looking() as connection:
            paused = [found for name in names if (found := pauses.find(connection, name)) is not None]
        for found in paused:
            self._enter(found)

    def _looking(self) -> AbstractContextManager[Connection]:
        """A connection to look at pauses: there is no need that it sees all in one state."""
        database = self.site.database
        return database.read() if database.is_sqlite else database.direct()

    def _enter(self, found: pauses.Pause) -> None:
        name = found.name
        may_try = found.until is not None and (self.hurried or found.prober == self.packet_rec_id)
        if not may_try and not (found.until is not None and found.until <= self.site.world.clock.now()):
            self.closed = name
            raise BackendUnavailable(f"{name} is paused: {found.reason or 'by ' + found.who}")
        self._trying.add(name)


@dataclass(frozen=True)
class _Kinds(Mapping[str, Kind]):
    """The kinds behind the gate, each made when it is asked for: most packets use few."""

    gate: Gate

    def __getitem__(self, name: str) -> Kind:
        kind = self.gate.site.kinds[name]
        return kind if back_end(name) is None else _Gated(kind, name, self.gate)

    def __iter__(self) -> Iterator[str]:
        return iter(self.gate.site.kinds)

    def __len__(self) -> int:
        return len(self.gate.site.kinds)


@dataclass(frozen=True)
class _Gated(AroundKind):
    """A kind of action whose back end is behind the gate."""

    name: str
    gate: Gate

    def probe(self, params: Params, surroundings: Surroundings) -> object:
        used = back_ends(self.name, params)
        self.gate.enter(used)
        with self.gate.using(used):
            return super().probe(params, surroundings)

    def apply(self, params: Params, plan: Plan, surroundings: Surroundings) -> object:
        with self.gate.using(back_ends(self.name, params)):
            return super().apply(params, plan, surroundings)
