"""`amierules demo`: all of it in a scratch folder."""

import os
import shlex
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from amierules.cli.console import paint, say
from amierules.cli.dry_run import dry_run
from amierules.cli.ending import command
from amierules.cli.load import load
from amierules.cli.run import process
from amierules.cli.status import status
from amierules.diagnostics import ExitStatus
from amierules.engine.demo_site import make_demo_site
from amierules.rulebook.configuration import FILE_NAME

_WIDTH = 80


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(help=_HELP)(command(demo))


_HELP = """Show everything in a scratch folder: a day of packets, what would be done with them, and the doing of it.

Needs no server and no root. As root it makes real Unix accounts, under a scratch root in that folder; this host's
accounts are not touched. The folder stays, to play with.

\b
  amierules demo
  amierules demo ./demo-site     in this folder, which must be new or empty
"""


def demo(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="A new or empty folder; a temporary one by default.", show_default=False),
    ] = None,
) -> ExitStatus:
    """Play a day of packets."""
    place = folder or Path(tempfile.mkdtemp(prefix="amierules-demo-"))
    real_accounts = make_demo_site(place)
    # The other commands ask for the terminal's width; a demo that wraps is hard to follow.
    os.environ["COLUMNS"] = str(min(int(os.environ.get("COLUMNS") or _WIDTH), _WIDTH))
    config = place / FILE_NAME
    say(f"A site in {place}:")
    say("an SQLite database, the shipped rules, and a day of packets.")
    if real_accounts:
        say("Unix accounts are really made, under the scratch root in that folder.")
    else:
        say("No Unix accounts are made (that takes root and useradd): the registry is kept.")
    _step("amierules load day.json", "all eleven types that a site receives")
    load([place / "day.json"], config=config)
    _step("amierules dry-run 1", "what would be done? nothing is changed")
    dry_run(["1"], config=config)
    _step("amierules run", "do it, packet by packet, and answer")
    process(config, None, None, for_people=True)
    _step("amierules status", "what waits, and why")
    status(config=config)
    _what_next(place)
    return ExitStatus.OK


def _step(typed: str, why: str) -> None:
    say()
    say(paint(f"$ {typed}", "strong") + paint(f"   # {why}", "dim"))


def _what_next(place: Path) -> None:
    say()
    say("What to type next, in that folder:")
    for typed, why in (
        (f"cd {shlex.quote(str(place))}", ""),
        ("amierules show 1", "all about one packet"),
        ("amierules registry show", "who and what is here now"),
        ('amierules approve 15 --reason "one person"', "decide what waits, then"),
        ("amierules run", "do that too"),
        ("$EDITOR rules/request_account_create.yaml", "change a rule, then"),
        ("amierules validate", "is it right?"),
    ):
        say(f"  {typed:<48}# {why}" if why else f"  {typed}")
