"""The judge's report: every transaction with its state, what the site did wrong, how long its replies took."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from sqlalchemy import Connection, select

from amierules.protocol.packet import IN_PROGRESS
from amierules.tgcdb import rows
from amierules.tgcdb.packet_json import moment
from amierules.tgcdb.protocol_rules import protocol_rules
from amierules.tgcdb.records import COMPLETE, COMPLETED, FAILED, CentralPacket, Transaction
from amierules.tgcdb.store import Store
from amierules.tgcdb.tables import run, transaction, violation


@dataclass(frozen=True)
class KeptViolation:
    """Something that a site did wrong; the keys are None where no packet of ours is concerned."""

    rule: str
    message: str
    at: datetime
    trans_rec_id: int | None
    packet_rec_id: int | None

    @property
    def is_advice(self) -> bool:
        """Whether it is no violation, but worth knowing."""
        return protocol_rules()[self.rule].then == "advice"


@dataclass(frozen=True)
class Line:
    """A transaction in the report."""

    transaction: Transaction
    scenario: str | None
    packets: tuple[CentralPacket, ...]
    now: datetime

    @property
    def waits_for(self) -> CentralPacket | None:
        """The packet that the site has not answered yet."""
        if not self.transaction.is_open:
            return None
        open_ones = (one for one in self.packets if one.to_site and one.state == IN_PROGRESS and one.expects)
        return next(open_ones, None)

    @property
    def due(self) -> datetime | None:
        """When the site's reply is due at the latest."""
        waits = self.waits_for
        return None if waits is None or waits.minutes is None else waits.ts + timedelta(minutes=waits.minutes)

    @property
    def overdue(self) -> bool:
        """Whether the site's reply should have come."""
        return self.due is not None and self.due < self.now


@dataclass(frozen=True)
class Report:
    """All about one site, or one run."""

    site: str
    lines: tuple[Line, ...]
    violations: tuple[KeptViolation, ...]
    unsent: int
    """Requests that are still to come."""

    @property
    def wrong(self) -> list[KeptViolation]:
        """The violations, without advice."""
        return [one for one in self.violations if not one.is_advice]

    def counts(self) -> dict[str, int]:
        """Transactions by state."""
        states = [line.transaction.state for line in self.lines]
        return {state: states.count(state) for state in (COMPLETED, FAILED, IN_PROGRESS)}

    def latencies(self) -> dict[str, dict[str, float]]:
        """By packet type, how many replies there were and how many seconds they took."""
        taken: dict[str, list[float]] = {}
        for line in self.lines:
            for packet in line.packets:
                if packet.to_site and packet.answered_at is not None and packet.type != COMPLETE:
                    taken.setdefault(packet.type, []).append((packet.answered_at - packet.ts).total_seconds())
        return {
            type_name: {"replies": len(found), "median": round(median(found), 3), "longest": round(max(found), 3)}
            for type_name, found in sorted(taken.items())
        }

    def as_json(self) -> dict[str, Any]:
        """The report for scripts."""
        return {
            "format_version": 1,
            "site": self.site,
            "summary": {
                "transactions": len(self.lines),
                **{state.replace("-", "_"): count for state, count in self.counts().items()},
                "overdue": sum(line.overdue for line in self.lines),
                "unsent": self.unsent,
                "violations": len(self.wrong),
            },
            "transactions": [_line_json(line) for line in self.lines],
            "violations": [violation_json(one) for one in self.violations],
            "latencies": self.latencies(),
        }


def make_report(store: Store, site: str, now: datetime, *, unsent: int = 0, run_id: int | None = None) -> Report:
    """The report of a site; with `run_id` of that run alone. A reply that is overdue is a violation."""
    with store.begin() as connection:
        scenarios = _scenarios(connection)
        lines = tuple(
            Line(
                one,
                scenarios.get(one.run_id) if one.run_id is not None else None,
                tuple(rows.packets_of(connection, one.trans_rec_id)),
                now,
            )
            for one in rows.transactions_of(connection, site, run_id)
        )
        kept = _violations(connection, site)
    if run_id is not None:
        ours = {line.transaction.trans_rec_id for line in lines}
        kept = [one for one in kept if one.trans_rec_id in ours]
    return Report(site, lines, (*kept, *_overdue(lines)), unsent)


def sites_of(store: Store) -> list[str]:
    """The sites that a store knows."""
    with store.begin() as connection:
        found = connection.execute(select(transaction.c.site).union(select(violation.c.site)))
        return sorted(found.scalars())


def _overdue(lines: Iterable[Line]) -> list[KeptViolation]:
    return [
        KeptViolation(
            "T35",
            f"{waits.type} is not answered; the reply was due at {due:%Y-%m-%d %H:%M}Z",
            due,
            waits.trans_rec_id,
            waits.packet_rec_id,
        )
        for line in lines
        if line.overdue and (waits := line.waits_for) is not None and (due := line.due) is not None
    ]


def _violations(connection: Connection, site: str) -> list[KeptViolation]:
    statement = select(violation).where(violation.c.site == site).order_by(violation.c.violation_id)
    return [
        KeptViolation(row.rule, row.message, row.at, row.trans_rec_id, row.packet_rec_id)
        for row in connection.execute(statement)
    ]


def _scenarios(connection: Connection) -> Mapping[int, str]:
    return {row.run_id: row.scenario for row in connection.execute(select(run.c.run_id, run.c.scenario))}


def _line_json(line: Line) -> dict[str, Any]:
    of, waits = line.transaction, line.waits_for
    return {
        "trans_rec_id": of.trans_rec_id,
        "transaction_id": of.transaction_id,
        "originating_site_name": of.originating,
        "type": line.packets[0].type if line.packets else None,
        "scenario": line.scenario,
        "step": of.step,
        "state": of.state,
        "expected": of.expects,
        "started_at": moment(of.started_at),
        "ended_at": None if of.ended_at is None else moment(of.ended_at),
        "waits_for": None if waits is None else {"packet_rec_id": waits.packet_rec_id, "type": waits.type},
        "due": None if line.due is None else moment(line.due),
        "overdue": line.overdue,
        "packets": [
            {
                "packet_rec_id": one.packet_rec_id,
                "type": one.type,
                "to_site": one.to_site,
                "state": one.state,
                "at": moment(one.ts),
                "answered_at": None if one.answered_at is None else moment(one.answered_at),
            }
            for one in line.packets
        ],
    }


def violation_json(one: KeptViolation) -> dict[str, Any]:
    """A violation for scripts."""
    rule = protocol_rules()[one.rule]
    return {
        "rule": one.rule,
        "name": rule.name,
        "message": one.message,
        "advice": one.is_advice,
        "says": rule.rule,
        "source": rule.source,
        "trans_rec_id": one.trans_rec_id,
        "packet_rec_id": one.packet_rec_id,
        "at": moment(one.at),
    }
