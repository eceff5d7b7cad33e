"""Real runs over one site that are killed at random, what their effects wrote, and what must hold of that."""

import os
import random
import shlex
import signal
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from amierules.database import own_tables, work
from amierules.database.amie_tables import packet_tbl
from amierules.database.connection import Database
from tests.support import states
from tests.support.amie_json import rpi
from tests.support.command_line import PROGRAM, call

LONG_EACH = 40
"""Of so many packets one has an effect that takes longer than the next worker waits for what a dead one left."""
HOST_LASTS = 60
"""Seconds for which a host goes on without its engine: longer than any process of a step may take."""

_HOST = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c")
_EFFECT = """\
#!/bin/bash
# What an effect does, by the worker that began it: two lines in a file that only grows, however it ends.
exec 2>/dev/null # bash tells of an ended sleep, and a dead worker reads no more
read -r _ _ _ worker _ < /proc/$PPID/stat
log() { echo "$1 $EPOCHREALTIME $worker ${*:2}" >> LOG; }
trap 'log cut "$@"; exit 1' TERM
log begin "$@"
if (( $1 % EACH )); then sleep 0.02; else sleep 4; fi
trap '' TERM
log end "$@"
"""

_RULES = """\
packet: request_project_inactivate
rules:
  - name: work
    actions:
      - name: effect
        command:
          run: [EFFECT, "{{ header.packet_rec_id }}", "{{ packet.ProjectID }}", "{{ packet.PersonID }}",
                "{{ header.trans_rec_id }}"]
          unless: {run: [grep, -q, "^end [^ ]* [^ ]* {{ header.packet_rec_id }} ", LOG]}
        timeout: 10s
    reply: {copy: [ProjectID, ResourceList]}
"""


def chaos_site(folder: Path, url: str | None) -> Path:
    """A site folder whose rule has an effect that takes a while, now and then a long one; its log is `folder/log`."""
    states.make_folder(folder, database=url)
    effect, log = folder / "effect", folder / "log"
    log.touch()
    effect.write_text(_EFFECT.replace("LOG", str(log)).replace("EACH", str(LONG_EACH)), encoding="utf-8")
    effect.chmod(0o755)
    rules = _RULES.replace("EFFECT", str(effect)).replace("LOG", str(log))
    rule_file = folder / "rules" / "request_user_modify.yaml"
    rule_file.unlink()
    rule_file.with_name("request_project_inactivate.yaml").write_text(rules, encoding="utf-8")
    return folder


def related_packets(count: int, choice: random.Random) -> list[dict[str, Any]]:
    """Packets that share projects, persons and transactions at random."""
    last: dict[int, int] = defaultdict(int)
    made = []
    for number in range(count):
        transaction = choice.randrange(count) if choice.random() < 0.8 else choice.randrange(10)
        last[transaction] += 1
        body = {"ProjectID": f"P{choice.randrange(count // 4)}", "PersonID": f"{choice.randrange(count // 2)}"}
        stamp = f"2026-02-{1 + number // 1440:02}T{number // 60 % 24:02}:{number % 60:02}:00Z"
        header = {"transaction_id": 9000 + transaction, "packet_id": last[transaction], "packet_timestamp": stamp}
        made.append(rpi(body, **header))
    return made


@dataclass(frozen=True)
class Worker:
    """A process that runs; on a host of its own where its processes have their own numbers."""

    process: "subprocess.Popen[bytes]"
    own_host: bool

    @classmethod
    def start(cls, folder: Path, words: Sequence[str], own_host: bool) -> "Worker":
        """Starts one in the site's folder. What it leaves on a host of its own goes on there, and ends with it."""
        command = [str(PROGRAM), "run", *words]
        if own_host:
            command = [*_HOST, f"{shlex.join(command)}; s=$?; [ $s -le 128 ] || sleep {HOST_LASTS}; exit $s"]
        with (folder / "output").open("ab") as output:
            return cls(subprocess.Popen(command, cwd=folder, stdout=output, stderr=output), own_host)

    @property
    def pid(self) -> int | None:
        """The engine's own process here; None where it is not there yet, or any more."""
        found: int | None = self.process.pid
        for _ in range(2 if self.own_host else 0):
            children = () if found is None else _children(found)
            found = children[0] if children else None
        return found

    def signal(self, number: signal.Signals) -> None:
        """A signal to the engine alone."""
        if (pid := self.pid) is not None:
            os.kill(pid, number)


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


@dataclass
class Workers:
    """Processes that run, each in the site's folder, and when each was killed."""

    folder: Path
    words: tuple[str, ...]
    elsewhere: int = 0
    """So many of them are on hosts of their own."""
    running: list[Worker] = field(default_factory=list)
    killed: dict[int, float] = field(default_factory=dict)
    _going_on: list[Worker] = field(default_factory=list)
    """Those whose host goes on without them."""

    def start(self, count: int = 1) -> None:
        """Starts so many more."""
        for _ in range(count):
            own_host = sum(one.own_host for one in self.running) < self.elsewhere
            self.running.append(Worker.start(self.folder, self.words, own_host))

    def kill(self, worker: Worker) -> None:
        """SIGKILL to one of them; another takes its place."""
        if (pid := worker.pid) is not None:
            self.running.remove(worker)
            self.killed[pid] = time.time()
            worker.signal(signal.SIGKILL)
            if worker.own_host:
                self._going_on.append(worker)
            else:
                worker.process.wait()
            self.start()

    def at_work_on(self, effect: "Effect") -> Worker | None:
        """The one that has begun this effect, where that can be told."""
        found = (one for one in self.running if not one.own_host and one.pid == effect.worker)
        return next(found, None)

    def revive(self) -> None:
        """Starts another one for each that found no database when it began, as a service manager does."""
        for worker in [one for one in self.running if one.process.poll() is not None]:
            assert worker.process.returncode == 5, (self.folder / "output").read_text()[-3000:]
            self.running.remove(worker)
            self.start()

    def end(self) -> list[int]:
        """SIGTERM to all; their exit statuses."""
        for worker in self.running:
            worker.signal(signal.SIGTERM)
        return [worker.process.wait(60) for worker in self.running]

    def outlived(self) -> list["Effect"]:
        """The effects that went on when the engine that had begun them was dead."""
        return [
            one
            for one in effects(self.folder / "log")
            if one.begin < self.killed.get(one.worker, 0) < (one.end or float("inf"))
        ]

    def abandon(self) -> None:
        """Ends what is left of them."""
        for worker in (*self.running, *self._going_on):
            worker.process.kill()
            worker.process.wait()


@dataclass(frozen=True)
class Effect:
    """One run of the effect. `end` is None where nobody knows when it ended; it was `cut` where a signal ended it."""

    packet: int
    worker: int
    keys: tuple[str, ...]
    begin: float
    end: float | None
    cut: bool = False


def effects(log: Path) -> list[Effect]:
    """What the effects wrote, in the order in which they began."""
    begun: dict[tuple[str, ...], list[float]] = defaultdict(list)
    found = []
    for what, at, *words in (line.split() for line in log.read_text().splitlines()):
        key = tuple(words)
        if what == "begin":
            begun[key].append(float(at))
        elif begun[key]:  # else the signal came before it had begun anything
            found.append(_effect(words, begun[key].pop(), float(at), what == "cut"))
    found += [_effect(words, begin, None) for words, begins in begun.items() for begin in begins]
    return sorted(found, key=lambda one: one.begin)


def _effect(words: Any, begin: float, end: float | None, cut: bool = False) -> Effect:
    worker, packet, project, person, transaction = words
    keys = (f"project {project}", f"person {person}", f"transaction {transaction}")
    return Effect(int(packet), int(worker), keys, begin, end, cut)


def is_long(effect: Effect) -> bool:
    """Whether it takes longer than the next worker waits for what a dead one left."""
    return effect.packet % LONG_EACH == 0


def check_effects(log: Path) -> None:
    """Of one project, person or transaction: never two at once, what killed workers leave included, and in the order of
    the packets. Each came to its end once; again it was begun only after it had been cut."""
    done = effects(log)
    assert [one for one in done if one.end is None] == [], "ended without a word"
    by_key: dict[str, list[Effect]] = defaultdict(list)
    for one in done:
        for key in one.keys:
            by_key[key].append(one)
    for key, listed in by_key.items():
        for earlier, later in pairwise(listed):
            assert earlier.end is not None
            assert earlier.end <= later.begin, (key, earlier, later)
            assert earlier.packet <= later.packet, (key, earlier, later)
    ended = Counter(one.packet for one in done if not one.cut)
    assert [packet for packet, times in ended.items() if times != 1] == [], "done twice"


def check_replies(database: Database) -> None:
    """Each packet has one reply, and the replies of packets that belong together came in the packets' order."""
    with database.read() as connection:
        outgoing = connection.scalar(select(func.count()).where(packet_tbl.c.outgoing_flag == 1))
        items = work.listing(connection, include_final=True)
        replies = connection.execute(
            select(own_tables.packet.c.in_reply_to, own_tables.packet.c.packet_rec_id).where(
                own_tables.packet.c.in_reply_to.is_not(None)
            )
        ).all()
        keys = work.keys_of_several(connection, [item.packet_rec_id for item in items])
    assert {item.status for item in items} == {"done"}
    assert outgoing == len(replies)
    assert sorted(to for to, _ in replies) == sorted(item.packet_rec_id for item in items)
    reply_of = {row[0]: row[1] for row in replies}
    by_key: dict[str, list[int]] = defaultdict(list)
    for item in items:
        for key in keys[item.packet_rec_id]:
            by_key[key].append(reply_of[item.packet_rec_id])
    for key, listed in by_key.items():
        assert listed == sorted(listed), key


def load(folder: Path, packets: list[dict[str, Any]]) -> None:
    """Loads the packets."""
    assert (
        call("load", states.write(folder / "packets.json", packets), "--config", folder / "amierules.yaml").status == 0
    )


def size(default: int) -> int:
    """How many packets a proof takes: AMIERULES_PROOF, or this."""
    return int(os.environ.get("AMIERULES_PROOF") or default)
