"""What is unsent is found page by page, however far apart the ids of the ledger are."""

import pytest
from sqlalchemy import insert

from amierules.database import usage_reports
from amierules.database.connection import Database
from amierules.database.usage_tables import usage, usage_report
from tests.support.usage import ALPHA

IDS = [1, 2, 3, 7, 50, 1000, 1001, 70_000, 5_000_000, 5_000_001]
STATES = {2: "queued", 3: "unsent", 50: "sent", 1000: "failed", 70_000: "loaded"}
REMOTE = "here"


@pytest.fixture(autouse=True)
def _rows(database: Database) -> None:
    texts = dict.fromkeys(
        ("state", "account", "login", "partition", "qos", "name", "tres", "array_id", "exit_code"), ""
    )
    numbers = dict.fromkeys(("submitted", "started", "ended", "elapsed", "nodes", "cpus", "charge", "collected_at"), 0)
    ours = {"kind": "job", "cluster": "alpha", "rule": "r", "project_id": "P", "resource": ALPHA, "username": "mara"}
    rows = [{**texts, **numbers, **ours, "usage_id": number, "job_id": str(number)} for number in IDS]
    told = {"charge": 0, "updated_at": 0}
    here = [{**told, "remote": REMOTE, "usage_id": number, "state": state} for number, state in STATES.items()]
    there = [{**told, "remote": "elsewhere", "usage_id": number, "state": "sent"} for number in IDS]
    with database.begin() as connection:
        connection.execute(insert(usage), rows)
        connection.execute(insert(usage_report), [*here, *there])


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_each_is_found_once_in_order(database: Database, limit: int) -> None:
    found: list[int] = []
    with database.read() as connection:
        while page := usage_reports.unsent(connection, REMOTE, found[-1] if found else 0, limit):
            assert len(page) <= limit
            found += [one["usage_id"] for one in page]
    assert found == [number for number in IDS if STATES.get(number, "unsent") == "unsent"]


def test_what_is_sent_cannot_be_claimed_again(database: Database) -> None:
    record = {"usage_id": 7, "charge": 0}
    with database.begin() as connection:
        usage_reports.claim_sent(connection, REMOTE, {11: record, 12: {"usage_id": 3, "charge": 0}}, 1)
    for again in (7, 50):
        with pytest.raises(ValueError, match="being sent already"), database.begin() as connection:
            usage_reports.claim_sent(connection, REMOTE, {13: {**record, "usage_id": again}}, 1)
    with database.read() as connection:
        assert [one["usage_id"] for one in usage_reports.unsent(connection, REMOTE, 0, 2)] == [1, 1001]
