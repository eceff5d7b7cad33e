"""From a source's rows to the ledger: read, charged and committed piece by piece."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from amierules.database import usage_ledger, usage_pruning, usage_runs
from amierules.database.usage_ledger import LedgerWriter, Taken
from amierules.diagnostics import Finding, Unavailable, printable
from amierules.ports.processes import NotStarted
from amierules.ports.streams import StreamFailed
from amierules.usage.charging import Charger, Ignored
from amierules.usage.jobs import JobReader, NeverRan, NotCounted, Pruned, Unfinished
from amierules.usage.people import Book
from amierules.usage.problem import Problem, Refusal
from amierules.usage.site import UsageSite
from amierules.usage.sources import Bad, Piece, Row, Rows
from amierules.usage.values import Functions

JOB, STORAGE, ADJUSTMENT = "job", "storage", "adjustment"
"""The kinds of records in the ledger."""
_KEPT_LINE = 2000
_SHOWN_PROBLEMS = 20

Progress = Callable[[int], None]
"""Called with the number of rows that were read so far."""
CrashPoint = Callable[[str], None]
"""Called at each point after which a crash would leave something else behind; tests end the process there."""
Record = list[Any]
"""A row of the ledger: the values of its columns in order."""
Watch = Callable[[int, Record | Exception], None]
"""Called with the number of each row, and its record or why it has none."""


@dataclass
class Collected:
    """What a collection did."""

    rows: int = 0
    taken: Taken = field(default_factory=Taken)
    unfinished: int = 0
    never_ran: int = 0
    pruned: int = 0
    """Rows of the time up to which the ledger was pruned."""
    states: Counter[str] = field(default_factory=Counter)
    """Jobs that ended in a state that the site does not report, by state."""
    ignored: Counter[str] = field(default_factory=Counter)
    """Rows that a rule leaves out, by rule."""
    problems: Counter[str] = field(default_factory=Counter)
    """Rows that could not be taken, by code."""
    first_problems: list[Problem] = field(default_factory=list)
    window: tuple[int, int] | None = None
    notes: list[str] = field(default_factory=list)

    def leave_out(self, why: Exception) -> None:
        """Counts a row that is not taken, and is no problem."""
        match why:
            case Unfinished():
                self.unfinished += 1
            case NeverRan():
                self.never_ran += 1
            case Pruned():
                self.pruned += 1
            case NotCounted():
                self.states[str(why)] += 1
            case Ignored():
                self.ignored[why.rule] += 1

    def as_json(self) -> dict[str, Any]:
        """The counts, for scripts."""
        return {
            "rows": self.rows,
            **self.taken._asdict(),
            "unfinished": self.unfinished,
            "never_ran": self.never_ran,
            "pruned": self.pruned,
            "other_states": dict(self.states),
            "ignored": dict(self.ignored),
            "problems": dict(self.problems),
        }


class Collector:
    """Collects from one source."""

    def __init__(
        self,
        site: UsageSite,
        progress: Progress,
        crash_point: CrashPoint = lambda name: None,
        watch: Watch | None = None,
    ) -> None:
        self._site = site
        self._progress = progress
        self._crash_point = crash_point
        self._watch = watch
        with site.database.read() as connection:
            self.book = Book.read(connection)
            self._pruned = usage_pruning.pruned_before(connection)
        self._now = site.now()

    def collect(self, rows: Rows, window: tuple[int, int] | None = None) -> Collected:
        """Takes jobs into the ledger. Raises `Unavailable` where the source fails; what it gave before is kept."""
        configuration = self._site.configuration
        section = configuration.usage
        functions = Functions(self._site.rules.variables, configuration.settings, configuration.resources)
        charger = Charger(self._site.rules.jobs, functions, self.book, configuration)
        reader: JobReader | None = None

        def record(row: Row) -> Record:
            nonlocal reader
            if reader is None:
                reader = JobReader(
                    section.states, section.clock_skew, self._now, rows.further, section.zone, self._pruned
                )
            job = reader.job(row)
            return [JOB, *job, *charger.job(job), self._now]

        return self._collected(rows, window, record)

    def _collected(self, rows: Rows, window: tuple[int, int] | None, record: Callable[[Row], Record]) -> Collected:
        done = Collected(window=window)
        database = self._site.database
        with database.kept():
            with database.begin() as connection:
                writer = usage_ledger.LedgerWriter(connection)
                run_id = usage_runs.begin(connection, rows.name, window, self._now)
            try:
                for numbers, piece in rows.pieces:
                    self._piece(rows, (list(numbers), piece), record, writer, done)
            except (StreamFailed, NotStarted) as error:
                raise Unavailable(_failed(rows, error, done)) from error
            with database.begin() as connection:
                usage_ledger.forget_solved(connection)
                usage_runs.finish(connection, run_id, done.as_json(), self._site.now())
        done.notes += rows.notes
        return done

    def _piece(
        self,
        rows: Rows,
        given: Piece,
        record: Callable[[Row], Record],
        writer: LedgerWriter,
        done: Collected,
    ) -> None:
        numbers, piece = given
        taken: list[Record] = []
        problems: list[Problem] = []
        watch = self._watch
        for at, row in enumerate(piece):
            try:
                if isinstance(row, Bad):
                    raise Refusal("unparsable", row.reason)
                made: Record | Exception
                made = found = record(row)
                taken.append(found)
            except Refusal as refusal:
                problems.append(_problem(row, f"{rows.unit} {numbers[at]}", refusal))
                made = refusal
            except (Unfinished, NeverRan, NotCounted, Pruned, Ignored) as why:
                done.leave_out(why)
                made = why
            if watch is not None:
                watch(numbers[at], made)
        self._crash_point("before a piece is committed")
        with self._site.database.begin() as connection:
            usage_pruning.keep_from_pruning(connection, self._pruned)
            result = writer.take(connection, taken) if taken else Taken()
            usage_ledger.put_problems(connection, [_problem_row(one, rows.name, self._now) for one in problems])
            self._crash_point("in the commit of a piece")
        self._crash_point("after a piece is committed")
        done.rows += len(piece)
        done.taken = done.taken.plus(result)
        done.problems.update(problem.code for problem in problems)
        done.first_problems += problems[: _SHOWN_PROBLEMS - len(done.first_problems)]
        self._progress(done.rows)


def _problem(row: Row | Bad, place: str, refusal: Refusal) -> Problem:
    if isinstance(row, Bad):
        return Problem(place, refusal.code, refusal.reason, row.line[:_KEPT_LINE])
    line = "|".join(row)[:_KEPT_LINE]
    submitted = int(row[7]) if len(row) > 7 and row[7].isdecimal() and len(row[7]) < 13 else None
    if len(row) < 8:
        return Problem(place, refusal.code, refusal.reason, line)
    return Problem(place, refusal.code, refusal.reason, line, row[1], row[0], submitted, row[2])


def _problem_row(problem: Problem, source: str, now: int) -> dict[str, Any]:
    """The row of a problem: that of a job replaces what was wrong with it before."""
    what = (problem.cluster, problem.job_id, str(problem.submitted)) if problem.job_id else (source, problem.line)
    key = hashlib.sha256("\0".join(what).encode("utf-8", "backslashreplace")).hexdigest()
    texts = {
        name: str(value).replace("\0", "\\x00") for name, value in problem._asdict().items() if name != "submitted"
    }
    return {"key": key, "source": source, **texts, "submitted": problem.submitted, "seen_at": now}


def _failed(rows: Rows, error: StreamFailed | NotStarted, done: Collected) -> Finding:
    kept = f"; the {done.rows} rows before that are kept" if done.rows else ""
    message = f"not all of {printable(rows.name)} was read: {printable(error, 300)}{kept}"
    return Finding("usage-source-failed", message, hint="collect the same window again: nothing is counted twice")
