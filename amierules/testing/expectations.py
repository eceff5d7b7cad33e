"""What a test expects, and what came, in one form: plain data that stands in a test file as it is."""

import shlex
from collections.abc import Mapping
from typing import Any, Final

from amierules.diagnostics import Finding
from amierules.ports.cluster import ClusterNodes
from amierules.rulebook.nodes import MappingNode, ScalarNode
from amierules.rulebook.structure import mappings_in

STATUS_OF: Final[Mapping[str, str]] = {
    "reply": "done",
    "complete": "done",
    "ignore": "ignored",
    "defer": "deferred",
    "hold": "held",
    "fail": "failed",
    "park": "parked",
    "wait": "waiting",
    "retry": "retrying",
    "in_doubt": "in_doubt",
}
"""How a packet stands after each outcome that a test can expect."""
OPERATIONS: Final = ("run", "create", "modify", "delete", "send", "do")
"""What a change does; each is a key whose value is what it does it to."""
PARTIAL: Final = "partial"
DONE: Final = "do"
"""The operation of a step of a kind that a package brings; its parameters are `with`."""


def is_partial(node: MappingNode) -> bool:
    """Whether only what stands in the mapping is compared."""
    flag = node.get(PARTIAL)
    return isinstance(flag, ScalarNode) and flag.value is True


def check_expectation(expect: MappingNode) -> list[Finding]:
    """What is wrong with an expectation beyond its schema: it has one outcome, and each change does one thing."""
    findings = []
    outcomes = [key for key in STATUS_OF if key in expect.keys]
    if not outcomes and not is_partial(expect):
        message = "the expectation has no outcome: nothing says how the packet ends"
        hint = (
            f"add one of {', '.join(STATUS_OF)} (with any text: `amierules test --update` then writes what came), "
            "or 'partial: true' to compare only what stands here"
        )
        findings.append(Finding("no-outcome", message, expect.place, hint))
    for other in outcomes[1:]:
        message = f"the expectation has several outcomes: '{outcomes[0]}' and '{other}'"
        findings.append(Finding("several-outcomes", message, expect.key_place(other), "a packet ends in one of them"))
    if set(expect.keys) == {PARTIAL}:
        findings.append(Finding("empty", "the expectation expects nothing", expect.place, "say what must come"))
    for change in mappings_in(expect.get("changes")):
        does = [key for key in OPERATIONS if key in change.keys]
        if len(does) > 1:
            message = f"the change does two things: '{does[0]}' and '{does[1]}'"
            findings.append(Finding("several-kinds", message, change.key_place(does[1]), "make two changes of it"))
        elif not does and not (is_partial(expect) or is_partial(change)):
            message = "the change does not say what is done"
            hint = f"add one of {', '.join(OPERATIONS)}, or 'partial: true'"
            findings.append(Finding("no-kind", message, change.place, hint))
    return findings


def written(change: Mapping[str, Any]) -> dict[str, Any]:
    """A change as people write it: words and nodes as texts."""
    found = dict(change)
    if isinstance(found.get("run"), list) and all(map(str.isprintable, found["run"])):
        found["run"] = shlex.join(found["run"])
    if isinstance(found.get("nodes"), list):
        found["nodes"] = ClusterNodes().fold(found["nodes"])
    return found


def change_as_expected(step: str, shown: Mapping[str, Any], *, failed: bool) -> dict[str, Any]:
    """A change that was made, as a test expects it; `shown` is what a dry run and the journal show of it."""
    found: dict[str, Any] = {"step": step}
    if "argv" in shown:
        found["run"] = list(shown["argv"])
        found |= {name: shown[name] for name in ("values",) if shown.get(name)}
        if shown.get("nodes"):
            found["nodes"] = list(shown["nodes"])
    elif shown["op"] == DONE:
        found |= {DONE: shown["target"], "with": shown["after"]}
    else:
        found[str(shown["op"])] = shown["target"]
        found |= {name: shown[name] for name in ("before", "after") if shown.get(name) not in (None, {}, [])}
    return {**found, "failed": True} if failed else found
