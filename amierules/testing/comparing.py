"""What was expected beside what came: each difference with its place in the test file, and both as it has them."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amierules.diagnostics import Place
from amierules.ports.cluster import ClusterNodes
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode, resolve, to_plain
from amierules.rulebook.yaml_writing import AsWritten
from amierules.testing.coming import Came
from amierules.testing.expectations import PARTIAL, STATUS_OF, is_partial, written

_LISTS: Mapping[str, Sequence[str]] = {
    "persons": ("person_id", "global_id"),
    "projects": ("project_id", "grant_number"),
    "allocations": ("project", "resource", "start"),
    "accounts": ("person", "project", "resource"),
}
"""By which keys a row of the registry is known, in so far as the test gives them."""


@dataclass(frozen=True)
class Difference:
    """One part of what came that is not as expected; both in the form of the test file."""

    what: str
    place: Place
    wanted: Any
    came: Any


def differences(expect: MappingNode, came: Came) -> list[Difference]:
    """All that is not as expected."""
    partial = is_partial(expect)
    found = [
        *_rule(expect, came),
        *_changes(expect, came, partial=partial),
        *_outcome(expect, came, partial=partial),
        *_messages(expect, came, partial=partial),
    ]
    registry, events = expect.get("registry"), expect.get("events")
    if isinstance(registry, MappingNode):
        found += _registry(registry, came, partial=partial or is_partial(registry))
    if isinstance(events, ListNode):
        found += _listed("events", events, _events(events, came, partial=partial))
    return found


def _rule(expect: MappingNode, came: Came) -> list[Difference]:
    node = expect.get("rule")
    wanted = node.value if isinstance(node, ScalarNode) else None
    if node is None or wanted == came.rule:
        return []
    return [Difference("rule", node.place, wanted, came.rule)]


def _changes(expect: MappingNode, came: Came, *, partial: bool) -> list[Difference]:
    node = expect.get("changes")
    nodes = [item for item in node.items if isinstance(item, MappingNode)] if isinstance(node, ListNode) else []
    if node is None and partial:
        return []
    wanted = [_change(item) for item in nodes]
    lenient = [partial or is_partial(item) for item in nodes]
    actual = [dict(change) for change in came.changes]
    if partial:
        actual = _fitting(wanted, actual)
    shown = [_reduced(one, wanted[at]) if at < len(wanted) and lenient[at] else one for at, one in enumerate(actual)]
    if wanted == shown:
        return []
    place = node.place if node is not None else expect.place
    return [Difference("changes", place, [*map(written, wanted)], [*map(written, shown)])]


def _change(node: MappingNode) -> dict[str, Any]:
    """A change in the form in which it comes."""
    plain: Any = to_plain(node)
    found = {name: value for name, value in plain.items() if name != PARTIAL and (name, value) != ("failed", False)}
    if isinstance(found.get("run"), str):
        found["run"] = shlex.split(found["run"])
    if "nodes" in found:
        found["nodes"] = list(ClusterNodes().expand(found["nodes"]))
    return found


def _fitting(wanted: Sequence[Mapping[str, Any]], actual: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What came, without what came between the wanted ones; all of it where those do not all come."""
    if not wanted:
        return list(actual)
    found, at = [], 0
    for one in wanted:
        after = next((n for n in range(at, len(actual)) if _reduced(actual[n], one) == one), None)
        if after is None:
            return list(actual)
        found.append(actual[after])
        at = after + 1
    return found


def _reduced(came: Any, wanted: Any) -> Any:
    """What came, in so far as it is wanted: of mappings only the keys that are."""
    if isinstance(came, Mapping) and isinstance(wanted, Mapping):
        # The step tells which change it is, and the operation what it does.
        return {name: _reduced(came[name], wanted[name]) for name in wanted if name in came}
    return came


def _outcome(expect: MappingNode, came: Came, *, partial: bool) -> list[Difference]:
    kind = next((name for name in STATUS_OF if name in expect.keys), None)
    if kind is None:
        return []
    node = expect.values[kind]
    wanted: Any = to_plain(node)
    actual: Any = came.as_expected().get(came.outcome)
    if kind == "reply" and isinstance(node, MappingNode):
        lenient = partial or is_partial(node)
        wanted = {name: value for name, value in wanted.items() if name != PARTIAL}
        if came.outcome == "reply" and lenient:
            actual = _reduced(actual, wanted)
    if kind == came.outcome and wanted == actual:
        return []
    if kind == came.outcome and kind == "reply":
        return [Difference("reply", expect.key_place(kind), wanted, actual)]
    return [Difference("outcome", expect.key_place(kind), {kind: wanted}, {came.outcome: actual})]


def _messages(expect: MappingNode, came: Came, *, partial: bool) -> list[Difference]:
    node = expect.get("messages")
    if node is None and partial:
        return []
    wanted: Any = to_plain(node) if node is not None else []
    actual = [dict(message) for message in came.messages]
    if partial:
        actual = [_reduced(one, other) for one, other in zip(_fitting(wanted, actual), wanted, strict=False)]
    if wanted == actual:
        return []
    return [Difference("messages", node.place if node is not None else expect.place, wanted, actual)]


def _registry(node: MappingNode, came: Came, *, partial: bool) -> list[Difference]:
    found = []
    for name, keys in _LISTS.items():
        listed = node.get(name)
        if not isinstance(listed, ListNode):
            continue
        wanted: Any = to_plain(listed)
        rows = [{key: _plain(value) for key, value in row.items()} for row in came.registry()[name]]
        if partial:
            rows = [_reduced(_row(one, rows, keys), one) for one in wanted]
        ordered = sorted(rows, key=_placed(wanted, keys))
        if ordered != wanted:
            found.append(Difference(name, listed.place, wanted, ordered))
    return found


def _row(wanted: Mapping[str, Any], rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> dict[str, Any]:
    """The row that is meant; an empty one where it is not there."""
    known = {key: wanted[key] for key in keys if key in wanted}
    return next((row for row in rows if _reduced(row, known) == known), {})


def _placed(wanted: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> Callable[[Mapping[str, Any]], int]:
    def place(row: Mapping[str, Any]) -> int:
        own = {key: row.get(key) for key in keys}
        return next(
            (at for at, one in enumerate(wanted) if all(one.get(key) in (None, own[key]) for key in keys)), len(wanted)
        )

    return place


def _plain(value: Any) -> Any:
    """With numbers and dates as they are read from a test file."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return resolve(value) if isinstance(value, AsWritten) else value


def _events(node: ListNode, came: Came, *, partial: bool) -> list[dict[str, Any]]:
    wanted: Any = to_plain(node)
    actual = came.events()
    if not partial:
        return actual
    return [_reduced(one, other) for one, other in zip(_fitting(wanted, actual), wanted, strict=False)]


def _listed(what: str, node: Node, actual: Any) -> list[Difference]:
    wanted = to_plain(node)
    return [] if wanted == actual else [Difference(what, node.place, wanted, actual)]
