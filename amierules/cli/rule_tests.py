"""`amierules test`: rule tests."""

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from amierules.cli.console import coloured, say, say_findings, say_json, tell, tell_findings
from amierules.cli.ending import command
from amierules.cli.options import ConfigOption, FormatOption, OutputFormat
from amierules.cli.rule_tests_options import (
    CoverageOption,
    CoverageThresholdOption,
    JobsOption,
    JunitOption,
    KeywordOption,
    MutateOption,
    MutationThresholdOption,
    PathsArgument,
    StopOption,
    UpdateOption,
    VerboseOption,
)
from amierules.cli.rule_tests_text import (
    coverage_lines,
    failure_lines,
    mutation_lines,
    result_lines,
    rewritten_lines,
    summary,
)
from amierules.diagnostics import ExitStatus, Finding, Invalid, NotAllowed, printable
from amierules.testing.coverage import Coverage
from amierules.testing.junit import as_junit
from amierules.testing.mutation_run import Mutation, mutate
from amierules.testing.results_json import as_json
from amierules.testing.rewriting import rewrite
from amierules.testing.stage import Stages
from amierules.testing.suite import Suite, default_paths, named


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("test", help=_HELP)(command(run_tests))


_HELP = """Run rule tests: what the rules do with given packets, and what they answer. Touches nothing outside.

The tests stand in tests/ beside the configuration. A file gives packets, registry rows and what is there outside, and
says what must come. The real engine plays it on a database in memory; accounts, directory and Slurm are models, other
programs answer as the test scripts them.

\b
  amierules test                      all in tests/
  amierules test tests/accounts.yaml  the tests of a file
  amierules test -k merge -x          those named so, until one fails
  amierules test --coverage           and what no test uses
  amierules test --update             write into the files what came
  amierules test --mutate             and which changes nobody notices

Ends with 1 if a test fails, a test file has a mistake, or there is no test at all.
"""


def run_tests(
    paths: PathsArgument = None,
    keyword: KeywordOption = None,
    stop: StopOption = False,
    verbose: VerboseOption = False,
    jobs: JobsOption = None,
    coverage: CoverageOption = False,
    threshold: CoverageThresholdOption = None,
    update: UpdateOption = False,
    junit: JunitOption = None,
    mutate_: MutateOption = False,
    mutation_threshold: MutationThresholdOption = None,
    config: ConfigOption = None,
    format: FormatOption = OutputFormat.text,
) -> ExitStatus:
    """Run rule tests."""
    if update and stop:
        raise NotAllowed(Finding("usage", "--update rewrites all that fail: leave out --exitfirst"))
    mutating = mutate_ or mutation_threshold is not None
    begin = time.perf_counter()
    suite = Suite(_configuration(config), named(keyword or ()), stop, jobs)
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
        mutation = _mutated(suite, stages) if mutating and not suite.invalid else None
    if as_text:
        _show(suite, found if coverage else None, mutation)
    else:
        say_json(as_json(suite, found, mutation))
    if junit is not None:
        _write(junit, as_junit(suite))
    used = None if found is None else found.percent
    noticed = None if mutation is None else mutation.percent
    below = [
        _is_below("use {} of the rules", used, threshold),
        _is_below("notice {} of the changes", noticed, mutation_threshold),
    ]
    if mutating and mutation is None:
        tell("nothing was changed in the rules: all tests must pass for that")
    tell(summary(suite, time.perf_counter() - begin))
    return ExitStatus.INVALID if suite.invalid or any(below) else ExitStatus.OK


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


def _show(suite: Suite, coverage: Coverage | None, mutation: Mutation | None) -> None:
    """What all tests together have come to."""
    for failure in suite.failures:
        _say(failure_lines(failure))
    if coverage is not None:
        _say(coverage_lines(coverage))
    if mutation is not None:
        _say(mutation_lines(mutation))
    say_findings(suite.findings)


def _mutated(suite: Suite, stages: Stages) -> Mutation:
    """What comes of changing the rules; shows on a terminal how far it is."""
    with Progress(
        TextColumn("changing the rules"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True, no_color=not coloured(sys.stderr)),
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as progress:
        task = progress.add_task("", total=None)
        return mutate(suite, stages, lambda done, all_: progress.update(task, completed=done, total=all_))


def _is_below(what: str, percent: float | None, threshold: float | None) -> bool:
    if percent is None or threshold is None or percent >= threshold:
        return False
    message = f"the tests {what.format(f'{percent:.1f} %')}, not {threshold:g} %"
    tell_findings([Finding("coverage", message, hint="`--coverage` and `--mutate` list what no test notices")])
    return True


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{printable(path)} cannot be written: {error.strerror or error}"
        raise Invalid(Finding("cannot-write", message)) from error
