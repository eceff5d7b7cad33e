"""A row of the ledger as the other side reads it: a notify_project_usage, or a record of the Usage API."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from amierules.database.usage_reports import Record
from amierules.usage.charging import shown_units
from amierules.usage.collecting import ADJUSTMENT, JOB, STORAGE
from amierules.usage.windows import shown

REFERENCE = "amierules:"
"""What LocalReference begins with; the number of the ledger's row follows."""
TYPES = {JOB: "Compute", STORAGE: "Storage", ADJUSTMENT: "Adjustment"}
"""The Usage API's UsageType of each kind of record."""
_ATTRIBUTES = {
    "NodeCount": "NodeCount",
    "Processors": "CpuCoreCount",
    "JobName": "JobName",
    "Queue": "Queue",
    "Memory": "Memory",
}
"""Our tags, and what the Usage API calls them (under `Attributes`)."""
_STORAGE_ATTRIBUTES = {"bytes": "BytesStored", "files": "FileCount"}


def record_id(record: Record) -> str:
    """The id of a record, unique on its resource: a job's id may come again after years, or after a requeue."""
    if record["kind"] == ADJUSTMENT:
        return str(record["job_id"])
    return f"{record['job_id']}.{record['submitted']}"


def tags(record: Record) -> dict[str, Any]:
    """What is said of a record beside its charge, by AMIE's tags; what the rules give goes before what the job has."""
    given: Mapping[str, Any] = json.loads(record["fields"]) if record["fields"] else {}
    if record["kind"] != JOB:
        return dict(given)
    own = {
        "NodeCount": record["nodes"],
        "Processors": record["cpus"],
        "Queue": record["partition"] or None,
        "JobName": record["name"] or None,
    }
    return {**own, **given}


def packet_fields(record: Record, now: datetime) -> dict[str, Any]:
    """The fields of a notify_project_usage (AMIE in XSEDE, 2012): one job, or a credit or debit; storage is a debit.

    Those that have no value are left out.
    """
    return {tag: value for tag, value in _fields(record, now).items() if value is not None}


def _fields(record: Record, now: datetime) -> dict[str, Any]:
    given = tags(record)
    common = {
        "ProjectID": record["project_id"],
        "Charge": shown_units(record["charge"]),
        "UserLogin": record["username"] or None,
        "MachineName": record["resource"],
        "RecordIdentity": {"CreateTime": _iso(now), "RecordID": record_id(record)},
        "StartTime": shown(record["started"]),
    }
    if record["kind"] == ADJUSTMENT:
        return {"UsageType": record["state"], **common, **given}
    if record["kind"] == STORAGE:
        return {"UsageType": "storage-debit", **common, **given}
    return {
        "UsageType": "normal",
        **common,
        "JobIdentity": {"LocalJobID": record["job_id"]},
        "SubmitTime": shown(record["submitted"]),
        "EndTime": shown(record["ended"]),
        "WallDuration": f"PT{record['elapsed']}S",
        **given,
    }


def api_record(record: Record) -> dict[str, Any]:
    """A record of the Usage API: Compute, Storage or Adjustment (as the public client `amieclient` writes them)."""
    given = tags(record)
    common = {
        "Username": record["username"],
        "LocalProjectID": record["project_id"],
        "LocalRecordID": record["job_id"] if record["kind"] != STORAGE else record_id(record),
        "Resource": record["resource"],
        "Charge": shown_units(record["charge"]),
        "LocalReference": f"{REFERENCE}{record['usage_id']}",
    }
    comment = {"Comment": given["Comment"]} if given.get("Comment") else {}
    if record["kind"] == ADJUSTMENT:
        return {"AdjustmentType": record["state"], **common, "StartTime": shown(record["started"]), **comment}
    if record["kind"] == STORAGE:
        more = json.loads(record["more"] or "{}")
        attributes = {name: more[key] for key, name in _STORAGE_ATTRIBUTES.items() if key in more}
        return {**common, "CollectionTime": shown(record["submitted"]), "Attributes": attributes}
    attributes = {name: str(given[tag]) for tag, name in _ATTRIBUTES.items() if given.get(tag) not in (None, "")}
    return {
        **common,
        "SubmitTime": shown(record["submitted"]),
        "StartTime": shown(record["started"]),
        "EndTime": shown(record["ended"]),
        "Attributes": attributes,
    }


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
