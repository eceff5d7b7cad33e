"""`amierules usage collect`: jobs and storage into the ledger."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from amierules.cli.console import coloured, say, say_json, tell, wrapped
from amierules.cli.options import ConfigOption, FormatOption, OutputFormat
from amierules.cli.usage_site import open_usage_site
from amierules.database import usage_runs
from amierules.diagnostics import ExitStatus, Finding, NotAllowed, printable
from amierules.usage.collecting import Collected, Collector
from amierules.usage.opening import command_rows, file_rows, known_clusters, sacct_rows, source_name
from amierules.usage.problem import CODES
from amierules.usage.site import UsageSite
from amierules.usage.storage import StorageCollector
from amierules.usage.windows import moment, shown

HELP = """Take jobs into the ledger and charge them by usage.yaml; each job once, however often it is collected.

Without FILE the jobs come from Slurm's sacct, or from the command that the configuration names. Without --start it goes
on where the last collection ended, and looks a day further back for what came late.

\b
  amierules usage collect --start 2026-03-01
  amierules usage collect --start "2 days"      the last two days
  amierules usage collect                       what is new since
  amierules usage collect jobs.csv              a file: CSV or JSON lines
  amierules usage collect --storage quota.csv   storage measurements

What cannot be taken is counted and listed with its reason, and kept: `amierules usage status --problems`.
"""

_OVERLAP = 86400
"""Seconds that a collection looks further back than the one before ended: what was written late is found."""


def collect(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A file instead of sacct; - is standard input.", show_default=False),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--start", "-s", metavar="WHEN", help="From when on: 2026-03-01, 2026-03-01T12:00Z, or '2 days'."),
    ] = None,
    end: Annotated[str, typer.Option("--end", "-e", metavar="WHEN", help="Until when.")] = "now",
    clusters: Annotated[
        list[str] | None, typer.Option("--cluster", metavar="NAME", help="Only this cluster; repeatable.")
    ] = None,
    storage: Annotated[bool, typer.Option("--storage", help="Storage measurements, not jobs.")] = False,
    file_format: Annotated[
        str | None,
        typer.Option("--as", metavar="csv|jsonl", help="How the file is written, where its name does not say."),
    ] = None,
    config: ConfigOption = None,
    format: FormatOption = OutputFormat.text,
) -> ExitStatus:
    """Take jobs into the ledger."""
    if file_format not in (None, "csv", "jsonl"):
        raise NotAllowed(Finding("usage", "--as is csv or jsonl"))
    if file is not None and (start or clusters):
        raise NotAllowed(Finding("usage", "a file is read whole: leave out --start, --end and --cluster"))
    with open_usage_site(config, create=True) as site, progress("collecting") as told:
        section = site.configuration.usage
        collector = (StorageCollector if storage else Collector)(site, lambda rows: told(f"{rows:,} rows"))
        window = None
        if file is not None:
            rows = file_rows(file, section, storage=storage, format=file_format)
        else:
            command = section.storage if storage else section.command
            if storage and command is None:
                hint = "name a file, or a command as `usage: {storage: {run: [...]}}` in the configuration"
                raise NotAllowed(Finding("usage", "nothing says where storage is measured", hint=hint))
            name = command.run[0] if command is not None else source_name(known_clusters(section, clusters or ()))
            window = _window(site, name, start, end)
            if command is not None:
                rows = command_rows(command, window, section, storage=storage)
            else:
                rows = sacct_rows(site, window, clusters or (), collector.book.groups)
        done = collector.collect(rows, window)
    if format is OutputFormat.json:
        say_json({"format_version": 1, **done.as_json(), "window": _json_window(window)})
    else:
        _say(done)
    return ExitStatus.NEEDS_PERSON if done.problems else ExitStatus.OK


def _window(site: UsageSite, source: str, start: str | None, end: str) -> tuple[int, int]:
    zone, now = site.configuration.usage.zone, site.clock.now()
    until = moment(end, zone, now, option="--end")
    if start is not None:
        since = moment(start, zone, now, option="--start")
    else:
        with site.database.read() as connection:
            read = usage_runs.read_until(connection, source)
        if read is None:
            hint = "give --start this once; later collections go on where the last one ended"
            raise NotAllowed(Finding("usage", f"nothing was collected from {printable(source)} yet", hint=hint))
        since = read - _OVERLAP
    if since >= until:
        raise NotAllowed(Finding("usage", f"the window ends ({shown(until)}) before it begins ({shown(since)})"))
    return since, until


def _json_window(window: tuple[int, int] | None) -> list[str] | None:
    return None if window is None else [shown(one) for one in window]


def _say(done: Collected) -> None:
    if done.window is not None:
        tell(f"from {shown(done.window[0])} to {shown(done.window[1])}")
    taken = done.taken
    parts = [f"{taken.new:,} new"]
    parts += [f"{count:,} {what}" for count, what in ((taken.changed, "changed"), (taken.same, "known")) if count]
    say(f"{done.rows:,} rows: {', '.join(parts)}")
    if taken.late:
        text = f"{taken.late:,} say something else than what was sent of them: what was sent stays; see `usage adjust`"
        say(wrapped(f"  {text}"))
    left = [(done.unfinished, "have not ended yet"), (done.never_ran, "never ran")]
    left += [(done.pruned, "ended before the moment up to which the ledger was pruned")]
    left += [(count, f"ended as {state}, which is not reported") for state, count in sorted(done.states.items())]
    left += [(count, f"left out by the rule '{rule}'") for rule, count in sorted(done.ignored.items())]
    for count, what in left:
        if count:
            say(wrapped(f"  {count:,} {printable(what)}"))
    for code, count in sorted(done.problems.items()):
        say(wrapped(f"  {count:,} not taken: {CODES[code]}"))
    for problem in done.first_problems:
        about = f" job {printable(problem.job_id, 40)}" if problem.job_id else ""
        tell(wrapped(f"    {problem.place}{about}: {printable(problem.reason, 200)}", sys.stderr))
    if done.problems.total() > len(done.first_problems):
        tell("    … `amierules usage status --problems` lists all")
    for note in done.notes:
        tell(f"note: {note}")


@contextmanager
def progress(what: str) -> Iterator[Callable[[str], None]]:
    """Shows on a terminal how far a long work is; what comes back is told of it."""
    console = Console(file=sys.stderr, no_color=not coloured(sys.stderr))
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown_progress:
        task = shown_progress.add_task(what, total=None)
        yield lambda text: shown_progress.update(task, description=f"{what}: {text}")
