"""Collecting: each job once, whatever is collected again, whatever is wrong, wherever the process dies."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from amierules.database.connection import Database
from amierules.database.usage_sums import problems
from amierules.diagnostics import Unavailable
from amierules.ports.streams import StreamFailed
from amierules.usage.collecting import Collector
from amierules.usage.opening import file_rows
from amierules.usage.packets import PacketReporter
from amierules.usage.site import UsageSite
from amierules.usage.sources import Rows
from amierules.usage.storage import StorageCollector
from tests.support.usage import ALPHA, START, collect, ledger, make_site, raw, states


@pytest.fixture
def site(tmp_path: Path, database: Database) -> UsageSite:
    return make_site(tmp_path, database)


def sums(database: Database) -> tuple[int, int]:
    rows = ledger(database)
    return len(rows), sum(row["charge"] for row in rows)


def test_jobs_are_taken_once_whatever_is_collected_again(site: UsageSite) -> None:
    jobs = [raw(number) for number in range(25)]
    first = collect(site, jobs)
    assert (first.rows, first.taken.new) == (25, 25)
    again = collect(site, [*jobs[20:], raw(25), jobs[20]])
    assert (again.taken.new, again.taken.same) == (1, 6)
    assert sums(site.database) == (26, 26 * 4_000_000)
    (row,) = [row for row in ledger(site.database) if row["job_id"] == "3"]
    assert (row["project_id"], row["resource"], row["username"], row["rule"]) == ("P-BIO", ALPHA, "mara", "core-hours")


def test_a_requeued_job_and_an_id_that_comes_again_are_jobs_of_their_own(site: UsageSite) -> None:
    collect(site, [raw(1), raw(1, started=START + 9000), raw(1, cluster="alpha", started=START + 90000)])
    assert len(ledger(site.database)) == 3


SACCT = """\
JobIDRaw|JobID|Cluster|Account|User|QOS|State|Submit|Start|End|ElapsedRaw|TimelimitRaw|AllocNodes|AllocCPUS|AllocTRES|JobName
21|21+0|alpha|bio|mara|normal|COMPLETED|2026-03-01T00:00:00|2026-03-01T00:00:05|2026-03-01T01:00:05|3600|60|1|1|billing=1,cpu=1,mem=50M,node=1|parts
22|21+1|alpha|bio|mara|normal|COMPLETED|2026-03-01T00:00:00|2026-03-01T00:00:05|2026-03-01T01:00:05|3600|60|1|2|billing=2,cpu=2,gres/gpu=1,mem=60M,node=1|parts
23|23|alpha|bio|mara|normal|OUT_OF_MEMORY|2026-03-01T00:00:00|2026-03-01T00:00:05|2026-03-01T00:30:05|1800|60|1|4|billing=4,cpu=4,mem=1G,node=1|hungry
24|24|alpha|bio|mara|normal|PREEMPTED|2026-03-01T00:00:00|2026-03-01T00:00:05|2026-03-01T00:15:05|900|60|1|4|billing=4,cpu=4,mem=1G,node=1|pushed
25|25|alpha|bio|mara|normal|NODE_FAIL|2026-03-01T00:00:00|2026-03-01T00:00:05|2026-03-01T02:00:05|7200|UNLIMITED|2|4|billing=4,cpu=4,mem=1G,node=2|lost
26|26|alpha|bio|mara|normal|BOOT_FAIL|2026-03-01T00:00:00|2026-03-01T00:00:05|2026-03-01T00:00:05|0|60|1|4|billing=4,cpu=4,mem=1G,node=1|boot
27|27|alpha|bio|mara|normal|DEADLINE|2026-03-01T00:00:00|Unknown|2026-03-01T00:20:00|0|60|0|0||late
28|28|alpha|bio|mara|normal|CANCELLED by 1000|2026-03-01T00:00:00|None|2026-03-01T00:20:00|0|Partition_Limit|0|0||never
"""
"""Jobs that end in every way, written by hand in the form of `sacct -PXD --format=...` of Slurm 22.05."""


def test_jobs_that_end_in_every_way_are_collected_from_what_sacct_prints(site: UsageSite, tmp_path: Path) -> None:
    file = tmp_path / "sacct.txt"
    file.write_text(SACCT, encoding="utf-8")
    section = site.configuration.usage
    done = Collector(site, lambda rows: None).collect(file_rows(file, section, storage=False, format=None))
    assert (done.taken.new, done.never_ran, dict(done.ignored), dict(done.problems)) == (5, 2, {"nothing": 1}, {})
    rows = {row["array_id"]: (row["state"], row["charge"] / 10**6) for row in ledger(site.database)}
    assert rows == {
        "21+0": ("COMPLETED", 1),
        "21+1": ("COMPLETED", 1),  # the GPU
        "23": ("OUT_OF_MEMORY", 2),
        "24": ("PREEMPTED", 1),
        "25": ("NODE_FAIL", 8),
    }
    only = replace(site.configuration, usage=replace(section, states=frozenset({"COMPLETED"})))
    again = Collector(replace(site, configuration=only), lambda rows: None)
    seen = again.collect(file_rows(file, section, storage=False, format=None))
    assert seen.states == {"OUT_OF_MEMORY": 1, "PREEMPTED": 1, "NODE_FAIL": 1, "BOOT_FAIL": 1}


@pytest.mark.parametrize(
    "name",
    ["a|b", "a\tb", "a\nb\r", "\\N", "\\", "é\x1f\x7f", "'; drop table amierules_usage; --", "{{ 7 * 7 }}", "\0"],
)
def test_a_name_of_any_characters_is_kept_as_it_is(site: UsageSite, name: str) -> None:
    kept = name.replace("\0", "\\x00")
    done = collect(site, [raw(1, name=name), raw(2)])
    assert done.taken.new == 2
    assert [row["name"] for row in ledger(site.database)] == [kept, "job 2"]


def test_what_is_corrected_before_it_is_sent_is_corrected_and_afterwards_told(site: UsageSite) -> None:
    collect(site, [raw(1), raw(2)])
    changed = collect(site, [raw(1, cpus=8), raw(2)])
    assert (changed.taken.changed, changed.taken.same) == (1, 1)
    assert sums(site.database)[1] == 12_000_000
    PacketReporter(site, lambda records: None).report(None)
    late = collect(site, [raw(1, cpus=16), raw(2)])
    assert (late.taken.late, late.taken.same, late.taken.changed) == (1, 1, 0)
    assert sums(site.database)[1] == 12_000_000
    assert states(site.database) == {"sent": 2}


def test_what_cannot_be_taken_is_kept_with_its_reason_until_it_can_and_holds_nothing_up(site: UsageSite) -> None:
    wrong = [
        raw(1, login="nobody"),
        raw(2, account="chem"),
        raw(3, ended=START, elapsed=0),
        raw(4, cpus="-1"),
        raw(5, tres="nonsense"),
        raw(6, cluster="beta"),
        ["7", "too", "few"],
        raw(8, tres=""),
    ]
    done = collect(site, [raw(0), *wrong, raw(9)])
    assert done.taken.new == 2
    assert dict(done.problems) == {
        **dict.fromkeys(("no-account", "no-project", "order", "bad-number", "unparsable", "no-resource"), 1),
        **dict.fromkeys(("tres", "rule"), 1),
    }
    collect(site, wrong)
    with site.database.read() as connection:
        kept = problems(connection)
    assert len(kept) == 8
    assert {one["place"] for one in kept} == {f"line {number}" for number in range(1, 9)}
    collect(site, [raw(1), raw(4)])
    with site.database.read() as connection:
        assert len(problems(connection)) == 6


def test_a_source_that_fails_half_way_loses_nothing_and_repeats_nothing(site: UsageSite) -> None:
    jobs = [raw(number) for number in range(30)]

    def broken() -> Iterator[object]:
        yield range(1, 11), jobs[:10]
        raise StreamFailed("sacct ended with status 1: lost connection")

    with pytest.raises(Unavailable, match="lost connection; the 10 rows before that are kept"):
        Collector(site, lambda rows: None).collect(Rows("sacct", broken()), (START, START + 60))  # type: ignore[arg-type]
    assert len(ledger(site.database)) == 10
    assert collect(site, jobs).taken.new == 20


POINTS = ("before a piece is committed", "in the commit of a piece", "after a piece is committed")


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("nth", [1, 2])
def test_a_collection_that_is_killed_is_collected_again_and_the_sums_are_the_same(
    tmp_path: Path, database: Database, point: str, nth: int
) -> None:
    site = make_site(tmp_path, database)
    jobs = [raw(number) for number in range(30)]
    passed = []

    def die(name: str) -> None:
        passed.append(name)
        if passed.count(point) == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        collect(site, jobs, die)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert len(ledger(database)) == 10 * (nth if point == POINTS[2] else nth - 1)
    collect(site, jobs)
    assert sums(database) == (30, 30 * 4_000_000)


def test_storage_is_taken_by_its_measurements(site: UsageSite, tmp_path: Path) -> None:
    file = tmp_path / "quota.csv"
    file.write_text(
        "account,login,resource,time,bytes,files,pool\n"
        f"bio,joe,{ALPHA},2026-03-01,2500000000000,12,fast\n"
        f"bio,,{ALPHA},2026-03-01,1000000000000,,\n"
        f"bio,joe,{ALPHA},2026-03-02,nan,12,fast\n"
        f"chem,joe,{ALPHA},2026-03-02,1,12,fast\n"
        f"bio,joe,beta,2026-03-02,1,12,fast\n"
    )
    for _ in range(2):
        rows = file_rows(file, site.configuration.usage, storage=True, format=None)
        done = StorageCollector(site, lambda rows: None).collect(rows)
        assert dict(done.problems) == {"bad-number": 1, "no-project": 1, "no-resource": 1}
    found = [(row["kind"], row["job_id"], row["username"], row["charge"]) for row in ledger(site.database)]
    assert found == [("storage", "storage:bio", "mara", 1_000_000), ("storage", "storage:bio:joe", "joe", 2_500_000)]
