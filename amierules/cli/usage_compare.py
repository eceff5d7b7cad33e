"""The ledger beside sacct, for `usage status --compare`."""

from collections.abc import Sequence
from typing import Any

from amierules.cli.console import paint, say, tell, wrapped
from amierules.cli.usage_table import table
from amierules.database.usage_sums import Chosen
from amierules.diagnostics import AmierulesError, Finding, NotAllowed, printable
from amierules.usage.collecting import Progress
from amierules.usage.comparing import Compared, compare
from amierules.usage.opening import sacct_rows
from amierules.usage.people import Book
from amierules.usage.site import UsageSite


def compared(site: UsageSite, chosen: Chosen, told: Progress) -> list[Compared] | None:
    """The comparison; None, with a note, where sacct cannot be asked. Raises `NotAllowed` without a start."""
    if chosen.start is None:
        raise NotAllowed(Finding("usage", "--compare needs to know from when on", hint="like --start '7 days'"))
    if chosen.project is not None or chosen.resource is not None:
        raise NotAllowed(Finding("usage", "--compare looks at all accounts: leave out --project and --resource"))
    window = chosen.start, chosen.end if chosen.end is not None else site.now()
    try:
        with site.database.read() as connection:
            groups = Book.read(connection).groups
        rows = sacct_rows(site, window, (), groups)
        return compare(site, rows, site.configuration.usage.clusters, window, told)
    except AmierulesError as error:
        tell(f"note: not compared with Slurm: {error.findings[0].message}")
        return None


def as_json(comparison: Sequence[Compared]) -> list[dict[str, Any]]:
    """The comparison for scripts."""
    return [one.as_json() for one in comparison]


def say_comparison(comparison: Sequence[Compared]) -> None:
    """The comparison for people: a line an account, and why numbers differ."""
    head = ["account", "jobs in sacct", "in the ledger", "left out", "CPU hours in sacct", "in the ledger"]
    rows = [
        [
            one.account,
            f"{one.slurm_jobs:,}",
            f"{one.ledger_jobs:,}",
            f"{one.left_out.total():,}",
            _hours(one.slurm_cpu_seconds),
            _hours(one.ledger_cpu_seconds),
        ]
        for one in comparison
    ]
    say("compared with sacct:")
    for line in table(head, rows, right=range(1, 6)):
        say(line)
    for one in comparison:
        for reason, count in sorted(one.left_out.items()):
            say(wrapped(printable(f"  {one.account}: {count:,} {reason}", 1000)))
        if one.unexplained > 0:
            text = f"  {one.account}: {one.unexplained:,} are not collected: `amierules usage collect` for this time"
            say(paint(printable(text, 1000), "bad"))
        if one.unexplained < 0:
            text = f"  {one.account}: {-one.unexplained:,} are in the ledger alone (from a file, or purged in Slurm)"
            say(wrapped(printable(text, 1000)))


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:,.2f}"
