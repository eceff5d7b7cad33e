"""All tests that a person asks for: found, read, run, and counted; that none is there is a failure."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from amierules.actions.table import all_kinds
from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.diagnostics.suggest import hint_for
from amierules.engine.garbage import seldom_collected
from amierules.rulebook.configuration import FILE_NAME
from amierules.rulebook.files import read_text, read_yaml, shown
from amierules.rulebook.nodes import MappingNode
from amierules.rulebook.structure import mappings_in
from amierules.testing.coverage import Coverage, coverage_of
from amierules.testing.failure import Failure
from amierules.testing.model import Case, CaseFile, UsageCase
from amierules.testing.reading import read_case_file
from amierules.testing.running import FileRun, Result
from amierules.testing.side_by_side import Chosen, results_of, usual_jobs
from amierules.testing.stage import Stage, Stages
from amierules.testing.usage_reading import KEY as USAGE_TESTS
from amierules.testing.watching import Used

FOLDER = "tests"
"""Where a site's tests are, beside its configuration."""
_ENDINGS = (".yaml", ".yml")
_TESTS = frozenset({"tests", USAGE_TESTS})
_BEGINS = re.compile(rf"^(?:{'|'.join(sorted(_TESTS))}):", re.MULTILINE)
_OTHERS = frozenset({"site_name", "packet", "usage", "block", "persons", "projects", "allocations", "accounts"})
"""A key that makes a YAML file in a folder of tests another one: a configuration, rules, a block, a registry."""


@dataclass
class Suite:
    """The tests of some files and folders. `config` is the configuration that a person names."""

    config: Path | None
    wanted: Callable[[CaseFile, Case | UsageCase], bool] = lambda file, case: True
    stop_at_first: bool = False
    """Whether nothing more is run once a test has failed."""
    jobs: int | None = None
    """How many processes play the tests; None for as many as it takes."""
    results: list[Result] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    """What is wrong with test files, configurations and rules."""
    failures: list[Failure] = field(default_factory=list)
    """What is scripted for whole files, and not used."""
    left_out: int = 0
    """How many tests were not wanted."""
    files: list[CaseFile] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)

    @property
    def failed(self) -> list[Result]:
        """The tests that failed."""
        return [result for result in self.results if not result.passed]

    @property
    def invalid(self) -> bool:
        """Whether anything is wrong: a test has failed, a file cannot be used, or nothing was tested."""
        errors = any(finding.severity is Severity.ERROR for finding in self.findings)
        return bool(self.failed or self.failures or errors or not self.results)

    def again(self) -> "Suite":
        """The same tests, not run yet."""
        return Suite(self.config, self.wanted, self.stop_at_first, self.jobs)

    def coverage(self) -> Coverage:
        """What the tests use of the rules of their sites."""
        used = frozenset[Used]().union(*(result.used for result in self.results))
        rules = [found for stage in self.stages if (found := stage.usage.read()) is not None]
        return coverage_of([stage.rulebook for stage in self.stages], all_kinds(), used, rules)

    def run(self, paths: Sequence[Path], stages: Stages) -> Iterator[Result]:
        """Run the tests; each result as soon as it is there."""
        chosen = [*self._chosen(paths, stages)]
        jobs = self.jobs or usual_jobs(sum(len(cases) for _, cases in chosen))
        with seldom_collected(), closing(results_of(chosen, stages, jobs)) as by_file:
            for (run, cases), results in zip(chosen, by_file, strict=False):
                yield from self._of_file(run, cases, results)
                if self.stop_at_first and self.failed:
                    return
        if not self.results and not self.findings:
            self.findings.append(self._nothing(paths))

    def _chosen(self, paths: Sequence[Path], stages: Stages) -> Iterator[Chosen]:
        for path in self._found(paths):
            file, findings = read_case_file(path)
            self.findings += findings
            stage = self._stage(file, stages) if file is not None else None
            if file is None or stage is None:
                continue
            self.findings += _unknown_settings(file, stage)
            self.files.append(file)
            cases = [case for case in file.all if self.wanted(file, case)]
            self.left_out += len(file.all) - len(cases)
            yield FileRun(file, stage, stages.new_folder), cases

    def _of_file(self, run: FileRun, cases: Sequence[Case | UsageCase], results: Iterable[Result]) -> Iterator[Result]:
        for result in results:
            self.results.append(result)
            yield result
            if self.stop_at_first and not result.passed:
                return
        if len(cases) == len(run.file.all) and all(result.passed for result in self.results[-len(cases) :]):
            self.failures += run.left_over()

    def _stage(self, file: CaseFile, stages: Stages) -> Stage | None:
        path = file.configuration or self.config or _above(file.path)
        stage, findings = stages.of(path)
        new = stage is not None and all(stage is not known for known in self.stages)
        if stage is None:
            self.findings += [one for one in findings if one not in self.findings]
        elif new:
            self.stages.append(stage)
            self.findings += stage.errors
        return stage

    def _found(self, paths: Sequence[Path]) -> Iterator[Path]:
        for path in paths:
            if path.is_dir():
                yield from self._in_folder(path)
            elif path.exists():
                yield path
            else:
                hint = f"tests stand in {FOLDER}/, or where you say" if path.name == FOLDER else ""
                self.findings.append(
                    Finding("no-such-file", f"there is no file or folder {printable(path)}", hint=hint)
                )

    def _in_folder(self, folder: Path) -> Iterator[Path]:
        for path in sorted(folder.rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if path.suffix.lower() in _ENDINGS and not hidden and not _is_another(path):
                yield path

    def _nothing(self, paths: Sequence[Path]) -> Finding:
        where = ", ".join(printable(shown(path)) for path in paths)
        if self.left_out:
            message, hint = f"none of the {self.left_out} tests in {where} is wanted", "correct -k, or leave it out"
        else:
            message, hint = f"there are no tests in {where}", "a test file is YAML with `tests:`; see docs/testing.md"
        return Finding("no-tests", message, None, hint)


def named(texts: Sequence[str]) -> Callable[[CaseFile, Case | UsageCase], bool]:
    """Whether a test has one of these texts, whatever their case, in `file:name`; without texts each test is wanted."""
    wanted = [text.casefold() for text in texts]
    return lambda file, case: not wanted or any(text in f"{file.shown}:{case.name}".casefold() for text in wanted)


def default_paths(config: Path | None) -> list[Path]:
    """Where a site's tests are: in `tests/` beside its configuration."""
    base = (config or Path(os.environ.get("AMIERULES_CONFIG") or FILE_NAME)).parent
    return [base / FOLDER]


def _above(path: Path) -> Path:
    """The configuration in the file's folder, or in the nearest one above it; else in the working folder."""
    for folder in path.absolute().parents:
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    return Path(FILE_NAME)


def _is_another(path: Path) -> bool:
    text, _ = read_text(path)
    if text is not None and _BEGINS.search(text):
        # To understand it all takes long, and is done soon enough.
        return False
    root, _ = read_yaml(path)
    return isinstance(root, MappingNode) and _TESTS.isdisjoint(root.keys) and not _OTHERS.isdisjoint(root.keys)


def _unknown_settings(file: CaseFile, stage: Stage) -> list[Finding]:
    """Settings that a test gives and no rule of this site can ask for."""
    known = stage.configuration.settings
    root = file.root
    assert isinstance(root, MappingNode)  # noqa: S101 - it has been read
    tests = [test for key in sorted(_TESTS) for test in mappings_in(root.get(key))]
    nodes = [root.get("given"), *(test.get("given") for test in tests)]
    listed = [node.get("settings") for node in nodes if isinstance(node, MappingNode)]
    return [
        _unknown(key.text, key.place, known)
        for node in listed
        if isinstance(node, MappingNode)
        for key in node.keys.values()
        if key.text not in known
    ]


def _unknown(name: str, place: Place, known: Iterable[str]) -> Finding:
    message = f"the site has no setting '{printable(name, 60)}'"
    return Finding(
        "unknown-setting", message, place, hint_for(name, known) or "add it to the configuration's `settings`"
    )
