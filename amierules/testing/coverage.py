"""What tests use of a site's rules: rules, actions, both sides of each `when`, and what becomes of failures."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from amierules.actions.base import Doubt, Kind
from amierules.actions.table import COMPOSED
from amierules.diagnostics import Place
from amierules.engine.all_actions import all_actions, as_written
from amierules.engine.decision import PacketReport
from amierules.rulebook.compiled import MappingValue
from amierules.rulebook.model import Action, Condition, Rule, Rulebook, RuleFile
from amierules.testing.watching import Part, Used
from amierules.usage.model import UsageRule, UsageRules

_ASSERT, _COMMAND = "assert", "command"
_UNCOVERED: Mapping[Part, str] = {
    Part.RULE: "rule '{}' is never chosen",
    Part.ACTION: "action '{}' is never begun",
    Part.HOLDS: "`when: {}` is never true",
    Part.HOLDS_NOT: "`when: {}` is never false",
    Part.FAILURE: "action '{}' never fails, and `on_error: {}` says what becomes of that",
    Part.DOUBT: "action '{}' is never in doubt, as after a crash",
}


@dataclass(frozen=True)
class Coverable:
    """A part of the rules that a test can use."""

    part: Part
    place: Place
    said: str
    """What is said where no test uses it."""

    @property
    def used(self) -> Used:
        """What the tests tell of it."""
        return self.part, self.place


@dataclass(frozen=True)
class Coverage:
    """What there is, and what of it no test uses, in the order of files and lines."""

    parts: Sequence[Coverable]
    missing: Sequence[Coverable]

    def counted(self, *parts: Part) -> tuple[int, int]:
        """How many there are that are used, and how many there are; of all parts where none is named."""
        chosen = parts or tuple(Part)
        there = sum(one.part in chosen for one in self.parts)
        return there - sum(one.part in chosen for one in self.missing), there

    @property
    def percent(self) -> float:
        """How much is used of all, from 0 to 100."""
        used, there = self.counted()
        return 100 * used / there if there else 100.0


def coverage_of(
    rulebooks: Iterable[Rulebook],
    kinds: Mapping[str, Kind],
    used: Collection[Used],
    usage: Iterable[UsageRules] = (),
) -> Coverage:
    """What of these rulebooks and usage rules the tests use."""
    listed = [one for rulebook in rulebooks for one in _parts(rulebook, kinds)]
    of_usage = [one for rules in usage for rule in (*rules.jobs, *rules.storage) for one in _of_choice(rule)]
    parts = {one.used: one for one in (*listed, *of_usage)}
    ordered = sorted(parts.values(), key=lambda one: (one.place, list(Part).index(one.part)))
    return Coverage(ordered, [one for one in ordered if one.used not in used])


def used_by(report: PacketReport, rulebook: Rulebook) -> Iterator[Used]:
    """What a pass over a packet used beside what the rules tell themselves: its rule, and steps that failed."""
    rule_file = rulebook.by_type.get(report.type)
    rule = next((one for one in rule_file.rules if one.name == report.rule), None) if rule_file is not None else None
    if rule is None:
        return
    yield Part.RULE, rule.place
    actions = dict(all_actions(rule.actions, rulebook.blocks))
    for step in report.steps:
        action = actions.get(as_written(step.path))
        if action is not None and step.state in ("error", "conflict"):
            doubtful = report.decision.kind == "doubt" and step is report.steps[-1]
            yield (Part.DOUBT if doubtful else Part.FAILURE), action.place


def _parts(rulebook: Rulebook, kinds: Mapping[str, Kind]) -> Iterator[Coverable]:
    files: dict[int, RuleFile] = {id(one): one for one in rulebook.by_type.values()}
    for rule_file in files.values():
        for rule in rule_file.rules:
            yield from _of_rule(rule, kinds)
    used_blocks = _blocks_in_use(files.values(), rulebook)
    for name in used_blocks:
        for action in rulebook.blocks[name].actions:
            yield from _of_action(action, kinds)


def _of_rule(rule: Rule, kinds: Mapping[str, Kind]) -> Iterator[Coverable]:
    yield from _of_choice(rule)
    for action in rule.actions:
        yield from _of_action(action, kinds)
    for notice in rule.notify:
        yield from _of_condition(notice.when)


def _of_choice(rule: Rule | UsageRule) -> Iterator[Coverable]:
    yield Coverable(Part.RULE, rule.place, _UNCOVERED[Part.RULE].format(rule.name))
    yield from _of_condition(rule.when)


def _of_condition(condition: Condition | None) -> Iterator[Coverable]:
    if condition is not None:
        for part in (Part.HOLDS, Part.HOLDS_NOT):
            yield Coverable(part, condition.place, _UNCOVERED[part].format(condition.source))


def _of_action(action: Action, kinds: Mapping[str, Kind]) -> Iterator[Coverable]:
    yield from _of_condition(action.when)
    if action.kind == COMPOSED:
        return
    yield Coverable(Part.ACTION, action.place, _UNCOVERED[Part.ACTION].format(action.name))
    if action.on_error != "park" or action.kind == _ASSERT:
        said = action.on_error if action.kind != _ASSERT else "else"
        yield Coverable(Part.FAILURE, action.place, _UNCOVERED[Part.FAILURE].format(action.name, said))
    if action.kind == _COMMAND and _may_be_in_doubt(action, kinds):
        yield Coverable(Part.DOUBT, action.place, _UNCOVERED[Part.DOUBT].format(action.name))


def _may_be_in_doubt(action: Action, kinds: Mapping[str, Kind]) -> bool:
    """Whether only a person can tell, after a crash, what a command has done."""
    params = getattr(action.params, "value", action.params)
    entries = dict(params.entries) if isinstance(params, MappingValue) else {}
    flags = {name: entries[name].evaluate({}) for name in ("read_only",) if name in entries}
    given = {**flags, **({"unless": {}} if "unless" in entries else {})}
    return kinds[action.kind].doubt(given) is Doubt.PERSON


def _blocks_in_use(files: Iterable[RuleFile], rulebook: Rulebook) -> list[str]:
    """The blocks that rules use, directly or through others."""
    found: dict[str, None] = {}

    def look(actions: Sequence[Action]) -> None:
        for action in actions:
            name = str(action.params.evaluate({})) if action.kind == COMPOSED else None
            if name is not None and name in rulebook.blocks and name not in found:
                found[name] = None
                look(rulebook.blocks[name].actions)

    for rule_file in files:
        for rule in rule_file.rules:
            look(rule.actions)
    return list(found)
