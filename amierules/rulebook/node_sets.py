"""Sets of nodes as ClusterShell writes them (`login[1-2]`, `n1,n5`, `@compute!n7`): what may stand in one.

A set may hold a value of a packet. ClusterShell gives the names of groups to the site's own shell commands, would
give a name that begins with `-` to ssh as an option, counts a range out in memory, and takes digits beside a range into
its numbers (`n1[9-10]` is n19 to n110 there, 92 nodes): so the text is looked at first.
"""

import re
from collections.abc import Iterator

from amierules.diagnostics import Finding, printable
from amierules.rulebook.nodes import ScalarNode

MOST = 10_000
"""How many nodes one set may name."""
_DIGITS = 9
"""How long a number of a range may be, with the digits behind it."""

_RANGE = r"[0-9]{1,9}(?:-[0-9]{1,9}(?:/[1-9][0-9]{0,8})?)?"
_BRACKET = re.compile(rf"\[({_RANGE}(?:,{_RANGE})*)\]")
_NAME = rf"(?:[A-Za-z0-9_]|{_BRACKET.pattern})(?:[A-Za-z0-9_.-]|{_BRACKET.pattern})*"
_GROUP = rf"@(?:[A-Za-z0-9_][A-Za-z0-9_.-]*:)?(?:\*|{_NAME})"
_ELEMENT = re.compile(rf"(?:{_GROUP}|{_NAME})")
_OPERATOR = re.compile(r"\s*[,!&^]\s*")
_DIGITS_HERE = re.compile(r"[0-9]+")
_NODE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def wrong_with(text: str) -> str | None:
    """What is wrong with a set of nodes, as a message goes on after `the node set '...'`; None where it may be read."""
    position, named, stripped = 0, 0, text.strip()
    if not stripped:
        return "names no node"
    while True:
        element = _ELEMENT.match(stripped, position)
        if element is None:
            return "has a place without a name" if position == len(stripped) else _strange(stripped, position)
        wrong, count = _counted(element.group())
        named += count
        if wrong or named > MOST:
            return wrong or f"names more than {MOST} nodes"
        if element.end() == len(stripped):
            return None
        operator = _OPERATOR.match(stripped, element.end())
        if operator is None:
            return _strange(stripped, element.end())
        position = operator.end()


def wrong_node_set(node: ScalarNode) -> Iterator[Finding]:
    """A finding where a set of nodes, as a file has it, may not be read."""
    wrong = wrong_with(node.text)
    if wrong is not None:
        message = f"the node set '{printable(node.text, 60)}' {wrong}"
        yield Finding("bad-node-set", message, node.place, "sets are written like `login[1-2],n7` or `@group`")


def is_node(name: str) -> bool:
    """Whether this may be the name of one node."""
    return _NODE.fullmatch(name) is not None


def _strange(text: str, position: int) -> str:
    character = text[position]
    if character == "[":
        return "has a range that is not written like [1-8,12]"
    if character == "-":
        return "has a name that begins with `-`"
    if character.isspace():
        return "has a space where `,` is wanted"
    shown = character if character.isprintable() else ascii(character)[1:-1]
    return f"has `{shown}` where no name of a node has it"


def _counted(element: str) -> tuple[str | None, int]:
    """What is wrong with the ranges of an element, and how many nodes it names; a group counts as one."""
    count = 1
    for bracket in _BRACKET.finditer(element):
        here, before, behind = 0, element[: bracket.start()], _DIGITS_HERE.match(element, bracket.end())
        for one in bracket[1].split(","):
            first, _, last = one.partition("/")[0].partition("-")
            if last and int(last) < int(first):
                return f"has a range that ends before it begins: {one}", 0
            if last and len(last) != len(first) and before[-1:].isdigit():
                return f"has a digit before a range of numbers that are not equally long: {one}", 0
            if len(last or first) + len(behind.group() if behind else "") > _DIGITS:
                return f"has a range of numbers with more than {_DIGITS} digits: {one}", 0
            step = int(one.partition("/")[2] or 1)
            here += 1 + (int(last or first) - int(first)) // step
        count *= here
    return None, count
