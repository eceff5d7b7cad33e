"""Steps that the journal knows as done: their results are taken from it, in a run and in a dry run alike."""

from collections.abc import Mapping

from amierules.actions.base import ActionError, Doubt, InDoubt
from amierules.database.journal import StepRow
from amierules.database.registry import RegistryView
from amierules.diagnostics import printable
from amierules.engine.decision import Decision, StepReport, Stop
from amierules.engine.frozen import digest, freeze, shown, thaw
from amierules.engine.walk import StepCall, StepDone

DONE, STARTED, FAILED = "done", "started", "failed"
"""The states of a step in the journal."""
GOES_ON: Mapping[str, object] = {"failed": True}
"""The result, in the journal, of a failed step in spite of which the pass went on."""


def done_before(call: StepCall, former: StepRow | None, policy: Doubt, view: RegistryView) -> StepDone | None:
    """What a former pass came to at this step, with its registry rows staged again; None where it is to be done.

    Raises `Stop` where its rule asks for something else by now, `InDoubt` where only a person can tell whether it was
    done, and `ActionError` where it failed and the pass went on.
    """
    if former is None:
        return None
    if former.state == STARTED and policy is Doubt.PERSON:
        raise InDoubt("it was begun, and nobody recorded how it ended")
    if former.state == FAILED and former.result == GOES_ON:
        raise ActionError(former.reason or "it failed")
    if former.state != DONE:
        return None
    if former.source_digest != digest(call.action.source) and former.input_digest != digest(call.params):
        raise Stop(Decision("hold", _difference(call, former)))
    view.restage(former.staged or [])
    report = StepReport(call.action.name, call.path, call.action.kind, shown(call.item), "done", "done before")
    return StepDone(report, thaw(former.result, view))


def _difference(call: StepCall, former: StepRow) -> str:
    """What was done, and what the changed rule asks for in its place."""
    was = "; ".join(str(change["summary"]) for change in former.changes or ()) or "nothing, it was already so"
    now = _in_words(shown(freeze(dict(call.params))))
    done = f"done: {printable(was, 200)}; asked for now: {printable(now, 200)}"
    remedy = "put the rule back and `amierules retry` the packet, or finish by hand and `amierules complete` it"
    return f"{call.path} was done before its rule was changed ({done}); {remedy}"


def _in_words(value: object) -> str:
    """Parameters as the summary of a change has them: `name value, name value`."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_words(one)}" for name, one in value.items() if one is not None)
    if isinstance(value, list | tuple):
        return " ".join(_in_words(one) for one in value)
    plain = {None: "none", True: "true", False: "false"}
    return plain[value] if value is None or isinstance(value, bool) else str(value)
