"""Steps of the journal that the rule, as it is written now, does not have: removed, renamed, or skipped."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from amierules.database.journal import StepRow
from amierules.diagnostics import printable
from amierules.engine.all_actions import as_written
from amierules.engine.begun import DONE, REMEDY, STARTED
from amierules.engine.decision import Decision, PacketReport, Stop
from amierules.engine.frozen import digest
from amierules.engine.walk import StepCall

_ENDS = frozenset({"reply", "complete", "fail", "ignore"})


def refuse_renamed(call: StepCall, steps: Mapping[str, StepRow], written: Collection[str]) -> None:
    """Raises `Stop` (hold, doubt) where a step that is new in the rule would do what one that is gone has done.

    `written` are the paths that the rule has now.
    """
    given = digest(call.params)
    for step in steps.values() if call.path not in steps else ():
        same = step.kind == call.action.kind and step.input_digest == given and bool(step.changes)
        if not same or as_written(step.path) in written:
            continue
        if step.state == STARTED:
            raise Stop(Decision("doubt", f"{step.path}: {_doubtful('called otherwise')}"))
        if step.state == DONE:
            done = f"{step.path} has done what {call.path} is to do, and its rule has no {step.path} any more"
            raise Stop(Decision("hold", f"{done}; {REMEDY}"))


def settle_left_over(report: PacketReport, steps: Mapping[str, StepRow]) -> None:
    """Where the pass ends the packet: what was done and is in its rule no more is noted; a step in doubt that the pass
    did not reach keeps the packet in doubt."""
    if report.decision.kind not in _ENDS:
        return
    reached = {step.path for step in report.steps if step.state != "skipped"}
    missed = [step for path, step in steps.items() if path not in reached and step.changes]
    doubtful = next((step for step in missed if step.state == STARTED), None)
    if doubtful is not None:
        report.decision = Decision("doubt", f"{doubtful.path}: {_doubtful('not done')}")
        return
    notes = [_note(step) for step in missed if step.state == DONE and not step.staged]
    if not notes:
        return
    noted = replace(report.decision, notes=(*report.decision.notes, *notes))
    if report.spoken is not None and report.spoken.decision is report.decision:
        # It is still the rule's own word: its messages are sent.
        report.spoken = replace(report.spoken, decision=noted)
    report.decision = noted


def _doubtful(now: str) -> str:
    return f"it was begun, nobody recorded how it ended, and by its changed rule it is {now}"


def _note(step: StepRow) -> str:
    done = "; ".join(str(change["summary"]) for change in step.changes)
    return f"{step.path} was done, and its changed rule does no such step: {printable(done, 200)}"
