"""Results as JSON: what `test --format json` prints."""

from collections.abc import Iterable
from typing import Any

from amierules.diagnostics import Place
from amierules.testing.coverage import Coverage
from amierules.testing.failure import Failure
from amierules.testing.mutation_run import Mutation
from amierules.testing.running import Result
from amierules.testing.suite import Suite
from amierules.testing.watching import Part

_COUNTS = {
    "rules": (Part.RULE,),
    "actions": (Part.ACTION,),
    "when_sides": (Part.HOLDS, Part.HOLDS_NOT),
    "failure_paths": (Part.FAILURE, Part.DOUBT),
}


def as_json(suite: Suite, coverage: Coverage | None = None, mutation: Mutation | None = None) -> dict[str, Any]:
    """The whole document."""
    return {
        "format_version": 1,
        "passed": len(suite.results) - len(suite.failed),
        "failed": len(suite.failed),
        "left_out": suite.left_out,
        "tests": [_test(result) for result in suite.results],
        "failures": _failures(suite.failures),
        "findings": [finding.as_json() for finding in suite.findings],
        "coverage": _coverage(coverage) if coverage is not None else None,
        "mutation": _mutation(mutation) if mutation is not None else None,
    }


def counts(coverage: Coverage) -> dict[str, tuple[int, int]]:
    """How many parts of each sort are used, and how many there are."""
    return {name: coverage.counted(*parts) for name, parts in _COUNTS.items()}


def _test(result: Result) -> dict[str, Any]:
    return {
        **_at(result.case.place),
        "name": result.case.name,
        "state": "passed" if result.passed else "failed",
        "seconds": round(result.seconds, 6),
        "failures": _failures(result.failures),
    }


def _failures(failures: Iterable[Failure]) -> list[dict[str, Any]]:
    return [
        {
            **_at(failure.place),
            "message": failure.message,
            "hint": failure.hint or None,
            "different": failure.difference is not None,
            "expected": failure.difference.wanted if failure.difference is not None else None,
            "came": failure.difference.came if failure.difference is not None else None,
        }
        for failure in failures
    ]


def _coverage(coverage: Coverage) -> dict[str, Any]:
    return {
        "percent": round(coverage.percent, 2),
        **{name: {"used": used, "all": there} for name, (used, there) in counts(coverage).items()},
        "missing": [{**_at(one.place), "part": str(one.part), "message": one.said} for one in coverage.missing],
    }


def _mutation(mutation: Mutation) -> dict[str, Any]:
    unnoticed = [{**_at(one.place), "message": one.what, "tests": able} for one, able in mutation.unnoticed]
    return {
        "percent": round(mutation.percent, 2),
        "noticed": mutation.noticed,
        "all": mutation.all,
        "unnoticed": unnoticed,
    }


def _at(place: Place | None) -> dict[str, Any]:
    if place is None:
        return {"file": None, "line": None, "column": None}
    return {"file": place.file, "line": place.line, "column": place.column}
