"""Where tests are played: a site's configuration and rules, read once, and a database in memory, made once."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from amierules.actions.schemas import kind_schemas
from amierules.actions.table import all_kinds
from amierules.database.connection import Database
from amierules.diagnostics import Finding, Severity
from amierules.engine.site import Site
from amierules.rulebook.configuration import Configuration, load_configuration
from amierules.rulebook.loader import load_rulebook
from amierules.rulebook.model import Rulebook
from amierules.templating import Environment
from amierules.testing.model import DEFAULT_CLOCK, Given
from amierules.testing.recording import Recorder
from amierules.testing.scratch_host import ScratchHost

WHO = "run@test"
"""Who acts in tests, for the events."""
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - only the parent of a folder that mkdtemp makes
_MEMORY = "sqlite://"


@dataclass
class Stage:
    """One site, as its tests see it."""

    configuration: Configuration
    rulebook: Rulebook
    findings: list[Finding]
    """What is wrong with the rules: errors among them park packets, in a test as in a run."""
    schemas: Mapping[str, dict[str, Any]]
    _database: Database
    _empty: Database

    @property
    def errors(self) -> list[Finding]:
        """The errors in the site's rules."""
        return [finding for finding in self.findings if finding.severity is Severity.ERROR]

    def site(self, given: Given, host: ScratchHost, recorder: Recorder) -> Site:
        """The site at the beginning of a test: an empty database, and what the test gives of settings and resources."""
        self._database.become(self._empty)
        resources: dict[str, Any] = {**self.configuration.resources}
        for name, keys in given.resources.items():
            if keys is None:
                resources.pop(name, None)
            else:
                resources[name] = {**resources.get(name, {"login_nodes": None}), **keys}
        settings = {**self.configuration.settings, **given.settings}
        return Site(
            configuration=replace(self.configuration, settings=settings, resources=resources),
            rulebook=self.rulebook,
            database=self._database,
            world=host.ports(),
            kinds=recorder.kinds(all_kinds()),
            schemas=self.schemas,
            who=WHO,
        )

    def host(self, given: Given, folder: Path) -> ScratchHost:
        """The scratch host of a test, in a new folder."""
        return ScratchHost.make(folder, self.configuration, given.clock or DEFAULT_CLOCK)


class Stages:
    """The stages of a run of tests, one for each configuration, and the folder that their scratch hosts stand in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._empty = Database.open(_MEMORY, create=True)
        self._stages: dict[Path, tuple[Stage | None, list[Finding]]] = {}
        self._number = 0

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator[Self]:
        """Stages that are gone at the end, with all files."""
        parent = str(_IN_MEMORY) if os.access(_IN_MEMORY, os.W_OK | os.X_OK) else None
        with tempfile.TemporaryDirectory(prefix="amierules-test-", dir=parent) as folder:
            stages = cls(Path(folder))
            try:
                yield stages
            finally:
                stages.close()

    def of(self, path: Path) -> tuple[Stage | None, list[Finding]]:
        """The stage of a configuration file; None where it cannot be used, and what is wrong with it."""
        key = path.absolute()
        if key not in self._stages:
            self._stages[key] = self._made(path)
        return self._stages[key]

    def new_folder(self) -> Path:
        """A folder for one test, not made yet."""
        self._number += 1
        return self._folder / str(self._number)

    def close(self) -> None:
        """Let the databases go."""
        self._empty.close()
        for stage, _ in self._stages.values():
            if stage is not None:
                stage._database.close()

    def _made(self, path: Path) -> tuple[Stage | None, list[Finding]]:
        configuration, findings = load_configuration(path, {})
        if configuration is None:
            return None, findings
        configuration = replace(configuration, secrets=self._stand_ins(configuration))
        schemas = kind_schemas()
        rulebook, wrong = load_rulebook(configuration.rules, schemas, Environment(), configuration)
        database = Database.open(_MEMORY, create=True)
        return Stage(configuration, rulebook, wrong, schemas, database, self._empty), findings

    def _stand_ins(self, configuration: Configuration) -> dict[str, dict[str, str]]:
        """Secrets as nobody's: a rule test needs none, and must not read them."""
        folder = self._folder / "secrets"
        folder.mkdir(exist_ok=True)
        for name in configuration.secrets:
            (folder / name).write_text(f"secret-{name}", encoding="utf-8")
        return {name: {"file": str(folder / name)} for name in configuration.secrets}
