"""`amierules init`: a site folder that works at once."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from amierules.cli.console import paint, say
from amierules.cli.ending import command
from amierules.diagnostics import ExitStatus, printable
from amierules.engine.site_folder import Written, write_site_folder


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(help=_HELP)(command(init))


_HELP = """Make a site folder: configuration, rules, templates, schemas, tests.

It works at once and touches nothing outside: an SQLite file, and rules that keep the registry alone. Nothing is
asked, no server is contacted, and no file that is there is ever replaced.

\b
  amierules init my-site
  amierules init my-site --site-name NCSA --resource delta.ncsa.example
  amierules init . --force       add what is missing here
"""


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; it is made if it is not there.")],
    site_name: Annotated[
        str, typer.Option("--site-name", metavar="NAME", help="Your site's name in AMIE, at most 16 characters.")
    ] = "TestSite",
    resources: Annotated[
        list[str] | None,
        typer.Option(
            "--resource",
            metavar="NAME",
            help="A resource of yours, as in ResourceList; may be given several times.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Add missing files to a folder that is not empty.")] = False,
) -> ExitStatus:
    """Write a site folder."""
    written = write_site_folder(folder, site_name, tuple(resources or ()), force=force)
    _say(folder, written, bool(resources))
    return ExitStatus.OK


def _say(folder: Path, written: Written, has_resources: bool) -> None:
    files = f"{len(written.new)} file{'' if len(written.new) == 1 else 's'}"
    kept = f"; {len(written.kept)} were there and are as they were" if written.kept else ""
    say(f"{files} written to {printable(folder)}{kept}:")
    say("  amierules.yaml  rules/  templates/  schemas/  tests/")
    say()
    say(paint("Next:", "strong"))
    if str(folder) != ".":
        say(f"  cd {shlex.quote(str(folder))}")
    to_edit = "site_name, ids, logins" if has_resources else "site_name, resources, ids, logins"
    for typed, why in (
        ("$EDITOR amierules.yaml", to_edit),
        ("amierules validate", "are rules and configuration right?"),
        ("amierules doctor", "is everything there that they need?"),
        ("amierules load packets.json", "put packets into the database"),
        ("amierules dry-run", "what would be done? nothing is changed"),
    ):
        say(f"  {typed:<29} {paint(why, 'dim')}")
