"""Changes of rules, one at a time, each of which a test ought to notice."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

from amierules.actions.table import COMPOSED
from amierules.diagnostics import Place, printable
from amierules.rulebook.compiled import (
    ConditionValue,
    Constant,
    ExpressionValue,
    ListValue,
    MappingValue,
    TemplateValue,
    Words,
)
from amierules.rulebook.model import (
    Action,
    Compiled,
    Condition,
    Defer,
    Ending,
    Names,
    Outcome,
    Reply,
    Rule,
    Rulebook,
    RuleFile,
)
from amierules.templating import Environment, TemplateSyntaxProblem, Unknown
from amierules.testing.watching import Part, Used

_OTHER_OUTCOME: Mapping[str, str] = {"hold": "fail", "fail": "hold", "complete": "ignore", "ignore": "complete"}
_LITERAL = re.compile(r"'([^'\\]*)'|\"([^\"\\]*)\"|(?<![\w.'\"])(\d+)(?![\w.'\"])")
Rules = TypeVar("Rules")
_EXTRA = "~"
"""What a changed text ends in."""


@dataclass(frozen=True)
class Mutant:
    """One change: where, what, and the object that stands for another one."""

    place: Place
    what: str
    seen_by: frozenset[Used]
    """A test that could notice it uses one of these."""
    old: object
    new: object
    within: Used | None = None
    """What such a test must use beside that."""

    def could_be_noticed(self, used: Collection[Used]) -> bool:
        """Whether a test could notice it that uses these parts."""
        return not self.seen_by.isdisjoint(used) and (self.within is None or self.within in used)

    def made(self, rules: Rules) -> Rules:
        """The rules with this change."""
        changed: Rules = _swapped(rules, self.old, self.new, {})
        return changed


@dataclass(frozen=True)
class _Negated(Condition):
    of: Condition

    def evaluate(self, names: Names) -> bool | Unknown:
        holds = self.of.evaluate(names)
        return holds if isinstance(holds, Unknown) else not holds


@dataclass(frozen=True)
class _Other:
    """A value that comes out as another one."""

    of: Compiled
    change: Callable[[Any], object]

    @property
    def place(self) -> Place:
        return self.of.place

    def evaluate(self, names: Names) -> object:
        value = self.of.evaluate(names)
        return value if isinstance(value, Unknown) else self.change(value)


def mutants(rulebook: Rulebook, schemas: Mapping[str, Mapping[str, Any]]) -> Iterator[Mutant]:
    """All changes of the rules and the blocks that they use, in the order of the files."""
    maker = _Maker(rulebook, schemas)
    found = [*maker.of_files(), *maker.of_blocks()]
    yield from sorted(found, key=lambda one: (one.place, one.what))


@dataclass(frozen=True)
class _Maker:
    rulebook: Rulebook
    schemas: Mapping[str, Mapping[str, Any]]

    def of_files(self) -> Iterator[Mutant]:
        files: dict[int, RuleFile] = {id(one): one for one in self.rulebook.by_type.values()}
        for rule_file in files.values():
            looked_at = {used for rule in rule_file.rules for used in (_chosen(rule), *sides(rule.when))}
            everywhere = frozenset(looked_at)
            for value in rule_file.variables.values():
                yield from of_literals(value, everywhere)
            for rule in rule_file.rules:
                yield from self._rule(rule)

    def of_blocks(self) -> Iterator[Mutant]:
        for block in self.rulebook.blocks.values():
            inside = self._inside(block.actions)
            for value in block.variables.values():
                yield from of_literals(value, inside)
            yield from self._actions(block.actions)

    def _rule(self, rule: Rule) -> Iterator[Mutant]:
        chosen = frozenset({_chosen(rule)})
        yield from of_condition(rule.when)
        yield from (replace(one, within=_chosen(rule)) for one in self._actions(rule.actions))
        yield from _outcome(rule, chosen)
        for at, notice in enumerate(rule.notify):
            what = f"the message by {notice.channel} is dropped"
            yield Mutant(notice.place, what, chosen, rule.notify, _without(rule.notify, at))
            yield from of_condition(notice.when)
            yield from of_literals(notice.params, chosen)

    def _actions(self, actions: Sequence[Action]) -> Iterator[Mutant]:
        for at, action in enumerate(actions):
            begun = self._inside([action])
            what = f"the action '{printable(action.name, 60)}' is dropped"
            yield Mutant(action.place, what, begun, actions, _without(actions, at))
            yield from of_condition(action.when)
            for value in action.with_.values():
                yield from of_literals(value, begun)
            if action.kind == COMPOSED:
                continue
            yield from self._parameters(action, begun)
            yield from of_literals(action.params, begun)
            if action.on_error == "continue":
                failed = frozenset({(Part.FAILURE, action.place)})
                yield Mutant(action.place, "on_error is park", failed, action, replace(action, on_error="park"))

    def _parameters(self, action: Action, begun: frozenset[Used]) -> Iterator[Mutant]:
        params = getattr(action.params, "value", action.params)
        if not isinstance(params, MappingValue):
            return
        required = self.schemas.get(action.kind, {}).get("required", ())
        for at, (name, value) in enumerate(params.entries):
            if name not in required and len(params.entries) > 1:
                what = f"the parameter '{name}' is dropped"
                yield Mutant(value.place, what, begun, params, replace(params, entries=_without(params.entries, at)))

    def _inside(self, actions: Sequence[Action]) -> frozenset[Used]:
        """What tests use that get to one of these actions."""
        found: set[Used] = set()
        for action in actions:
            found |= {(Part.ACTION, action.place), *sides(action.when)[:1]}
            block = self.rulebook.blocks.get(str(action.params.evaluate({}))) if action.kind == COMPOSED else None
            found |= self._inside(block.actions) if block is not None else frozenset()
        return frozenset(found)


def _chosen(rule: Rule) -> Used:
    return Part.RULE, rule.place


def sides(condition: Condition | None) -> list[Used]:
    """Both sides of a condition: true, and false."""
    return [] if condition is None else [(Part.HOLDS, condition.place), (Part.HOLDS_NOT, condition.place)]


def of_condition(condition: Condition | None) -> Iterator[Mutant]:
    """The changes of a condition."""
    if condition is None:
        return
    seen_by = frozenset(sides(condition))
    negated = _Negated(condition.place, condition.expressions, condition.source, condition)
    yield Mutant(condition.place, f"`{printable(condition.source, 80)}` is negated", seen_by, condition, negated)
    for expression in condition.expressions:
        yield from of_literals(expression, seen_by)


def _outcome(rule: Rule, chosen: frozenset[Used]) -> Iterator[Mutant]:
    outcome: Outcome = rule.outcome
    match outcome:
        case Reply():
            other: Outcome = Ending("ignore", Constant(outcome.place, "changed"), outcome.place)
            yield from _reply(outcome, chosen)
        case Defer():
            other = Ending("hold", outcome.reason, outcome.place)
            yield from of_literals(outcome.reason, chosen)
        case Ending():
            other = replace(outcome, kind=_OTHER_OUTCOME[outcome.kind])
            yield from of_literals(outcome.text, chosen)
    kind = other.kind if isinstance(other, Ending) else "hold"
    yield Mutant(outcome.place, f"{rule.outcome_kind} becomes {kind}", chosen, outcome, other)


def _reply(reply: Reply, chosen: frozenset[Used]) -> Iterator[Mutant]:
    for at, tag in enumerate(reply.copy):
        changed = replace(reply, copy=_without(reply.copy, at))
        yield Mutant(reply.place, f"{tag} is not copied into the reply", chosen, reply, changed)
    given = reply.fields
    if not isinstance(given, MappingValue):
        yield from of_literals(given, chosen) if given is not None else ()
        return
    entries = given.entries
    for at, (tag, value) in enumerate(entries):
        dropped = replace(given, entries=_without(entries, at))
        yield Mutant(value.place, f"{tag} is left out of the reply", chosen, given, dropped)
        yield from of_literals(value, chosen)
        if at + 1 < len(entries):
            other, other_value = entries[at + 1]
            swapped = (*entries[:at], (tag, other_value), (other, value), *entries[at + 2 :])
            what = f"{tag} and {other} are swapped in the reply"
            yield Mutant(value.place, what, chosen, given, replace(given, entries=swapped))


def of_literals(value: Compiled, seen_by: frozenset[Used]) -> Iterator[Mutant]:
    """A change for each literal in a value."""
    value = getattr(value, "value", value) if not isinstance(value, Constant) else value
    match value:
        case Constant(value=bool() | int() | str() as given):
            changed = not given if isinstance(given, bool) else given + 1 if isinstance(given, int) else given + _EXTRA
            what = f"{printable(given, 40)!r} becomes {printable(changed, 40)!r}"
            yield Mutant(value.place, what, seen_by, value, replace(value, value=changed))
        case ListValue():
            for item in value.items:
                yield from of_literals(item, seen_by)
        case MappingValue():
            for _, entry in value.entries:
                yield from of_literals(entry, seen_by)
        case Words():
            what = f"the command has one word more, '{_EXTRA}'"
            yield Mutant(value.place, what, seen_by, value, _Other(value, lambda words: [*words, _EXTRA]))
        case TemplateValue() if not value.template.is_expression:
            what = f"the text ends in '{_EXTRA}'"
            yield Mutant(value.place, what, seen_by, value, _Other(value, lambda text: f"{text}{_EXTRA}"))
        case TemplateValue() | ExpressionValue() | ConditionValue():
            yield from _in_expression(value, seen_by)


def _in_expression(
    value: TemplateValue | ExpressionValue | ConditionValue, seen_by: frozenset[Used]
) -> Iterator[Mutant]:
    environment, text = Environment(), value.node.text
    for found in _LITERAL.finditer(text):
        number = found[3]
        changed = str(int(number) + 1) if number else f"{found[0][:-1]}{_EXTRA}{found[0][-1]}"
        mutated = text[: found.start()] + changed + text[found.end() :]
        try:
            if isinstance(value, TemplateValue):
                new: Compiled = replace(value, template=environment.template(mutated))
            else:
                new = replace(value, expression=environment.expression(mutated))
        except TemplateSyntaxProblem:
            continue
        yield Mutant(value.place, f"{found[0]} becomes {changed}", seen_by, value, new)


def _without(items: Sequence[Any], at: int) -> tuple[Any, ...]:
    return (*items[:at], *items[at + 1 :])


def _swapped(value: Any, old: object, new: object, known: dict[int, Any]) -> Any:
    """The value with one object in it, wherever it stands, replaced by another. What is shared stays shared."""
    if value is old:
        return new
    if id(value) in known:
        return known[id(value)]
    found = value
    if isinstance(value, tuple):
        parts = tuple(_swapped(one, old, new, known) for one in value)
        found = parts if any(a is not b for a, b in zip(parts, value, strict=True)) else value
    elif isinstance(value, dict):
        entries = {name: _swapped(one, old, new, known) for name, one in value.items()}
        found = entries if any(entries[name] is not value[name] for name in value) else value
    elif is_dataclass(value) and not isinstance(value, type | Place):
        named = {one.name: getattr(value, one.name) for one in fields(value)}
        changed = {name: _swapped(one, old, new, known) for name, one in named.items()}
        different = {name: one for name, one in changed.items() if one is not named[name]}
        found = replace(value, **different) if different else value
    known[id(value)] = found
    return found
