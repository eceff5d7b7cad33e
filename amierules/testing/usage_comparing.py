"""What a usage test expects beside what came."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from amierules.rulebook.nodes import ListNode, MappingNode, Node, to_plain
from amierules.testing.comparing import Difference
from amierules.testing.expectations import PARTIAL, is_partial
from amierules.testing.failure import Failure
from amierules.testing.usage_came import UsageCame, same_number
from amierules.testing.usage_reading import SOURCES

_MEANT = "job_id"
"""A key of an outcome that only says which one it is."""
_REPORTS = {"packets": "to the Usage API", "requests": "by packets"}
"""What is reported, and how a site reports where there is none of it."""
_REPORT_HINT = "`usage: {report: packets}` or `api` in the configuration says how"


def usage_failures(expect: MappingNode, came: UsageCame, jobs: Sequence[Mapping[str, Any]]) -> Iterator[Failure]:
    """All that is not as expected; `jobs` are those of the test."""
    partial = is_partial(expect)
    for what in SOURCES:
        node, actual = expect.get(what), getattr(came, what)
        if node is None and (partial or not actual):
            continue
        ids = [one.get(_MEANT) for one in jobs] if what == "jobs" else []
        yield from _failures(what, node, expect, *_outcomes(node, actual, ids, partial=partial))
    for what, other in _REPORTS.items():
        node, actual = expect.get(what), getattr(came, what)
        if node is None:
            continue
        if actual is None:
            yield Failure(expect.key_place(what), f"there are no {what}: this site reports {other}", _REPORT_HINT)
            continue
        wanted: Any = to_plain(node)
        yield from _failures(what, node, expect, wanted, _reduced(actual, wanted) if partial else actual)
    if "packets" not in expect.keys:
        yield from (Failure(expect.place, f"a record cannot be sent: {reason}") for reason in came.unsendable)


def _failures(what: str, node: Node | None, expect: MappingNode, wanted: Any, came: Any) -> Iterator[Failure]:
    if wanted != came:
        place = node.place if node is not None else expect.place
        difference = Difference(what, place, wanted, came)
        yield Failure(place, what, difference=difference)


def _outcomes(
    node: Node | None, actual: Sequence[Mapping[str, Any]], ids: Sequence[object], *, partial: bool
) -> tuple[list[Any], list[Any]]:
    """The outcomes that are expected, and those that came, in so far as they are compared."""
    nodes = [item for item in node.items if isinstance(item, MappingNode)] if isinstance(node, ListNode) else []
    wanted = [_wanted(item) for item in nodes]
    shown: list[Any] = []
    for at, outcome in enumerate(actual):
        meant = {_MEANT: ids[at]} if at < len(ids) and ids[at] is not None else {}
        if at >= len(wanted):
            shown.append({**meant, **outcome})
            continue
        known = {**(meant or {_MEANT: at + 1}), **outcome} if _MEANT in wanted[at] else dict(outcome)
        shown.append(_reduced(known, wanted[at]) if partial or is_partial(nodes[at]) else known)
    return wanted, shown


def _wanted(node: MappingNode) -> dict[str, Any]:
    """An outcome in the form in which it comes."""
    plain: Any = to_plain(node)
    found = {name: value for name, value in plain.items() if name != PARTIAL}
    if "charge" in found:
        found["charge"] = same_number(found["charge"])
    if "fields" in found:
        found["fields"] = {tag: _text(value) for tag, value in found["fields"].items()}
    return found


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _reduced(came: Any, wanted: Any) -> Any:
    """What came, in so far as it is wanted: of mappings only the keys that are."""
    if isinstance(came, Mapping) and isinstance(wanted, Mapping):
        return {name: _reduced(came[name], wanted[name]) for name in wanted if name in came}
    if isinstance(came, list) and isinstance(wanted, list) and len(came) == len(wanted):
        return [_reduced(one, other) for one, other in zip(came, wanted, strict=True)]
    return came
