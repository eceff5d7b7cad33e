"""The entry point: finds the command, imports what it needs, and ends with its status."""

import gc
import importlib
import os
import sys
from collections.abc import Mapping
from io import TextIOWrapper
from typing import Annotated

import typer

from amierules import __version__
from amierules.cli.help_text import reflow_help
from amierules.cli.usage import Commands

# Each command's module is imported only when the command is called: `validate` starts without database libraries.
MODULES: Mapping[str, str] = {
    "init": "amierules.cli.init",
    "validate": "amierules.cli.validate",
    "test": "amierules.cli.rule_tests",
    "dry-run": "amierules.cli.dry_run",
    "run": "amierules.cli.run",
    "load": "amierules.cli.load",
    "status": "amierules.cli.status",
    "show": "amierules.cli.show",
    "approve": "amierules.cli.decide",
    "retry": "amierules.cli.decide",
    "hold": "amierules.cli.decide",
    "fail": "amierules.cli.decide",
    "complete": "amierules.cli.decide",
    "resolve": "amierules.cli.decide",
    "pause": "amierules.cli.pause",
    "resume": "amierules.cli.pause",
    "messages": "amierules.cli.messages",
    "send": "amierules.cli.send",
    "exchange": "amierules.cli.exchange",
    "usage": "amierules.cli.usage_reporting",
    "registry": "amierules.cli.registry",
    "tgcdb": "amierules.cli.tgcdb",
    "db": "amierules.cli.db",
    "doctor": "amierules.cli.doctor",
    "demo": "amierules.cli.demo",
    "explain": "amierules.cli.explain",
    "schema": "amierules.cli.schema",
    "completion": "amierules.cli.completion",
    "help": "amierules.cli.help",
    "version": "amierules.cli.help",
}

_HELP = """Answer AMIE packets with YAML rules.

A first look: [bold]amierules demo[/bold]. A new site: [bold]amierules init DIR[/bold], edit DIR/amierules.yaml, then

  amierules validate            are rules and configuration right?
  amierules load packets.json   put packets into the database
  amierules dry-run             what would be done? nothing is changed
  amierules run                 do it, and answer

Exit status: 0 fine, 1 invalid, 2 wrong usage, 3 packets need a person, 5 database not to be had, \
10 changes pending (only with --detailed-exitcode), 70 internal error, 130 interrupted.
"""


def build(words: list[str]) -> typer.Typer:
    """The application for a command line: with the one command that it names, or with all for help and completion."""
    app = typer.Typer(
        name="amierules",
        cls=Commands,
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    named = next((word for word in words if not word.startswith("-")), None)
    alone = named in MODULES and named != "help" and "_AMIERULES_COMPLETE" not in os.environ
    chosen = [module for name, module in MODULES.items() if name == named or not alone]
    for module in dict.fromkeys(chosen):
        importlib.import_module(module).add_to(app)
    reflow_help(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"amierules {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # Names from all over the world come in packets; a terminal that lacks their letters is no reason to stop.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if sys.argv[1:] == ["--version"]:
        # No command, so nothing to import: asked for by scripts, it should cost nothing.
        _print_version()
        return
    # What is imported stays: to look through it for garbage again and again would be a tenth of a short command's time.
    gc.disable()
    app = build(sys.argv[1:])
    gc.freeze()
    gc.enable()
    app(prog_name="amierules")


def _open_closed_streams() -> None:
    """Where the caller closed standard output or error (`>&-`), Python has none: what is written goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - it stays open until the end


def _print_version() -> None:
    sys.stdout.write(f"amierules {__version__}\n")
