"""`amierules run`: process what waits."""

import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from amierules.cli.console import STATUS_STYLES, coloured, paint, row_width, say, shortened, tell, tell_findings
from amierules.cli.ending import command, internal_error, leave_output
from amierules.cli.exchanging import Ending, end_exchange, run_exchanger
from amierules.cli.observed import observe_packets
from amierules.cli.opening import open_site, packet_ids, reread, worker_name
from amierules.cli.options import ConfigOption, IdsArgument
from amierules.cli.signals import Draining, drained_by_signals
from amierules.database.intake import SWEEP_EVERY
from amierules.database.own_tables import FINAL_STATUSES
from amierules.database.room import few_connections
from amierules.database.work import NEED_A_PERSON, WorkItem
from amierules.diagnostics import ExitStatus, Finding, NotAllowed, first_that_applies, printable
from amierules.engine.attempt import Handled
from amierules.engine.carrier import Carrier
from amierules.engine.delivery import Delivery, delivering
from amierules.engine.reloading import Reloader
from amierules.engine.running import Runner, refusals
from amierules.engine.site import Site
from amierules.engine.watching import Watcher
from amierules.exchange.exchanger import Exchanger
from amierules.ports.cluster import ClusterNodes
from amierules.rulebook.configuration import FILE_NAME


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(help=_HELP)(command(run))


_HELP = """Process the packets that wait, in their order, and answer them.

Shows progress on a terminal; elsewhere prints one line a packet, name=value. A packet that no rule can settle is
held or parked with its reason, and the others go on: `amierules status` lists them. A run that is interrupted goes on
where it was.

\b
  amierules run              all that waits
  amierules run --limit 10   at most ten packets
  amierules run 17           this packet, even if it was deferred
  amierules run --jobs 8     eight packets at a time
  amierules run --watch      go on for ever: what a service does
  amierules run --exchange   fetch over REST before, send answers after
  amierules run --observe    beside an old program: plan, compare, do nothing

Packets of one transaction, project or person keep their order. On PostgreSQL several runs may work beside each other,
also on several hosts. Ctrl-C or SIGTERM ends a run after the step or message that is under way, a second one at once.
"""

MOST_JOBS = 64


def run(
    ids: IdsArgument = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Process at most so many packets.")] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, max=MOST_JOBS, help="Work on so many packets at a time.")
    ] = 1,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on: wait for what comes, until SIGTERM.")] = False,
    exchange: Annotated[
        bool, typer.Option("--exchange", "-x", help="Fetch from the REST API before, and send to it afterwards.")
    ] = False,
    observe: Annotated[
        bool, typer.Option("--observe", help="Do nothing: plan, and compare with what another program answers.")
    ] = False,
    config: ConfigOption = None,
) -> ExitStatus:
    """Process packets; ends with `NEEDS_PERSON` if one of them ended held, parked or in doubt."""
    if observe:
        if watch or exchange or limit is not None or jobs != 1:
            message = "--observe does nothing: leave out --watch, --exchange, --limit and --jobs"
            raise NotAllowed(Finding("usage", message))
        return observe_packets(config, ids)
    if watch and (ids or limit is not None):
        raise NotAllowed(Finding("usage", "--watch works on all that comes: leave out the packets and --limit"))
    return process(config, ids, limit, jobs, watch=watch, exchange=exchange, for_people=sys.stdout.isatty())


@dataclass
class Tally:
    """What came of the packets of a run: counted, so that a long one needs no memory for each."""

    counts: Counter[str] = field(default_factory=Counter)
    """How many packets ended in each status."""
    crashes: list[Finding] = field(default_factory=list)
    at_once: bool = False
    """Whether internal errors are told when they come: some runs have no end."""
    _open: dict[int | None, str] = field(default_factory=dict)
    """The packets that may come again, with their status."""

    def add(self, one: Handled) -> None:
        """Count a packet, once however often it comes; the log of an internal error is written at once."""
        number = one.report.packet_rec_id
        if (before := self._open.pop(number, None)) is not None:
            self.counts -= Counter([before])
        self.counts[one.status] += 1
        if one.status not in FINAL_STATUSES:
            self._open[number] = one.status
        if one.report.crash:
            self._crashed(internal_error(one.report.decision.reason.removeprefix("internal error: "), one.report.crash))

    def add_mistake(self, error: Exception) -> None:
        """Something other than a packet broke."""
        self._crashed(internal_error(error, "".join(traceback.format_exception(error))))

    def _crashed(self, finding: Finding) -> None:
        self.crashes.append(finding)
        if self.at_once:
            tell_findings([finding])

    def statuses(self) -> list[ExitStatus]:
        """The exit statuses that apply."""
        crashed = [ExitStatus.INTERNAL for _ in self.crashes]
        return crashed + [ExitStatus.NEEDS_PERSON for status in self.counts if status in NEED_A_PERSON]


def process(
    config: Path | None,
    ids: list[str] | None,
    limit: int | None,
    jobs: int = 1,
    *,
    for_people: bool,
    watch: bool = False,
    exchange: bool = False,
) -> ExitStatus:
    """Run, with a line a packet as people read it, or as logs keep it."""
    tally, errors = Tally(at_once=watch), list[Finding]()
    with open_site(config, create=True, acting=worker_name(), nodes=ClusterNodes(), errors=errors) as site:
        tell_findings(few_connections(site.database, jobs))
        ending, draining = Ending(), Draining()
        exchanger = run_exchanger(site, ending, watch=watch) if exchange else None
        chosen = packet_ids(site, ids) if ids else None
        delivery = Delivery(site.database, site.world.clock, site.who, Carrier.of(site.configuration))
        with (
            # Around the messages: what is left of them is sent when all else is done.
            drained_by_signals(draining.drain, "step or message") as signals,
            delivering(delivery, tally.add_mistake) as look_for_messages,
            _progress() as told,
        ):

            def on_end(one: Handled) -> None:
                tally.add(one)
                if one.report.messages:
                    look_for_messages()
                try:
                    say(_line(one) if for_people else _record(one))
                    sys.stdout.flush()
                except BrokenPipeError:
                    leave_output()  # the packets that wait are no business of who reads along

            # A person who asks again wants to see what has changed by now; a timer's runs sweep now and then.
            every = timedelta() if for_people or ids else SWEEP_EVERY
            runner = Runner(
                site, on_start=_begun(told), on_end=on_end, jobs=jobs, sweep_every=every, keep_reports=False
            )
            if chosen:
                runner.take_in()
            refused = refusals(site, chosen) if chosen else []
            watcher = _watcher(runner, delivery, config, told, exchanger, look_for_messages) if watch else None
            draining.of(ending.end, delivery.stop, (watcher or runner).drain)
            if watcher is not None:
                watcher.watch()
            else:
                _once(runner, exchanger, chosen, limit)
            passed_over = runner.passed_over(chosen) if chosen and limit is None and not signals.came else []
    _tell_end(tally, passed_over, refused, drained=bool(signals.came))
    if signals.came:
        interrupted = [ExitStatus.INTERRUPTED] if signals.interrupted else []
        return first_that_applies([*(ExitStatus.INTERNAL for _ in tally.crashes), *interrupted])
    exchanged = end_exchange(exchanger) if exchanger is not None and not watch else []
    invalid = [ExitStatus.INVALID] if errors else []
    return first_that_applies([*tally.statuses(), *exchanged, *invalid, *([ExitStatus.USAGE] if refused else [])])


def _tell_end(tally: Tally, passed_over: list[str], refused: list[Finding], *, drained: bool) -> None:
    for text in [*passed_over, *_summary(tally.counts, drained=drained, told=bool(passed_over))]:
        tell(text)
    tell_findings(refused)
    if not tally.at_once:
        tell_findings(tally.crashes)


def _once(runner: Runner, exchanger: Exchanger | None, chosen: list[int] | None, limit: int | None) -> None:
    with runner.opened() as slots, exchanger.opened() if exchanger else nullcontext():
        if exchanger is not None:
            exchanger.fetch()
        runner.round(slots, chosen, limit)
        if exchanger is not None:
            exchanger.post()


def _watcher(
    runner: Runner,
    delivery: Delivery,
    config: Path | None,
    told: Callable[[str], None],
    exchanger: Exchanger | None,
    look_for_messages: Callable[[], None],
) -> Watcher:
    def report(text: str, findings: list[Finding]) -> None:
        tell_findings(findings)
        tell(text)

    file = config or Path(os.environ.get("AMIERULES_CONFIG") or FILE_NAME)
    reloader = Reloader(runner.site, file, lambda: reread(config), report)

    def changed() -> Site | None:
        site = reloader.changed()
        if site is not None:
            delivery.carrier = Carrier.of(site.configuration)
        return site

    beside = exchanger.patiently_opened if exchanger is not None else lambda: nullcontext(None)
    idle = partial(told, "waiting for packets")
    return Watcher(runner, changed, tell, idle=idle, roused=look_for_messages, beside=beside)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Shows on a terminal what is under way; what comes back is told of it."""
    console = Console(file=sys.stderr, no_color=not coloured(sys.stderr))
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    # On a terminal the lines of data go through the console, above the progress; a file gets them as they are.
    shared = sys.stdout.isatty()
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden, redirect_stdout=shared) as progress:
        task = progress.add_task("taking in new packets", total=None)
        yield lambda text: progress.update(task, description=text)


def _begun(told: Callable[[str], None]) -> Callable[[WorkItem], None]:
    return lambda item: told(f"packet {item.packet_rec_id} {item.type}")


def _line(handled: Handled) -> str:
    report = handled.report
    width = row_width()
    said = (
        report.decision.type if report.decision.kind == "reply" else printable(report.decision.reason, width or 10_000)
    )
    line = f"{report.packet_rec_id:>6} {printable(report.type)}" + (f": {said}" if said else "")
    short = shortened(line, width - 10) if width else line
    return paint(f"{handled.status:<9}", STATUS_STYLES.get(handled.status, "wait")) + " " + short


def _record(handled: Handled) -> str:
    """The packet as one log line: name=value, values with spaces quoted."""
    report = handled.report
    fields = {
        "packet": report.packet_rec_id,
        "remote": report.remote_packet_rec_id,
        "type": report.type,
        "rule": report.rule,
        "status": handled.status,
        "reply": report.decision.type if report.decision.kind in ("reply", "fail") else None,
        "reason": report.decision.reason or None,
    }
    return " ".join(f"{name}={_quoted(value)}" for name, value in fields.items() if value is not None)


def _quoted(value: object) -> str:
    text = printable(value, 10_000)
    if text and not set(text) & set(' "=\\'):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _summary(counts: Counter[str], *, drained: bool, told: bool) -> Iterator[str]:
    """A line about all packets; none where none ended, and people were told why."""
    if counts:
        total = counts.total()
        listed = ", ".join(f"{count} {status}" for status, count in counts.items())
        waits = any(status not in FINAL_STATUSES for status in counts)
        yield f"{total} packet{'s' * (total != 1)}: {listed}" + (" (see `amierules status`)" if waits else "")
    elif drained:
        yield "no packet came to its end: what waits is the next run's"
    elif not told:
        yield "nothing to do"
