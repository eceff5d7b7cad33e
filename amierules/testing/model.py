"""Rule tests as values: what is given, what happens turn by turn, and what is expected of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from amierules.diagnostics import Finding, Place
from amierules.engine.registry.fields import Entry
from amierules.ports.scripted import ScriptedCommand
from amierules.rulebook.nodes import MappingNode, Node

DEFAULT_CLOCK = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""The moment of a test that names none."""


@dataclass
class ScriptedFailure:
    """A step that does not succeed, as often as `times` says."""

    step: str
    kind: str
    says: str
    at_probe: bool
    times: int
    place: Place
    shared: bool = False
    """Whether all tests of the file have it; then one of them must use it."""
    used: int = 0


@dataclass
class ScriptedKind:
    """What steps of a kind come to that a package brings."""

    kind: str
    step: str | None
    present: bool
    result: Mapping[str, Any] | None
    place: Place
    shared: bool = False
    """Whether all tests of the file have it; then one of them must use it."""
    used: int = 0


@dataclass(frozen=True)
class World:
    """What is there outside the database. Plain data as the file has it; scripts are made anew for each test."""

    users: Sequence[Mapping[str, Any]] = ()
    groups: Sequence[Mapping[str, Any]] = ()
    directory: Sequence[Mapping[str, Any]] = ()
    slurm_accounts: Sequence[Mapping[str, Any]] = ()
    slurm_users: Sequence[Mapping[str, Any]] = ()
    grid_mapfile: Sequence[str] = ()
    commands: Sequence[ScriptedCommand] = ()
    kinds: Sequence[ScriptedKind] = ()
    failures: Sequence[ScriptedFailure] = ()

    def and_(self, more: "World") -> "World":
        """Both; what `more` scripts is asked first."""
        return World(
            users=(*self.users, *more.users),
            groups=(*self.groups, *more.groups),
            directory=(*self.directory, *more.directory),
            slurm_accounts=(*self.slurm_accounts, *more.slurm_accounts),
            slurm_users=(*self.slurm_users, *more.slurm_users),
            grid_mapfile=(*self.grid_mapfile, *more.grid_mapfile),
            commands=(*more.commands, *self.commands),
            kinds=(*more.kinds, *self.kinds),
            failures=(*more.failures, *self.failures),
        )


@dataclass(frozen=True)
class EarlierPacket:
    """A packet of the first packet's transaction that is answered already."""

    type: str
    body: Mapping[str, Any]
    ours: bool
    place: Place


@dataclass(frozen=True)
class Given:
    """What is there before the first packet comes."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, Any] = field(default_factory=dict)
    clock: datetime | None = None
    registry: Sequence[Entry] = ()
    earlier: Sequence[EarlierPacket] = ()
    world: World = field(default_factory=World)

    def and_(self, more: "Given") -> "Given":
        """Both; where they contradict each other, `more` counts."""
        return Given(
            settings={**self.settings, **more.settings},
            resources={**self.resources, **more.resources},
            clock=more.clock or self.clock,
            registry=(*self.registry, *more.registry),
            earlier=(*self.earlier, *more.earlier),
            world=self.world.and_(more.world),
        )


@dataclass(frozen=True)
class GivenPacket:
    """A packet before what it does not say is filled in."""

    type: str
    body: Mapping[str, Any]
    header: Mapping[str, Any]
    transaction: str | None
    place: Place


@dataclass(frozen=True)
class Decided:
    """What a person decides about a packet."""

    word: str
    reason: str
    by: str
    answers: Mapping[str, str]
    place: Place


@dataclass(frozen=True)
class Turn:
    """What happens, and what must come of it."""

    place: Place
    expect: MappingNode
    packet: GivenPacket | None = None
    later: timedelta | None = None
    decided: Decided | None = None
    world: World = field(default_factory=World)
    crash_after: str | None = None
    crash_place: Place | None = None
    of: int | None = None
    """Of which packet `expect` and `decided` speak, from 1; None for the newest."""


@dataclass(frozen=True)
class UsageCase:
    """A test of usage rules: what was used, as the file has it, and what must come of it."""

    name: str
    place: Place
    given: Given
    jobs: Sequence[Mapping[str, Any]]
    storage: Sequence[Mapping[str, Any]]
    adjustments: Sequence[Mapping[str, Any]]
    expect: MappingNode


@dataclass(frozen=True)
class Case:
    """One rule test."""

    name: str
    place: Place
    given: Given
    turns: Sequence[Turn]


@dataclass(frozen=True)
class CaseFile:
    """The tests of a file."""

    path: Path
    shown: str
    """The path as findings show it."""
    root: Node
    text: str
    configuration: Path | None
    cases: Sequence[Case]
    usage: Sequence[UsageCase]
    shared: World = field(default_factory=World)
    """What is scripted for all tests of the file: one of them must use it."""

    @property
    def all(self) -> Sequence[Case | UsageCase]:
        """All tests, in the order in which they are run."""
        return [*self.cases, *self.usage]


class CannotBePlayed(Exception):
    """What the test gives cannot be: the findings say why."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        super().__init__("the test cannot be played")
        self.findings = list(findings)
