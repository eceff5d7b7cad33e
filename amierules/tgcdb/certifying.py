"""Holding a site to the protocol before production: each scenario against its own rules, until nothing moves."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import func, select

from amierules.protocol.packet import IN_PROGRESS
from amierules.tgcdb import rows
from amierules.tgcdb.central import Central
from amierules.tgcdb.playing import Front
from amierules.tgcdb.protocol_rules import Violation
from amierules.tgcdb.report import KeptViolation, Line, Report, make_report, violation_json
from amierules.tgcdb.scenarios import Scenario
from amierules.tgcdb.tables import packet

_MOST_ROUNDS = 500
_LONGEST_WAIT = timedelta(days=20)
"""The site's clock goes on by so much at most: a reply is due within 21 days."""
_WAITS_FOR_PERSON = ("held", "deferred", "waiting")


@dataclass(frozen=True)
class Standing:
    """How a packet stands at the site that it has not answered."""

    transaction_id: int
    type: str
    status: str
    reason: str


class CertifiedSite(Protocol):
    """A site whose rules are played with."""

    def work(self) -> None:
        """Works on all that is due."""

    def standings(self, transaction_ids: Collection[int]) -> list[Standing]:
        """The packets of these transactions that wait."""

    def approve(self, transaction_ids: Collection[int]) -> list[Standing]:
        """Approves what is held for a person, if an approval alone will do; returns what was approved."""

    def go_on_later(self, transaction_ids: Collection[int], until: datetime) -> bool:
        """Lets time pass until one of these packets is due again; False where none is before `until`."""


@dataclass(frozen=True)
class Certified:
    """What came of a scenario."""

    scenario: Scenario
    report: Report
    asked: tuple[Standing, ...]
    """What a person was asked, and approved."""
    waiting: tuple[Standing, ...]
    """What is not answered."""
    unsent: int
    """Requests that could not be sent, as what they build upon did not come about."""

    @property
    def passed(self) -> bool:
        """Whether the site broke no rule."""
        return not self.report.wrong

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "scenario": self.scenario.name,
            "passed": self.passed,
            "transactions": len(self.report.lines),
            "unsent": self.unsent,
            "violations": [violation_json(one) for one in self.report.violations],
            "asked": [vars(one) for one in self.asked],
            "waiting": [vars(one) for one in self.waiting],
        }


@dataclass
class Certifier:
    """Plays scenarios one after the other at one site."""

    central: Central
    front: Front
    site: CertifiedSite
    name: str
    resources: Sequence[str]
    seed: int
    _seen: list[Standing] = field(default_factory=list)

    def certify(self, scenarios: Sequence[Scenario]) -> Iterator[Certified]:
        """Each scenario, with what came of it. Raises what the front raises."""
        for scenario in scenarios:
            yield self._play(scenario)

    def _play(self, scenario: Scenario) -> Certified:
        steps = scenario.steps_on(self.resources)
        run_id = self.central.agenda.begin(self.name, scenario.name, steps, self.seed, self.resources)
        until = self.central.clock.now() + _LONGEST_WAIT
        asked: list[Standing] = []
        for _ in range(_MOST_ROUNDS):
            before = self._state()
            self.central.agenda.go_on()
            self.front.carry()
            self.site.work()
            self.front.carry()
            if self._state() != before:
                continue
            ids = self._open_transactions(run_id)
            if approved := self.site.approve(ids):
                asked += approved
            elif not ids or not self.site.go_on_later(ids, until):
                break
        return self._judged(scenario, run_id, asked, len(steps))

    def _judged(self, scenario: Scenario, run_id: int, asked: Sequence[Standing], steps: int) -> Certified:
        now = self.central.clock.now()
        report = make_report(self.central.store, self.name, now, run_id=run_id)
        waiting = self.site.standings(self._open_transactions(run_id))
        silent = [self._silent(one, waiting, now) for one in report.lines]
        sent = sum(line.transaction.step is not None for line in report.lines)
        late = {one.packet_rec_id for one in report.violations if one.rule == "T35"}
        found = (*report.violations, *(one for one in silent if one is not None and one.packet_rec_id not in late))
        report = Report(report.site, report.lines, found, report.unsent)
        return Certified(scenario, report, tuple(asked), tuple(waiting), steps - sent)

    def _silent(self, line: Line, waiting: Sequence[Standing], now: datetime) -> KeptViolation | None:
        """A packet without an answer; one that waits for a person is no violation."""
        waits = line.waits_for
        if waits is None:
            return None
        at = next((one for one in waiting if one.transaction_id == line.transaction.transaction_id), None)
        if at is not None and at.status in _WAITS_FOR_PERSON:
            return None
        what = f"it is {at.status}: {at.reason}" if at is not None else "the site does not say why"
        wrong = Violation("T38", f"{waits.type} is not answered; {what}")
        return KeptViolation(wrong.rule, wrong.message, now, line.transaction.trans_rec_id, waits.packet_rec_id)

    def _state(self) -> tuple[int, int]:
        """What changes whenever anything moves."""
        with self.central.store.begin() as connection:
            known = connection.scalar(select(func.count()).select_from(packet)) or 0
            waiting = connection.scalar(
                select(func.count()).select_from(packet).where(packet.c.state == IN_PROGRESS, packet.c.to_site)
            )
            return known, waiting or 0

    def _open_transactions(self, run_id: int) -> set[int]:
        with self.central.store.begin() as connection:
            found = rows.transactions_of(connection, self.name, run_id)
        return {one.transaction_id for one in found if one.is_open}
