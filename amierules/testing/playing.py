"""Playing a test: packets come, time passes, people decide, and the real engine does what the rules say."""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from amierules.database import work
from amierules.diagnostics import AmierulesError, Finding, Place
from amierules.engine.attempt import Handled
from amierules.engine.deciding import Word, decide
from amierules.engine.running import Runner
from amierules.engine.site import Site
from amierules.ports import DirectoryError
from amierules.testing.coming import Came, came_of
from amierules.testing.coverage import used_by
from amierules.testing.model import CannotBePlayed, Case, ScriptedFailure, ScriptedKind, Turn, World
from amierules.testing.packets import PacketDesk
from amierules.testing.recording import Recorder
from amierules.testing.scratch_host import ScratchHost
from amierules.testing.stage import SELDOM, Stage
from amierules.testing.watching import Used

Scripted = TypeVar("Scripted", ScriptedFailure, ScriptedKind)

_MOST_ROUNDS = 1000
"""How often the engine may try while `later` passes."""
_CRASH_POINT = "after effect"


class _Crash(BaseException):
    """The engine dies."""


@dataclass
class Played:
    """What came of each turn, and of what the test scripts."""

    came: list[Came] = field(default_factory=list)
    host: ScratchHost | None = None
    recorder: Recorder = field(default_factory=Recorder)
    crashes_missed: list[Turn] = field(default_factory=list)
    """The turns whose `crash_after` was never reached."""
    used: set[Used] = field(default_factory=set)
    """What of the rules was used, beside what the stage's watch knows."""


MakeRecorder = Callable[[ScratchHost, list[ScriptedFailure], list[ScriptedKind]], Recorder]
"""Makes what notes the changes of a test on its host, with the failures and kinds that it scripts."""


def recorder_on(host: ScratchHost, failures: list[ScriptedFailure], kinds: list[ScriptedKind]) -> Recorder:
    """One that does nothing else."""
    return Recorder(failures, kinds)


def play(stage: Stage, case: Case, folder: Path, make_recorder: MakeRecorder = recorder_on) -> Iterator[Played]:
    """Play the test turn by turn; yields after each, with what came of it last. Raises `CannotBePlayed`."""
    # Pauses between tries are spread by chance: in a test by always the same one.
    random.seed(0)
    given = case.given
    host = stage.host(given, folder)
    recorder = make_recorder(host, _anew(given.world.failures), _anew(given.world.kinds))
    with _told_of():
        site = stage.site(given, host, recorder)
    player = _Player(site, host, recorder, PacketDesk(site), case)
    for turn in case.turns:
        player.turn(turn)
        yield player.played


def _anew(scripts: Iterable[Scripted]) -> list[Scripted]:
    """The scripts as this playing uses them: others count for themselves."""
    return [replace(one) for one in scripts]


@dataclass
class _Player:
    site: Site
    host: ScratchHost
    recorder: Recorder
    desk: PacketDesk
    case: Case
    numbers: list[int] = field(default_factory=list)
    """The packet_rec_ids of the test's packets, in order."""
    handled: dict[int, Handled] = field(default_factory=dict)
    played: Played = field(default_factory=Played)

    def __post_init__(self) -> None:
        self.played.host, self.played.recorder = self.host, self.recorder
        self._outside(self.case.given.world, self.case.place)

    def turn(self, turn: Turn) -> None:
        """Play one turn."""
        self._outside(turn.world, turn.place)
        self.recorder.failures[:0] = _anew(turn.world.failures)
        self.recorder.own_kinds[:0] = _anew(turn.world.kinds)
        since = len(self.recorder.changes)
        if turn.later is not None:
            self._let_pass(turn.later)
        if turn.packet is not None:
            self._load(turn)
        number = self._number(turn)
        if turn.decided is not None:
            said = turn.decided
            with _told_of(said.place):
                decide(self.site, number, Word(said.word, said.reason, said.by, said.answers))
        self._run(turn)
        self.played.came.append(came_of(self.site, number, self.handled.get(number), self.recorder.of(number, since)))

    def _outside(self, world: World, place: Place) -> None:
        try:
            self.host.add(world)
        except DirectoryError as error:
            raise CannotBePlayed([Finding("bad-value", str(error), place)]) from error

    def _load(self, turn: Turn) -> None:
        assert turn.packet is not None  # noqa: S101 - the caller looked
        packet = self.desk.numbered(turn.packet)
        if not self.numbers:
            self.desk.put_earlier(self.case.given.earlier, packet)
        number, refused = self.desk.load(packet)
        if number is None:
            wrong = [Finding(one.code, one.message, packet.place, one.hint) for one in refused]
            raise CannotBePlayed(wrong or [Finding("duplicate-packet", "the packet is there already", packet.place)])
        self.numbers.append(number)

    def _number(self, turn: Turn) -> int:
        if turn.of is not None and turn.of > len(self.numbers):
            message = f"there are only {len(self.numbers)} packets so far"
            raise CannotBePlayed([Finding("no-such-packet", message, turn.place, "`of: 1` is the first packet")])
        return self.numbers[(turn.of or 0) - 1]

    def _let_pass(self, later: timedelta) -> None:
        """The engine tries what is due, again and again, until the time is over."""
        end = self.host.clock.now() + later
        for _ in range(_MOST_ROUNDS):
            due = self._next_due(end)
            if due is None:
                break
            self.host.clock.at = max(due, self.host.clock.now())
            self._once(None)
        self.host.clock.at = end

    def _next_due(self, end: datetime) -> datetime | None:
        with self.site.database.read() as connection:
            items = work.listing(connection)
        now = self.host.clock.now()
        due = [item.next_attempt_at for item in items if item.next_attempt_at is not None]
        return min((moment for moment in due if now < moment <= end), default=None)

    def _run(self, turn: Turn) -> None:
        if turn.crash_after is None:
            self._once(None)
            return
        try:
            self._once(turn.crash_after)
        except _Crash:
            self._once(None)
        else:
            self.played.crashes_missed.append(turn)

    def _once(self, crash_after: str | None) -> None:
        def crash(point: str) -> None:
            if point == _CRASH_POINT and self.recorder.step == crash_after:
                raise _Crash

        def begin(item: work.WorkItem) -> None:
            self.recorder.packet = item.packet_rec_id

        runner = Runner(self.site, on_start=begin, crash_point=crash, on_end=self._ended, sweep_every=SELDOM)
        runner.run()

    def _ended(self, handled: Handled) -> None:
        report = handled.report
        self.played.used.update(used_by(report, self.site.rulebook))
        if report.packet_rec_id is not None:
            self.handled[report.packet_rec_id] = handled


@contextmanager
def _told_of(place: Place | None = None) -> Iterator[None]:
    """Within it, what the engine refuses is what is wrong with the test, at `place`."""
    try:
        yield
    except AmierulesError as error:
        raise CannotBePlayed(replace(one, place=one.place or place) for one in error.findings) from error
