"""`amierules registry show | import | export | set | merge`: what the site knows of persons and projects."""

import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from amierules.cli.console import say, say_json, tell, tell_findings
from amierules.cli.ending import command
from amierules.cli.opening import configuration_of, who
from amierules.cli.options import ConfigOption, FormatOption, OutputFormat, ReasonOption
from amierules.cli.registry_options import (
    LdapAccountsOption,
    LdapAttributeOption,
    LdapGroupsOption,
    LdapOption,
    NewPersonId,
    accounts_of_directory,
    directory_options,
    join_options,
)
from amierules.cli.registry_text import say_changes, say_table, say_whole
from amierules.database.connection import Database
from amierules.database.registry_all import read_all
from amierules.diagnostics import ExitStatus, Finding, Invalid, NotAllowed, Place, printable
from amierules.diagnostics.suggest import hint_for
from amierules.engine.registry.change import import_contents, merge_persons, set_values
from amierules.engine.registry.export import exported
from amierules.engine.registry.fields import KINDS
from amierules.engine.registry.files import read_files
from amierules.engine.registry.report import PERSON_OR_PROJECT, as_json, everybody, rows_called
from amierules.engine.registry.stock import Stock
from amierules.engine.registry.unix_accounts import read_unix_accounts
from amierules.ports import SystemClock

_HELP = "Look at the registry and change it: persons, projects, allocations, accounts."

_SHOW = """Show the registry: a table of all, or the rows that are named, whole.

A person is named by PersonID, GlobalID or login, a project by ProjectID or GrantNumber.

\b
  amierules registry show
  amierules registry show person P1
  amierules registry show project PR1 --format json
"""
_IMPORT = """Take registry files in: YAML, or CSV with one kind in each file. This is how a running site moves over.

Rows that are found by their ids are changed in what the file names; others are added. All or nothing is written.
Accounts and groups of passwd and group files, or of the directory, add what the registry and the other files lack
(docs/moving-in.md).

\b
  amierules registry import registry.yaml --check     what would change?
  amierules registry import registry.yaml
  amierules registry import persons.csv projects.csv
  amierules registry import users.csv --kind persons
  amierules registry import --passwd passwd --group group --dry-run
  amierules registry import --group group --projects 'p-(?P<project_id>.+)'
  amierules registry import --ldap --ldap-attribute global_id=employeeNumber
"""
_EXPORT = """Write the registry as YAML that `registry import` reads back; to standard output without FILE.

\b
  amierules registry export registry.yaml
"""
_SET = """Change attributes of a person or project. NAME= takes one away; a list (dns, ids) is replaced as a whole.

\b
  amierules registry set person P1 state=suspended --reason "left"
  amierules registry set person P1 login=bsample Email=bea@site.example
  amierules registry set project PR1 group=grp1 title="Quantum chemistry"
  amierules registry set project PR1 active@alpha.site.example=false
  amierules registry set project PR1 data.account_manager="R. Roe"
"""
_MERGE = """Make two persons one: KEEP stays, and what DELETE has becomes theirs. This cannot be undone.

Ids, logins, DNs and accounts go over; of tags only those that KEEP lacks. Both logins go on to work. A person is named
by PersonID, GlobalID or login.

\b
  amierules registry merge P1 P2 --check              what would change?
  amierules registry merge P1 P2 --reason "the help desk asked both"
"""


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    registry = typer.Typer(name="registry", help=_HELP, no_args_is_help=True)
    registry.command("show", help=_SHOW)(command(show))
    registry.command("import", help=_IMPORT)(command(import_))
    registry.command("export", help=_EXPORT)(command(export))
    registry.command("set", help=_SET)(command(set_))
    registry.command("merge", help=_MERGE)(command(merge))
    app.add_typer(registry)


def show(
    rows: Annotated[
        list[str] | None,
        typer.Argument(metavar="[person|project ID]...", help="Rows to show whole.", show_default=False),
    ] = None,
    config: ConfigOption = None,
    format: FormatOption = OutputFormat.text,
) -> ExitStatus:
    """Show the registry."""
    stock = _stock(config)
    shown = rows_called(stock, rows) if rows else everybody(stock)
    if format is OutputFormat.json:
        say_json(as_json(stock, shown))
    elif rows:
        say_whole(stock, shown)
    else:
        say_table(shown)
    return ExitStatus.OK


def import_(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="YAML or CSV files.", show_default=False)
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", "-k", metavar="KIND", help=f"What CSV files hold: {', '.join(KINDS)}.")
    ] = None,
    passwd: Annotated[Path | None, typer.Option(metavar="FILE", help="Take accounts in: persons by login.")] = None,
    group: Annotated[Path | None, typer.Option(metavar="FILE", help="Take groups in: who is on which project.")] = None,
    projects: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="Groups that are projects; (?P<project_id>...) or (?P<grant_number>...)."),
    ] = None,
    uids: Annotated[
        str | None, typer.Option(metavar="FIRST-LAST", help="The uids of persons; the configuration's by default.")
    ] = None,
    person_id: Annotated[
        NewPersonId, typer.Option(help="What becomes the PersonID of a person whom nothing else names.")
    ] = NewPersonId.uid,
    resource: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where members of groups have accounts; everywhere by default.")
    ] = None,
    ldap: LdapOption = False,
    ldap_accounts: LdapAccountsOption = None,
    ldap_groups: LdapGroupsOption = None,
    ldap_attribute: LdapAttributeOption = None,
    check: Annotated[bool, typer.Option("--check", "--dry-run", help="Only show what would change.")] = False,
    config: ConfigOption = None,
) -> ExitStatus:
    """Take registry files in."""
    options = join_options(projects, uids, person_id, resource)
    asked = directory_options(ldap_accounts, ldap_groups, ldap_attribute, ldap=ldap)
    if not files and passwd is None and group is None and not ldap:
        raise NotAllowed(Finding("usage", "nothing to import", hint="name a file, --passwd and --group, or --ldap"))
    if kind is not None and kind not in KINDS:
        message = f"there is no kind '{printable(kind)}' of rows"
        raise NotAllowed(Finding("unknown-kind", message, hint=hint_for(kind, KINDS)))
    configuration = configuration_of(config)
    contents, unix = read_files(files or [], kind), read_unix_accounts(passwd, group)
    if ldap:
        unix.add(accounts_of_directory(configuration, asked))
    with Database.open(configuration.database, create=not check) as database:
        now = SystemClock().now()
        planned = import_contents(
            database, configuration, contents, who=who(), now=now, check=check, unix=unix, options=options
        )
    tell_findings(planned.findings)
    if check:
        say_changes(planned.changes)
    say(planned.summary())
    if check and planned.rows:
        tell("nothing was written: --check")
    return ExitStatus.OK


def export(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to; standard output by default.", show_default=False)
    ] = None,
    config: ConfigOption = None,
) -> ExitStatus:
    """Write the registry as YAML."""
    text, findings = exported(_stock(config))
    tell_findings(findings)
    if file is None or str(file) == "-":
        say(text.rstrip("\n"))
    else:
        _write(file, text)
        tell(f"written to {printable(file)}")
    return ExitStatus.OK


def set_(
    kind: Annotated[str, typer.Argument(metavar="person|project", help="What to change.")],
    called: Annotated[str, typer.Argument(metavar="ID", help="PersonID, GlobalID or login; ProjectID or GrantNumber.")],
    assignments: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="Attributes and their values.")],
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> ExitStatus:
    """Change a row."""
    if kind not in PERSON_OR_PROJECT:
        message = f"'{printable(kind, 60)}' is neither person nor project"
        raise NotAllowed(Finding("usage", message, hint=hint_for(kind, PERSON_OR_PROJECT)))
    configuration = configuration_of(config)
    with Database.open(configuration.database, create=False) as database:
        now = SystemClock().now()
        planned = set_values(database, configuration, (kind, called), assignments, who=who(), reason=reason, now=now)
    tell_findings(planned.findings)
    say_changes(planned.changes)
    if not planned.rows:
        say("nothing to change")
    return ExitStatus.OK


def merge(
    keep: Annotated[str, typer.Argument(metavar="KEEP", help="The person who stays: PersonID, GlobalID or login.")],
    delete: Annotated[str, typer.Argument(metavar="DELETE", help="The person who is the same one, and goes.")],
    check: Annotated[bool, typer.Option("--check", help="Only show what would change.")] = False,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> ExitStatus:
    """Make two persons one."""
    with Database.open(configuration_of(config).database, create=False) as database:
        now = SystemClock().now()
        planned = merge_persons(database, keep, delete, who=who(), reason=reason, now=now, check=check)
    say_changes(planned.changes)
    if check:
        tell("nothing was written: --check")
    return ExitStatus.OK


def _stock(config: Path | None) -> Stock:
    with Database.open(configuration_of(config).database, create=False) as database, database.read() as connection:
        return Stock(read_all(connection))


def _write(file: Path, text: str) -> None:
    """Writes beside the file first, so that a full disk does not cost the old one."""
    beside: str | None = None
    try:
        with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=".", delete=False, encoding="utf-8") as written:
            beside = written.name
            written.write(text)
        os.replace(beside, file)
    except OSError as error:
        if beside is not None:
            Path(beside).unlink(missing_ok=True)
        message = f"cannot be written: {printable(error.strerror or error)}"
        raise Invalid(Finding("cannot-write", message, Place(str(file)))) from error
