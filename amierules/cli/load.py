"""`amierules load`: packets in AMIE's JSON form into the database."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from amierules.cli.console import say, tell_findings
from amierules.cli.ending import command
from amierules.cli.opening import open_site
from amierules.cli.options import ConfigOption
from amierules.diagnostics import ExitStatus, Severity
from amierules.engine.loading import load_files


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(help=_HELP)(command(load))


_HELP = """Put packets in AMIE's JSON form into the database, as incoming.

A file holds one packet, a list, or the REST envelope {"result": ...}, written from either side's perspective; - is
standard input. A packet that is there already is left as it is. Refused packets do not keep the others out.

\b
  amierules load packets.json
  curl ... | amierules load -
"""


def load(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="JSON files; - is standard input.")],
    as_site: Annotated[
        str | None, typer.Option("--as-site", metavar="NAME", help="Take packets for the site NAME as ours.")
    ] = None,
    config: ConfigOption = None,
) -> ExitStatus:
    """Load packets; invalid if one was refused."""
    with open_site(config, create=True) as site:
        loaded = load_files(site, [(str(file), read_file(file)) for file in files], as_site)
    tell_findings(loaded.findings)
    parts = [f"{loaded.new} packet{'' if loaded.new == 1 else 's'} loaded"]
    parts += [f"{loaded.duplicates} already there"] if loaded.duplicates else []
    parts += [f"{loaded.kept} of an unknown type kept, parked"] if loaded.kept else []
    refused = sum(1 for finding in loaded.findings if finding.severity is Severity.ERROR)
    parts += [f"{refused} refused"] if refused else []
    say(", ".join(parts))
    return ExitStatus.INVALID if refused else ExitStatus.OK


def read_file(file: Path) -> bytes | OSError:
    """What a file, or standard input, holds; the error where it cannot be read."""
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        return error
