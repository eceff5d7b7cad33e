"""`amierules pause | resume`: a back end or resource, for maintenance."""

from typing import Annotated

import typer

from amierules.cli.console import say
from amierules.cli.ending import command
from amierules.cli.opening import open_site, who
from amierules.cli.options import ConfigOption, ReasonOption
from amierules.diagnostics import ExitStatus, printable
from amierules.engine import pausing


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command(help=_PAUSE)(command(pause))
    app.command(help=_RESUME)(command(resume))


_PAUSE = """Use a back end, or a resource, no more until `resume`: for maintenance.

A packet goes on up to the step that needs the back end, and waits there; of a paused resource no packet is begun.
What is under way is finished. A back end that cannot be reached is paused by itself, and tried again now and then.

\b
  amierules pause accounts --reason "new account server"
  amierules pause alpha.site.example --reason "maintenance until noon"
  amierules status             what is paused, and what waits for it
"""

_RESUME = """Use a back end, or a resource, again: the packets that wait for it are tried by the next run.

\b
  amierules resume accounts
"""

_Name = Annotated[str, typer.Argument(metavar="NAME", help="A back end (accounts, commands), or a resource.")]


def pause(name: _Name, reason: ReasonOption = "", config: ConfigOption = None) -> ExitStatus:
    """Pause."""
    with open_site(config, create=True) as site:
        pausing.pause(site, name, reason, who())
    say(f"{printable(name)} is paused")
    return ExitStatus.OK


def resume(name: _Name, reason: ReasonOption = "", config: ConfigOption = None) -> ExitStatus:
    """Resume."""
    with open_site(config, create=True) as site:
        pausing.resume(site, name, reason, who())
    say(f"{printable(name)} is used again")
    return ExitStatus.OK
