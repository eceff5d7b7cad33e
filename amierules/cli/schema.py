"""`amierules schema`: the JSON Schemas of all formats, for editors and scripts."""

from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from amierules.cli.console import say
from amierules.cli.ending import command
from amierules.diagnostics import ExitStatus, Finding, NotAllowed, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.engine.schema_files import schema_named, schema_names, write_schemas


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(help=_HELP)(command(schema))


_HELP = """Print a JSON Schema (draft 07): of rule files, blocks, the configuration, a kind's parameters, an output.

Without a name the schemas are listed. `--write` puts all of them into a folder, from which editors complete rule
files; `init` has done so, and `validate` says when they are those of another version.

\b
  amierules schema                    which schemas there are
  amierules schema rule-file          of rule files
  amierules schema user               of a kind's parameters
  amierules schema output/status      of what status prints as JSON
  amierules schema --write schemas    after an update, in the site folder
"""


def schema(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A format, or a kind of action.", show_default=False)
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option("--write", "-w", metavar="DIR", help="Write all schemas into this folder.", show_default=False),
    ] = None,
) -> ExitStatus:
    """Print or write schemas."""
    if write is not None:
        if name is not None:
            message = "--write writes all schemas; give either a name or --write"
            raise NotAllowed(Finding("bad-option", message))
        _write(write)
        return ExitStatus.OK
    if name is None:
        names = schema_names()
        longest = max(map(len, names))
        for known, title in names.items():
            say(f"{known:<{longest}}  {title}")
        return ExitStatus.OK
    text = schema_named(name)
    if text is None:
        meant = did_you_mean(name, schema_names())
        hint = f"did you mean '{meant}'?" if meant else "`amierules schema` lists them"
        raise NotAllowed(Finding("unknown-schema", f"there is no schema '{printable(name, 60)}'", hint=hint))
    say(text.rstrip("\n"))
    return ExitStatus.OK


def _write(folder: Path) -> None:
    changed = write_schemas(folder)
    for name in changed:
        say(f"{PurePosixPath(folder, name)}")
    say(f"{len(changed)} file{'' if len(changed) == 1 else 's'} written" if changed else "all were up to date")
