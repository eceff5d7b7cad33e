"""Steps in doubt: how they are settled, and what a person says of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from amierules.actions.base import Doubt
from amierules.database import approvals, dialect, events, journal, work
from amierules.database.journal import StepRow
from amierules.database.notices import tell_workers
from amierules.database.work import WorkItem
from amierules.diagnostics import Finding, NotAllowed, printable
from amierules.diagnostics.suggest import hint_for
from amierules.engine.begun import DONE, in_doubt, settled_by
from amierules.engine.deciding import item_of, make_ready
from amierules.engine.frozen import freeze
from amierules.engine.orphaned import left_running
from amierules.engine.site import Site
from amierules.templating import Withheld

_PRINTED = ("stdout", "stderr")
_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "rc": ((int,), "a whole number"),
    "changed": ((bool,), "true or false"),
    "created": ((bool,), "true or false"),
    "nodes": ((dict,), "a mapping"),
    **dict.fromkeys(_PRINTED, ((str, type(None)), "a text")),
}
_NOT_LOOKED_AT = ("ready", "waiting", "retrying")
"""The statuses of packets whose processes may run: no run has been sure yet that they have ended."""
_SUPPOSED: Mapping[str, object] = {"rc": 0, "changed": True, "created": True, "nodes": {}}
"""What is taken for granted of a step that a person calls done."""


@dataclass(frozen=True)
class Resolution:
    """A person's word about a step in doubt."""

    done: bool
    """Whether it was done; else it is to be done again."""
    result: object
    """What `register` gets; None where nothing is said."""
    reason: str
    by: str


def settle_doubt(site: Site, packet_rec_id: int, path: str, word: Resolution) -> str:
    """Carry out what a person says of a step in doubt; returns the packet's new status, still `in_doubt` where another
    step is. Raises `NotAllowed`."""
    with site.database.begin() as connection:
        item = item_of(connection, packet_rec_id)
        doubtful = in_doubt(journal.steps(connection, packet_rec_id).values())
        if not doubtful or item.status == "running":
            approvals.check_allowed(item, "resolve")
        tell_workers(connection)
        step = _named(packet_rec_id, path, doubtful)
        if word.done:
            result = freeze(_result(site, step, word.result))
            _record(connection, site, item, replace(step, result=result, reason=f"done, says {word.by}"))
        else:
            _refuse_two_at_once(connection, item, step)
            journal.forget(connection, packet_rec_id, path, item.fence)
        verdict = f"{path}: {'done' if word.done else 'to be done again'}"
        said = f"{verdict}; {word.reason}" if word.reason else verdict
        events.add(connection, packet_rec_id, word.by, "resolved", said, site.world.clock.now())
        left = [other for other in doubtful if other.path != path and _is_for_a_person(site, other)]
        if item.status == "in_doubt" and left:
            return _still(connection, site, item, left, word.by)
        return make_ready(connection, site, item, word.by, verdict)


def _refuse_two_at_once(connection: Connection, item: WorkItem, step: StepRow) -> None:
    """What is to be done again must not be under way. Raises `NotAllowed` where no run has seen to that yet."""
    if item.status not in _NOT_LOOKED_AT or not left_running([step]) or step.deadline is None:
        return
    if step.deadline > dialect.moment(connection):
        message = f"packet {item.packet_rec_id}: a process of {step.path} may still run on {step.host}"
        hint = f"`amierules run` ends it or waits for it, until {step.deadline:%H:%M:%S} UTC at the latest"
        raise NotAllowed(Finding("not-allowed", message, hint=hint))


def _is_for_a_person(site: Site, step: StepRow) -> bool:
    """Whether the next run could not settle it by looking."""
    return step.kind not in site.kinds or site.kinds[step.kind].doubt(step.given or {}) is Doubt.PERSON


def _named(packet_rec_id: int, path: str, doubtful: Collection[StepRow]) -> StepRow:
    step = next((one for one in doubtful if one.path == path), None)
    if step is not None:
        return step
    message = f"no step '{printable(path, 100)}' of packet {packet_rec_id} is in doubt"
    paths = [one.path for one in doubtful]
    hint = hint_for(path, paths) or (f"in doubt: {printable(', '.join(paths))}" if paths else "")
    raise NotAllowed(Finding("no-such-step", message, hint=hint))


def _record(connection: Connection, site: Site, item: WorkItem, step: StepRow) -> None:
    journal.write_result(
        connection,
        item.packet_rec_id,
        step.path,
        state=DONE,
        result=step.result,
        reason=step.reason,
        fence=item.fence,
        now=site.world.clock.now(),
    )


def _still(connection: Connection, site: Site, item: WorkItem, left: Collection[StepRow], by: str) -> str:
    commands = ", ".join(settled_by(item.packet_rec_id, step.path) for step in left)
    reason = f"still in doubt: {commands}"
    work.set_status(connection, item, "in_doubt", who=by, now=site.world.clock.now(), reason=reason)
    return "in_doubt"


def _result(site: Site, step: StepRow, given: object) -> dict[str, Any]:
    """What `register` gets: all that the kind documents. Raises `NotAllowed` for what it does not."""
    documented: dict[str, str] = dict(site.schemas.get(step.kind, {}).get("x-result", {}))
    if not isinstance(step.given, dict) or "nodes" not in step.given:
        documented.pop("nodes", None)
    if given is None:
        given = {}
    if not isinstance(given, dict):
        raise _refused(step, "it is no JSON object", documented)
    for name, value in given.items():
        if name not in documented:
            raise _refused(step, f"it has '{printable(name, 60)}'", documented, name)
        types, called = _TYPES.get(name, ((object,), ""))
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types and types != (object,)):
            raise _refused(step, f"'{name}' must be {called}", documented)
    result = {name: given.get(name, _SUPPOSED.get(name)) for name in documented}
    secret = isinstance(step.given, dict) and step.given.get("secret_output")
    return result | (dict.fromkeys(_PRINTED, Withheld()) if secret else {})


def _refused(step: StepRow, why: str, documented: Collection[str], name: str = "") -> NotAllowed:
    message = f"this is no result of a {step.kind}: {why}"
    return NotAllowed(Finding("bad-result", message, hint=hint_for(name, documented)))
