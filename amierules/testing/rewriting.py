"""`test --update`: test files rewritten until what is expected is what comes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from amierules.diagnostics import Finding, Invalid, printable
from amierules.testing.running import Result
from amierules.testing.stage import Stages
from amierules.testing.suite import Suite
from amierules.testing.updating import updated

_MOST_ROUNDS = 50
"""A test with several turns needs a round for each: the ones after a turn that fails are not played."""


@dataclass(frozen=True)
class Rewritten:
    """A file that was rewritten, as it was and as it is."""

    path: Path
    shown: str
    before: str
    after: str

    def difference(self) -> Iterator[str]:
        """What has changed, as `diff -u` shows it."""
        before, after = self.before.splitlines(), self.after.splitlines()
        return unified_diff(before, after, self.shown, self.shown, lineterm="")


def rewrite(suite: Suite, paths: Sequence[Path], stages: Stages) -> tuple[Suite, list[Rewritten]]:
    """Rewrite the expectations of the tests that fail by them; returns the last run, and what was rewritten.

    Raises `Invalid` where a file cannot be written.
    """
    first: dict[Path, tuple[str, str]] = {}
    for _ in range(_MOST_ROUNDS):
        list(suite.run(paths, stages))
        changed = False
        for file in suite.files:
            failed = [result for result in suite.failed if result.file is file and _can_be_updated(result)]
            text = updated(file.text, failed) if failed else file.text
            if text != file.text:
                first.setdefault(file.path, (file.shown, file.text))
                _write(file.path, text)
                changed = True
        if not changed:
            break
        suite = suite.again()
    found = [
        Rewritten(path, shown, before, path.read_text(encoding="utf-8")) for path, (shown, before) in first.items()
    ]
    return suite, found


def _can_be_updated(result: Result) -> bool:
    return any(failure.difference is not None for failure in result.failures)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{printable(path)} cannot be written: {error.strerror or error}"
        raise Invalid(Finding("cannot-write", message)) from error
