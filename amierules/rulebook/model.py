"""What rule files say, compiled: rule files, blocks, rules, actions and outcomes, each with its place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from amierules.diagnostics import Place
from amierules.templating import Unknown

Names = Mapping[str, object]
"""The names in scope; a mapping may compute a value when it is asked for it."""


class Compiled(Protocol):
    """A value of a rule file: a constant, a template, a command's words, or a list or mapping of such."""

    @property
    def place(self) -> Place:
        """Where the value stands."""

    def evaluate(self, names: Names) -> object:
        """The value in this scope. Leaves may be `Unknown` or `Secret`. Raises `EvaluationError` with a place."""


@dataclass(frozen=True)
class Condition:
    """A `when` or `that`: bare expressions that must all be true, asked from left to right."""

    place: Place
    expressions: tuple[Compiled, ...]
    source: str

    def evaluate(self, names: Names) -> bool | Unknown:
        """Whether all hold; the first `Unknown` reached makes the condition unknown."""
        for expression in self.expressions:
            value = expression.evaluate(names)
            if isinstance(value, Unknown):
                return value
            if not value:
                return False
        return True


@dataclass(frozen=True)
class Repetition:
    """The keys `until`, `retries` and `delay`: the step is done again, later, until the condition holds."""

    until: Condition
    retries: int
    """How often it is done again at most."""
    delay: int
    """Seconds between two tries."""


@dataclass(frozen=True)
class Action:
    """One step of a rule or block: one kind, its parameters, and the common keys."""

    name: str
    place: Place
    kind: str
    params: Compiled
    """For `use` the constant name of the block; else what the kind's schema describes."""
    source: str
    """The action as canonical JSON, for the digest of its source."""
    when: Condition | None = None
    register: str | None = None
    for_each: Compiled | None = None
    on_error: str = "park"
    repetition: Repetition | None = None
    timeout: int | None = None
    """Seconds."""
    with_: Mapping[str, Compiled] = field(default_factory=dict)
    """The parameters of the block, beside `use` only."""


@dataclass(frozen=True)
class Reply:
    """Answer the packet. `type` is None where it is the packet's only expected reply."""

    type: str | None
    copy: tuple[str, ...]
    fields: Compiled | None
    place: Place


@dataclass(frozen=True)
class Ending:
    """An outcome that is a text: `complete`, `ignore`, `hold` or `fail`."""

    kind: str
    text: Compiled
    place: Place
    ask: Mapping[str, Compiled] = field(default_factory=dict)
    """What a `hold` wants to know with its approval: a description by name."""


@dataclass(frozen=True)
class Defer:
    """Look again later."""

    reason: Compiled
    not_before: Compiled | None
    at_most: int | None
    """Seconds; None for the default, the packet's reply timeout less a day."""
    place: Place


Outcome = Reply | Ending | Defer


@dataclass(frozen=True)
class Notice:
    """A message of a `notify` list, as it is written: its channel (`mail`, `slack`, `webhook`) and its parameters."""

    place: Place
    channel: str
    params: Compiled
    when: Condition | None = None
    for_each: Compiled | None = None


@dataclass(frozen=True)
class Rule:
    """A condition, the actions, and exactly one outcome."""

    name: str
    place: Place
    when: Condition | None
    actions: tuple[Action, ...]
    outcome: Outcome
    notify: tuple[Notice, ...] = ()

    @property
    def outcome_kind(self) -> str:
        """The key of the outcome: `reply`, `complete`, `ignore`, `defer`, `hold` or `fail`."""
        match self.outcome:
            case Ending():
                return self.outcome.kind
            case Reply():
                return "reply"
            case Defer():
                return "defer"


@dataclass(frozen=True)
class RuleFile:
    """The rules of one or several packet types."""

    path: str
    packet_types: tuple[str, ...]
    description: str
    variables: Mapping[str, Compiled]
    rules: tuple[Rule, ...]

    @property
    def asked(self) -> tuple[str, ...]:
        """The names of all values that holds ask for."""
        holds = (rule.outcome for rule in self.rules if isinstance(rule.outcome, Ending))
        return tuple(dict.fromkeys(name for hold in holds for name in hold.ask))


@dataclass(frozen=True)
class BlockParameter:
    """A parameter of a block; one without a default is required."""

    name: str
    description: str
    required: bool
    default: Compiled | None


@dataclass(frozen=True)
class Block:
    """A named list of actions that rules and other blocks `use`."""

    name: str
    path: str
    description: str
    parameters: Mapping[str, BlockParameter]
    variables: Mapping[str, Compiled]
    actions: tuple[Action, ...]
    source: str
    """Its parameters and variables as canonical JSON, for the digests of its steps' sources."""


@dataclass(frozen=True)
class Rulebook:
    """All rule files and blocks of a site, as `validate` accepts them and `run` uses them."""

    by_type: Mapping[str, RuleFile]
    blocks: Mapping[str, Block]
    broken: Mapping[str, str]
    """Packet types whose rule file (or a block that it uses) has errors, with the reason: only these are parked."""
    files: tuple[str, ...]

    @property
    def rule_count(self) -> int:
        """How many rules the files hold."""
        return sum(len(rule_file.rules) for rule_file in {id(file): file for file in self.by_type.values()}.values())
