"""`amierules test`: rule tests."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from amierules.cli.console import say, say_findings, tell
from amierules.cli.ending import command
from amierules.cli.options import ConfigOption
from amierules.cli.rule_tests_text import failure_lines, result_lines, summary
from amierules.diagnostics import ExitStatus
from amierules.testing.stage import Stages
from amierules.testing.suite import Suite, default_paths


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("test", help=_HELP)(command(run_tests))


_HELP = """Run rule tests: what the rules do with given packets, and what they answer. Touches nothing outside.

A test file gives packets, registry rows and what is there outside, and says what must come. The real engine plays it on
a database in memory; accounts, directory and Slurm are models, other programs answer as the test scripts them.

\b
  amierules test                      all tests in tests/ beside the configuration
  amierules test tests/accounts.yaml  the tests of a file

Ends with 1 if a test fails, a test file has a mistake, or there is no test at all.
"""


def run_tests(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Test files, or folders with such; tests/ by default.", show_default=False),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show each test, not only those that fail.")] = False,
    config: ConfigOption = None,
) -> ExitStatus:
    """Run rule tests."""
    begin = time.perf_counter()
    named = config or (Path(os.environ["AMIERULES_CONFIG"]) if os.environ.get("AMIERULES_CONFIG") else None)
    suite = Suite(named)
    with Stages.opened() as stages:
        for result in suite.run(paths or default_paths(config), stages):
            for line in result_lines(result, verbose=verbose):
                say(line)
    for failure in suite.failures:
        for line in failure_lines(failure):
            say(line)
    say_findings(suite.findings)
    tell(summary(suite, time.perf_counter() - begin))
    return ExitStatus.INVALID if suite.invalid else ExitStatus.OK
