"""`amierules tgcdb certify`: a site's own rules against the protocol, before production."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from amierules.cli.console import paint, say, say_json, wrapped
from amierules.cli.options import ConfigOption, FormatOption, OutputFormat
from amierules.cli.tgcdb_report import say_violation
from amierules.cli.tgcdb_site import FrontName, chosen_scenarios
from amierules.database.connection import Database
from amierules.database.migrations import create_all
from amierules.diagnostics import ExitStatus
from amierules.ports import SystemClock
from amierules.rulebook.configuration import FILE_NAME
from amierules.testing.certified_rest import rest_front
from amierules.testing.certified_site import ScratchSite, scratch_site
from amierules.tgcdb.central import Central
from amierules.tgcdb.certifying import Certified, Certifier
from amierules.tgcdb.database_front import DatabaseFront
from amierules.tgcdb.playing import Front
from amierules.tgcdb.scenarios import Scenario, scenarios
from amierules.tgcdb.store import Store

CERTIFY_HELP = """Play all scenarios against this site's own rules, and say what must be known before production.

A scratch copy is played with: the rules and settings of amierules.yaml, a database in memory, models of Unix accounts,
the directory and Slurm. Nothing outside is changed, no message is sent; programs that have no model are taken to
succeed, and are named. What is held for a person is approved, and named. Time passes at once.

Ends with 1 if a rule of the protocol was broken.

\b
  amierules tgcdb certify
  amierules tgcdb certify --scenario request_person_merge
  amierules tgcdb certify --front rest           with the site's own exchange
  amierules tgcdb certify --database postgresql:///scratch   an empty one
"""


def certify(
    names: Annotated[
        list[str] | None,
        typer.Option("--scenario", "-s", metavar="NAME", help="Only this scenario.", show_default=False),
    ] = None,
    front: Annotated[FrontName, typer.Option("--front", help="How packets come and go.")] = FrontName.database,
    database: Annotated[
        str | None,
        typer.Option("--database", metavar="URL", help="An empty database to work in; in memory by default."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=999_999, help="Makes up the people.")] = 1,
    config: ConfigOption = None,
    format: FormatOption = OutputFormat.text,
) -> ExitStatus:
    """Certify a site's rules."""
    wanted = chosen_scenarios(names) if names else [one for one in scenarios().values() if not one.lasting]
    path = config or Path(os.environ.get("AMIERULES_CONFIG") or FILE_NAME)
    now = SystemClock().now()
    with _database(database) as opened, scratch_site(path, now, opened) as scratch, Store.open(None, now) as store:
        central = Central(store, scratch.clock)
        with _front(front, central, scratch) as carrier:
            configuration = scratch.site.configuration
            resources = tuple(configuration.resources)
            certifier = Certifier(central, carrier, scratch, configuration.site_name, resources, seed)
            found = _all(certifier, wanted, quiet=format is OutputFormat.json)
        if format is OutputFormat.json:
            say_json(_as_json(scratch, found, front, seed))
        else:
            _say_summary(scratch, found)
    return ExitStatus.OK if all(one.passed for one in found) else ExitStatus.INVALID


@contextmanager
def _database(url: str | None) -> Iterator[Database | None]:
    """An empty database that was named. Raises `NotAllowed` (`database-not-empty`) where tables are there already."""
    if url is None:
        yield None
        return
    with Database.open_unchecked(url) as database:
        create_all(database)
    with Database.open(url, create=False) as database:
        yield database


@contextmanager
def _front(kind: FrontName, central: Central, scratch: ScratchSite) -> Iterator[Front]:
    if kind is FrontName.rest:
        with rest_front(central, scratch) as front:
            yield front
    else:
        yield DatabaseFront(central, scratch.site.database, scratch.site.name)


def _all(certifier: Certifier, wanted: Sequence[Scenario], *, quiet: bool) -> list[Certified]:
    found = []
    for one in certifier.certify(wanted):
        found.append(one)
        if not quiet:
            _say(one)
    return found


def _say(one: Certified) -> None:
    good = one.passed and not one.waiting
    mark = paint("passed", "good") if good else paint("waits ", "wait") if one.passed else paint("FAILED", "error")
    say(f"{mark}  {one.scenario.name}")
    for broken in one.report.violations:
        say_violation(broken, indent="        ")
    for asked in one.asked:
        say(wrapped(f"        a person is asked: {asked.reason}"))
    for waiting in one.waiting:
        say(wrapped(f"        {waiting.type} is {waiting.status}: {waiting.reason}"))
    if one.unsent:
        say(f"        {one.unsent} requests that build upon this were not sent")


def _say_summary(scratch: ScratchSite, found: Sequence[Certified]) -> None:
    say()
    failed = [one.scenario.name for one in found if not one.passed]
    broken = sorted({kept.rule for one in found for kept in one.report.wrong})
    if failed:
        say(f"{paint('not ready', 'error')}: {len(failed)} of {len(found)} scenarios failed ({', '.join(broken)})")
        say("docs/protocol-rules.md says of each rule what is asked, and where that is written.")
    else:
        say(f"{paint('ready', 'good')}: {len(found)} scenarios, no rule of the protocol is broken")
    if assumed := scratch.script.programs():
        say(wrapped(f"Taken to do what they are asked, and not run: {', '.join(assumed)}."))
    if any(one.asked for one in found):
        say("What a person is asked was approved here; in production it waits.")


def _as_json(scratch: ScratchSite, found: Sequence[Certified], front: FrontName, seed: int) -> dict[str, object]:
    return {
        "format_version": 1,
        "site": scratch.site.name,
        "front": front.value,
        "seed": seed,
        "passed": all(one.passed for one in found),
        "scenarios": [one.as_json() for one in found],
        "assumed": scratch.script.programs(),
    }
