"""What a schema would say unreadably: that an action has exactly one kind, and a rule exactly one outcome."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from amierules.diagnostics import Finding, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode

OUTCOMES = ("reply", "complete", "ignore", "defer", "hold", "fail")
WITH_ACTIONS = ("reply", "complete")
COMMON_KEYS = (
    *("name", "description", "when", "register", "for_each", "until", "retries", "delay", "on_error", "timeout"),
    "with",
)
RULE_KEYS = ("name", "description", "when", "actions", "notify", *OUTCOMES)


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


def check_action(action: MappingNode, kinds: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Whether an action has exactly one kind, `with` only beside `use`, and `until` only where it makes sense."""
    known = sorted(kinds)
    present = [key for key in action.keys if key in known]
    findings = []
    # A key that is not known here is most likely meant as the kind; what is said of it names the kinds.
    if not present and all(key in COMMON_KEYS for key in action.keys):
        hint = printable(f"give it one of {', '.join(known)}")
        findings.append(Finding("no-kind", f"{_called('action', action)} has no kind", action.place, hint))
    if len(present) > 1:
        message = f"{_called('action', action)} has {len(present)} kinds: {', '.join(present)}"
        hint = "an action has exactly one; make several actions"
        findings.append(Finding("several-kinds", message, action.key_place(present[1]), hint))
    if "with" in action.keys and present and "use" not in present:
        message = f"'with' stands only beside 'use', not beside '{present[0]}'"
        findings.append(Finding("with-without-use", message, action.key_place("with")))
    return findings + _check_repetition(action, present[0] if len(present) == 1 else None, kinds)


def registered_amiss(actions: Iterable[MappingNode], kinds: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The names that actions register under a misspelt key, or beside a misspelt kind: no action will have them."""
    names = set()
    for action in actions:
        of_no_kind = not any(key in kinds for key in action.keys)
        for key, value in action.values.items():
            meant = key == "register" and of_no_kind
            meant = meant or (
                key not in (*COMMON_KEYS, *kinds) and did_you_mean(key, (*COMMON_KEYS, *kinds)) == "register"
            )
            if meant and isinstance(value, ScalarNode):
                names.add(value.text)
    return names


def _check_repetition(action: MappingNode, kind: str | None, kinds: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Whether `retries` and `delay` have their `until`, and whether what the action does can be repeated."""
    if "until" not in action.keys:
        alone = next((key for key in ("retries", "delay") if key in action.keys), None)
        hint = "add 'until', or remove it"
        message = f"'{alone}' stands only beside 'until'"
        return [Finding("without-until", message, action.key_place(alone), hint)] if alone is not None else []
    if kind is None:
        return []
    allowed = kinds[kind].get("x-until")
    parameters = action.get(kind)
    flag = parameters.get(allowed) if isinstance(allowed, str) and isinstance(parameters, MappingNode) else None
    if allowed is True or (isinstance(flag, ScalarNode) and flag.value is True):
        return []
    message = f"'until' would repeat the effect of this '{kind}'" if allowed else f"'{kind}' cannot have 'until'"
    hint = f"add '{allowed}: true' if it only looks" if allowed else "only actions that look at what is there have it"
    return [Finding("until-not-allowed", message, action.key_place("until"), hint)]


def _misspelt(node: MappingNode, wanted: Iterable[str], known: Iterable[str]) -> bool:
    """Whether an unknown key most likely stands for one of the wanted: then the schema's finding says all."""
    known = list(known)
    return any(did_you_mean(key, known) in set(wanted) for key in node.keys if key not in known)


def _called(what: str, node: MappingNode) -> str:
    name = node.get("name")
    return f"the {what} '{printable(name.text, 60)}'" if isinstance(name, ScalarNode) else f"this {what}"
