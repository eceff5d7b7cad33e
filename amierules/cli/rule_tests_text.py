"""Results of rule tests for people: what failed, where, and how what came differs from what was expected."""

from collections.abc import Iterator

from amierules.cli.console import paint
from amierules.diagnostics import Place, printable
from amierules.testing.diffing import difference_lines
from amierules.testing.running import Failure, Result
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
