"""Plans as JSON: what `dry-run --format json` prints, and what is kept of an observed packet."""

from collections.abc import Iterable
from typing import Any

from amierules.engine.decision import PacketReport, StepReport
from amierules.engine.doing import shown_change
from amierules.engine.frozen import shown


def as_json(reports: Iterable[PacketReport]) -> dict[str, Any]:
    """The document that `dry-run --format json` prints."""
    return {"format_version": 1, "packets": [packet_as_json(report) for report in reports]}


def packet_as_json(report: PacketReport) -> dict[str, Any]:
    """The plan of one packet."""
    decision = report.decision
    return {
        "packet_rec_id": report.packet_rec_id,
        "remote_packet_rec_id": report.remote_packet_rec_id,
        "type": report.type,
        "rule": report.rule,
        "actions": [_step(step) for step in report.steps],
        "outcome": {
            "kind": _KINDS.get(decision.kind, decision.kind),
            "type": decision.type,
            "body": shown(decision.body),
            "reason": decision.reason or None,
            "asked": dict(decision.asked) or None,
        },
        "messages": [message.as_json() for message in report.messages],
    }


# A run would try again, and a dry run says why it cannot tell more.
_KINDS = {"retry": "wait", "unavailable": "wait", "recover": "wait", "doubt": "hold"}


def _step(step: StepReport) -> dict[str, Any]:
    return {
        "name": step.name,
        "path": step.path,
        "kind": step.kind,
        "item": step.item,
        "state": step.state,
        "reason": step.reason or None,
        "changes": [shown_change(change) for change in step.changes],
    }
