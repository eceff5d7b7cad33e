"""Steps that the journal knows as done: their results are taken from it, in a run and in a dry run alike."""

from collections.abc import Mapping, Sequence

from amierules.actions.base import ActionError, Doubt, InDoubt, Kind
from amierules.database.journal import StepRow
from amierules.database.registry import RegistryView
from amierules.diagnostics import printable
from amierules.engine.begun import DONE, FAILED, GOES_ON, NOBODY_KNOWS, REMEDY, STARTED
from amierules.engine.decision import Decision, StepReport, Stop
from amierules.engine.frozen import digest, freeze, shown, thaw
from amierules.engine.walk import StepCall, StepDone


def done_before(call: StepCall, former: StepRow | None, kind: Kind, view: RegistryView) -> StepDone | None:
    """What a former pass came to at this step, with its registry rows staged again; None where it is to be done.

    Raises `Stop` where its rule asks for something else by now, `InDoubt` where only a person can tell whether it was
    done, and `ActionError` where it failed and the pass went on, as it still does.
    """
    if former is None:
        return None
    if former.state == FAILED and former.result == GOES_ON and call.goes_on:
        raise ActionError(former.reason or "it failed")
    if former.state not in (DONE, STARTED):
        return None
    if call.source_digest != former.source_digest and (other := difference(call, former)):
        raise Stop(Decision("hold", _changed(call, former, other)))
    if former.state == STARTED:
        if kind.doubt(call.params) is Doubt.PERSON:
            raise InDoubt(NOBODY_KNOWS)
        return None
    view.restage(former.staged or [])
    report = StepReport(call.action.name, call.path, call.action.kind, shown(call.item), "done", "done before")
    return StepDone(report, thaw(former.result, view))


def _changed(call: StepCall, former: StepRow, other: str) -> str:
    if former.state == DONE:
        return f"{call.path} was done before its rule was changed ({other}); {REMEDY}"
    begun = f"{call.path} was begun before its rule was changed ({other}), and nobody recorded how it ended"
    return f"{begun}; put the rule back and `amierules retry` the packet, or say with `amierules resolve` how it ended"


def list_before(path: str, items: Sequence[object], source: str, former: StepRow, view: RegistryView) -> list[object]:
    """The list of a loop as its first pass had it. Raises `Stop` where its rule lists something else by now."""
    if former.source_digest not in ("", digest(source)) and former.input_digest != digest(items):
        was, now = in_words(former.given), in_words(shown(freeze(items)))
        raise Stop(
            Decision("hold", f"{path} has begun before its list was changed (it was {was}, now {now}); {REMEDY}")
        )
    return [thaw(item, view) for item in former.result]


def given_to(call: StepCall) -> object:
    """The step's parameters as they may be shown, for the journal."""
    return shown(call.params)


def difference(call: StepCall, former: StepRow) -> str:
    """What a changed rule asks for in place of what was done; empty where it is the same."""
    if former.kind != call.action.kind:
        return f"it was a {former.kind}, now a {call.action.kind}"
    if former.input_digest == digest(call.params):
        return ""
    now = given_to(call)
    was = former.given
    if not isinstance(was, dict) or not isinstance(now, dict):
        return "its parameters differ"
    names = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    return "; ".join(f"{name}: {_one(was, name)}, now {_one(now, name)}" for name in names) or "its parameters differ"


def _one(given: Mapping[str, object], name: str) -> str:
    return printable(in_words(given[name]), 80) if name in given else "nothing"


def in_words(value: object) -> str:
    """A value as one line: lists with spaces, mappings as `name value, name value`."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {in_words(one)}" for name, one in value.items() if one is not None)
    if isinstance(value, list | tuple):
        return " ".join(in_words(one) for one in value)
    plain = {None: "none", True: "true", False: "false"}
    return plain[value] if value is None or isinstance(value, bool) else str(value)
