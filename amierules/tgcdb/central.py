"""The central database as a state machine: it starts transactions, takes or refuses what a site sends, and goes on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from amierules.ports.clock import Clock
from amierules.protocol.packet import IN_PROGRESS
from amierules.protocol.rows import normalise
from amierules.tgcdb import rows
from amierules.tgcdb.agenda import Agenda
from amierules.tgcdb.answering import answer, fail, over
from amierules.tgcdb.inferring import with_inferred
from amierules.tgcdb.judging import Case, judge_reply
from amierules.tgcdb.judging_start import judge_start
from amierules.tgcdb.knowledge import Knowledge
from amierules.tgcdb.learning import learn_reply
from amierules.tgcdb.protocol_rules import Violation, refused
from amierules.tgcdb.records import COMPLETE, COMPLETED, FAILED, CentralPacket, Transaction
from amierules.tgcdb.store import Store


@dataclass(frozen=True)
class Taken:
    """What became of a packet that a site sent: its key here, or None where it was refused; and what is wrong."""

    packet_rec_id: int | None
    violations: tuple[Violation, ...] = field(default=())

    @property
    def refusal(self) -> str:
        """Why it was refused, in one line."""
        return "; ".join(str(one) for one in self.violations if one.refuses)


@dataclass(frozen=True)
class Submitted:
    """A packet as a site sent it; `in_reply_to` is the central database's key of the packet that it answers.

    `transaction_id` is what the site has chosen for a transaction of its own, where it chooses (over REST the server
    does). `broken` is what is wrong with the way in which it came. `lenient`: tags that can be inferred may be absent.
    """

    type: str
    content: Mapping[str, Any]
    in_reply_to: int | None = None
    transaction_id: int | None = None
    packet_id: int | None = None
    lenient: bool = False
    broken: tuple[Violation, ...] = ()


class Central:
    """The central database, for any number of sites."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.agenda = Agenda(store, clock)

    def take(
        self, site: str, sent: Submitted, keep: Callable[[Connection, Taken], None] = lambda connection, taken: None
    ) -> Taken:
        """Judges a packet of a site; takes it and goes on, or refuses it. What is wrong is kept for the report.

        What `keep` keeps of it is committed with it.
        """
        with self.store.begin() as connection:
            if sent.in_reply_to is None:
                taken = self._take_start(connection, site, sent)
            else:
                taken = self._take_reply(connection, site, sent, sent.in_reply_to)
            keep(connection, taken)
        self.agenda.go_on()
        return taken

    def fail(self, site: str, trans_rec_id: int) -> bool:
        """A site sets a transaction failed; False where it has none of this key, or where it has ended."""
        now = self.clock.now()
        with self.store.begin() as connection:
            found = rows.find_transaction(connection, site, trans_rec_id)
            if found is None or not found.is_open:
                return False
            over(connection, found, FAILED, now)
            rows.end_open_packets(connection, trans_rec_id, FAILED, now)
            if found.expects == COMPLETED:
                wrong = [Violation("T34", "the site has set the transaction failed")]
                rows.add_violations(connection, site, wrong, now, trans_rec_id=trans_rec_id)
        self.agenda.go_on()
        return True

    def reset(self, site: str) -> None:
        """Forgets all about a site."""
        with self.store.begin() as connection:
            rows.forget_site(connection, site)

    def _take_reply(self, connection: Connection, site: str, sent: Submitted, in_reply_to: int) -> Taken:
        now = self.clock.now()
        request = rows.find_packet(connection, site, in_reply_to)
        within = None if request is None else rows.find_transaction(connection, site, request.trans_rec_id)
        if request is None or within is None or not request.to_site:
            return self._refuse(connection, site, [Violation("T01", f"packet {in_reply_to} was not sent to {site}")])
        standing = list(_standing(within, request))
        content = with_inferred(sent.type, sent.content, request.body) if sent.lenient else sent.content
        found = [*sent.broken, *standing]
        known = Knowledge(connection, site)
        body = normalise(content)
        if not standing:
            opening = rows.packets_of(connection, within.trans_rec_id)[0]
            found += judge_reply(Case(within, request, opening, sent.type, body, known, now))
        if refused(found):
            return self._refuse(connection, site, found, request)
        place = {"trans_rec_id": within.trans_rec_id, "packet_rec_id": request.packet_rec_id}
        rows.add_violations(connection, site, found, now, **place)
        reply = rows.insert_packet(
            connection, within, sent.type, content, to_site=False, now=now,
            packet_id=sent.packet_id, in_reply_to=in_reply_to,
        )  # fmt: skip
        relist = int(request.behaviour.get("listed_again", 0))
        rows.change_packet(connection, in_reply_to, now, state=COMPLETED, answered_at=now, relist=relist)
        if request.type == COMPLETE:
            # Only an acknowledgement: the transaction is over.
            rows.change_packet(connection, reply.packet_rec_id, now, state=COMPLETED)
        else:
            learn_reply(request.body, sent.type, body, known)
            answer(connection, within, reply, request.behaviour, now)
        return Taken(reply.packet_rec_id, tuple(found))

    def _take_start(self, connection: Connection, site: str, sent: Submitted) -> Taken:
        now = self.clock.now()
        known = Knowledge(connection, site)
        body = normalise(sent.content)
        found = [*sent.broken, *judge_start(sent.type, body, known)]
        if sent.transaction_id is not None and rows.find_by_id(connection, site, site, sent.transaction_id):
            found.append(Violation("T09", f"transaction_id {sent.transaction_id} has been used before"))
        if any(one.rule in ("T04", "T08", "T09", "T51") for one in found):
            return self._refuse(connection, site, found)
        within = rows.insert_transaction(
            connection, site=site, originating=site, now=now, transaction_id=sent.transaction_id
        )
        first = rows.insert_packet(
            connection, within, sent.type, sent.content, to_site=False, now=now, packet_id=sent.packet_id
        )
        place = {"trans_rec_id": within.trans_rec_id, "packet_rec_id": first.packet_rec_id}
        rows.add_violations(connection, site, found, now, **place)
        if refused(found):
            # It came; a packet that fails fails its transaction.
            rows.change_packet(connection, first.packet_rec_id, now, state=FAILED, answered_at=now)
            fail(connection, within, "; ".join(str(one) for one in found if one.refuses), now)
        else:
            learn_reply(body, sent.type, body, known)
            answer(connection, within, first, {}, now)
        return Taken(first.packet_rec_id, tuple(found))

    def _refuse(
        self, connection: Connection, site: str, found: list[Violation], request: CentralPacket | None = None
    ) -> Taken:
        place = {"trans_rec_id": request.trans_rec_id, "packet_rec_id": request.packet_rec_id} if request else {}
        rows.add_violations(connection, site, found, self.clock.now(), **place)
        return Taken(None, tuple(found))


def _standing(within: Transaction, request: CentralPacket) -> list[Violation]:
    """Why a packet may not be answered any more."""
    if request.state != IN_PROGRESS:
        answered = request.answered_at is not None
        rule = "T07" if request.type == COMPLETE else "T02" if answered else "T05"
        what = "was answered before" if answered else f"is {request.state}"
        return [Violation(rule, f"packet {request.packet_rec_id} ({request.type}) {what}")]
    if not within.is_open and request.type != COMPLETE:
        return [Violation("T05", f"transaction {within.transaction_id} is {within.state}")]
    return []
