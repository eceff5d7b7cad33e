"""`retry --from-start`: the journal is forgotten, and the packet sees rules, settings and registry as they are now."""

import re
from collections.abc import Iterator
from functools import partial

from sqlalchemy import Connection

from amierules.actions.base import Doubt
from amierules.database import approvals, events, journal, reservations
from amierules.database.journal import StepRow
from amierules.engine.begun import DONE, refuse_in_doubt
from amierules.engine.deciding import item_of, make_ready
from amierules.engine.site import Site
from amierules.rulebook.configuration import Configuration

_AGAIN = {
    Doubt.PROBE: "is looked at again, and adopted where it is as wanted",
    Doubt.GUARD: "is done again, unless its guard says that it is done",
    Doubt.PERSON: "is done again",
}


def start_over(site: Site, packet_rec_id: int, reason: str, by: str) -> list[str]:
    """Forget what the packet's steps did and what its rule saw; the packet is ready then.

    Returns a line for each step that had an effect: what becomes of it; and one for each rule that asks a person anew,
    since its answers may be what was wrong. Other approvals stay, and so do ids and logins that were given out, unless
    the configuration does not allow them any more. Raises `NotAllowed`, above all while a step is in doubt.
    """
    with site.database.begin() as connection:
        item = item_of(connection, packet_rec_id)
        steps = [*journal.steps(connection, packet_rec_id).values()]
        if item.status != "running":
            refuse_in_doubt(packet_rec_id, item.status, steps, "cannot start over")
        approvals.check_allowed(item, "retry")
        effects = [f"{step.path} {again}" for step in steps if (again := _again(site, step)) is not None]
        effects += [f"rule '{rule}' asks again" for rule in approvals.forget_answers(connection, packet_rec_id)]
        journal.clear(connection, packet_rec_id)
        effects += _given_up(connection, site.configuration, packet_rec_id)
        forgotten = f"{len(steps)} step{'' if len(steps) == 1 else 's'} forgotten"
        said = f"{forgotten}; {reason}" if reason else forgotten
        events.add(connection, packet_rec_id, by, "started over", said, site.world.clock.now())
        make_ready(connection, site, item, by, reason)
    return effects


def _given_up(connection: Connection, configuration: Configuration, packet_rec_id: int) -> Iterator[str]:
    """Lets go of numbers and logins that others turned out to have, and that a person has excluded since."""
    for what, source in vars(configuration.ids).items():
        keep = partial(_in_ranges, source.ranges) if source.ranges else lambda _value: True
        for value in reservations.give_up(connection, packet_rec_id, what, keep):
            yield f"{what} {value} is given up: it is outside the configuration's `ids` by now"
    logins = configuration.logins
    for value in reservations.give_up(
        connection,
        packet_rec_id,
        "login",
        lambda value: re.fullmatch(logins.pattern, value) is not None and value not in logins.reserved,
    ):
        yield f"login {value} is given up: the configuration's `logins` do not allow it by now"


def _in_ranges(ranges: reservations.Ranges, value: str) -> bool:
    return not value.isdecimal() or any(first <= int(value) <= last for first, last in ranges)


def _again(site: Site, step: StepRow) -> str | None:
    """What becomes of a step's effect; None where it had none outside the database."""
    if step.state != DONE or not step.changes or step.kind not in site.kinds:
        return None
    return _AGAIN.get(site.kinds[step.kind].doubt(step.given or {}))
