"""`amierules test`: rule tests."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from amierules.cli.console import say, say_findings, say_json, tell, tell_findings
from amierules.cli.ending import command
from amierules.cli.options import ConfigOption, FormatOption, OutputFormat
from amierules.cli.rule_tests_text import coverage_lines, failure_lines, result_lines, rewritten_lines, summary
from amierules.diagnostics import ExitStatus, Finding, NotAllowed, printable
from amierules.testing.coverage import Coverage
from amierules.testing.junit import as_junit
from amierules.testing.results_json import as_json
from amierules.testing.rewriting import rewrite
from amierules.testing.stage import Stages
from amierules.testing.suite import Suite, default_paths, named


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("test", help=_HELP)(command(run_tests))


_HELP = """Run rule tests: what the rules do with given packets, and what they answer. Touches nothing outside.

A test file gives packets, registry rows and what is there outside, and says what must come. The real engine plays it on
a database in memory; accounts, directory and Slurm are models, other programs answer as the test scripts them.

\b
  amierules test                      all tests in tests/ beside the configuration
  amierules test tests/accounts.yaml  the tests of a file
  amierules test -k merge -x          those with merge in their names, until one fails
  amierules test --coverage           and what of the rules no test uses
  amierules test --update             write into the test files what came

Ends with 1 if a test fails, a test file has a mistake, or there is no test at all.
"""


def run_tests(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Test files, or folders with such; tests/ by default.", show_default=False),
    ] = None,
    keyword: Annotated[
        list[str] | None,
        typer.Option("-k", metavar="TEXT", help="Only tests with this text in file:name.", show_default=False),
    ] = None,
    stop: Annotated[bool, typer.Option("--exitfirst", "-x", help="Stop at the first test that fails.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show each test, not only those that fail.")] = False,
    coverage: Annotated[bool, typer.Option("--coverage", help="Show what of the rules no test uses.")] = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--coverage-threshold",
            metavar="N",
            min=0,
            max=100,
            help="End with 1 below so many percent.",
            show_default=False,
        ),
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Write into the test files what came; shows the difference.")
    ] = False,
    junit: Annotated[
        Path | None,
        typer.Option("--junit", metavar="FILE", help="Write the results as JUnit's XML, too.", show_default=False),
    ] = None,
    config: ConfigOption = None,
    format: FormatOption = OutputFormat.text,
) -> ExitStatus:
    """Run rule tests."""
    if update and stop:
        raise NotAllowed(Finding("usage", "--update rewrites all that fail: leave out --exitfirst"))
    begin = time.perf_counter()
    suite = Suite(_configuration(config), named(keyword or ()), stop)
    chosen, as_text = paths or default_paths(config), format is OutputFormat.text
    with Stages.opened() as stages:
        if update:
            suite, rewritten = rewrite(suite, chosen, stages)
            for line in rewritten_lines(rewritten):
                (say if as_text else tell)(line)
            _show_all(suite, verbose=verbose and as_text, quiet=not as_text)
        else:
            for result in suite.run(chosen, stages):
                if as_text:
                    _say(result_lines(result, verbose=verbose))
        found = suite.coverage() if coverage or threshold is not None else None
    if as_text:
        _show(suite, found if coverage else None)
    else:
        say_json(as_json(suite, found))
    if junit is not None:
        _write(junit, as_junit(suite))
    below = _is_below(found, threshold)
    tell(summary(suite, time.perf_counter() - begin))
    return ExitStatus.INVALID if suite.invalid or below else ExitStatus.OK


def _configuration(config: Path | None) -> Path | None:
    """The configuration that a person names."""
    from_environment = os.environ.get("AMIERULES_CONFIG")
    return config or (Path(from_environment) if from_environment else None)


def _show_all(suite: Suite, *, verbose: bool, quiet: bool) -> None:
    for result in () if quiet else suite.results:
        _say(result_lines(result, verbose=verbose))


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)


def _show(suite: Suite, coverage: Coverage | None) -> None:
    """What all tests together have come to."""
    for failure in suite.failures:
        _say(failure_lines(failure))
    if coverage is not None:
        _say(coverage_lines(coverage))
    say_findings(suite.findings)


def _is_below(coverage: Coverage | None, threshold: float | None) -> bool:
    if coverage is None or threshold is None or coverage.percent >= threshold:
        return False
    message = f"the tests use {coverage.percent:.1f} % of the rules, not {threshold:g} %"
    tell_findings([Finding("coverage", message, hint="`--coverage` lists what no test uses")])
    return True


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{printable(path)} cannot be written: {error.strerror or error}"
        raise NotAllowed(Finding("cannot-write", message)) from error
