"""Where new ids come from: ranges, or another id of the same person or project."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from amierules.diagnostics import Finding
from amierules.rulebook.circles import circles
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode


@dataclass(frozen=True)
class IdSource:
    """The ranges that an id is taken from (first and last number), or the other id that it equals."""

    ranges: tuple[tuple[int, int], ...] = ()
    same_as: str | None = None


@dataclass(frozen=True)
class IdRanges:
    """The sources of `uid`, `gid` and `person_id`; a uid or gid without a source is never allocated."""

    uid: IdSource = field(default_factory=IdSource)
    gid: IdSource = field(default_factory=IdSource)
    person_id: IdSource = IdSource(((1, 999_999_999),))
    """A person is never without an id: where the configuration says nothing, persons are counted from 1."""


def read_ids(plain: Mapping[str, Any]) -> IdRanges:
    """The checked `ids` section as values."""
    return IdRanges(**{what: _source(source) for what, source in plain.items()})


def _source(plain: Mapping[str, Any]) -> IdSource:
    ranges = [plain["range"]] if "range" in plain else plain.get("ranges", [])
    return IdSource(tuple((first, last) for first, last in ranges), plain.get("from"))


def check_ids(node: Node | None) -> list[Finding]:
    """Ranges that end before they begin, ids that follow an id without a source, or each other."""
    if not isinstance(node, MappingNode):
        return []
    findings = []
    follows: dict[str, list[str]] = {}
    for what, source in node.values.items():
        if not isinstance(source, MappingNode):
            continue
        several = source.get("ranges")
        ranges = several.items if isinstance(several, ListNode) else (source.get("range"),)
        findings += [finding for item in ranges if (finding := _check_range(item)) is not None]
        other = source.get("from")
        if isinstance(other, ScalarNode):
            follows[what] = [other.text]
            if other.text not in node.values:
                message = f"'{what}' follows '{other.text}', which has no range here"
                findings.append(Finding("bad-value", message, other.place, f"add '{other.text}: {{range: [...]}}'"))
    for circle in circles(follows):
        message = f"these ids follow each other in a circle: {' -> '.join(circle)}"
        findings.append(Finding("bad-value", message, node.key_place(circle[0])))
    return findings


def _check_range(node: Node | None) -> Finding | None:
    if not isinstance(node, ListNode):
        return None
    first, last = (item.value for item in node.items if isinstance(item, ScalarNode))
    if isinstance(first, int) and isinstance(last, int) and last < first:
        return Finding("bad-value", f"the range ends at {last}, before it begins at {first}", node.place)
    return None
