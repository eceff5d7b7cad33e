"""`amierules doctor`: is everything there that the site needs?"""

import os
import textwrap
from typing import Annotated

import typer

from amierules.actions.schemas import kind_schemas
from amierules.cli.console import paint, row_width, say, say_json
from amierules.cli.ending import command
from amierules.cli.options import ConfigOption, FormatOption, OutputFormat
from amierules.diagnostics import ExitStatus, first_that_applies, printable
from amierules.engine.health import examine
from amierules.engine.health.check import Check, Health
from amierules.exchange.health import check_servers
from amierules.ports.cluster import ClusterNodes
from amierules.usage.health import check_usage


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(help=_HELP)(command(doctor))


_HELP = """Look whether everything is there that this site needs. Nothing is changed.

Configuration, rules, database, programs that the rules start, nodes, servers, usage, rights, ids that are left,
secrets, clock, disk.
Ends with 0 where there are at most warnings, with 5 if the database is not to be had, else with 1.

\b
  amierules doctor
  amierules doctor --strict         warnings count too
  amierules doctor --format json    for monitoring
"""

_STYLES = {Health.OK: "good", Health.WARNING: "wait", Health.ERROR: "bad"}


def doctor(
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 if there is a warning.")] = False,
    config: ConfigOption = None,
    format: FormatOption = OutputFormat.text,
) -> ExitStatus:
    """Look at everything."""
    checks = []
    for check in examine(config, os.environ, kind_schemas(), ClusterNodes(), [check_servers, check_usage]):
        checks.append(check)
        if format is OutputFormat.text:
            _say(check)
    if format is OutputFormat.json:
        say_json({"format_version": 1, "checks": [check.as_json() for check in checks]})
    statuses = [check.status for check in checks if check.health is Health.ERROR]
    if strict and any(check.health is Health.WARNING for check in checks):
        statuses.append(ExitStatus.INVALID)
    return first_that_applies(statuses)


def _say(check: Check) -> None:
    state = paint(f"{check.health:<8}", _STYLES[check.health])
    first, *more = _wrapped(printable(check.detail, 1000))
    say(f"{state} {check.what:<14} {first}")
    for line in more:
        say(_INDENT + line)
    if check.hint:
        for line in _wrapped("hint: " + printable(check.hint, 1000)):
            say(_INDENT + paint(line, "dim"))


_INDENT = " " * 24


def _wrapped(text: str) -> list[str]:
    """The text broken at spaces to fit a terminal, beside what stands before it."""
    width = row_width()
    if width is None:
        return [text]
    return textwrap.wrap(text, width - len(_INDENT), break_on_hyphens=False, break_long_words=False) or [""]
