"""Playing a usage test: it is collected, charged and reported as in a run, on a database in memory."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from sqlalchemy import select

from amierules.database import packets
from amierules.database.usage_ledger import LEDGER_COLUMNS
from amierules.database.usage_tables import usage, usage_report
from amierules.diagnostics import AmierulesError
from amierules.testing.model import CannotBePlayed, UsageCase
from amierules.testing.recording import Recorder
from amierules.testing.stage import Stage
from amierules.testing.usage_came import UsageCame, outcome_of
from amierules.testing.usage_given import Filler
from amierules.usage.adjusting import Adjustment, adjust
from amierules.usage.api import Api, Told
from amierules.usage.api_reporter import ApiReporter
from amierules.usage.collecting import Collector, Record
from amierules.usage.packets import PacketReporter
from amierules.usage.site import UsageSite
from amierules.usage.sources import Rows
from amierules.usage.storage import StorageCollector

WHO = "usage@test"
"""Who adjusts in tests."""
_API = "api"


class _Kept(Api):
    """The Usage API that keeps requests, and takes them all."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def post(self, body: bytes) -> list[Told]:
        self.requests.append(json.loads(body))
        return []

    def failed(self) -> list[Told]:
        return []

    errors = failed

    def loaded(self, record_id: str | None = None) -> Iterator[Told] | None:
        return None

    def close(self) -> None:
        pass


def play_usage(stage: Stage, case: UsageCase, folder: Path) -> UsageCame:
    """Play the test; what came of it. Raises `CannotBePlayed`."""
    rules = stage.usage.rules()
    host = stage.host(case.given, folder)
    try:
        played = stage.site(case.given, host, Recorder())
        site = UsageSite(played.configuration, rules, played.database, host.clock, WHO)
        player = _Player(site, case, Filler(played.configuration, host.clock.now(), case.place))
        player.play()
    except AmierulesError as error:
        raise CannotBePlayed(error.findings) from error
    for name, kind in player.chosen:
        stage.usage.chosen(name, kind)
    return player.came


@dataclass
class _Player:
    site: UsageSite
    case: UsageCase
    filler: Filler
    came: UsageCame = field(default_factory=UsageCame)
    chosen: list[tuple[str, str]] = field(default_factory=list)
    """The rules that decided, by the key of the rules they are among."""

    def play(self) -> None:
        if self.case.jobs:
            self.came.jobs = self._collected(Collector, self.filler.jobs(self.case.jobs), "jobs")
        if self.case.storage:
            self.came.storage = self._collected(StorageCollector, self.filler.storage(self.case.storage), "storage")
        self.came.adjustments = [self._adjusted(number, one) for number, one in enumerate(self.case.adjustments, 1)]
        if self.site.configuration.usage.report == _API:
            self._report_to_api()
        else:
            self._report_packets()

    def _collected(self, collector: type[Collector], rows: Rows, key: str) -> list[dict[str, Any]]:
        outcomes: list[dict[str, Any]] = []

        def watch(_number: int, made: Record | Exception) -> None:
            outcome = outcome_of(made)
            if "rule" in outcome:
                self.chosen.append((outcome["rule"], key))
            outcomes.append(outcome)

        collector(self.site, lambda count: None, watch=watch).collect(rows)
        return outcomes

    def _adjusted(self, number: int, given: Mapping[str, Any]) -> dict[str, Any]:
        try:
            charge = Decimal(str(given["charge"]))
        except InvalidOperation:
            return {"refused": "bad-value", "reason": f"{given['charge']} is no amount"}
        wanted = Adjustment(
            given["type"],
            given["project"],
            given["resource"] if "resource" in given else self.filler.resource(),
            charge,
            self.filler.moment(given.get("start")),
            given.get("reason", "because of a test"),
            given.get("login", ""),
        )
        try:
            job_id = adjust(self.site, wanted, f"test{number}")
        except AmierulesError as error:
            (finding,) = error.findings
            return {"refused": finding.code, "reason": finding.message}
        with self.site.database.read() as connection:
            columns = [usage.c[name] for name in LEDGER_COLUMNS]
            row = connection.execute(select(*columns).where(usage.c.job_id == job_id)).one()
        return {name: value for name, value in outcome_of([*row]).items() if name not in ("rule", "fields")}

    def _report_packets(self) -> None:
        reporter = PacketReporter(self.site, lambda count: None)
        reporter.report(None)
        report = usage_report.c
        with self.site.database.read() as connection:
            query = select(report.packet_rec_id, report.reason).order_by(report.usage_id)
            sent = [(number, reason) for number, reason in connection.execute(query)]
            numbers = [number for number, _ in sent if number is not None]
            found = packets.read_packets(connection, numbers, self.site.configuration.site_name)
        self.came.packets = [
            dict(found[number].packet.body) if number is not None else {"failed": reason} for number, reason in sent
        ]

    def _report_to_api(self) -> None:
        kept = _Kept()
        reporter = ApiReporter(self.site, lambda count: None)
        reporter.api = kept
        reporter.report(None)
        self.came.requests = kept.requests
