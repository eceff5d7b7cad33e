"""Posting our packets, each exactly once: the intent is recorded before the request, and a lost answer is looked up."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from amierules.database import events, posts
from amierules.database.posted import record
from amierules.database.posts import REFUSED, SENDING, SENT, WAITING, Posted, ToPost
from amierules.diagnostics import printable
from amierules.engine.site import CrashPoint, Site
from amierules.exchange.looking import Looker, Missing, Taken
from amierules.exchange.messages import Message, messages
from amierules.exchange.remote import Keys, Remote
from amierules.ports.taking import NotTaken, Refused, SendingFault, Unsure

UNNAMED = timedelta(minutes=10)
"""So long after it was taken a packet is looked for whose keys the server did not tell."""
_FIRST_BATCH, _LARGEST_BATCH = 5, 80
"""So many intents are recorded at a time, at first and at most. Each of them is looked up after a crash: the longer the
server takes, the fewer there are."""
_QUICK, _LONG = 0.25, 1.0
"""Seconds for a batch below which the next one is larger, and above which it is smaller."""
_RECORD_EVERY = 0.5
"""Seconds after which results are recorded that wait for others of their batch."""
_UNSURE_IN_A_ROW = 3
"""After so many lost answers the server is left alone for a while."""
_FORBIDDEN = 403
_SOON = 3
"""So many attempts follow each other at once; later ones wait."""
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)


class Away(Exception):
    """The server is left alone for now; `fault` says why."""

    def __init__(self, fault: SendingFault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass
class Poster:
    """Posts to one server. Nobody else does so meanwhile: the caller sees to it."""

    site: Site
    remote: Remote
    claims_hold: Callable[[], None] = lambda: None
    """Raises `LostOwnership` where somebody else may post by now."""
    stopped: Callable[[], bool] = lambda: False
    """Asked before each request that is not under way yet."""
    wait: Callable[[float], bool] = lambda seconds: False
    """Waits so many seconds for a lost answer to be settled; False where it shall not be waited for."""
    crash_point: CrashPoint = lambda name: None
    settle: float = 5.0
    """Seconds after which the server has taken what was posted to it before, or will not take it any more."""
    on_end: Callable[[ToPost, Posted], None] = lambda one, posted: None
    """Told of each packet that was taken or refused, once that is recorded."""
    _unsure: int = field(default=0, init=False)

    def settle_doubts(self) -> None:
        """Looks up what may have been posted. Raises `Away`."""
        sites = self.remote.server.remote_site_names
        with self.site.database.read() as connection:
            doubtful = posts.in_doubt(connection, sites)
            unnamed = posts.unnamed_starts(connection, sites, self._now() - UNNAMED)
            nameless = [one for one in unnamed if one.state == SENT]
        for one in (*doubtful, *nameless):
            if self.stopped() or not self._is_settled(one):
                return
            try:
                result = self._looked_up(one)
            except SendingFault as fault:
                raise Away(fault) from fault
            if result is not None:
                self._record([(one, result)])
            self.crash_point("after look")

    def post(self, them: Sequence[ToPost]) -> None:
        """Posts these, in this order; none of them is in doubt. Raises `Away`, where the rest waits."""
        start, size = 0, _FIRST_BATCH
        while start < len(them) and not self.stopped():
            began = time.monotonic()
            self._post_batch(them[start : start + size])
            took = time.monotonic() - began
            start += size
            if took < _QUICK:
                size = min(size * 2, _LARGEST_BATCH)
            elif took > _LONG:
                size = max(size // 2, 1)

    def _post_batch(self, batch: Sequence[ToPost]) -> None:
        self.claims_hold()
        with self.site.database.begin() as connection:
            prepared = messages(connection, batch, self.site.name)
            posts.intend(connection, batch, self._now())
            self.crash_point("in intent")
        self.crash_point("after intent")
        left = {one.packet_rec_id: one for one in batch}
        results: list[tuple[ToPost, Posted]] = []
        recorded = time.monotonic()
        reason = None
        try:
            for one in batch:
                if self.stopped():
                    break
                self.claims_hold()
                del left[one.packet_rec_id]
                results.append((one, self._post_one(one, prepared[one.packet_rec_id], results)))
                if time.monotonic() - recorded > _RECORD_EVERY:
                    self._record(results)
                    results, recorded = [], time.monotonic()
        except Away as away:
            reason = str(away)
            raise
        finally:
            self._record(results)
            if left:
                with self.site.database.begin() as connection:
                    posts.put_back(connection, list(left), reason and printable(reason, 500), self._now())

    def _post_one(self, one: ToPost, message: Message, results: list[tuple[ToPost, Posted]]) -> Posted:
        if message.cannot:
            return Posted(one.packet_rec_id, REFUSED, message.cannot)
        self.crash_point("before post")
        try:
            keys = self.remote.send(message.content)
        except NotTaken as fault:
            if fault.status == _FORBIDDEN:
                # The key was good a moment ago: it is about this packet, and others may go.
                return Posted(one.packet_rec_id, WAITING, str(fault), self._later(one.attempts))
            results.append((one, Posted(one.packet_rec_id, WAITING, str(fault))))
            raise Away(fault) from fault
        except Refused as fault:
            return self._refused(one, message, fault)
        except Unsure as fault:
            self._unsure += 1
            doubtful = Posted(one.packet_rec_id, SENDING, str(fault))
            if self._unsure >= _UNSURE_IN_A_ROW:
                self._unsure = 0
                results.append((one, doubtful))
                raise Away(fault) from fault
            return doubtful
        self.crash_point("after post")
        self._unsure = 0
        return _taken(one, keys)

    def _refused(self, one: ToPost, message: Message, fault: Refused) -> Posted:
        """What was refused may have been taken before: by an attempt whose answer was lost, or from somebody else."""
        try:
            found = self._looker().find(one, message)
        except SendingFault as trouble:
            return Posted(one.packet_rec_id, SENDING, f"{fault}; and then: {trouble}")
        return _taken(one, found.keys) if isinstance(found, Taken) else Posted(one.packet_rec_id, REFUSED, str(fault))

    def _looked_up(self, one: ToPost) -> Posted | None:
        """What became of it; None where that was known already, and nothing more is."""
        with self.site.database.read() as connection:
            message = messages(connection, [one], self.site.name)[one.packet_rec_id]
        if message.cannot:
            return Posted(one.packet_rec_id, REFUSED, message.cannot)
        found = self._looker().find(one, message)
        if isinstance(found, Taken):
            return _taken(one, found.keys)
        if one.state == SENT:
            return None
        if isinstance(found, Missing):
            return Posted(one.packet_rec_id, WAITING, one.reason, self._next_attempt(one))
        return Posted(one.packet_rec_id, REFUSED, found.reason)

    def _looker(self) -> Looker:
        side = self.remote.side(self.site.configuration, self._now())
        return Looker(self.remote, side, self.site.database)

    def _is_settled(self, one: ToPost) -> bool:
        """Whether the server has done with the request by now; a clock that was set back does not hold it up."""
        if one.began_at is None or one.state == SENT:
            return True
        left = self.settle - (self._now() - one.began_at).total_seconds()
        return left <= 0 or left > self.settle or self.wait(left)

    def _next_attempt(self, one: ToPost) -> datetime | None:
        return None if one.attempts < _SOON else self._later(one.attempts - _SOON)

    def _later(self, attempts: int) -> datetime:
        pause: timedelta = _FIRST_PAUSE * 2 ** min(attempts, 10)
        return self._now() + min(pause, _LONGEST_PAUSE)

    def _record(self, results: Sequence[tuple[ToPost, Posted]]) -> None:
        if not results:
            return
        now = self._now()
        shown = [(one, _printable(posted)) for one, posted in results]
        # What was taken before, and is only named now, is no news.
        news = [(one, posted) for one, posted in shown if posted.state in (SENT, REFUSED) and one.state != SENT]
        with self.site.database.begin() as connection:
            record(connection, [posted for _, posted in shown], now)
            told = [(one.packet_rec_id, *_told(one, posted)) for one, posted in news]
            events.add_several(connection, told, self.site.who, now)
            self.crash_point("in record")
        self.crash_point("after record")
        for one, posted in news:
            self.on_end(one, posted)

    def _now(self) -> datetime:
        return self.site.world.clock.now()


def _taken(one: ToPost, keys: Keys) -> Posted:
    return Posted(
        one.packet_rec_id, SENT, remote_packet_rec_id=keys.packet_rec_id, remote_trans_rec_id=keys.trans_rec_id
    )


def _printable(posted: Posted) -> Posted:
    return posted if posted.reason is None else posted._replace(reason=printable(posted.reason, 500))


def _told(one: ToPost, posted: Posted) -> tuple[str, str]:
    """The event: what happened, and why."""
    what = "acknowledgement " if one.what == posts.ACKNOWLEDGEMENT else ""
    if posted.state == REFUSED:
        return f"{what}refused by {one.remote_site_name}", posted.reason or ""
    key = f" as r:{posted.remote_packet_rec_id}" if posted.remote_packet_rec_id is not None else ""
    return f"{what}sent to {one.remote_site_name}", f"taken{key}"
