"""Rules that tell what tests have used of them: conditions and their sides, actions, rules."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from amierules.actions.table import COMPOSED
from amierules.diagnostics import Place
from amierules.rulebook.model import (
    Action,
    Block,
    Compiled,
    Condition,
    Names,
    Notice,
    Rule,
    Rulebook,
    RuleFile,
)
from amierules.templating import Unknown


class Part(StrEnum):
    """What of a rulebook tests can use."""

    RULE = "rule"
    ACTION = "action"
    HOLDS = "when: true"
    HOLDS_NOT = "when: false"
    FAILURE = "failure"
    DOUBT = "doubt"


Used = tuple[Part, Place]
"""A part and where it stands."""


@dataclass
class Watch:
    """What was used, since somebody has emptied it."""

    used: set[Used] = field(default_factory=set)

    def rulebook(self, rulebook: Rulebook) -> Rulebook:
        """The rulebook, watched. What is the same object in several places stays so."""
        files: dict[int, RuleFile] = {}
        for rule_file in rulebook.by_type.values():
            if id(rule_file) not in files:
                rules = tuple(self._rule(rule) for rule in rule_file.rules)
                files[id(rule_file)] = replace(rule_file, rules=rules)
        by_type = {name: files[id(rule_file)] for name, rule_file in rulebook.by_type.items()}
        return replace(rulebook, by_type=by_type, blocks=self._blocks(rulebook.blocks))

    def _blocks(self, blocks: Mapping[str, Block]) -> dict[str, Block]:
        return {name: replace(block, actions=self._actions(block.actions)) for name, block in blocks.items()}

    def _rule(self, rule: Rule) -> Rule:
        notify = tuple(self._notice(notice) for notice in rule.notify)
        return replace(rule, when=self.condition(rule.when), actions=self._actions(rule.actions), notify=notify)

    def _notice(self, notice: Notice) -> Notice:
        return replace(notice, when=self.condition(notice.when))

    def _actions(self, actions: Sequence[Action]) -> tuple[Action, ...]:
        return tuple(self._action(action) for action in actions)

    def _action(self, action: Action) -> Action:
        when = self.condition(action.when)
        if action.kind == COMPOSED:
            return replace(action, when=when)

        def begun() -> None:
            self.used.add((Part.ACTION, action.place))

        return replace(action, when=when, params=_Watched(action.params, begun))

    def condition(self, condition: Condition | None) -> Condition | None:
        """A condition, watched."""
        if condition is None:
            return None

        def told(holds: bool) -> None:
            self.used.add((Part.HOLDS if holds else Part.HOLDS_NOT, condition.place))

        return _WatchedCondition(condition.place, condition.expressions, condition.source, told)


@dataclass(frozen=True)
class _Watched:
    """A value that tells that it was asked for."""

    value: Compiled
    begun: Callable[[], None]

    @property
    def place(self) -> Place:
        """Where the value stands."""
        return self.value.place

    def evaluate(self, names: Names) -> object:
        """The value in this scope."""
        self.begun()
        return self.value.evaluate(names)


@dataclass(frozen=True)
class _WatchedCondition(Condition):
    """A condition that tells how it came out."""

    told: Callable[[bool], None]

    def evaluate(self, names: Names) -> bool | Unknown:
        """Whether all hold."""
        holds = super().evaluate(names)
        if not isinstance(holds, Unknown):
            self.told(holds)
        return holds
