"""`amierules tgcdb run`: the central database at work."""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from amierules.cli.console import paint, say, tell, tell_findings
from amierules.cli.load import read_file
from amierules.cli.options import ConfigOption
from amierules.cli.signals import drained_by_signals
from amierules.cli.tgcdb_report import say_report
from amierules.cli.tgcdb_site import (
    STORE,
    FrontName,
    PlayedSite,
    SiteOption,
    StoreOption,
    chosen_scenarios,
    open_store,
    played_site,
)
from amierules.database.connection import Database
from amierules.diagnostics import ExitStatus, Finding, Invalid, NotAllowed, Severity, printable
from amierules.ports import SystemClock
from amierules.tgcdb.central import Central
from amierules.tgcdb.database_front import DatabaseFront
from amierules.tgcdb.faults import ALL_FAULTS, Fault, FaultPlan, Faults
from amierules.tgcdb.own_packets import steps_of_file
from amierules.tgcdb.playing import Front, News, Progress, play
from amierules.tgcdb.report import make_report
from amierules.tgcdb.rest_extra import NOT_INSTALLED, RestFront, RestServer
from amierules.tgcdb.scenarios import DEFAULT_RESOURCE, Scenario
from amierules.tgcdb.traffic import Traffic

RUN_HELP = """Be the central database: send requests, take replies, answer them.

Ctrl-C ends it; called again it goes on from there.

Over REST a site reaches it as it would reach ACCESS, with the site's name and the key that is printed. With --front
database it reads and writes the AMIE tables of the configuration's database, as the AMIE program does. What is to be
sent is said with --scenario, --projects or --packets; without them it serves what is under way, and what the calls of
the test server ask for.

\b
  amierules tgcdb run --scenario request_person_merge
  amierules tgcdb run --scenario all --until-done
  amierules tgcdb run --projects 20 --days 30 --seed 7 --rate 2
  amierules tgcdb run --packets mine.json
  amierules tgcdb run --front database --scenario all
  amierules tgcdb run --fault-rate 0.2 --fault 429 --fault cut
"""
_LARGEST_SEED = 999_999


_NO_RESOURCES = Finding(
    "no-resources",
    f"the configuration names no resource; the requests are for {DEFAULT_RESOURCE}, which is none of yours",
    hint="add your resources under `resources:`, or name one with --resource",
    severity=Severity.WARNING,
)


def run(
    names: Annotated[
        list[str] | None,
        typer.Option("--scenario", "-s", metavar="NAME", help="Send a scenario; all for all.", show_default=False),
    ] = None,
    projects: Annotated[int, typer.Option("--projects", min=0, max=9999, help="Send traffic of so many projects.")] = 0,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="Spread over so many days up to today.")] = 30,
    rate: Annotated[float, typer.Option("--rate", min=0.0, help="Transactions begun a second; 0 is at once.")] = 0.0,
    packets: Annotated[
        list[Path] | None, typer.Option("--packets", metavar="FILE", help="Send the requests of a JSON file.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", min=0, max=_LARGEST_SEED, help="The same seed makes up the same people.", show_default=False
        ),
    ] = None,
    front: Annotated[FrontName, typer.Option("--front", help="How packets come and go.")] = FrontName.rest,
    site: SiteOption = None,
    resources: Annotated[
        list[str] | None,
        typer.Option("--resource", metavar="NAME", help="A resource of the site; from the configuration by default."),
    ] = None,
    key: Annotated[str, typer.Option("--key", envvar="AMIERULES_TGCDB_KEY", help="The site's API key.")] = "test-key",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Where to listen; 0 is any free port.")] = 8181,
    fault_rate: Annotated[
        float, typer.Option("--fault-rate", min=0.0, max=1.0, help="The share of REST calls that go wrong.")
    ] = 0.0,
    faults: Annotated[
        list[Fault] | None, typer.Option("--fault", help="How they go wrong; in every way by default.")
    ] = None,
    until_done: Annotated[bool, typer.Option("--until-done", help="End when all is answered, with a report.")] = False,
    store: StoreOption = Path(STORE),
    config: ConfigOption = None,
) -> ExitStatus:
    """Run the central database."""
    played = played_site(config, site, resources)
    if played.configuration is not None and not (played.configuration.resources or resources):
        tell_findings([_NO_RESOURCES])
    seed = random.randrange(_LARGEST_SEED) if seed is None else seed  # noqa: S311 - people in a play
    chosen = chosen_scenarios(names or [])
    own = _own_packets(packets or [], played.name)
    stop = Event()
    # Ctrl-C ends it from the moment on at which it says so.
    with open_store(store, create=True) as opened, drained_by_signals(stop.set) as signals:
        central = Central(opened, SystemClock())
        progress = Progress(central, played.name)
        progress.skip()
        plan = FaultPlan(fault_rate, tuple(faults or ALL_FAULTS), seed)
        with _carrying(front, central, played, key, port, seed, plan) as carrier:
            _begin(central, played, chosen, own, seed)
            if projects:
                _begin_traffic(central, played, Traffic(seed, projects, days, rate))
            play(central, carrier, played.name, stop, lambda: _say(progress), until_done=until_done)
        if signals.came and not until_done:
            return ExitStatus.OK
        found = make_report(opened, played.name, central.clock.now(), unsent=central.agenda.unfinished(played.name))
    say_report(found)
    return ExitStatus.INTERRUPTED if signals.came else ExitStatus.INVALID if found.wrong else ExitStatus.OK


class _Listening:
    """The REST front carries by itself: sites call it."""

    def carry(self) -> None:
        """Nothing is left to do."""


def _own_packets(files: list[Path], site: str) -> list[tuple[str, list[dict[str, object]]]]:
    """The steps of each file. Raises `Invalid` where a packet cannot be read."""
    read = []
    for file in files:
        data = read_file(file)
        if isinstance(data, OSError):
            raise Invalid(Finding("cannot-read", f"{printable(file)} cannot be read: {data.strerror or data}"))
        steps, findings = steps_of_file(data, printable(file), site)
        if any(finding.severity is Severity.ERROR for finding in findings):
            raise Invalid(findings)
        tell_findings(findings)
        read.append((file.name, steps))
    return read


@contextmanager
def _carrying(
    kind: FrontName, central: Central, played: PlayedSite, key: str, port: int, seed: int, plan: FaultPlan
) -> Iterator[Front]:
    """The front. Raises `NotAllowed` where it cannot be had, `Unavailable` where the other end is not."""
    name = printable(played.name)
    if kind is FrontName.database:
        if played.configuration is None:
            hint = "`amierules init DIR` makes a site; --config names another configuration"
            raise NotAllowed(Finding("no-configuration", "the database is that of a configuration", hint=hint))
        with Database.open(played.configuration.database, create=True) as database:
            tell(f"central database for {name} in {database.url_shown}; seed {seed}; Ctrl-C ends it")
            yield DatabaseFront(central, database, played.name)
        return
    if RestServer is None:
        raise NotAllowed(Finding("not-installed", NOT_INSTALLED))
    front = RestFront(central, {played.name: key}, played.resources, seed, Faults(plan))
    with RestServer(front, port=port) as server:
        tell(f"central database for {name} at {server.url}   XA-SITE: {name}   XA-API-KEY: {key}")
        tell(f"seed {seed}; Ctrl-C ends it")
        yield _Listening()


def _begin(
    central: Central,
    played: PlayedSite,
    chosen: list[Scenario],
    own: list[tuple[str, list[dict[str, object]]]],
    seed: int,
) -> None:
    for scenario in chosen:
        central.agenda.begin(played.name, scenario.name, scenario.steps_on(played.resources), seed, played.resources)
    for name, steps in own:
        if steps:
            central.agenda.begin(played.name, name, steps, seed, played.resources)


def _begin_traffic(central: Central, played: PlayedSite, traffic: Traffic) -> None:
    steps = traffic.steps(len(played.resources), central.clock.now())
    central.agenda.begin(played.name, "traffic", steps, traffic.seed, played.resources)


def _say(progress: Progress) -> None:
    for news in progress.news():
        say(_line(news))
    sys.stdout.flush()


def _line(news: News) -> str:
    arrow = {True: "->", False: "<-", None: paint("!!", "error")}[news.to_site]
    return f"{news.at} {arrow} {news.text}"
