"""Processes of steps whose engine has died: ended before anybody looks whether the step was done, or waited for."""

from collections.abc import Iterable
from datetime import datetime

from amierules.actions.table import patience
from amierules.database import dialect
from amierules.database.connection import Database
from amierules.database.journal import StepRow
from amierules.engine.decision import Decision, Stop
from amierules.engine.done_before import STARTED
from amierules.ports.orphans import end_orphans, place

WAITS = "recover"
"""The kind of decision of a packet that waits for a process to end."""


def left_running(steps: Iterable[StepRow]) -> list[StepRow]:
    """The steps that were begun and not recorded, and whose processes may still run."""
    return [step for step in steps if step.state == STARTED and step.mark is not None and step.deadline is not None]


def end_processes(steps: Iterable[StepRow], database: Database, now: datetime) -> None:
    """End what still runs of the steps that `left_running` found.

    Raises `Stop` where a process may run on another host, or goes on in spite of us, until its time is over; `now` is
    the engine's own time.
    """
    for step in steps:
        if step.mark is not None and step.deadline is not None:
            _end_process(step, step.mark, step.deadline, database, now)


def _end_process(step: StepRow, mark: str, deadline: datetime, database: Database, now: datetime) -> None:
    here = step.place is not None and step.place == place()
    left = end_orphans(mark, patience(step.kind)) if here else []
    if here and not left:
        return
    with database.read() as connection:
        remaining = deadline - dialect.moment(connection)
    if remaining.total_seconds() <= 0:
        return
    what = f"its process {left[0]} cannot be ended" if left else f"its process may still run on {step.host}"
    said = f"{step.path}: {what}; looked at again at {deadline:%H:%M:%S} UTC, when its time is over"
    raise Stop(Decision(WAITS, said, not_before=now + remaining))
