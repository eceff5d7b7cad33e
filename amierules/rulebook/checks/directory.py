"""Steps of a directory: bases that the configuration lacks, and names and values that are most likely misspelt."""

import re
from collections.abc import Iterator

from amierules.diagnostics import Finding, Severity, printable
from amierules.diagnostics.suggest import hint_for, one_slip
from amierules.rulebook.braces import without_expressions
from amierules.rulebook.checks.view import FileView, Surroundings
from amierules.rulebook.directory_words import beginnings, usual
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode
from amierules.rulebook.positions import place_at

_ENTRY, _SEARCH = "ldap_entry", "ldap_search"
_OF_VALUES = ("attributes", "add", "remove", "create_only", "owner")
_IN_DN = re.compile(r"(?:^|(?<!\\)[,+])\s*(?P<attributes>[A-Za-z][\w-]*)\s*=")
_IN_FILTER = re.compile(r"\(\s*(?P<attributes>[A-Za-z][\w-]*)[^()=]*=")
_CLASS_IN_FILTER = re.compile(r"\(\s*objectclass\s*=\s*(?P<object_classes>[A-Za-z][\w-]*)\s*\)", re.IGNORECASE)
_CALLED = {"attributes": "attribute", "object_classes": "object class"}
_OF_ACCOUNTS = "accounts"
"""The setting with which the shipped rules keep accounts in the directory."""


def check_directory(view: FileView, surroundings: Surroundings) -> Iterator[Finding]:
    """What is wrong with the steps of a file that concern the directory."""
    for action in view.action_nodes():
        for kind in (_ENTRY, _SEARCH):
            step = action.get(kind)
            if isinstance(step, MappingNode):
                yield from _base(step.get("base"), surroundings)
                yield from _names(step)
                yield from _values(step)


def _base(node: Node | None, surroundings: Surroundings) -> Iterator[Finding]:
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str) or "{{" in node.text:
        return
    shipped, configuration = usual("bases"), surroundings.configuration
    if configuration is None or configuration.ldap is None:
        meant = one_slip(node.text, shipped)
        if meant is not None:
            message = f"no shipped rule asks for a base '{printable(node.text, 60)}'"
            yield Finding("unknown-base", message, node.place, f"did you mean '{meant}'?", Severity.WARNING)
        return
    bases = configuration.ldap.bases
    # The shipped rules come to their steps only where the site keeps its accounts in the directory.
    unused = node.text in shipped and configuration.settings.get(_OF_ACCOUNTS) != "ldap"
    if node.text not in bases and not unused:
        message = f"the configuration's `ldap.bases` name no '{printable(node.text, 60)}'"
        yield Finding("unknown-base", message, node.place, hint_for(node.text, bases) or "add it there")


def _names(step: MappingNode) -> Iterator[Finding]:
    for key in _OF_VALUES:
        named = step.get(key)
        for name in named.keys.values() if isinstance(named, MappingNode) else ():
            yield from _name(name, "attributes")
    for key in _CALLED:
        for item in _scalars(step.get(key)):
            yield from _name(item, key)
    for key, patterns in (("dn", (_IN_DN,)), ("filter", (_IN_FILTER, _CLASS_IN_FILTER))):
        for node in _scalars(step.get(key)):
            for pattern in patterns:
                yield from _in_text(node, pattern)


def _scalars(node: Node | None) -> Iterator[ScalarNode]:
    for item in node.items if isinstance(node, ListNode) else (node,):
        if isinstance(item, ScalarNode):
            yield item


def _name(node: ScalarNode, what: str) -> Iterator[Finding]:
    # What follows a `;` is an option, such as a language.
    yield from _misspelt(node, node.text.partition(";")[0], what)


def _in_text(node: ScalarNode, pattern: re.Pattern[str]) -> Iterator[Finding]:
    for found in pattern.finditer(without_expressions(node.text)):
        for what, name in found.groupdict().items():
            yield from _misspelt(node, name, what, found.start(what))


def _misspelt(node: ScalarNode, name: str, what: str, offset: int | None = None) -> Iterator[Finding]:
    meant = one_slip(name, usual(what))
    if meant is not None:
        message = f"'{printable(name, 60)}' is no usual {_CALLED[what]}"
        place = node.place if offset is None else place_at(node, offset, len(name))
        yield Finding("unusual-name", message, place, f"did you mean '{meant}'?", Severity.WARNING)


def _values(step: MappingNode) -> Iterator[Finding]:
    for key in _OF_VALUES:
        named = step.get(key)
        for name, node in named.values.items() if isinstance(named, MappingNode) else ():
            for value in _scalars(node):
                yield from _value(value, name)


def _value(node: ScalarNode, attribute: str) -> Iterator[Finding]:
    known = beginnings(attribute)
    text = without_expressions(node.text)
    folder = text[: text.find("/", 1) + 1]
    whole = [] if "{{" in node.text else [text]
    if not known or any(begin in known for begin in (*whole, folder)):
        return
    for begin in filter(None, (*whole, folder)):
        meant = one_slip(begin, known)
        if meant is not None:
            message = f"'{printable(begin, 60)}' is no usual value of {printable(attribute, 60)}"
            place = place_at(node, 0, len(begin))
            yield Finding("unusual-name", message, place, f"did you mean '{meant}'?", Severity.WARNING)
            return
