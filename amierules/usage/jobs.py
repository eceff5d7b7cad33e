"""A source's row to a job: checked field by field, or refused with a reason."""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from amierules.diagnostics import printable
from amierules.usage.fields import APART, RAW, JobRow, tres_of
from amierules.usage.problem import Refusal

UNFINISHED = frozenset({"PENDING", "RUNNING", "SUSPENDED", "COMPLETING", "CONFIGURING", "RESIZING", "STOPPED"})
"""States of jobs that will be seen again (the names of Slurm's sacct)."""
_NO_MOMENT = frozenset({"", "Unknown", "None", "0"})
_NO_LIMIT = frozenset({"", "UNLIMITED", "Partition_Limit", "NONE", "-1"})
_CLOCK = re.compile(r"(?:(\d+)-)?(\d+):(\d\d)(?::(\d\d))?(?:\.\d+)?$")
_DIGITS = 16
"""Digits that no number of a job has."""
_EPOCH = re.compile(r"\d{9,12}$")
_LARGEST = 10**15


class Unfinished(Exception):
    """A job that has not ended: it will be seen again."""


class NeverRan(Exception):
    """A job that never started."""


class NotCounted(Exception):
    """A job that ended in a state that the site does not report."""


class Pruned(Exception):
    """A job that ended before the moment up to which the ledger was pruned: it may have been sent and forgotten."""


@dataclass(frozen=True)
class JobReader:
    """Reads rows in the order of `RAW`, further fields behind them."""

    states: Collection[str]
    """The states in which a job that ran is reported."""
    skew: int
    """Seconds by which clocks may differ."""
    now: int
    further: tuple[str, ...] = ()
    """What the fields behind those of `RAW` are called."""
    zone: ZoneInfo | None = None
    """The zone of moments that name none; UTC without it."""
    pruned: int = 0
    """The moment before which nothing is taken any more."""

    def job(self, row: Sequence[str]) -> JobRow:
        """The job. Raises `Refusal`, `Unfinished`, `NeverRan`, `NotCounted`, `Pruned`."""
        if len(row) != len(RAW) + len(self.further):
            raise Refusal("unparsable", f"it has {len(row)} fields instead of {len(RAW) + len(self.further)}")
        (job_id, cluster, account, login, partition, qos, state, submit, start, end) = row[:10]
        elapsed, limit, nodes, cpus, tres, array_id, exit_code, name = row[10:18]
        state = state.partition(" ")[0].rstrip("+") or "COMPLETED"
        if state in UNFINISHED:
            raise Unfinished
        if start in _NO_MOMENT or (nodes == "0" and elapsed in ("", "0")):
            raise NeverRan
        if end in _NO_MOMENT:
            raise Unfinished
        if state not in self.states:
            raise NotCounted(state)
        if not job_id or not cluster:
            raise Refusal("unparsable", "it has no job id" if not job_id else "it names no cluster")
        seconds = None if elapsed == "" else whole(elapsed, "elapsed", clock=True)
        submitted, started, ended = self._moments(submit, start, end, seconds)
        seconds = ended - started if seconds is None else seconds
        if not tres and self._apart:
            tres = ",".join(f"{name}={row[place]}{unit}" for place, name, unit in self._apart if row[place])
        try:
            tres_of(tres)
        except ValueError as error:
            raise Refusal("tres", printable(f"its TRES cannot be read: {error}", 200)) from None
        if "\0" in name:
            name = name.replace("\0", "\\x00")
        self._check(submitted, started, ended, seconds)
        if ended < self.pruned:
            raise Pruned
        return (
            cluster, job_id, submitted, started, ended, seconds, state, account, login, partition, qos, name,
            whole(nodes or "1", "nodes"), whole(cpus or "1", "cpus"), limit_seconds(limit), tres, array_id or job_id,
            exit_code, self._more(row),
        )  # fmt: skip

    @cached_property
    def _apart(self) -> tuple[tuple[int, str, str], ...]:
        """Where further fields say what a job had: the place in a row, and what Slurm would call it."""
        there = {name.lower(): place for place, name in enumerate(self.further, len(RAW))}
        return tuple((there[name], *APART[name]) for name in APART if name in there)

    def _more(self, row: Sequence[str]) -> str | None:
        if not self.further:
            return None
        given = {name: value for name, value in zip(self.further, row[len(RAW) :], strict=True) if value}
        return json.dumps(given, ensure_ascii=False) if given else None

    def _moments(self, submit: str, start: str, end: str, elapsed: int | None) -> tuple[int, int, int]:
        if submit.isdecimal() and start.isdecimal() and end.isdecimal() and 8 < len(start) < 13 > len(end):
            return int(submit), int(start), int(end)
        submits, starts, ends = (self._readings(text) for text in (submit, start, end))
        fitting = [
            (first, last)
            for first in starts
            for last in ends
            if last >= first and (elapsed is None or last - first == elapsed)
        ]
        # An hour that the clocks of this zone showed twice is told by how long the job ran, if at all.
        if len(starts) + len(ends) > 2 and len(fitting) != 1:
            raise Refusal("bad-time", "a moment stands in an hour that comes twice: give it a zone, or as seconds")
        first, last = fitting[0] if fitting else (starts[0], ends[0])
        before = [moment for moment in submits if moment <= first]
        return (before or submits)[-1], first, last

    def moment(self, text: str) -> int:
        """A moment by itself, in seconds since 1970; the first of two in an hour that comes twice. Raises `Refusal`."""
        return self._readings(text)[0]

    def _readings(self, text: str) -> list[int]:
        """What a moment may mean: one reading, or two in an hour that the clocks show twice."""
        if _EPOCH.match(text):
            return [int(text)]
        try:
            parsed = datetime.fromisoformat(text)
        except ValueError:
            raise Refusal("bad-time", f"'{printable(text, 40)}' is no moment") from None
        if parsed.tzinfo is not None:
            return [int(parsed.timestamp())]
        readings = {int(parsed.replace(tzinfo=self.zone or UTC, fold=fold).timestamp()) for fold in (0, 1)}
        local = [moment for moment in sorted(readings) if self._shown(moment) == parsed.replace(microsecond=0)]
        if not local:
            raise Refusal("bad-time", f"{printable(text, 40)} was skipped by the clocks of {self.zone}")
        return local

    def _shown(self, moment: int) -> datetime:
        return datetime.fromtimestamp(moment, self.zone or UTC).replace(tzinfo=None)

    def _check(self, submitted: int, started: int, ended: int, elapsed: int) -> None:
        if ended < started:
            raise Refusal("order", f"it ends {started - ended} s before it starts")
        if submitted > started + self.skew:
            raise Refusal("order", f"it starts {submitted - started} s before it was submitted")
        if ended > self.now + self.skew:
            raise Refusal("clock", f"it ends {timedelta(seconds=ended - self.now)} in the future")
        if elapsed > ended - started + self.skew:
            raise Refusal("elapsed", f"it ran for {elapsed} s in {ended - started} s")


def whole(text: str, what: str, *, clock: bool = False) -> int:
    """A whole number that is not negative; with `clock` also `[days-]hours:minutes:seconds`. Raises `Refusal`."""
    if text.isdecimal() and len(text) < _DIGITS:
        return int(text)
    if clock and (found := _CLOCK.match(text)):
        days, first, second, third = (int(part or 0) for part in found.groups())
        # Without a third part Slurm means minutes and seconds.
        hours, minutes, seconds = (first, second, third) if found[4] else (0, first, second)
        total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
        if total < _LARGEST:
            return total
    problem = "is negative" if text.startswith("-") else "is no whole number"
    raise Refusal("bad-number", f"{what} {problem}: '{printable(text, 40)}'")


def limit_seconds(text: str) -> int | None:
    """Seconds, from the minutes that sacct shows as `TimelimitRaw`; None for no limit. Raises `Refusal`."""
    if text in _NO_LIMIT:
        return None
    return whole(text, "time_limit") * 60 if text.isdecimal() else whole(text, "time_limit", clock=True)
