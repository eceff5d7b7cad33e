"""What a schema would say unreadably: that an action has exactly one kind, and a rule exactly one outcome."""

from collections.abc import Iterable, Iterator

from amierules.diagnostics import Finding, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode

OUTCOMES = ("reply", "complete", "ignore", "defer", "hold", "fail")
WITH_ACTIONS = ("reply", "complete")
COMMON_KEYS = ("name", "description", "when", "register", "for_each", "on_error", "timeout", "with")
RULE_KEYS = ("name", "description", "when", "actions", *OUTCOMES)


def mappings_in(node: Node | None) -> Iterator[MappingNode]:
    """The mappings of a list, where it is one; anything else is the schema's to find."""
    if isinstance(node, ListNode):
        yield from (item for item in node.items if isinstance(item, MappingNode))


def check_rule(rule: MappingNode) -> list[Finding]:
    """Whether a rule has exactly one outcome, and actions only where they are allowed."""
    outcomes = [key for key in rule.keys if key in OUTCOMES]
    findings = []
    if not outcomes and not _misspelt(rule, OUTCOMES, RULE_KEYS):
        hint = "end it with one of reply, complete, ignore, defer, hold, fail"
        findings.append(Finding("no-outcome", f"{_called('rule', rule)} has no outcome", rule.place, hint))
    if len(outcomes) > 1:
        message = f"{_called('rule', rule)} has {len(outcomes)} outcomes: {', '.join(outcomes)}"
        findings.append(Finding("several-outcomes", message, rule.key_place(outcomes[1]), "a rule has exactly one"))
    if "actions" in rule.keys and outcomes and not set(outcomes) & set(WITH_ACTIONS):
        message = f"a rule that ends in '{outcomes[0]}' does nothing else: it has no actions"
        hint = "only a rule with reply or complete has actions"
        findings.append(Finding("actions-not-allowed", message, rule.key_place("actions"), hint))
    return findings


def check_action(action: MappingNode, kinds: Iterable[str]) -> list[Finding]:
    """Whether an action has exactly one kind, and `with` only beside `use`."""
    known = sorted(kinds)
    present = [key for key in action.keys if key in known]
    findings = []
    if not present and not _misspelt(action, known, (*COMMON_KEYS, *known)):
        hint = printable(f"give it one of {', '.join(known)}")
        findings.append(Finding("no-kind", f"{_called('action', action)} has no kind", action.place, hint))
    if len(present) > 1:
        message = f"{_called('action', action)} has {len(present)} kinds: {', '.join(present)}"
        hint = "an action has exactly one; make several actions"
        findings.append(Finding("several-kinds", message, action.key_place(present[1]), hint))
    if "with" in action.keys and present and "use" not in present:
        message = f"'with' stands only beside 'use', not beside '{present[0]}'"
        findings.append(Finding("with-without-use", message, action.key_place("with")))
    return findings


def _misspelt(node: MappingNode, wanted: Iterable[str], known: Iterable[str]) -> bool:
    """Whether an unknown key most likely stands for one of the wanted: then the schema's finding says all."""
    known = list(known)
    return any(did_you_mean(key, known) in set(wanted) for key in node.keys if key not in known)


def _called(what: str, node: MappingNode) -> str:
    name = node.get("name")
    return f"the {what} '{printable(name.text, 60)}'" if isinstance(name, ScalarNode) else f"this {what}"
