"""Storage measurements to the ledger: as jobs, under rules of their own."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from amierules.diagnostics import printable
from amierules.usage.charging import Charger
from amierules.usage.collecting import STORAGE, Collected, Collector, Record
from amierules.usage.fields import STORAGE as FIELDS
from amierules.usage.jobs import JobReader, Pruned, whole
from amierules.usage.problem import Refusal
from amierules.usage.sources import Row, Rows
from amierules.usage.values import Functions


class StorageCollector(Collector):
    """Collects storage measurements from one source."""

    def collect(self, rows: Rows, window: tuple[int, int] | None = None) -> Collected:
        """Takes measurements into the ledger; as `Collector.collect`."""
        configuration = self._site.configuration
        rules = self._site.rules
        functions = Functions(rules.variables, configuration.settings, configuration.resources, "storage")
        charger = Charger(rules.storage, functions, self.book, configuration)
        reader = JobReader((), configuration.usage.clock_skew, self._now, zone=configuration.usage.zone)

        def record(row: Row) -> Record:
            further = dict(zip(rows.further, row[len(FIELDS) :], strict=True))
            return self._measured(row, further, reader, charger)

        return self._collected(rows, window, record)

    def _measured(self, row: Row, further: dict[str, str], reader: JobReader, charger: Charger) -> Record:
        account, login, resource, time, stored, files = row[: len(FIELDS)]
        if not account or not resource:
            raise Refusal("unparsable", "it names no account" if not account else "it names no resource")
        measured = reader.moment(time)
        if measured > self._now + self._site.configuration.usage.clock_skew:
            raise Refusal("clock", "it was measured in the future")
        if measured < self._pruned:
            raise Pruned
        number = None if files == "" else Decimal(whole(files, "files"))
        seen = {
            "account": account,
            "login": login,
            "resource": resource,
            "time": self._site.clock.now().fromtimestamp(measured, self._site.clock.now().tzinfo),
            "bytes": _amount(stored),
            "files": number,
            "more": further,
        }
        charged = charger.charged(seen, "", account, login, resource)
        kept = {"bytes": stored, **({"files": files} if files else {}), **{k: v for k, v in further.items() if v}}
        job_id = f"storage:{account}:{login}" if login else f"storage:{account}"
        job: tuple[Any, ...] = (
            resource, job_id, measured, measured, measured, 0, "", account, login, "", "", "", 0, 0, None, "", job_id,
            "", json.dumps(kept, ensure_ascii=False),
        )  # fmt: skip
        return [STORAGE, *job, *charged, self._now]


def _amount(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise Refusal("bad-number", f"bytes are no amount: '{printable(text, 40)}'")
    return value
