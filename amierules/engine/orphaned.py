"""Processes of steps whose engine has died: ended before anybody looks whether the step was done, or waited for."""

from collections.abc import Iterable
from datetime import datetime

from amierules.actions.table import patience
from amierules.database import dialect
from amierules.database.connection import Database
from amierules.database.journal import StepRow
from amierules.engine.begun import STARTED
from amierules.engine.decision import Decision, Stop
from amierules.ports import World
from amierules.ports.orphans import end_orphans
from amierules.ports.whereabouts import in_sight, on_this_host

WAITS = "recover"
"""The kind of decision of a packet that waits for a process to end."""
NODES = "nodes"
"""What names, in a change of the journal, the other nodes on which its process runs."""


def left_running(steps: Iterable[StepRow]) -> list[StepRow]:
    """The steps that were begun and not recorded, and whose processes may still run."""
    return [step for step in steps if step.state == STARTED and step.mark is not None and step.deadline is not None]


def end_processes(steps: Iterable[StepRow], database: Database, world: World, now: datetime) -> None:
    """End what still runs, here and on other nodes, of the steps that `left_running` found.

    Raises `Stop` where a process may run out of our sight (on another host, as another user's), or goes on in spite of
    us, until its time is over; `now` is the engine's own time.
    """
    for step in steps:
        if step.mark is not None and step.deadline is not None:
            _end_process(step, step.mark, step.deadline, database, world, now)


def _end_process(step: StepRow, mark: str, deadline: datetime, database: Database, world: World, now: datetime) -> None:
    here = in_sight(step.place)
    left = end_orphans(mark, patience(step.kind)) if here else []
    names = list(dict.fromkeys(name for change in step.changes or () for name in change.get(NODES, ())))
    # What another host has told them to run, that one ends, unless it is dead.
    away = world.nodes.end(names, mark) if here and names else {}
    if here and not left and not away:
        return
    with database.read() as connection:
        remaining = deadline - dialect.moment(connection)
    if remaining.total_seconds() <= 0:
        return
    what = f"its process may still run on {step.host}"
    if left:
        what = f"its process {left[0]} cannot be ended"
    elif not here and on_this_host(step.place):
        what += ", as another user whose processes this run does not see"
    if away:
        name, why = next(iter(away.items()))
        what = f"its process may still run on {name}: {why}"
    said = f"{step.path}: {what}; looked at again at {deadline:%H:%M:%S} UTC, when its time is over"
    raise Stop(Decision(WAITS, said, not_before=now + remaining))
