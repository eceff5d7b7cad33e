"""Real runs over one site that are killed at random, what their effects wrote, and what must hold of that."""

import os
import random
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import select

from amierules.database import own_tables, work
from amierules.database.connection import Database
from tests.support import states
from tests.support.amie_json import rpi
from tests.support.command_line import PROGRAM, call

_EFFECT = """\
#!/bin/bash
# What an effect does, by the worker that began it: two lines in a file that only grows.
read -r _ _ _ worker _ < /proc/$PPID/stat
echo "begin $EPOCHREALTIME $worker $*" >> LOG
sleep PAUSE
echo "end $EPOCHREALTIME $worker $*" >> LOG
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
    reply: {copy: [ProjectID, ResourceList]}
"""


def chaos_site(folder: Path, url: str | None, pause: float = 0.02) -> Path:
    """A site folder whose rule has an effect that takes a while; its log is `folder/log`."""
    states.make_folder(folder, database=url)
    effect, log = folder / "effect", folder / "log"
    log.touch()
    effect.write_text(_EFFECT.replace("LOG", str(log)).replace("PAUSE", str(pause)), encoding="utf-8")
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


@dataclass
class Workers:
    """Processes that run, each in the site's folder, and when each was killed."""

    folder: Path
    words: tuple[str, ...]
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    killed: dict[int, float] = field(default_factory=dict)

    def start(self, count: int = 1) -> None:
        """Starts so many more."""
        for _ in range(count):
            with (self.folder / "output").open("ab") as output:
                process = subprocess.Popen(
                    [str(PROGRAM), "run", *self.words], cwd=self.folder, stdout=output, stderr=output
                )
            self.running.append(process)

    def kill_one(self, choice: random.Random) -> None:
        """SIGKILL to one of them; another takes its place."""
        process = self.running.pop(choice.randrange(len(self.running)))
        self.killed[process.pid] = time.time()
        process.kill()
        process.wait()
        self.start()

    def revive(self) -> None:
        """Starts another one for each that found no database when it began, as a service manager does."""
        for process in [one for one in self.running if one.poll() is not None]:
            assert process.returncode == 5, (self.folder / "output").read_text()[-3000:]
            self.running.remove(process)
            self.start()

    def end(self) -> list[int]:
        """SIGTERM to all; their exit statuses."""
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        return [process.wait(60) for process in self.running]

    def abandon(self) -> None:
        """Ends what is left of them."""
        for process in self.running:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Effect:
    """One run of the effect. `end` is None where it did not come to its end."""

    packet: int
    worker: int
    keys: tuple[str, ...]
    begin: float
    end: float | None


def effects(log: Path) -> list[Effect]:
    """What the effects wrote, in the order in which they began."""
    begun: dict[tuple[str, ...], list[float]] = defaultdict(list)
    found = []
    for what, at, *words in (line.split() for line in log.read_text().splitlines()):
        if what == "begin":
            begun[tuple(words)].append(float(at))
        else:
            found.append(_effect(words, begun[tuple(words)].pop(), float(at)))
    found += [_effect(words, begin, None) for words, begins in begun.items() for begin in begins]
    return sorted(found, key=lambda one: one.begin)


def _effect(words: Any, begin: float, end: float | None) -> Effect:
    worker, packet, project, person, transaction = words
    keys = (f"project {project}", f"person {person}", f"transaction {transaction}")
    return Effect(int(packet), int(worker), keys, begin, end)


def of_live_workers(done: list[Effect], killed: dict[int, float]) -> Iterator[Effect]:
    """The effects that came to their end while the worker that began them was alive.

    What a killed worker leaves runs on for as long as it takes: nobody can hold it up.
    """
    for one in done:
        if one.end is not None and one.end < killed.get(one.worker, float("inf")):
            yield one


def check_effects(log: Path, killed: dict[int, float]) -> None:
    """Never two at once on one project, person or transaction; done once, or again after an interruption alone."""
    done = effects(log)
    sound = list(of_live_workers(done, killed))
    by_key: dict[str, list[Effect]] = defaultdict(list)
    for one in sound:
        for key in one.keys:
            by_key[key].append(one)
    for key, listed in by_key.items():
        for earlier, later in pairwise(sorted(listed, key=lambda one: one.begin)):
            assert earlier.end is not None
            assert earlier.end <= later.begin, (key, earlier, later)
    ended: dict[int, Effect] = {}
    for one in sound:
        assert one.packet not in ended, ("done twice, each time to its end", ended[one.packet], one)
        ended[one.packet] = one


def check_replies(database: Database) -> None:
    """Each packet has one reply, and the replies of packets that belong together came in the packets' order."""
    with database.read() as connection:
        items = work.listing(connection, include_final=True)
        replies = connection.execute(
            select(own_tables.packet.c.in_reply_to, own_tables.packet.c.packet_rec_id).where(
                own_tables.packet.c.in_reply_to.is_not(None)
            )
        ).all()
        keys = work.keys_of_several(connection, [item.packet_rec_id for item in items])
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
