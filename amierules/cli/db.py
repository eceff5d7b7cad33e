"""`amierules db`: make, migrate and check the tables."""

from pathlib import Path
from typing import Annotated

import typer

from amierules.cli.console import paint, say, say_findings
from amierules.cli.ending import command
from amierules.cli.opening import configuration_of, open_site, who
from amierules.cli.options import ConfigOption, FormatOption, OutputFormat
from amierules.cli.spans import so_long_ago
from amierules.database.connection import Database
from amierules.database.dialect import parse_url
from amierules.database.migrations import create_all, migrate, migration_sql
from amierules.database.pruning import prune
from amierules.database.schema import CURRENT_VERSION
from amierules.diagnostics import ExitStatus, Finding, NotAllowed, Severity
from amierules.diagnostics.render import as_json
from amierules.engine.health.database import table_findings


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode="rich")
    group.command("create", help=_CREATE)(command(create))
    group.command("migrate", help=_MIGRATE)(command(migrate_tables))
    group.command("check", help=_CHECK)(command(check))
    group.command("prune", help=_PRUNE)(command(prune_journal))
    app.add_typer(group, name="db")


_HELP = """Make the tables, bring ours to this program's version, check them.

AMIE's seven tables may belong to another program; ours, amierules_*, stand beside them.

\b
  amierules db create     AMIE's tables and ours, in an empty database
  amierules db migrate    ours beside AMIE's, or to a newer version
  amierules db check      are all tables as they should be?
  amierules db prune      forget how old packets were worked on
"""

_CREATE = """Make all tables in an empty database: AMIE's seven, and ours.

An SQLite file is made too; on PostgreSQL make the database first.

\b
  createdb amiedb
  AMIERULES_DATABASE=postgresql:///amiedb amierules db create
"""

_MIGRATE = """Make our tables beside the AMIE tables that are there, or bring ours to this program's version.

AMIE's own tables are never changed.

\b
  amierules db migrate
  amierules db migrate --print                     the SQL, with no connection
  amierules db migrate --print --from-version 1    the SQL from version 1 on
"""

_PRUNE = """Forget how packets that ended long ago were worked on: their steps, events and lock keys, and the messages
about them that were sent or dropped.

Packets, replies, the registry, and what each packet ended in stay. A pruned packet that another program sets back is
held for a person.

\b
  amierules db prune --dry-run             how much would be forgotten
  amierules db prune --older-than 365d
"""

_CHECK = """Compare the tables with what this program needs. Nothing is changed.

\b
  amierules db check
  amierules db check --strict      differences that may be meant count too
"""


def create(config: ConfigOption = None) -> ExitStatus:
    """Make all tables."""
    with _database(config) as database:
        create_all(database)
        say(f"made the tables of AMIE and of amierules in {database.url_shown}")
    return ExitStatus.OK


def migrate_tables(
    print_: Annotated[
        bool, typer.Option("--print", help="Print the SQL for a person to run; connect to nothing.")
    ] = False,
    from_version: Annotated[
        int, typer.Option("--from-version", metavar="N", help="With --print: the version that is there; 0 for none.")
    ] = 0,
    config: ConfigOption = None,
) -> ExitStatus:
    """Make or migrate our tables."""
    if print_:
        _print_sql(config, from_version)
        return ExitStatus.OK
    if from_version:
        raise NotAllowed(Finding("bad-option", "--from-version is for --print; the database knows its version"))
    with _database(config) as database:
        versions = migrate(database)
        shown = database.url_shown
    if not versions:
        say(f"nothing to do: the tables in {shown} have version {CURRENT_VERSION}")
    elif versions[0] == 1:
        say(f"made the tables of amierules, version {versions[-1]}, in {shown}")
    else:
        say(f"brought the tables of amierules in {shown} to version {versions[-1]}")
    return ExitStatus.OK


def _print_sql(config: Path | None, from_version: int) -> None:
    if not 0 <= from_version <= CURRENT_VERSION:
        message = f"there is no version {from_version}; this program knows 1 to {CURRENT_VERSION}, and 0 for no tables"
        raise NotAllowed(Finding("bad-option", message))
    kind = parse_url(configuration_of(config).database).get_backend_name()
    say(migration_sql(kind, from_version).rstrip("\n"))


def check(
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 if there is a warning.")] = False,
    config: ConfigOption = None,
    format: FormatOption = OutputFormat.text,
) -> ExitStatus:
    """Check the tables."""
    findings = table_findings(configuration_of(config).database)
    if format is OutputFormat.json:
        say(as_json(findings))
    else:
        say_findings(findings)
        if not any(finding.severity is not Severity.NOTE for finding in findings):
            say(paint("ok", "good") + f": all tables are there, ours in version {CURRENT_VERSION}")
    failing = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return ExitStatus.INVALID if any(finding.severity in failing for finding in findings) else ExitStatus.OK


def prune_journal(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="DURATION", help="Only packets that ended so long ago.")
    ] = "180d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    config: ConfigOption = None,
) -> ExitStatus:
    """Prune the journal."""
    with open_site(config, create=False) as site:
        now = site.world.clock.now()
        before = so_long_ago(older_than, now)
        found = prune(site.database, before, who=who(), now=now, dry_run=dry_run)
    verb = "would be forgotten" if dry_run else "forgotten"
    what = f"{found.steps} steps, {found.events} events and {found.messages} messages of {found.packets} packets"
    say(f"{verb}: {what} that ended before {before:%Y-%m-%d %H:%M}Z")
    return ExitStatus.OK


def _database(config: Path | None) -> Database:
    return Database.open_unchecked(configuration_of(config).database)
