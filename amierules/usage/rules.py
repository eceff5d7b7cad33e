"""The usage rules, `usage.yaml` in a folder of rules: found, checked, and compiled."""

import os
from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP
from pathlib import Path
from typing import Any

from amierules.diagnostics import Finding, Severity, printable
from amierules.rulebook.compiler import Compiler
from amierules.rulebook.configuration import Configuration
from amierules.rulebook.files import USAGE_FILE, read_yaml, shown
from amierules.rulebook.model import Compiled
from amierules.rulebook.nodes import MappingNode, Node, ScalarNode
from amierules.rulebook.schema_check import check
from amierules.rulebook.structure import mappings_in
from amierules.templating import Environment
from amierules.usage.model import DIGITS, UsageRule, UsageRules
from amierules.usage.rule_checks import check_outcome, check_values

ROUNDINGS = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "up": ROUND_UP, "down": ROUND_DOWN}
_OVERRIDDEN = ("project", "login", "resource", "minimum")


def find_usage_file(folders: Sequence[Path]) -> Path | None:
    """The file of usage rules in the first of the folders that has one."""
    return next((folder / USAGE_FILE for folder in folders if (folder / USAGE_FILE).is_file()), None)


def no_usage_rules(configuration: Configuration) -> Finding:
    """That no folder of rules has such a file."""
    folders = ", ".join(os.path.relpath(folder) for folder in configuration.rules)
    hint = "`amierules schema usage-rules` shows the format; `amierules init` writes one to start from"
    return Finding("no-usage-rules", f"there is no {USAGE_FILE} in {folders}", hint=hint)


def load_usage_rules(
    path: Path, environment: Environment, configuration: Configuration | None
) -> tuple[UsageRules | None, list[Finding]]:
    """The rules of a file, None where they cannot be used; and what is wrong with it, each at its place.

    With the `configuration` settings and resources are checked, too. Raises nothing.
    """
    root, findings = read_yaml(path)
    if root is not None:
        findings = [*findings, *check(root, "usage-rules.schema")]
    if not isinstance(root, MappingNode):
        return None, findings
    listed = [rule for key in ("jobs", "storage") for rule in mappings_in(root.get(key))]
    findings += [one for rule in listed for one in check_outcome(rule)]
    if any(finding.severity is Severity.ERROR for finding in findings):
        return None, findings
    compiler = Compiler(environment, {})
    rules = _rules(root, shown(path), compiler)
    findings += compiler.findings
    findings += check_values(rules.variables, {"jobs": rules.jobs, "storage": rules.storage}, configuration)
    findings += _never_asked([*rules.jobs]) + _never_asked([*rules.storage])
    broken = any(finding.severity is Severity.ERROR for finding in findings)
    return None if broken else rules, sorted(dict.fromkeys(findings), key=Finding.sort_key)


def _rules(root: MappingNode, path: str, compiler: Compiler) -> UsageRules:
    variables = root.get("vars")
    named = variables.values if isinstance(variables, MappingNode) else {}
    return UsageRules(
        path,
        {name: compiler.value(node) for name, node in named.items()},
        *(tuple(_rule(node, root, compiler) for node in mappings_in(root.get(key))) for key in ("jobs", "storage")),
    )


def _rule(node: MappingNode, root: MappingNode, compiler: Compiler) -> UsageRule:
    name = node.get("name")
    given = {key: node.get(key) or root.get(key) for key in (*_OVERRIDDEN, "round")}
    rounding = given.pop("round")
    fields = {**_entries(root.get("fields")), **_entries(node.get("fields"))}
    return UsageRule(
        name.text if isinstance(name, ScalarNode) else "",
        node.place,
        compiler.condition(node.get("when")),
        _value(node.get("charge"), compiler),
        _value(node.get("ignore"), compiler),
        digits=int(_rounded(rounding, "digits", DIGITS)),
        rounding=ROUNDINGS[str(_rounded(rounding, "mode", "half_up"))],
        fields={tag: compiler.value(value) for tag, value in fields.items()},
        **{key: _value(value, compiler) for key, value in given.items()},
    )


def _value(node: Node | None, compiler: Compiler) -> Compiled | None:
    return None if node is None else compiler.value(node)


def _entries(node: Node | None) -> Mapping[str, Node]:
    return node.values if isinstance(node, MappingNode) else {}


def _rounded(node: Node | None, key: str, default: object) -> Any:
    found = node.get(key) if isinstance(node, MappingNode) else None
    return found.value if isinstance(found, ScalarNode) else default


def _never_asked(rules: list[UsageRule]) -> list[Finding]:
    always = next((rule for rule in rules if rule.when is None), None)
    if always is None or always is rules[-1]:
        return []
    after = rules[rules.index(always) + 1]
    message = f"this rule is never asked: '{printable(always.name, 60)}' before it has no 'when' and always applies"
    return [Finding("unreachable-rule", message, after.place, severity=Severity.WARNING)]
