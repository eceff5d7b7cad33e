"""Sending what the outbox holds: each message at most once, and again only where it was provably not taken."""

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

from amierules.database import events, outbox
from amierules.database.connection import Database
from amierules.database.outbox import FAILED, QUEUED, SENT, UNKNOWN, Queued
from amierules.diagnostics import Unavailable, printable
from amierules.engine.carrier import Carrier
from amierules.engine.site import CrashPoint
from amierules.ports import Clock
from amierules.ports.orphans import place
from amierules.ports.taking import NotTaken, Refused, Unsure

MAX_ATTEMPTS = 20
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
_BATCH = 100
_GIVEN_UP_AFTER = timedelta(minutes=15)
"""After this nobody is sending any more what another host began to send."""
_LAST_ROUND = 30.0
"""Seconds that a run waits at its end for messages that are not sent yet; the rest are the next run's."""
_LET_GO = 0.5
"""Seconds for which one that is interrupted waits for the thread that sends: enough where it sends nothing."""
_LOOK_AGAIN = 60.0
"""Seconds after which a long run looks for messages that are to be tried again."""


@dataclass
class Delivery:
    """Sends messages, one after the other."""

    database: Database
    clock: Clock
    who: str
    carrier: Carrier
    crash_point: CrashPoint = lambda name: None
    stopped: Callable[[], bool] = lambda: False
    """Asked before each message."""
    _is_stopping: bool = False
    _sender: str = field(default_factory=lambda: f"{_here()} {os.getpid()} {uuid4().hex[:8]}")

    def round(self) -> int:
        """Sends all that is due, oldest first; returns how many messages the other side took.

        A server that lets nobody in is left alone for the rest of the round. Raises `Unavailable` where the database
        is not to be had.
        """
        self.give_up()
        away: set[str] = set()
        sent = after = 0
        while True:
            with self.database.read() as connection:
                found = outbox.due(connection, self.clock.now(), limit=_BATCH, after=after)
            for message in found:
                if self._is_stopping or self.stopped():
                    return sent
                if not away or away.isdisjoint(self.carrier.servers(message)):
                    sent += self._send(message, away)
            if len(found) < _BATCH:
                return sent
            after = found[-1].message_id

    def stop(self) -> None:
        """Sends nothing after the message that is under way. From any thread, or a signal's handler."""
        self._is_stopping = True

    def give_up(self) -> None:
        """What its sender has left in the middle is unknown from now on."""
        with self.database.read() as connection:
            left = [message for message in outbox.under_way(connection) if self._is_left(message)]
        for message in left:
            self._settle(message, UNKNOWN, "nobody recorded how its sending ended")

    def _is_left(self, message: Queued) -> bool:
        if message.sender == self._sender:
            # Between two rounds we send nothing: the database was away when we were to say how it had ended.
            return True
        where, pid, _ = (message.sender or "- 0 -").rsplit(" ", 2)
        if where == _here() and not _is_alive(int(pid)):
            return True
        return self.clock.now() - message.updated_at > _GIVEN_UP_AFTER

    def _send(self, message: Queued, away: set[str]) -> int:
        with self.database.begin() as connection:
            if not outbox.take(connection, message.message_id, self._sender, self.clock.now()):
                return 0
        self.crash_point("before sending")
        try:
            odd = self.carrier.carry(message)
        except NotTaken as error:
            if error.away is not None:
                away.add(error.away)
            self._later(message, str(error))
        except Refused as error:
            self._settle(message, FAILED, str(error))
        except Unsure as error:
            self._settle(message, UNKNOWN, str(error))
        except Exception as error:
            # Whatever it was, it may have happened after the other side took the message.
            self._settle(message, UNKNOWN, f"internal error: {type(error).__name__}")
        else:
            self.crash_point("after sending")
            self._settle(message, SENT, odd or None)
            return 1
        return 0

    def _later(self, message: Queued, reason: str) -> None:
        if message.attempts + 1 >= MAX_ATTEMPTS:
            self._settle(message, FAILED, f"not taken in {MAX_ATTEMPTS} attempts: {reason}")
            return
        pause = min(_FIRST_PAUSE * 2**message.attempts, _LONGEST_PAUSE)
        spread = random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, guards nothing
        self._settle(message, QUEUED, reason, pause * spread)

    def _settle(self, message: Queued, state: str, reason: str | None, pause: timedelta | None = None) -> None:
        now = self.clock.now()
        said = printable(reason, 500) if reason else None
        with self.database.begin() as connection:
            next_attempt_at = now + pause if pause is not None else None
            settled = outbox.settle(
                connection, message.message_id, state, said, now=now, next_attempt_at=next_attempt_at
            )
            if settled and state in (FAILED, UNKNOWN):
                what = "was not sent" if state == FAILED else "may have been sent or not"
                why = f"the {message.channel} to {message.target} {what}: {said}"
                events.add(connection, message.packet_rec_id, self.who, "noticed", printable(why, 1000), now)


def _here() -> str:
    """Where process numbers mean the same: not everywhere that has the name of this host, as containers may."""
    return place() or socket.gethostname()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def delivering(delivery: Delivery, on_mistake: Callable[[Exception], None]) -> Iterator[Callable[[], None]]:
    """Sends beside what is done meanwhile, and at its end what is left; what it yields says that there may be work.

    A database that is away, or a server that is slow, holds up nobody: what is not sent is sent by the next run. Nor
    does a message that is under way hold up a `KeyboardInterrupt`: nobody will know what became of it. The first
    mistake of ours is told at once, by the thread that sends; it goes on at its next look.
    """
    wanted, ending, abandoned = threading.Event(), threading.Event(), threading.Event()
    until: list[float] = []
    delivery.stopped = lambda: bool(until) and time.monotonic() > until[0]

    def work() -> None:
        told, lost = False, 0
        with delivery.database.kept():
            while True:
                # In this order, or who ends it meanwhile waits as long as a long run does between two looks.
                wanted.clear()
                last = ending.is_set()
                try:
                    delivery.round()
                    lost = 0
                except Unavailable:
                    # The run says so. Where only our connection was lost, the next round has another one.
                    lost += 1
                except Exception as error:
                    if not told and not abandoned.is_set():
                        on_mistake(error)
                    told = True
                if last:
                    return
                wanted.wait(min(2.0 ** min(lost, 10), _LOOK_AGAIN) if lost else _LOOK_AGAIN)

    def end(seconds: float) -> None:
        until.append(time.monotonic() + seconds)
        ending.set()
        wanted.set()
        try:
            thread.join(_LET_GO if abandoned.is_set() else None)
        except BaseException:
            until[0] = 0  # whoever waits for the rest does not wait any more
            abandoned.set()
            raise

    # As a daemon: the end of the process does not wait for it either.
    thread = threading.Thread(target=work, name="messages", daemon=True)
    thread.start()
    try:
        yield wanted.set
    except KeyboardInterrupt:
        abandoned.set()
        end(0)
        raise
    except BaseException:
        end(0)
        raise
    end(_LAST_ROUND)
