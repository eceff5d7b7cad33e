"""What every kind of action is: probe, plan, apply, as values. The engine knows kinds by this alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from amierules.ports import World
from amierules.templating import Secret, Unknown

Params = Mapping[str, Any]
"""An action's parameters, rendered and checked; those that are `none` are absent. Some may be `Unknown`."""

Word = str | Secret | Unknown
"""A word of an argument list."""


class Doubt(StrEnum):
    """What is done with a step that has an intent and no result."""

    PROBE = "probe"
    """Probe again, adopt what holds, do the rest."""
    GUARD = "guard"
    """Ask the command's `unless`."""
    PERSON = "person"
    """Hold the packet until a person says whether it was done."""
    STAGED = "staged"
    """Nothing outside the database: there is no doubt."""


@dataclass(frozen=True)
class Change:
    """One change that `apply` makes, exactly as a dry run shows it."""

    summary: str
    """One line for people."""
    op: str
    """`run`, `create`, `modify`, `delete`."""
    target: str
    """What is changed: `user bsample`, `project P-1`."""
    argv: tuple[Word, ...] | None = None
    """The argument list, where the change is a process."""
    before: object = None
    after: object = None
    values: Mapping[str, Word] | None = None
    """The values that a shell script takes from its environment, by the names of their variables."""
    nodes: tuple[str, ...] | None = None
    """The other nodes on which the process runs; None where it runs here."""


@dataclass(frozen=True)
class Plan:
    """What there is to do. No changes: the state already holds (or nothing may be done), and `reason` says why."""

    changes: tuple[Change, ...] = ()
    reason: str = ""
    conflict: bool = False
    """The present state is somebody else's; the packet is held with `reason`."""
    after: object = None
    """What a probe would see once the changes are made; a dry run shows it to later steps on the same target."""
    result: object = None
    """What `register` gets if this plan holds; `Unknown` where only applying tells."""


class ActionError(Exception):
    """A step did not succeed. Permanent: the packet is parked (or what `on_error` says)."""


class Transient(ActionError):
    """A failure that may pass: the step is tried again later, a limited number of times."""


class BackendUnavailable(ActionError):
    """The back end cannot be reached: tried again later, no attempt is counted, and other packets do not try it."""

    def __init__(self, message: str, back_end: str | None = None, *, begun: bool = False) -> None:
        super().__init__(message)
        self.back_end = back_end
        """Which one, where a kind uses several."""
        self.begun = begun
        """Whether the step was begun, and may be under way out of reach: it is recovered like one after a crash."""


class Conflict(ActionError):
    """What is there belongs to somebody else: the packet is held."""


class InDoubt(ActionError):
    """Nobody can tell whether the change was made: the packet waits in doubt for a person."""


class Allocator(Protocol):
    """Gives out ids and logins: committed before use and kept over repetitions; expected values in a dry run."""

    def number(self, what: str, others: Mapping[str, int | Unknown | None]) -> int | Unknown | None:
        """The next free `uid`, `gid` or `person_id` by the configuration's `ids`; None where they say nothing.

        `others` are ids of the same row, for an id that is taken from another one.
        """

    def login(self, wishes: Sequence[str]) -> str | Unknown:
        """The first free login of the cleaned wishes, then numbered ones. Raises `ActionError` where none is usable."""


@dataclass(frozen=True)
class Surroundings:
    """What an action may touch: the outside world, the registry, and the rows in scope."""

    world: World
    registry: Any
    """The packet's view of the registry (`amierules.database.registry.RegistryView`)."""
    step: str
    """The step's path, for values known only after it."""
    dry: bool
    allocate: Allocator
    resource: str | None
    """The name of the resource that the packet speaks of."""
    rows: Mapping[str, Any]
    """The registry rows in scope: `person`, `project`, `allocation`, `account`, each a row or None."""
    defaults: Mapping[str, Mapping[str, Any]]
    """Defaults of parameters by kind, and sections by name, from the configuration: `{"user": {"prefix": "/x"}}`."""
    timeout: float | None = None
    """Seconds that the step may take."""
    brings: int | None = None
    """The packet_rec_id, where the packet is a request_project_create."""
    readings: dict[object, object] = field(default_factory=dict)
    """What this pass over the packet has read of a back end; whoever writes takes out what may be different now."""


class Kind(Protocol):
    """A kind of action; a module satisfies it."""

    def doubt(self, params: Params) -> Doubt:
        """What to do with a step of these parameters that has an intent and no result."""

    def target(self, params: Params) -> str:
        """What the step reads and changes; steps of one kind with the same target share a probe in a dry run."""

    def probe(self, params: Params, surroundings: Surroundings) -> object:
        """The present state; changes nothing. Raises `ActionError`."""

    def plan(self, params: Params, state: object, surroundings: Surroundings) -> Plan:
        """The changes from `state` to what the parameters ask for. Pure, but for allocations."""

    def apply(self, params: Params, plan: Plan, surroundings: Surroundings) -> object:
        """Make exactly the plan's changes and verify them; returns what `register` gets. Raises `ActionError`."""


@dataclass(frozen=True)
class AroundKind:
    """A kind of action that does what the kind within it does; subclasses do more before and after."""

    kind: Kind

    def doubt(self, params: Params) -> Doubt:
        """As the kind within."""
        return self.kind.doubt(params)

    def target(self, params: Params) -> str:
        """As the kind within."""
        return self.kind.target(params)

    def probe(self, params: Params, surroundings: Surroundings) -> object:
        """As the kind within."""
        return self.kind.probe(params, surroundings)

    def plan(self, params: Params, state: object, surroundings: Surroundings) -> Plan:
        """As the kind within."""
        return self.kind.plan(params, state, surroundings)

    def apply(self, params: Params, plan: Plan, surroundings: Surroundings) -> object:
        """As the kind within."""
        return self.kind.apply(params, plan, surroundings)


def unknown_in(value: object) -> bool:
    """Whether a value is, or holds in its lists and mappings, one that is not known yet."""
    if isinstance(value, list):
        return any(unknown_in(element) for element in value)
    if isinstance(value, dict):
        return any(unknown_in(element) for element in value.values())
    return isinstance(value, Unknown)


def expected(value: Any) -> Any:
    """The value itself, or the value that an `Unknown` is expected to have; the `Unknown` where nothing is expected."""
    return value.expected if isinstance(value, Unknown) and value.has_expected else value
