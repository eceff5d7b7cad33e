"""Steps that the journal knows: their states, and what they mean for a pass that fails there and for a person."""

from collections.abc import Iterable, Mapping

from amierules.database.journal import StepRow
from amierules.diagnostics import Finding, NotAllowed, printable
from amierules.engine.decision import Decision

DONE, STARTED, FAILED = "done", "started", "failed"
"""The states of a step in the journal."""
GOES_ON: Mapping[str, object] = {"failed": True}
"""The result, in the journal, of a failed step in spite of which the pass went on."""
REMEDY = "put the rule back and `amierules retry` the packet, or take the new one with `amierules retry --from-start`"
"""What a person can do about a packet whose rule was changed under way."""
NOBODY_KNOWS = "it was begun, and nobody recorded how it ended"


def in_doubt(steps: Iterable[StepRow]) -> list[StepRow]:
    """The steps that were begun, and of which nobody recorded how they ended."""
    return [step for step in steps if step.state == STARTED]


def settled_by(packet: object, path: str) -> str:
    """The command that settles a step in doubt, as one types it."""
    return f'`amierules resolve {packet} "{printable(path)}" --done|--redo`'


def refuse_in_doubt(packet_rec_id: int, status: str, steps: Iterable[StepRow], what: str) -> None:
    """Raises `NotAllowed` where a step is in doubt: `what` (as in "it cannot start over") is not possible then."""
    for step in in_doubt(steps):
        settle = settled_by(packet_rec_id, step.path)
        hint = f"settle it first: {settle}" if status == "in_doubt" else f"`amierules retry` looks at it, or {settle}"
        message = f"packet {packet_rec_id} {what}: {step.path} was begun, and nobody recorded how it ended"
        raise NotAllowed(Finding("not-allowed", message, hint=hint))


def decision_of_begun(former: StepRow | None, reason: str) -> Decision | None:
    """What becomes of a packet where a step that was begun before fails without having been looked at, as when its
    parameters cannot be rendered any more; None where the step's `on_error` says what.
    """
    if former is not None and former.state == STARTED:
        return Decision("park", f"{former.path}: {reason}; {NOBODY_KNOWS}")
    if former is not None and former.state == DONE:
        return Decision("hold", f"{former.path} was done before, and is now: {reason}; {REMEDY}")
    return None
