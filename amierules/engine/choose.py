"""Choosing the rule: the first whose `when` is true, of the file for the packet's type."""

from amierules.engine.begun import REMEDY
from amierules.engine.decision import Decision, Stop
from amierules.engine.packet_case import PacketCase
from amierules.engine.scope import Scope
from amierules.engine.site import Site
from amierules.rulebook.model import Ending, Rule, RuleFile
from amierules.templating import Unknown


def rules_for(site: Site, case: PacketCase) -> RuleFile:
    """The rule file of the packet's type. Raises `Stop` (park) where there is none, or it is broken."""
    broken = site.rulebook.broken.get(case.type)
    if broken is not None:
        raise Stop(Decision("park", broken))
    rule_file = site.rulebook.by_type.get(case.type)
    if rule_file is None:
        raise Stop(Decision("park", f"no rule file answers {case.type}"))
    return rule_file


def choose(rule_file: RuleFile, case: PacketCase, scope: Scope) -> Rule:
    """The rule for the packet: the one whose actions have begun, else the first that holds and is not passed over.

    Raises `EvaluationError` where a `when` fails, and `Stop` (park, hold) where no rule can be had.
    """
    if case.remembered_rule is not None:
        remembered = next((rule for rule in rule_file.rules if rule.name == case.remembered_rule), None)
        if remembered is None:
            gone = f"its actions have begun by the rule '{case.remembered_rule}', which is no longer there"
            raise Stop(Decision("hold", f"{gone}; {REMEDY}"))
        if isinstance(remembered.outcome, Ending) and remembered.outcome.kind == "hold":
            # Passing it over would not help: the packet has begun by it.
            only = f"its actions have begun by the rule '{case.remembered_rule}', which only holds packets now"
            raise Stop(Decision("hold", f"{only}; {REMEDY}"))
        return remembered
    for rule in rule_file.rules:
        if passed_over(rule, case):
            continue
        holds = rule.when is None or rule.when.evaluate(scope)
        if isinstance(holds, Unknown):
            raise Stop(Decision("park", f"rule '{rule.name}': its `when` is not known before {holds.step}"))
        if holds:
            return rule
    raise Stop(Decision("park", "no rule matches"))


def passed_over(rule: Rule, case: PacketCase) -> bool:
    """Whether the rule holds the packet for a person, and one has approved it and answered all that it asks by now."""
    if not isinstance(rule.outcome, Ending) or rule.outcome.kind != "hold" or rule.name not in case.approvals:
        return False
    return set(rule.outcome.ask) <= set(case.approvals[rule.name].answers)
