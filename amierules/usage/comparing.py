"""The ledger beside what sacct says of the same window: jobs and CPU time by account, and where they part."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from amierules.database.usage_pruning import pruned_before
from amierules.database.usage_sums import Chosen, job_sums
from amierules.diagnostics import Finding, Unavailable, printable
from amierules.ports.processes import NotStarted
from amierules.ports.streams import StreamFailed
from amierules.usage.charging import Charger, Ignored
from amierules.usage.collecting import Progress
from amierules.usage.fields import AT
from amierules.usage.jobs import JobReader, NeverRan, NotCounted, Pruned, Unfinished
from amierules.usage.people import Book
from amierules.usage.problem import CODES, Refusal
from amierules.usage.site import UsageSite
from amierules.usage.sources import Bad, Rows
from amierules.usage.values import Functions


@dataclass
class Compared:
    """One account in a window."""

    account: str
    slurm_jobs: int = 0
    """Jobs that ended in the window, as sacct says."""
    slurm_cpu_seconds: int = 0
    ledger_jobs: int = 0
    ledger_cpu_seconds: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """Jobs of those that rightly are not in the ledger, by reason."""

    @property
    def unexplained(self) -> int:
        """Jobs that should be in the ledger and are not (or, negative, that sacct does not know any more)."""
        return self.slurm_jobs - self.left_out.total() - self.ledger_jobs

    def as_json(self) -> dict[str, Any]:
        """The same for scripts."""
        return {**vars(self), "left_out": dict(self.left_out), "unexplained": self.unexplained}


def compare(
    site: UsageSite, rows: Rows, clusters: Iterable[str], window: tuple[int, int], told: Progress
) -> list[Compared]:
    """Reads the jobs of a window again, and compares. Raises `Unavailable` where sacct fails."""
    found: defaultdict[str, Compared] = defaultdict(lambda: Compared(""))
    configuration = site.configuration
    section = configuration.usage
    with site.database.read() as connection:
        book, pruned = Book.read(connection), pruned_before(connection)
        chosen = Chosen(start=window[0], end=window[1])
        for account, (jobs, seconds) in job_sums(connection, sorted(clusters), chosen).items():
            found[account].ledger_jobs, found[account].ledger_cpu_seconds = jobs, seconds
    functions = Functions(site.rules.variables, configuration.settings, configuration.resources)
    charger = Charger(site.rules.jobs, functions, book, configuration)
    reader = JobReader(section.states, section.clock_skew, site.now(), rows.further, section.zone, pruned)
    try:
        for numbers, piece in rows.pieces:
            for row in piece:
                if not isinstance(row, Bad):
                    _count(row, reader, charger, window, found)
            told(numbers[-1])
    except (StreamFailed, NotStarted) as error:
        message = f"not all of {printable(rows.name)} was read: {printable(error, 300)}"
        raise Unavailable(Finding("usage-source-failed", message)) from error
    for account, one in found.items():
        one.account = account
    return [found[account] for account in sorted(found)]


def _count(
    row: Any, reader: JobReader, charger: Charger, window: tuple[int, int], found: defaultdict[str, Compared]
) -> None:
    account, ended, elapsed, cpus = row[2], row[9], row[10], row[13]
    if not ended.isdecimal() or not window[0] <= int(ended) < window[1]:
        return
    one = found[account]
    try:
        job = reader.job(row)
        one.slurm_cpu_seconds += job[AT["elapsed"]] * job[AT["cpus"]]
        one.slurm_jobs += 1
        charger.job(job)
        return
    except (Unfinished, NeverRan):
        return
    except Pruned:
        one.slurm_jobs += 1
        one.slurm_cpu_seconds += int(elapsed or 0) * int(cpus or 1)
        reason = "of the time up to which the ledger was pruned"
    except NotCounted as state:
        one.slurm_jobs += 1
        one.slurm_cpu_seconds += int(elapsed or 0) * int(cpus or 1)
        reason = f"ended as {state}, which is not reported"
    except Ignored as ignored:
        reason = f"left out by the rule '{ignored.rule}'"
    except Refusal as refusal:
        reason = f"not taken: {CODES[refusal.code]}"
    one.left_out[reason] += 1
