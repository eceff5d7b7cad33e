"""What `usage prune` forgets, what it never touches, and that nothing comes back."""

from pathlib import Path

import pytest
from sqlalchemy import insert, update

from amierules.database.connection import Database
from amierules.database.usage_pruning import PrunedUsage, prune_usage
from amierules.database.usage_reports import DOUBTFUL
from amierules.database.usage_tables import usage_batch, usage_report
from amierules.diagnostics import Unavailable
from amierules.usage.collecting import Collector
from amierules.usage.site import UsageSite
from tests.support.command_line import call
from tests.support.usage import START, collect, ledger, make_site, raw, rows_of

DAY = 86_400
SENT = {1: "loaded", 2: "sent", 3: "queued", 4: "failed", 5: "sending", 6: "unsent", 8: "loaded", 9: "loaded"}
"""What became of jobs; of the seventh nothing yet."""
OLD = [raw(number, started=START + number) for number in range(1, 9)]
NEW = raw(9, started=START + 20 * DAY)
BEFORE = START + 10 * DAY


@pytest.fixture
def site(tmp_path: Path, database: Database) -> UsageSite:
    made = make_site(tmp_path, database)
    collect(made, [*OLD, NEW])
    ids = {row["job_id"]: row["usage_id"] for row in ledger(database)}
    told = {"charge": 0, "updated_at": 0}
    here = [
        {**told, "remote": "TGCDB", "usage_id": ids[str(job)], "state": state, "batch_id": job}
        for job, state in SENT.items()
    ]
    elsewhere = {**told, "remote": "usage-api", "usage_id": ids["8"], "state": "failed", "batch_id": 8}
    batches = [
        {"batch_id": job, "remote": "TGCDB", "state": "taken", "records": 1, "sent_at": 0, "updated_at": 0}
        for job in SENT
    ]
    with database.begin() as connection:
        connection.execute(insert(usage_report), [*here, elsewhere])
        connection.execute(insert(usage_batch), batches)
        lost = usage_batch.c.batch_id == 2
        connection.execute(update(usage_batch).where(lost).values(state=DOUBTFUL))
    return made


def left(database: Database) -> list[int]:
    return sorted(int(row["job_id"]) for row in ledger(database))


def test_only_what_is_loaded_at_every_remote_and_old_is_forgotten(site: UsageSite, database: Database) -> None:
    assert prune_usage(database, "TGCDB", BEFORE, dry_run=True) == PrunedUsage(1, 0)
    assert left(database) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert prune_usage(database, "TGCDB", BEFORE) == PrunedUsage(1, 1)
    assert left(database) == [2, 3, 4, 5, 6, 7, 8, 9]
    assert prune_usage(database, "TGCDB", BEFORE) == PrunedUsage()


def test_what_was_sent_and_never_told_of_goes_too_where_a_person_says_so(site: UsageSite, database: Database) -> None:
    assert prune_usage(database, "TGCDB", BEFORE, taken=True) == PrunedUsage(3, 2)  # the answer to request 2 was lost
    assert left(database) == [4, 5, 6, 7, 8, 9]


def test_nothing_that_was_forgotten_comes_back(site: UsageSite, database: Database) -> None:
    prune_usage(database, "TGCDB", BEFORE)
    done = collect(site, [*OLD, NEW])
    assert (done.pruned, done.taken.same, done.taken.new, done.problems.total()) == (8, 1, 0, 0)
    assert left(database) == [2, 3, 4, 5, 6, 7, 8, 9]
    prune_usage(database, "TGCDB", BEFORE - DAY, taken=True)
    assert collect(site, OLD).pruned == 8


def test_a_collection_that_has_begun_before_ends_and_counts_nothing_twice(site: UsageSite, database: Database) -> None:
    collector = Collector(site, lambda rows: None)
    prune_usage(database, "TGCDB", BEFORE)
    with pytest.raises(Unavailable, match="pruned meanwhile"):
        collector.collect(rows_of(OLD))
    assert left(database) == [2, 3, 4, 5, 6, 7, 8, 9]


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Database.open(f"sqlite:///{tmp_path}/amie.db", create=True) as database:
        site = make_site(tmp_path, database)
        collect(site, [raw(1, started=START - 3000 * DAY), raw(2)])
        ids = [row["usage_id"] for row in ledger(database)]
        with database.begin() as connection:
            told = {"remote": "TGCDB", "state": "loaded", "charge": 0, "updated_at": 0}
            connection.execute(insert(usage_report), [{**told, "usage_id": one} for one in ids])
    assert call("usage", "prune", "--dry-run").stdout.startswith("would be forgotten: 1 records that ended before 20")
    assert call("usage", "prune", "--older-than", "1h").status == 2
    assert call("usage", "prune", "--older-than", "soon").status == 2
    assert call("usage", "prune").stdout.startswith("forgotten: 1 records and 0 requests that ended before 20")
    with Database.open(f"sqlite:///{tmp_path}/amie.db", create=False) as database:
        assert left(database) == [2]
