"""What comes of the test beside what came of the packet: what is expected, and where the two differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amierules.rulebook.yaml_writing import AsWritten
from amierules.testing.coming import Came
from amierules.testing.expectations import OPERATIONS, STATUS_OF, written
from amierules.testing.replay.hiding import Hider


@dataclass(frozen=True)
class Otherwise:
    """A part of what happened that does not come of the test: what happened is expected, and said to differ."""

    note: str
    parts: Mapping[str, Any]


def expected_of(came: Came, differ: Sequence[Otherwise] = ()) -> dict[str, Any]:
    """What a test expects: what comes of it, and where that differs, what happened."""
    found = came.as_expected()
    for one in differ:
        if any(name in STATUS_OF for name in one.parts):
            found = {name: some for name, some in found.items() if name not in STATUS_OF}
        found |= one.parts
    order = ["rule", "changes", *STATUS_OF, "messages"]
    return {name: _plain(found[name]) for name in order if name in found}


def differences_of(past: Came, came: Came, hider: Hider) -> list[Otherwise]:
    """Where what happened has another shape than what comes: another rule, other steps, another outcome."""
    found = []
    if past.rule != came.rule and past.outcome != "park":
        found.append(Otherwise(f"by now rule '{came.rule}' is chosen: this test fails", {"rule": past.rule}))
    if [*map(_shape, past.changes)] != [*map(_shape, came.changes)]:
        changes = [written(hider.anything(one)) for one in past.changes]
        steps = ", ".join(dict.fromkeys(str(one["step"]) for one in came.changes)) or "none"
        found.append(
            Otherwise(
                f"by now the steps that change anything are others ({steps}): this test fails", {"changes": changes}
            )
        )
    said = past.as_expected()[past.outcome]
    if past.outcome != came.outcome:
        found.append(
            Otherwise(
                f"by now it comes to {came.outcome}: this test fails", {past.outcome: _hidden_outcome(said, hider)}
            )
        )
    elif past.reply is not None and came.reply is not None:
        tags = _other_tags(past.reply, came.reply)
        if tags:
            note = f"by now the answer differs in {', '.join(tags)}: this test fails"
            found.append(Otherwise(note, {past.outcome: _hidden_outcome(said, hider)}))
    return found


def registry_after(came: Came, before: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """The rows that are new or other than they were; of a list from which a row is gone all that are left."""
    after = came.registry()
    fewer = any(len(after[name]) < len(before.get(name, ())) for name in after)
    found: dict[str, Any] = {}
    for name, rows in after.items():
        new = [row for row in rows if _plain(row) not in [_plain(one) for one in before.get(name, ())]]
        if new or len(rows) < len(before.get(name, ())):
            found[name] = [dict(row) for row in (rows if fewer else new)]
    return {**({} if fewer else {"partial": True}), **found} if found else {}


def _shape(change: Mapping[str, Any]) -> tuple[Any, ...]:
    """The step, what it does, and whether that succeeded."""
    return change["step"], next((name for name in OPERATIONS if name in change), None), bool(change.get("failed"))


def _other_tags(past: Mapping[str, Any], came: Mapping[str, Any]) -> list[str]:
    was, comes = past["body"], came["body"]
    if past["type"] != came["type"]:
        return ["its type"]
    return sorted(was.keys() ^ comes.keys())


def _hidden_outcome(said: Any, hider: Hider) -> Any:
    if isinstance(said, Mapping):
        return {"type": said["type"], "body": hider.hidden(said["body"])}
    return hider.text(str(said)) or "no reason is known"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, AsWritten) or not isinstance(value, str) else str(value)
