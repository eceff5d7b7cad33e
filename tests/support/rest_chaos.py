"""A site and the test central database, each a process of its own, over REST: calls go wrong, and both are killed."""

import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from amierules.engine.site_folder import write_site_folder
from amierules.ports import SystemClock
from amierules.tgcdb.agenda import Agenda
from amierules.tgcdb.report import Report, make_report
from amierules.tgcdb.store import Store
from tests.support.command_line import PROGRAM
from tests.support.servers import closed_port

KEY = "a-key-for-tests"
SITE = "TestSite"
_PER_PROJECT = 5.5
"""Transactions that a project of the traffic brings, about."""


@dataclass
class Chaos:
    """The two processes, in one folder."""

    folder: Path
    transactions: int
    seed: int
    faults: float = 0.2
    """The share of calls that go wrong."""
    kills: int = 0
    port: int = field(default_factory=closed_port)
    _processes: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)

    def __post_init__(self) -> None:
        write_site_folder(self.folder, SITE)
        file = self.folder / "amierules.yaml"
        given = {
            "secrets": {"amie": {"env": "AMIE_KEY"}},
            "resources": {f"{name}.site.example": {"cluster": name} for name in ("alpha", "beta")},
            "exchange": {"url": f"http://127.0.0.1:{self.port}", "poll": "1s"},
        }
        file.write_text(file.read_text(encoding="utf-8") + "\n" + yaml.safe_dump(given), encoding="utf-8")

    def start(self) -> None:
        """Begins: the central database has all its traffic to send at once."""
        projects = max(1, round(self.transactions / _PER_PROJECT))
        self._start("central", "--projects", str(projects), "--days", "60")
        until = time.monotonic() + 120
        while (report := self.report()) is None or not report.lines:
            assert time.monotonic() < until, self.log("central")
            time.sleep(0.2)
        self._start("site")

    def _start(self, name: str, *words: str) -> None:
        central = ("tgcdb", "run", "--port", str(self.port), "--seed", str(self.seed), "--store", "central.db")
        with_faults = ("--fault-rate", str(self.faults), *words)
        command = [*central, *with_faults] if name == "central" else ["run", "--exchange", "--watch"]
        environment = {**os.environ, "AMIE_KEY": KEY, "AMIERULES_TGCDB_KEY": KEY}
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [str(PROGRAM), *command], cwd=self.folder, env=environment, stdout=log, stderr=log
            )

    def kill(self, name: str) -> None:
        """SIGKILL to one of them; it is started again."""
        process = self._processes[name]
        assert process.poll() is None, f"{name} has ended by itself: {self.log(name)}"
        process.kill()
        process.wait()
        self.kills += 1
        self._start(name)

    def until_done(self, chance: random.Random, *, seconds: float, most_kills: int) -> Report:
        """Kills one or the other at random, until all is answered; the judge's report."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.kills < most_kills:
                time.sleep(chance.uniform(2, 8))
                self.kill(chance.choice(["central", "site"]))
            else:
                time.sleep(1)
            report = self.report()
            if report is not None and self.is_done(report):
                return report
        raise AssertionError(f"not done in {seconds} s: {self.log('site')}\n{self.log('central')}")

    def is_done(self, report: Report) -> bool:
        """Whether everything was sent, and everything has ended."""
        return bool(report.lines) and not report.unsent and not report.counts()["in-progress"]

    def report(self) -> Report | None:
        """What the judge says now; None before there is anything."""
        file = self.folder / "central.db"
        if not file.exists():
            return None
        clock = SystemClock()
        with Store.open(file, clock.now()) as store:
            return make_report(store, SITE, clock.now(), unsent=Agenda(store, clock).unfinished(SITE))

    def log(self, name: str) -> str:
        """The end of what a process wrote."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")[-3000:]

    def end(self) -> int:
        """SIGTERM to both; the site's exit status."""
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        return [self._processes[name].wait(60) for name in ("central", "site")][1]

    def abandon(self) -> None:
        """Ends what is left of them."""
        for process in self._processes.values():
            process.kill()
            process.wait()
