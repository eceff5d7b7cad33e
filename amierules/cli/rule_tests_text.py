"""Results of rule tests for people: what failed, where, and how what came differs from what was expected."""

from collections.abc import Iterator, Sequence

from amierules.cli.console import paint
from amierules.diagnostics import Place, printable
from amierules.testing.coverage import Coverage
from amierules.testing.diffing import difference_lines
from amierules.testing.failure import Failure
from amierules.testing.mutation_run import Mutation
from amierules.testing.results_json import counts
from amierules.testing.rewriting import Rewritten
from amierules.testing.running import Result
from amierules.testing.suite import Suite

_STYLES = {"-": "bad", "+": "good"}


def result_lines(result: Result, *, verbose: bool) -> Iterator[str]:
    """A test that failed with all that is wrong; one that passed in one line, or in none."""
    name = printable(result.case.name)
    if result.passed:
        if verbose:
            yield f"{paint('pass', 'good')} {_at(result.case.place)} {name}"
        return
    yield f"{paint('FAIL', 'bad')} {paint(_at(result.case.place), 'place')} {name}"
    for failure in result.failures:
        yield from (f"  {line}" for line in failure_lines(failure))
    yield ""


def failure_lines(failure: Failure) -> Iterator[str]:
    """What is wrong, with what was expected (-) and what came (+)."""
    where = f"{_at(failure.place)} " if failure.place is not None else ""
    if failure.difference is None:
        yield f"{where}{failure.message}"
        if failure.hint:
            yield f"  = hint: {failure.hint}"
        return
    yield f"{where}{failure.message}: expected (-), came (+)"
    for sign, line in difference_lines(failure.difference):
        yield paint(f"  {sign} {printable(line)}", _STYLES.get(sign, "plain"))


def coverage_lines(coverage: Coverage) -> Iterator[str]:
    """What no test uses, and how much is used."""
    for one in coverage.missing:
        yield f"{paint(_at(one.place), 'place')} {printable(one.said)}"
    parts = [f"{name.replace('_', ' ')} {used} of {there}" for name, (used, there) in counts(coverage).items()]
    style = "wait" if coverage.missing else "good"
    yield f"coverage: {paint(f'{coverage.percent:.1f} %', style)} ({', '.join(parts)})"


def mutation_lines(mutation: Mutation) -> Iterator[str]:
    """The changes of the rules that no test noticed, and how many were."""
    for mutant, able in mutation.unnoticed:
        why = f"{able} test{'s' * (able != 1)} could" if able else "no test gets there"
        yield f"{paint(_at(mutant.place), 'place')} {printable(mutant.what)}: not noticed ({why})"
    style = "wait" if mutation.unnoticed else "good"
    score = paint(f"{mutation.percent:.1f} %", style)
    yield f"changes of the rules: {score} noticed ({mutation.noticed} of {mutation.all})"


def rewritten_lines(rewritten: Sequence[Rewritten]) -> Iterator[str]:
    """What was changed in test files."""
    for one in rewritten:
        for line in one.difference():
            yield paint(printable(line), _STYLES.get(line[:1], "plain"))


def summary(suite: Suite, seconds: float) -> str:
    """The last line."""
    passed, failed = len(suite.results) - len(suite.failed), len(suite.failed)
    files = f"{len(suite.files)} file{'s' * (len(suite.files) != 1)}"
    parts = [paint(f"{passed} passed", "good") if passed else "none passed"]
    parts += [paint(f"{failed} failed", "bad")] if failed else []
    parts += [f"{suite.left_out} left out"] if suite.left_out else []
    return f"{', '.join(parts)} in {files} ({seconds:.1f} s)"


def _at(place: Place) -> str:
    return f"{printable(place.file)}:{place.line}:{place.column}:"
