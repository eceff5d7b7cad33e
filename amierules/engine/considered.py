"""Why a packet is answered as it is: which rules were asked, and what each condition saw."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from amierules.database import packets, work
from amierules.database.registry import RegistryView
from amierules.diagnostics import printable
from amierules.engine.cases import read_case
from amierules.engine.choose import passed_over, rules_for
from amierules.engine.decision import Stop
from amierules.engine.packet_case import PacketCase
from amierules.engine.packet_names import packet_scope
from amierules.engine.site import Site
from amierules.rulebook.compiled import ConditionValue
from amierules.rulebook.model import Compiled, Names, Rule
from amierules.templating import EvaluationError, Unknown, located


class Answer(StrEnum):
    """What became of a rule or of one of its conditions."""

    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"
    """Not known before an action has been done."""
    ERROR = "error"
    APPROVED = "approved"
    """A hold that a person has passed over."""
    NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Asked:
    """One bare expression of a `when`: its source, what came out, and the values that it saw."""

    source: str
    answer: Answer
    values: Mapping[str, object] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class Considered:
    """One rule of the packet's file. `asked` is empty for a rule without `when`, and for one that was not asked."""

    name: str
    line: int
    answer: Answer
    asked: tuple[Asked, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Consideration:
    """The rules of a packet's type, in order. `stopped` says why none could be asked."""

    file: str | None
    rules: tuple[Considered, ...] = ()
    stopped: str = ""
    pinned: bool = False
    """Whether the packet's actions have begun, so that the rule is chosen, and sees what it saw then."""


def consider(site: Site, packet_rec_id: int) -> Consideration:
    """How the rule of a packet is found, as a run would do it now; nothing is changed.

    `packet_rec_id` must be that of an incoming packet in the database.
    """
    with site.database.read() as connection:
        stored = packets.read_packets(connection, [packet_rec_id], site.name)[packet_rec_id]
        item = work.get(connection, packet_rec_id)
        case = read_case(connection, site, stored, item, site.world.clock.now())
    return _consider(site, case)


def _consider(site: Site, case: PacketCase) -> Consideration:
    file = None
    try:
        rule_file = rules_for(site, case)
        file = rule_file.path
        scope = packet_scope(site, case, RegistryView(site.database.read), rule_file)
    except Stop as stop:
        return Consideration(file, stopped=stop.decision.reason)
    if case.remembered_rule is not None:
        rules = tuple(_pinned(rule, case.remembered_rule) for rule in rule_file.rules)
        return Consideration(file, rules, pinned=True)
    considered: list[Considered] = []
    decided = False
    for rule in rule_file.rules:
        one = Considered(rule.name, rule.place.line, Answer.NOT_ASKED) if decided else _ask(rule, case, scope)
        considered.append(one)
        decided = decided or one.answer in (Answer.HOLDS, Answer.UNKNOWN, Answer.ERROR)
    return Consideration(file, tuple(considered))


def _pinned(rule: Rule, chosen: str) -> Considered:
    if rule.name != chosen:
        return Considered(rule.name, rule.place.line, Answer.NOT_ASKED)
    # What the rule saw is kept, but its condition is not asked again: it may hold no more, now that it has acted.
    return Considered(rule.name, rule.place.line, Answer.HOLDS, reason="its actions have begun")


def _ask(rule: Rule, case: PacketCase, names: Names) -> Considered:
    if passed_over(rule, case):
        return Considered(rule.name, rule.place.line, Answer.APPROVED)
    answer = Answer.HOLDS
    asked: list[Asked] = []
    for expression in rule.when.expressions if rule.when else ():
        if answer is Answer.HOLDS:
            one = _asked(expression, names)
            answer = one.answer
        else:
            one = Asked(_source(expression), Answer.NOT_ASKED)
        asked.append(one)
    return Considered(rule.name, rule.place.line, answer, tuple(asked))


def _asked(expression: Compiled, names: Names) -> Asked:
    source, values = _source(expression), _values(expression, names)
    try:
        value = expression.evaluate(names)
    except EvaluationError as error:
        return Asked(source, Answer.ERROR, values, located(error))
    if isinstance(value, Unknown):
        return Asked(source, Answer.UNKNOWN, values, f"not known before {value.step}")
    return Asked(source, Answer.HOLDS if value else Answer.FAILS, values)


def _values(expression: Compiled, names: Names) -> dict[str, object]:
    """What the expression looks at, by path; `project.title` is left out where there is no project."""
    seen: dict[str, object] = {}
    for path, value in expression.expression.looks_at().items() if isinstance(expression, ConditionValue) else ():
        try:
            seen[path] = value.evaluate(names)
        except EvaluationError:
            continue
    return seen


def _source(expression: Compiled) -> str:
    if isinstance(expression, ConditionValue):
        return expression.expression.source
    return printable(expression.evaluate({})).lower()
