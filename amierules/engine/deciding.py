"""What a person decides about a packet: approve, retry, hold, fail, complete."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field

from sqlalchemy import Connection

from amierules.database import approvals, events, journal, packets, replies, reservations, waking, work
from amierules.database.kept import close_kept, find_kept, is_closed
from amierules.database.notices import tell_workers
from amierules.database.own_tables import FINAL_STATUSES
from amierules.database.registry import RegistryView
from amierules.database.registry_write import RegistryConflict
from amierules.database.replies import NoLongerInProgress, OnHold
from amierules.database.work import WorkItem
from amierules.diagnostics import Finding, Invalid, NotAllowed
from amierules.engine.answers import check_answers
from amierules.engine.begun import refuse_in_doubt
from amierules.engine.decision import Decision
from amierules.engine.messages import tell_of_status
from amierules.engine.outcome import CLOSING, closing_state, failure, success
from amierules.engine.packet_case import PacketCase
from amierules.engine.site import Site


@dataclass(frozen=True)
class Word:
    """A person's decision about one packet."""

    decision: str
    """A key of `DECISIONS`."""
    reason: str
    by: str
    answers: Mapping[str, str] = field(default_factory=dict)
    """What an approval says to what the hold asks for."""


def decide(site: Site, packet_rec_id: int, word: Word) -> str:
    """Carry a decision out, in one commit; returns the packet's new status. `complete` ends our own row alone where
    the packet is over on the other side, or gone.

    Raises `NotAllowed` where the packet's status does not allow it, `Invalid` where no valid reply can be made.
    """
    with site.database.begin() as connection:
        item = item_of(connection, packet_rec_id)
        approvals.check_allowed(item, word.decision)
        tell_workers(connection)
        try:
            status = DECISIONS[word.decision](connection, site, item, word)
        except NoLongerInProgress as error:
            may_go_on = isinstance(error, OnHold)
            if word.decision != "complete" or may_go_on:
                hint = "" if may_go_on else f"`amierules complete {packet_rec_id}` takes it off the list"
                raise NotAllowed(Finding("not-allowed", f"packet {packet_rec_id}: {error}", hint=hint)) from error
            # It is over on the other side: all that is left to end is our own row.
            status = _end(connection, site, item, word, "done")
        tell_of_status(site, connection, packet_rec_id, status, word.reason or f"decided by {word.by}")
    return status


def _approve(connection: Connection, site: Site, item: WorkItem, word: Word) -> str:
    check_answers(item, word.answers)
    now = site.world.clock.now()
    approved = item.approvable or ""  # `check_allowed` saw that there is one
    given = approvals.Approval(approved, word.by, word.reason, now, word.answers)
    approvals.approve(connection, item.packet_rec_id, given)
    said = ", ".join(
        [*(f"{name}={value}" for name, value in word.answers.items()), *([word.reason] * bool(word.reason))]
    )
    events.add(connection, item.packet_rec_id, word.by, "approved", f"{approved}: {said}", now)
    return _retry(connection, site, item, word)


def _retry(connection: Connection, site: Site, item: WorkItem, word: Word) -> str:
    return make_ready(connection, site, item, word.by, word.reason)


def make_ready(connection: Connection, site: Site, item: WorkItem, by: str, reason: str) -> str:
    """Let the next run try the packet as if for the first time; returns its new status."""
    work.set_status(connection, item, "ready", who=by, now=site.world.clock.now(), reason=reason or None, restart=True)
    return "ready"


def _hold(connection: Connection, site: Site, item: WorkItem, word: Word) -> str:
    work.set_status(
        connection, item, "held", who=word.by, now=site.world.clock.now(), reason=word.reason or "held by hand"
    )
    return "held"


def _fail(connection: Connection, site: Site, item: WorkItem, word: Word) -> str:
    _refuse_in_doubt(connection, item, "cannot be failed")
    case = _case(connection, site, item)
    if case.expects_no_reply():
        message = f"packet {item.packet_rec_id} ({item.type}) expects no reply: nothing can be failed"
        raise NotAllowed(Finding("not-allowed", message, hint="`amierules complete` ends it"))
    _reply(connection, site, item, case, failure(site, case, word.reason or "refused by the site"), "failed")
    return _end(connection, site, item, word, "failed")


def _complete(connection: Connection, site: Site, item: WorkItem, word: Word) -> str:
    """Done by hand: the transaction is closed where that is all that the other side waits for.

    What another program has set back after it was answered is only ended once more.
    """
    _refuse_in_doubt(connection, item, "cannot be completed")
    case = _case(connection, site, item)
    _refuse_before_others(connection, item)
    answered = replies.was_answered(connection, item.packet_rec_id)
    if case.expects_no_reply() or answered:
        owns = site.database.owns_amie_tables
        state = None if answered else closing_state(case.packet)
        replies.close_incoming(connection, case.packet, "completed", owns_tables=owns, transaction_state=state)
    elif case.only_expected_reply() == CLOSING:
        _reply(connection, site, item, case, success(site, case, word.reason), "completed")
    else:
        replies.refuse_over(connection, item.packet_rec_id)
        message = f"packet {item.packet_rec_id} must be answered by {case.only_expected_reply() or 'a reply'}"
        hint = "`amierules retry` answers it by the rules, `amierules fail` refuses it"
        raise NotAllowed(Finding("not-allowed", message, hint=hint))
    return _end(connection, site, item, word, "done")


def _refuse_in_doubt(connection: Connection, item: WorkItem, what: str) -> None:
    """What would be said of the packet to the other side may not be so. Raises `NotAllowed`."""
    if item.begun:
        refuse_in_doubt(item.packet_rec_id, item.status, journal.steps(connection, item.packet_rec_id).values(), what)


def _refuse_before_others(connection: Connection, item: WorkItem) -> None:
    """A transaction is not closed over an earlier packet of it that nobody has answered. Raises `NotAllowed`."""
    open_ones = work.listing(connection)
    earlier = [one for one in open_ones if one.trans_rec_id == item.trans_rec_id and _came_before(one, item)]
    if earlier:
        other = earlier[0].packet_rec_id
        message = f"packet {item.packet_rec_id} would close its transaction, in which packet {other} is open"
        hint = f"decide about packet {other} first, it is {earlier[0].status}"
        raise NotAllowed(Finding("not-allowed", message, hint=hint))


def _came_before(one: WorkItem, other: WorkItem) -> bool:
    return (one.ts, one.packet_rec_id) < (other.ts, other.packet_rec_id)


def close_unknown(site: Site, text: str, word: Word) -> bool:
    """Take a packet of an unknown type off the list; whether `text` (`r:N`) names one that is on it.

    Where an ordinary packet has the same remote id, that one is meant as long as it is open.
    """
    with site.database.begin() as connection:
        kept = find_kept(connection, text)
        if kept is None or is_closed(kept):
            return False
        other = packets.resolve_id(connection, text)
        item = work.get(connection, other) if other is not None else None
        if other is not None and (item is None or item.status not in FINAL_STATUSES):
            return False
        close_kept(connection, kept, who=word.by, why=word.reason, now=site.world.clock.now())
    return True


def item_of(connection: Connection, packet_rec_id: int) -> WorkItem:
    """The packet's work row, locked. Raises `NotAllowed` where there is none."""
    item = work.get(connection, packet_rec_id, lock=True)
    if item is None:
        why = packets.why_not_eligible(connection, packet_rec_id) or "no run has taken it in"
        raise NotAllowed(Finding("not-allowed", f"packet {packet_rec_id} cannot be decided about: {why}"))
    return item


DECISIONS: Mapping[str, Callable[[Connection, Site, WorkItem, Word], str]] = {
    "approve": _approve,
    "retry": _retry,
    "hold": _hold,
    "fail": _fail,
    "complete": _complete,
}


def _case(connection: Connection, site: Site, item: WorkItem) -> PacketCase:
    stored = packets.read_packets(connection, [item.packet_rec_id], site.name).get(item.packet_rec_id)
    if stored is None:
        raise NoLongerInProgress("it is no longer in the database")
    return PacketCase(stored.packet, site.world.clock.now())


def _reply(
    connection: Connection, site: Site, item: WorkItem, case: PacketCase, decision: Decision, state: replies.FinalState
) -> None:
    if decision.kind == "park":
        raise Invalid(Finding("no-valid-reply", f"packet {item.packet_rec_id}: {decision.reason}"))
    replies.write_reply(
        connection,
        to=case.packet,
        type_name=decision.type or CLOSING,
        body=decision.sendable(),
        now=case.now,
        owns_tables=site.database.owns_amie_tables,
        incoming_state=state,
    )


def _end(connection: Connection, site: Site, item: WorkItem, word: Word, status: str) -> str:
    """End the packet. What its finished steps staged is written: their effects are there.

    Raises `NotAllowed` where the registry has given what they used to somebody else.
    """
    now = site.world.clock.now()
    view = RegistryView(lambda: nullcontext(connection))
    for step in journal.steps(connection, item.packet_rec_id).values() if item.begun else ():
        view.restage(step.staged or [])
    try:
        view.flush(connection)
    except RegistryConflict as error:
        raise NotAllowed(Finding("not-allowed", f"packet {item.packet_rec_id}: {error}")) from error
    work.set_status(connection, item, status, who=word.by, now=now, reason=word.reason or "by hand")
    journal.bump_fence(connection, item.packet_rec_id)
    if not item.begun:
        # What begun actions used stays reserved: it may stand in account files, and in no row of the registry.
        reservations.release(connection, [item.packet_rec_id])
    waking.wake(connection, view.touched() | {f"trans:{item.trans_rec_id}"}, now)
    return status
