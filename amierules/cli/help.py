"""`amierules help` and `amierules version`: what some type by habit."""

from typing import Annotated

import typer

from amierules import __version__
from amierules.cli.console import say
from amierules.cli.ending import command
from amierules.diagnostics import ExitStatus


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("help", help=_HELP)(command(help_))
    app.command("version", help=_VERSION)(command(version))


_HELP = """Show the help of a command; without one, of all.

\b
  amierules help
  amierules help registry import
"""
_VERSION = """Show the version, as --version does.

\b
  amierules version
"""


def help_(
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[COMMAND]...", help="The command.", show_default=False)
    ] = None,
) -> ExitStatus:
    """Show help."""
    context.find_root().command.main(args=[*(words or []), "--help"], prog_name="amierules")
    return ExitStatus.OK


def version() -> ExitStatus:
    """Show the version."""
    say(f"amierules {__version__}")
    return ExitStatus.OK
