"""`amierules validate`: are rules and configuration right?"""

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from amierules.cli.console import paint, say, say_findings, tell
from amierules.cli.ending import command
from amierules.cli.options import ConfigOption
from amierules.cli.rulebook_loading import Checked, check_paths, check_site, fix
from amierules.diagnostics import ExitStatus, Severity, printable
from amierules.diagnostics.render import as_github, as_json
from amierules.rulebook.fixing import Fix


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(help=_HELP)(command(validate))


_HELP = """Check the configuration and all rule files; needs no database.

Everything that is wrong is shown at once, each with its file, line and column. Ends with 1 if there is an error.
Rule tests are checked by amierules test, which runs them.

\b
  amierules validate                       the configuration and its rules
  amierules validate rules/my_rule.yaml    one file; its blocks are known
  amierules validate --strict              warnings count too
  amierules validate --fix                 add missing quotes and modelines
  amierules validate --format github       shown beside a pull request's lines
"""


_ROUNDS = 2


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
    fix_: Annotated[
        bool, typer.Option("--fix", help="Put quotes where a text needs them, and add the line that editors look for.")
    ] = False,
    config: ConfigOption = None,
) -> ExitStatus:
    """Check rules and configuration."""
    checked = _checked(paths, config)
    # Where a template lacked its quotes, the file can be read only once it has them.
    for _ in range(_ROUNDS if fix_ else 0):
        if fixes := fix(checked):
            _show_fixes(fixes, say if format is FindingsFormat.text else tell)
            checked = _checked(paths, config)
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


def _checked(paths: list[Path] | None, config: Path | None) -> Checked:
    return check_paths(paths, config, os.environ) if paths else check_site(config, os.environ)


def _show_fixes(fixes: list[Fix], show: Callable[[str], None]) -> None:
    for one in fixes:
        place = one.place
        where = f"{printable(place.file)}:{place.line}" + (f":{place.column}" if one.before else "")
        what = f"{printable(one.before)} -> {printable(one.after)}" if one.before else f"added {one.after}"
        show(f"{where}: fixed: {what}")


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
