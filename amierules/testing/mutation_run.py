"""`test --mutate`: each change of the rules played by the tests that could notice it; which ones nobody notices."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from amierules.testing.model import Case, CaseFile, UsageCase
from amierules.testing.mutating import Mutant, mutants
from amierules.testing.running import FileRun, Result
from amierules.testing.stage import Stage, Stages
from amierules.testing.suite import Suite
from amierules.testing.usage_mutating import usage_mutants


@dataclass
class Mutation:
    """What came of the changes."""

    noticed: int = 0
    unnoticed: list[tuple[Mutant, int]] = field(default_factory=list)
    """The changes that no test noticed, and how many could have."""

    @property
    def all(self) -> int:
        """How many changes there were."""
        return self.noticed + len(self.unnoticed)

    @property
    def percent(self) -> float:
        """How many of them were noticed, from 0 to 100."""
        return 100 * self.noticed / self.all if self.all else 100.0


def mutate(suite: Suite, stages: Stages, on_each: Callable[[int, int], None] = lambda done, all_: None) -> Mutation:
    """Change the rules of the suite's sites, one thing at a time. All its tests have passed.

    `on_each` is told how many changes have been tried, and how many there are.
    """
    mutation = Mutation()
    listed = [(stage, one, False) for stage in suite.stages for one in mutants(stage.rulebook, stage.schemas)]
    for stage in suite.stages:
        usage = stage.usage.read()
        listed += [(stage, one, True) for one in usage_mutants(usage)] if usage is not None else []
    for done, (stage, mutant, of_usage) in enumerate(listed):
        on_each(done, len(listed))
        able = sorted(_able(suite.results, stage, mutant), key=lambda result: (len(result.used), result.seconds))
        with stage.usage.changed(mutant.made) if of_usage else _changed(stage, mutant):
            is_noticed = any(not _passes(result.file, result.case, stage, stages) for result in able)
        if is_noticed:
            mutation.noticed += 1
        else:
            mutation.unnoticed.append((mutant, len(able)))
    on_each(len(listed), len(listed))
    return mutation


def _able(results: Sequence[Result], stage: Stage, mutant: Mutant) -> list[Result]:
    """The tests that could notice a change."""
    return [result for result in results if result.stage is stage and mutant.could_be_noticed(result.used)]


@contextmanager
def _changed(stage: Stage, mutant: Mutant) -> Iterator[None]:
    """Within it the stage has rules with this change."""
    rulebook = stage.rulebook
    stage.rulebook = mutant.made(rulebook)
    try:
        yield
    finally:
        stage.rulebook = rulebook


def _passes(file: CaseFile, case: Case | UsageCase, stage: Stage, stages: Stages) -> bool:
    (result,) = FileRun(file, stage, stages.new_folder).results([case])
    return result.passed
