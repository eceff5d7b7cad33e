"""Usage tests of a test file: what was used, and what is expected of it; each mistake found at its place."""

from collections.abc import Callable
from typing import Any

from amierules.diagnostics import Finding
from amierules.rulebook.nodes import MappingNode, Node, ScalarNode, to_plain
from amierules.rulebook.structure import mappings_in
from amierules.testing.expectations import PARTIAL, is_partial
from amierules.testing.model import Given, UsageCase

KEY = "usage_tests"
"""What a file calls its usage tests."""
SOURCES = ("jobs", "storage", "adjustments")
"""What a usage test may give; its expectation has an outcome for each, under the same key."""
OUTCOMES = ("charge", "ignored", "left_out", "refused")


def read_usage_case(node: MappingNode, given: Given, findings: list[Finding]) -> UsageCase:
    """The test of a node that follows the schema; what only more than the schema can find is added to `findings`."""
    name, expect = node.values["name"], node.values["expect"]
    assert isinstance(name, ScalarNode)  # noqa: S101 - the schema says so
    assert isinstance(expect, MappingNode)  # noqa: S101 - the schema says so
    if not any(key in node.keys for key in SOURCES):
        hint = f"give {', '.join(SOURCES[:-1])} or {SOURCES[-1]}"
        findings.append(Finding("missing-key", "nothing is used in this test", node.place, hint))
    findings += _check(expect, {key for key in SOURCES if key in node.keys})
    jobs, storage, adjustments = (_plain(node.get(key)) for key in SOURCES)
    return UsageCase(name.text, name.place, given, jobs, storage, adjustments, expect)


def _plain(node: Node | None) -> list[dict[str, Any]]:
    listed: Any = to_plain(node) if node is not None else []
    return list(listed)


def _check(expect: MappingNode, given: set[str]) -> list[Finding]:
    """What is wrong with an expectation beyond its schema: it is one of what is given, and each has one outcome."""
    findings = []
    if set(expect.keys) == {PARTIAL}:
        findings.append(Finding("empty", "the expectation expects nothing", expect.place, "say what must come"))
    for key in SOURCES:
        if key in expect.keys and key not in given:
            message = f"the test expects something of {key}, and gives none"
            findings.append(Finding("bad-value", message, expect.key_place(key), f"add '{key}' to the test"))
        for outcome in mappings_in(expect.get(key)):
            findings += _check_outcome(outcome, lenient=is_partial(expect) or is_partial(outcome))
    return findings


def _check_outcome(outcome: MappingNode, *, lenient: bool) -> list[Finding]:
    there = [key for key in OUTCOMES if key in outcome.keys]
    if not there and not lenient:
        hint = f"add one of {', '.join(OUTCOMES)}, or 'partial: true' to compare only what stands here"
        return [Finding("no-outcome", "nothing says what comes of it", outcome.place, hint)]
    if len(there) > 1:
        message = f"it has several outcomes: '{there[0]}' and '{there[1]}'"
        return [Finding("several-outcomes", message, outcome.key_place(there[1]), "only one can come")]
    return []


def listed(root: Node, read: Callable[[MappingNode], UsageCase]) -> list[UsageCase]:
    """The usage tests of a file, as `read` reads each."""
    return [read(node) for node in mappings_in(root.get(KEY))] if isinstance(root, MappingNode) else []
