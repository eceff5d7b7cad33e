"""Steps with `until`: whether a result is the awaited one, how often was tried, and when to look again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from amierules.actions.base import ActionError
from amierules.database.journal import StepRow
from amierules.diagnostics import printable
from amierules.engine.begun import DONE, FAILED, GOES_ON
from amierules.engine.decision import Decision, Stop
from amierules.engine.frozen import freeze
from amierules.engine.walk import StepCall
from amierules.rulebook.model import Repetition
from amierules.templating import EvaluationError, Unknown

AGAIN = "again"
"""The state of a step in the journal whose `until` did not hold yet: it will be done again."""


@dataclass(frozen=True)
class Verdict:
    """How a step that was done ends: what the journal gets, and what ends the pass."""

    state: str
    result: object = None
    reason: str = ""
    raises: Exception | None = None


def wait(former: StepRow | None, path: str, now: datetime) -> None:
    """Raises `Stop` (defer) where the step was tried, and the time for another try has not come."""
    if former is None or former.state != AGAIN:
        return
    not_before = datetime.fromisoformat(former.result["not_before"])
    if now < not_before:
        raise Stop(Decision("defer", f"{path}: {former.reason}", not_before=not_before))


def verdict(call: StepCall, result: object, former: StepRow | None, now: datetime, reason: str = "") -> Verdict:
    """What becomes of a step with this result: done, to be tried again, or failed after the last try.

    `former` is what the journal has of it; None begins to count anew. `reason` is kept for a step that is done.
    """
    repetition = call.action.repetition
    if call.until is None or repetition is None:
        return Verdict(DONE, freeze(result), reason)
    try:
        holds = call.until(result)
    except EvaluationError as error:
        return _failed(call, error)
    if holds and not isinstance(holds, Unknown):
        return Verdict(DONE, freeze(result), reason)
    tries = 1 + int((tries_of(former) or {}).get("tries", 0))
    source = printable(repetition.until.source, 200)
    if tries > repetition.retries:
        return _failed(call, ActionError(f"after {tries} tries there is still not: {source}"))
    not_before = now + timedelta(seconds=repetition.delay)
    said = f"waits until {source}, try {tries} of {repetition.retries + 1}"
    stop = Stop(Decision("defer", f"{call.path}: {said}", not_before=not_before))
    return Verdict(AGAIN, {"tries": tries, "not_before": not_before.isoformat()}, said, stop)


def shown_wait(repetition: Repetition) -> str:
    """What a dry run says of a step whose `until` does not hold now: it does not wait."""
    source = printable(repetition.until.source, 200)
    return f"until {source}: at most {repetition.retries} times more, every {_duration(repetition.delay)}"


def _failed(call: StepCall, error: Exception) -> Verdict:
    return Verdict(FAILED, GOES_ON if call.goes_on else None, str(error), error)


def tries_of(former: StepRow | None) -> dict[str, Any] | None:
    """What the journal has of the tries of a step that is not done: kept through later intents and failures."""
    kept = former.result if former is not None and former.state != DONE else None
    return kept if isinstance(kept, dict) and "tries" in kept else None


def _duration(seconds: int) -> str:
    size, unit = next(
        (size, unit) for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")) if not seconds % size
    )
    return f"{seconds // size}{unit}"
