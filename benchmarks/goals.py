"""What the figures of one run must be to each other, and how far they are that."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.bench import Line
from benchmarks.scenes import COMMANDS, FLOOR

_ENGINE, _GROUPED = "amierules", "by hand, a commit for 100"
_MEGABYTES = 150.0
_SHARE_OF_JOBS = 0.75
_Lines = Mapping[tuple[str, int], Line]
"""Lines by what they are and their backlog."""


@dataclass(frozen=True)
class Reached:
    """A figure, and the least that it must be."""

    goal: str
    waiting: int
    figure: float
    least: float
    strict: bool = False
    """Whether it is the same on every machine: no share of it is enough."""

    def is_met(self, share: float = 1.0) -> bool:
        """Whether this share of the goal is reached."""
        return self.figure >= self.least * (1.0 if self.strict else share)

    def __str__(self) -> str:
        return f"{self.goal:<62}{self.waiting:>9,}{self.figure:>8.2f}{self.least:>8.2f}"


TITLE = f"{'goal':<62}{'waiting':>9}{'is':>8}{'least':>8}"


def reached(lines: Sequence[Line]) -> list[Reached]:
    """All goals for which there are figures."""
    found = {(line.what, line.waiting): line for line in lines}
    return [*_rates(found), *_gains(found), *_flat(found), *_idle(found), *_jobs(found), *_memory(lines)]


def _rates(lines: _Lines) -> Iterator[Reached]:
    """One way to another one, beside the same backlog."""
    compared = (
        ("amierules, a commit a packet", FLOOR, 0.7),
        (_ENGINE, _GROUPED, 0.5),
        ("amierules, planning", _ENGINE, 1.0),
    )
    for what, of, least in compared:
        for (name, waiting), line in lines.items():
            if name == what and (base := lines.get((of, waiting))):
                yield Reached(f"`{what}` to `{of}`", waiting, line.to(base), least)


def _gains(lines: _Lines) -> Iterator[Reached]:
    """What a second worker brings."""
    for (what, waiting), one in lines.items():
        two, hand, two_by_hand = (
            lines.get((name, waiting)) for name in (f"{_ENGINE}, 2 workers", _GROUPED, f"{_GROUPED}, 2 workers")
        )
        if what == _ENGINE and two and hand and two_by_hand:
            each = zip(two.rates, one.rates, two_by_hand.rates, hand.rates, strict=True)
            gain = statistics.median((ours / alone) / (theirs / base) for ours, alone, theirs, base in each)
            yield Reached(f"gain of `{_ENGINE}` from a second worker, to that by hand", waiting, gain, 0.9)


def _flat(lines: _Lines) -> Iterator[Reached]:
    """The cost of a packet, whatever waits behind it. The backlogs do not take turns: medians are compared."""
    backlogs = sorted(waiting for what, waiting in lines if what == _ENGINE)
    for waiting in backlogs[1:]:
        figure = lines[_ENGINE, waiting].per_second / lines[_ENGINE, backlogs[0]].per_second
        yield Reached(f"`{_ENGINE}`, packets a second to those beside {backlogs[0]:,}", waiting, figure, 0.8)


def _idle(lines: _Lines) -> Iterator[Reached]:
    """A quick pass beside more transactions that wait for the other side."""
    for (what, waiting), line in lines.items():
        if what == "amierules, a quick pass" and line.ratio is not None:
            yield Reached(f"`{what}`, to the same beside the fewest", waiting, line.ratio, 0.8)


def _jobs(lines: _Lines) -> Iterator[Reached]:
    """Several jobs to one: 12 times as much from 16, and the same share of any other number."""
    for (what, waiting), line in lines.items():
        if what.startswith(COMMANDS) and line.ratio is not None:
            jobs = int(what.removeprefix(COMMANDS))
            yield Reached(f"`{what}`, to one job", waiting, line.ratio, _SHARE_OF_JOBS * jobs)


def _memory(lines: Sequence[Line]) -> Iterator[Reached]:
    ours = [line for line in lines if line.what.startswith(_ENGINE) and line.megabytes]
    if ours:
        most = max(ours, key=lambda line: line.megabytes)
        figure = _MEGABYTES / most.megabytes
        yield Reached(f"{_MEGABYTES:.0f} MB to what `{most.what}` took", most.waiting, figure, 1.0, strict=True)
