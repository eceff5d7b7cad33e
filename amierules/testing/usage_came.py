"""What came of usage, in the form in which a test expects it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from amierules.database.usage_ledger import LEDGER_COLUMNS
from amierules.rulebook.yaml_writing import AsWritten
from amierules.usage.charging import Ignored, shown_units
from amierules.usage.collecting import Record
from amierules.usage.jobs import NeverRan, NotCounted
from amierules.usage.problem import Refusal


@dataclass
class UsageCame:
    """What came of a usage test: an outcome for each job, measurement and adjustment, and what was reported."""

    jobs: list[dict[str, Any]] = field(default_factory=list)
    storage: list[dict[str, Any]] = field(default_factory=list)
    adjustments: list[dict[str, Any]] = field(default_factory=list)
    packets: list[dict[str, Any]] | None = None
    """The bodies of the packets; None where the site does not report by packets."""
    requests: list[dict[str, Any]] | None = None
    """The requests to the Usage API; None where the site does not report to it."""

    @property
    def unsendable(self) -> Sequence[str]:
        """Why records that were charged cannot be sent."""
        return [one["failed"] for one in self.packets or () if "failed" in one]


def outcome_of(made: Record | Exception) -> dict[str, Any]:
    """The outcome of a row: what its record in the ledger says, or why it has none."""
    match made:
        case Refusal():
            return {"refused": made.code, "reason": made.reason}
        case Ignored():
            return {"rule": made.rule, "ignored": str(made)}
        case NeverRan():
            return {"left_out": "it never ran"}
        case NotCounted():
            return {"left_out": f"it ended as {made}, which is not reported"}
        case Exception():
            return {"left_out": "it has not ended"}
    record = dict(zip(LEDGER_COLUMNS, made, strict=True))
    fields = {"fields": json.loads(record["fields"])} if record["fields"] else {}
    return {
        "rule": record["rule"],
        "charge": number(shown_units(record["charge"])),
        "project": record["project_id"],
        "resource": record["resource"],
        "login": record["username"],
        **fields,
    }


def number(text: str) -> int | float | AsWritten:
    """A decimal number as a test file reads it, where that has the same digits; else as it is written."""
    if text.lstrip("-").isdecimal():
        return int(text)
    return float(text) if repr(float(text)) == text else AsWritten(text)


def same_number(value: object) -> object:
    """A number of a test file in the form in which one comes; what is none as it is."""
    try:
        return number(shown_units(Decimal(str(value))))
    except ArithmeticError:
        return value
