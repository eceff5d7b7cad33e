"""`amierules validate`: are rules and configuration right?"""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from amierules.cli.console import paint, say, say_findings, tell
from amierules.cli.ending import command
from amierules.cli.options import ConfigOption
from amierules.cli.rulebook_loading import Checked, check_paths, check_site
from amierules.diagnostics import ExitStatus, Severity
from amierules.diagnostics.render import as_github, as_json


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(help=_HELP)(command(validate))


_HELP = """Check the configuration and all rule files; needs no database.

Everything that is wrong is shown at once, each with its file, line and column. Ends with 1 if there is an error.

\b
  amierules validate                       the configuration and its rules
  amierules validate rules/my_rule.yaml    one file; its blocks are known
  amierules validate --strict              warnings count too
  amierules validate --format github       shown beside a pull request's lines
"""


class FindingsFormat(StrEnum):
    """How findings are printed."""

    text = "text"
    json = "json"
    github = "github"


def validate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Rule files, folders or configurations; the configuration and its rules by default.",
            show_default=False,
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 if there is a warning.")] = False,
    format: Annotated[
        FindingsFormat, typer.Option("--format", "-f", help="text for people, json for scripts, github for its checks.")
    ] = FindingsFormat.text,
    config: ConfigOption = None,
) -> ExitStatus:
    """Check rules and configuration."""
    checked = check_paths(paths, config, os.environ) if paths else check_site(config, os.environ)
    if format is FindingsFormat.json:
        say(as_json(checked.findings))
    elif format is FindingsFormat.github:
        if checked.findings:
            say(as_github(checked.findings))
        tell(_summary(checked))
    else:
        say_findings(checked.findings)
        say(_summary(checked))
    failed = checked.count(Severity.ERROR) or (strict and checked.count(Severity.WARNING))
    return ExitStatus.INVALID if failed else ExitStatus.OK


def _summary(checked: Checked) -> str:
    errors, warnings = checked.count(Severity.ERROR), checked.count(Severity.WARNING)
    problems = [_counted(number, what) for number, what in ((errors, "error"), (warnings, "warning")) if number]
    files = _counted(len(checked.files), "file")
    if errors:
        return paint(", ".join(problems), "bad") + (f" in {files}" if checked.files else "")
    read = f"{_counted(checked.rules, 'rule')} in {files}" if checked.rules else files
    return f"{read}: {paint(', '.join(problems), 'wait') if problems else paint('ok', 'good')}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
