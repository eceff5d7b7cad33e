"""What `explain ID` prints: the rules that were considered, with what each condition saw, the plan, the journal."""

import textwrap
from collections.abc import Iterator
from typing import Any

from amierules.cli.console import paint
from amierules.cli.plan_text import as_lines, value_text
from amierules.cli.show import event_lines, events_json, head_lines, step_lines, steps_json
from amierules.database.kept import KeptPacket
from amierules.diagnostics import printable
from amierules.engine.considered import Answer, Asked, Consideration, Considered
from amierules.engine.explained import Explained
from amierules.engine.frozen import shown
from amierules.engine.plan_json import packet_as_json

_MARKS = {
    Answer.HOLDS: ("+", "good"),
    Answer.FAILS: ("-", "dim"),
    Answer.UNKNOWN: ("?", "wait"),
    Answer.ERROR: ("!", "bad"),
    Answer.APPROVED: ("-", "dim"),
    Answer.NOT_ASKED: (" ", "dim"),
}
_SAID = {
    Answer.HOLDS: "this one",
    Answer.FAILS: "no",
    Answer.UNKNOWN: "unknown",
    Answer.ERROR: "error",
    Answer.APPROVED: "passed over: approved",
    Answer.NOT_ASKED: "not asked",
}
_TRUTH = {
    Answer.HOLDS: "true",
    Answer.FAILS: "false",
    Answer.UNKNOWN: "unknown",
    Answer.ERROR: "error",
    Answer.NOT_ASKED: "not asked",
}


def packet_json(found: Explained | KeptPacket) -> dict[str, Any]:
    """The packet as a topic."""
    if isinstance(found, KeptPacket):
        topic: dict[str, Any] = {
            "packet_rec_id": None,
            "type": found.type,
            "status": found.status,
            "description": found.reason,
        }
        empty: dict[str, Any] = {"file": None, "stopped": found.reason, "pinned": False, "rules": []}
        return {"topic": "packet", "name": f"r:{found.remote_packet_rec_id}", **topic} | {
            "considered": empty,
            "plan": None,
            "steps": [],
            "events": [],
        }
    header, item = found.details.stored.packet.header, found.details.item
    return {
        "topic": "packet",
        "name": str(header.packet_rec_id),
        "description": (item.reason if item else None) or "",
        "packet_rec_id": header.packet_rec_id,
        "type": header.type,
        "status": item.status if item else "ready",
        "considered": _consideration_json(found.consideration),
        "plan": packet_as_json(found.plan) if found.plan else None,
        "steps": steps_json(found.details.steps),
        "events": events_json(found.details.events),
    }


def _consideration_json(consideration: Consideration) -> dict[str, Any]:
    return {
        "file": consideration.file,
        "stopped": consideration.stopped or None,
        "pinned": consideration.pinned,
        "rules": [
            {
                "name": rule.name,
                "line": rule.line,
                "answer": str(rule.answer),
                "reason": rule.reason or None,
                "when": [
                    {
                        "expression": asked.source,
                        "answer": str(asked.answer),
                        "reason": asked.reason or None,
                        "values": shown(asked.values),
                    }
                    for asked in rule.asked
                ],
            }
            for rule in consideration.rules
        ],
    }


def packet_lines(found: Explained | KeptPacket, width: int) -> Iterator[str]:
    """The packet for people."""
    if isinstance(found, KeptPacket):
        yield paint(f"packet r:{found.remote_packet_rec_id}  {printable(found.type)}", "strong")
        yield f"  {found.status}: {printable(found.reason)}; no rule can be for it"
        return
    yield from head_lines(found.details)
    yield from _consideration_lines(found.consideration, width)
    if found.plan is not None:
        yield from ("", "what a run would do now")
        plan = list(as_lines(found.plan, paint, width))
        yield from plan[1:]
    yield from step_lines(found.details.steps)
    yield from event_lines(found.details.events)


def _consideration_lines(consideration: Consideration, width: int) -> Iterator[str]:
    yield from ("", "rules" + (f", {printable(consideration.file)}" if consideration.file else ""))
    if consideration.stopped:
        yield from _wrapped(f"  none can be asked: {consideration.stopped}", width)
    for rule in consideration.rules:
        yield from _rule_lines(rule, width)


def _rule_lines(rule: Considered, width: int) -> Iterator[str]:
    mark, style = _MARKS[rule.answer]
    reason = f": {rule.reason}" if rule.reason else ""
    yield paint(f"  {mark} {rule.line:>4}  {printable(rule.name)}: {_SAID[rule.answer]}{printable(reason)}", style)
    for asked in rule.asked:
        yield from _asked_lines(asked, width)


def _asked_lines(asked: Asked, width: int) -> Iterator[str]:
    reason = f" ({asked.reason})" if asked.reason else ""
    yield from _wrapped(f"          when {asked.source}: {_TRUTH[asked.answer]}{reason}", width)
    for path, value in asked.values.items():
        yield from _wrapped(f"            {path} = {_seen(value)}", width)


def _seen(value: object) -> str:
    """Texts in quotes: '411' is not 411 to a condition."""
    return f"'{printable(value)}'" if isinstance(value, str) else value_text(shown(value))


def _wrapped(line: str, width: int) -> list[str]:
    text = printable(line, 1000)
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
