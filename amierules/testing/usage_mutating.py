"""Changes of usage rules, one at a time, each of which a usage test ought to notice."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import ROUND_DOWN, ROUND_UP
from typing import Any

from amierules.diagnostics import printable
from amierules.rulebook.compiled import Constant
from amierules.rulebook.model import Compiled
from amierules.testing.mutating import Mutant, of_condition, of_literals, sides
from amierules.testing.watching import Part, Used
from amierules.usage.model import UsageRule, UsageRules

_VALUES = ("charge", "ignore", "project", "login", "resource", "minimum")
_MAY_BE_DROPPED = ("project", "login", "resource", "minimum")


def usage_mutants(rules: UsageRules) -> Iterator[Mutant]:
    """All changes of the rules, in the order of the file."""
    found: list[Mutant] = []
    everywhere: set[Used] = set()
    for listed in (rules.jobs, rules.storage):
        for at, rule in enumerate(listed):
            found += _of_rule(rule, listed, at)
            everywhere |= {_chosen(rule), *sides(rule.when)}
    for value in rules.variables.values():
        found += of_literals(value, frozenset(everywhere))
    yield from sorted(found, key=lambda one: (one.place, one.what))


def _of_rule(rule: UsageRule, listed: Sequence[UsageRule], at: int) -> Iterator[Mutant]:
    chosen = frozenset({_chosen(rule)})
    dropped = (*listed[:at], *listed[at + 1 :])
    yield Mutant(rule.place, f"the rule '{printable(rule.name, 60)}' is dropped", chosen, listed, dropped)
    yield from of_condition(rule.when)
    for key in _VALUES:
        value: Compiled | None = getattr(rule, key)
        if value is None:
            continue
        yield from of_literals(value, chosen)
        if key in _MAY_BE_DROPPED:
            nothing: dict[str, Any] = {key: None}
            without = replace(rule, **nothing)
            yield Mutant(value.place, f"'{key}' is dropped", chosen, rule, without)
    for tag, value in rule.fields.items():
        yield from of_literals(value, chosen)
        fields = {name: one for name, one in rule.fields.items() if name != tag}
        yield Mutant(value.place, f"{tag} is left out of the fields", chosen, rule, replace(rule, fields=fields))
    if rule.charge is None:
        other = replace(rule, ignore=None, charge=Constant(rule.place, 1))
        yield Mutant(rule.place, "ignore becomes charge", chosen, rule, other)
        return
    ignored = replace(rule, charge=None, ignore=Constant(rule.place, "changed"))
    yield Mutant(rule.place, "charge becomes ignore", chosen, rule, ignored)
    rounding = ROUND_DOWN if rule.rounding != ROUND_DOWN else ROUND_UP
    yield Mutant(rule.place, "the charge is rounded in another way", chosen, rule, replace(rule, rounding=rounding))


def _chosen(rule: UsageRule) -> Used:
    return Part.RULE, rule.place
