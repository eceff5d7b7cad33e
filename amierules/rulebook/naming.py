"""Names that a rule file or block gives: none twice, and none that hides another."""

from collections.abc import Collection, Iterator

from amierules.diagnostics import Finding, printable
from amierules.rulebook.nodes import MappingNode, Node, ScalarNode
from amierules.rulebook.structure import mappings_in

ROW_NAMES = frozenset({"person", "project", "allocation", "account"})
BUILT_IN = ROW_NAMES | {
    "packet",
    "header",
    "site",
    "secret",
    "resource",
    "transaction",
    "record",
    "approval",
    "subject",
    "now",
    "today",
    "find_person",
}
"""The names that every expression may use."""

OF_THE_LANGUAGE = frozenset({"range", "dict", "namespace"})
"""The functions of the expression language itself."""

_KEYWORDS = frozenset(
    {
        *("and", "or", "not", "in", "is", "if", "else", "for", "set", "with", "loop", "self", "item", "vars"),
        *("true", "false", "none", "True", "False", "None"),
    }
)


def check_rule_file_names(root: MappingNode) -> list[Finding]:
    """Rules of one name, actions of one name in a rule, and names that hide others."""
    variables = _keys(root.get("vars"))
    findings = _hidden(root.get("vars"), frozenset(), "a variable")
    rules = list(mappings_in(root.get("rules")))
    findings += _twice(rules, "rule", "file")
    for rule in rules:
        actions = list(mappings_in(rule.get("actions")))
        findings += _twice(actions, "action", "rule")
        findings += _registers(actions, variables)
    return findings


def check_block_names(root: MappingNode) -> list[Finding]:
    """Actions of one name in a block, and names that hide others."""
    parameters, variables = _keys(root.get("params")), _keys(root.get("vars"))
    findings = _hidden(root.get("params"), frozenset(), "a parameter")
    findings += _hidden(root.get("vars"), parameters, "a variable")
    actions = list(mappings_in(root.get("actions")))
    return findings + _twice(actions, "action", "block") + _registers(actions, parameters | variables)


def _twice(nodes: list[MappingNode], what: str, where: str) -> list[Finding]:
    seen: dict[str, int] = {}
    findings = []
    for name in _names(nodes, "name"):
        if name.text in seen:
            message = (
                f"another {what} of this {where} is called '{printable(name.text, 60)}', on line {seen[name.text]}"
            )
            findings.append(
                Finding("duplicate-name", message, name.place, f"each {what} of a {where} has its own name")
            )
        seen.setdefault(name.text, name.place.line)
    return findings


def _registers(actions: list[MappingNode], outer: Collection[str]) -> list[Finding]:
    findings: list[Finding] = []
    seen: dict[str, int] = {}
    for name in _names(actions, "register"):
        if name.text in seen:
            message = f"'{printable(name.text, 60)}' is registered on line {seen[name.text]} already"
            hint = "a skipped action would overwrite it with none; give it another name"
            findings.append(Finding("duplicate-register", message, name.place, hint))
        elif (reason := _taken(name.text, outer)) is not None:
            message = f"'{printable(name.text, 60)}' cannot be registered: {reason}"
            findings.append(Finding("shadowed-name", message, name.place, "choose another name"))
        seen.setdefault(name.text, name.place.line)
    return findings


def _hidden(node: Node | None, outer: Collection[str], what: str) -> list[Finding]:
    if not isinstance(node, MappingNode):
        return []
    return [
        Finding(
            "shadowed-name", f"'{printable(key, 60)}' cannot be {what}: {reason}", name.place, "choose another name"
        )
        for key, name in node.keys.items()
        if (reason := _taken(key, outer)) is not None
    ]


def _taken(name: str, outer: Collection[str]) -> str | None:
    if name in ROW_NAMES:
        return "it is the name of a registry row"
    if name in BUILT_IN:
        return "it is the name of something that every rule sees"
    if name in _KEYWORDS or name in OF_THE_LANGUAGE:
        return "it is a word of the expression language"
    return "it is the name of a variable or parameter" if name in outer else None


def _names(nodes: list[MappingNode], key: str) -> Iterator[ScalarNode]:
    for node in nodes:
        value = node.get(key)
        if isinstance(value, ScalarNode) and value.text:
            yield value


def _keys(node: Node | None) -> frozenset[str]:
    return frozenset(node.keys) if isinstance(node, MappingNode) else frozenset()
