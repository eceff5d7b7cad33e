"""Where tests are played: a site's configuration and rules, read once, and a database in memory, made once."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from amierules.actions.schemas import kind_schemas
from amierules.actions.table import all_kinds
from amierules.database.connection import Database
from amierules.database.held import Held
from amierules.database.intake import take_in
from amierules.diagnostics import Finding, Severity
from amierules.engine.registry.change import import_contents
from amierules.engine.registry.fields import Entry
from amierules.engine.registry.files import Contents
from amierules.engine.site import Site
from amierules.rulebook.configuration import Configuration, load_configuration
from amierules.rulebook.loader import load_rulebook
from amierules.rulebook.model import Rulebook
from amierules.templating import Environment
from amierules.testing.model import DEFAULT_CLOCK, Given
from amierules.testing.recording import Recorder
from amierules.testing.scratch_host import ScratchHost
from amierules.testing.usage_rules import TestedUsage
from amierules.testing.watching import Watch

WHO = "run@test"
"""Who acts in tests, for the events."""
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - only the parent of a folder that mkdtemp makes
_MEMORY = "sqlite://"
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
SELDOM = timedelta(days=36_500)
"""How seldom a test looks through all packets for what other programs have changed: there are none."""
_MOST_BEGUN = 8
"""So many registries are kept as a database holds them."""


@dataclass
class Stage:
    """One site, as its tests see it."""

    configuration: Configuration
    rulebook: Rulebook
    findings: list[Finding]
    """What is wrong with the rules: errors among them park packets, in a test as in a run."""
    schemas: Mapping[str, dict[str, Any]]
    watch: Watch
    """What tests use of the rules."""
    usage: TestedUsage
    _database: Database
    _empty: Held
    """What a database holds in which nothing has happened yet."""
    _begun: dict[tuple[object, ...], tuple[Held, Sequence[Entry]]] = field(default_factory=dict)
    """What databases hold in which a registry was imported that several tests are given, and its entries."""

    @property
    def errors(self) -> list[Finding]:
        """The errors in the site's rules."""
        return [finding for finding in self.findings if finding.severity is Severity.ERROR]

    def site(self, given: Given, host: ScratchHost, recorder: Recorder) -> Site:
        """The site at the beginning of a test: the registry, settings and resources are as the test gives them.

        Raises `AmierulesError` for rows that the registry cannot have.
        """
        configuration = self._configuration(given)
        self._begin(given, configuration, host.clock.now())
        return Site(
            configuration=configuration,
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

    def begin_anew(self, database: Database) -> None:
        """Use another database, in memory: the old one stays as it is, with another process."""
        self._database = database

    def close(self) -> None:
        """Let the database go."""
        self._database.close()

    def _begin(self, given: Given, configuration: Configuration, now: datetime) -> None:
        """Put the registry into the database; what tests after each other are given is imported once."""
        entries = given.registry
        key = (now, *map(id, entries))
        if (known := self._begun.get(key)) is not None:
            self._database.hold(known[0])
            return
        self._database.hold(self._empty)
        if not entries:
            return
        import_contents(self._database, configuration, Contents(list(entries)), who=WHO, now=now)
        if len(self._begun) >= _MOST_BEGUN:
            del self._begun[next(iter(self._begun))]
        self._begun[key] = self._database.held(), entries

    def _configuration(self, given: Given) -> Configuration:
        resources: dict[str, Any] = {**self.configuration.resources}
        for name, keys in given.resources.items():
            if keys is None:
                resources.pop(name, None)
            else:
                resources[name] = {**resources.get(name, {"login_nodes": None}), **keys}
        settings = {**self.configuration.settings, **given.settings}
        return replace(self.configuration, settings=settings, resources=resources)


class Stages:
    """The stages of a run of tests, one for each configuration, and the folder that their scratch hosts stand in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._empty = _empty_database()
        self._kept = ExitStack()
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

    def begin_anew(self, name: str) -> None:
        """In a process that was forked off: with databases of its own, and a folder of that name."""
        self._folder = self._folder / name
        self._folder.mkdir()
        self._empty, self._kept = _empty_database(), ExitStack()
        for stage, _ in self._stages.values():
            if stage is not None:
                stage.begin_anew(self._new_database())

    def close(self) -> None:
        """Let the databases go."""
        self._kept.close()
        self._empty.close()
        for stage, _ in self._stages.values():
            if stage is not None:
                stage.close()

    def _made(self, path: Path) -> tuple[Stage | None, list[Finding]]:
        configuration, findings = load_configuration(path, {})
        if configuration is None:
            return None, findings
        # A test's host is a scratch root already.
        configuration = replace(configuration, secrets=self._stand_ins(configuration), shadow_prefix=None)
        schemas = kind_schemas()
        rulebook, wrong = load_rulebook(configuration.rules, schemas, Environment(), configuration)
        watch = Watch()
        rules, usage = watch.rulebook(rulebook), TestedUsage(configuration, watch)
        database, empty = self._new_database(), self._empty.held()
        return Stage(configuration, rules, wrong, schemas, watch, usage, database, empty), findings

    def _new_database(self) -> Database:
        """One that is about to become what tests find."""
        # To copy is faster than to make the tables.
        database = Database.open_unchecked(_MEMORY)
        database.become(self._empty)
        database.owns_amie_tables = self._empty.owns_amie_tables
        # To connect takes longer than most transactions of a test.
        self._kept.enter_context(database.kept())
        return database

    def _stand_ins(self, configuration: Configuration) -> dict[str, dict[str, str]]:
        """Secrets as nobody's: a rule test needs none, and must not read them."""
        folder = self._folder / "secrets"
        folder.mkdir(exist_ok=True)
        for name in configuration.secrets:
            (folder / name).write_text(f"secret-{name}", encoding="utf-8")
        return {name: {"file": str(folder / name)} for name in configuration.secrets}


def _empty_database() -> Database:
    database = Database.open(_MEMORY, create=True)
    # So that no test begins by looking through all of an empty database.
    take_in(database, needs_of=lambda connection, found: [], site_name="", now=_LONG_AGO)
    return database
