"""Reporting to the Usage API: each record once, however requests and answers are lost; the other side counts."""

import json
import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.database import usage_reports
from amierules.database.connection import Database
from amierules.diagnostics import NotAllowed, Unavailable
from amierules.ports import FixedClock
from amierules.ports.json_service import Patience
from amierules.usage.api_reporter import REMOTE, ApiReporter
from amierules.usage.batching import batched
from amierules.usage.collecting import CrashPoint
from amierules.usage.packets import Reported
from amierules.usage.records import api_record
from amierules.usage.retrying import Wish, retry_records, settle_request
from amierules.usage.site import UsageSite
from tests.support.usage import ALPHA, RemoteUsage, api_section, collect, make_site, raw, remote_usage, states

QUICK = Patience(attempts=1)


@pytest.fixture
def remote() -> Iterator[RemoteUsage]:
    with remote_usage() as served:
        yield served


@pytest.fixture
def site(tmp_path: Path, database: Database, remote: RemoteUsage) -> UsageSite:
    return make_site(tmp_path, database, **api_section(remote, tmp_path / "key", records=10))


def report(site: UsageSite, limit: int | None = None, crash_point: CrashPoint = lambda name: None) -> Reported:
    return ApiReporter(site, lambda records: None, crash_point, QUICK).report(limit)


def follow(site: UsageSite) -> Reported:
    return ApiReporter(site, lambda records: None, patience=QUICK).follow()


def ids(remote: RemoteUsage) -> list[str]:
    return sorted(record["LocalRecordID"] for record in remote.taken)


def all_once(remote: RemoteUsage, count: int) -> bool:
    return ids(remote) == sorted(map(str, range(count)))


def test_records_go_in_requests_that_the_api_takes_and_are_followed_until_they_are_loaded(
    site: UsageSite, remote: RemoteUsage
) -> None:
    collect(site, [raw(number) for number in range(25)])
    done = report(site)
    assert (done.records, done.requests, done.failed) == (25, 3, 0)
    assert [count for count, _ in remote.sizes] == [10, 10, 5]
    assert all_once(remote, 25)
    assert states(site.database) == {"queued": 25}
    assert follow(site).loaded == 25
    assert states(site.database) == {"loaded": 25}
    assert (report(site).records, len(remote.taken)) == (0, 25)
    assert remote.taken[0] == {
        "UsageType": "Compute",
        "Username": "mara",
        "LocalProjectID": "P-BIO",
        "LocalRecordID": "0",
        "Resource": ALPHA,
        "Charge": "4",
        "LocalReference": "amierules:1",
        "SubmitTime": "2026-02-28T23:59:50Z",
        "StartTime": "2026-03-01T00:00:00Z",
        "EndTime": "2026-03-01T01:00:00Z",
        "Attributes": {"NodeCount": "1", "CpuCoreCount": "4", "JobName": "job 0", "Queue": "main"},
    }


@given(st.lists(st.integers(0, 3000), max_size=60), st.integers(1, 20), st.integers(2000, 20000))
def test_no_request_is_larger_than_it_may_be_and_none_lacks_a_record(lengths: list[int], most: int, size: int) -> None:
    base = {"resource": "r", "project_id": "p", "username": "u", "charge": 1, "fields": None, "nodes": 1, "cpus": 1}
    times = dict.fromkeys(("submitted", "started", "ended"), 1_700_000_000)
    records = [
        {**base, **times, "kind": "job", "usage_id": at, "job_id": str(at), "partition": "", "name": "x" * length}
        for at, length in enumerate(lengths)
    ]
    batches = list(batched(records, most, size))
    assert [one["usage_id"] for batch in batches for one in batch.records] == list(range(len(lengths)))
    for batch in batches:
        assert len(batch.records) <= most
        message = json.loads(batch.body)
        assert message == {"UsageType": "Compute", "Records": [api_record(one) for one in batch.records]}
        alone = {"UsageType": "Compute", "Records": message["Records"][:1]}
        assert len(batch.body) <= max(size, len(json.dumps(alone)))


def test_what_does_not_pass_is_kept_with_its_reason_and_goes_again_when_it_is_retried(
    site: UsageSite, remote: RemoteUsage
) -> None:
    collect(site, [raw(number) for number in range(5)])
    remote.refuse = {"2": "Unknown user"}
    remote.fail_later = {"3": "Allocation could not be found"}
    done = report(site)
    assert (done.records, done.failed) == (4, 1)
    assert (follow(site).refused, states(site.database)) == (1, {"failed": 2, "loaded": 3})
    with site.database.read() as connection:
        found = {one["job_id"]: one["reason"] for one in usage_reports.in_state(connection, REMOTE, ("failed",))}
    assert found == {"2": "Unknown user", "3": "Allocation could not be found"}
    remote.refuse, remote.fail_later = {}, {}
    assert (retry_records(site, Wish(None)).released, remote.failed) == (2, {})
    assert report(site).records == 2
    assert sorted(ids(remote)) == ["0", "1", "2", "3", "3", "4"]  # the other side had failed the first 3
    assert follow(site).loaded == 2


def test_an_answer_that_was_lost_is_looked_for_before_anything_is_sent_again(
    site: UsageSite, remote: RemoteUsage
) -> None:
    collect(site, [raw(number) for number in range(25)])
    remote.cut = ["", "after"]
    with pytest.raises(Unavailable, match=r"nobody knows whether .* took a request of 10 records"):
        report(site)
    assert states(site.database) == {"queued": 10, "sending": 10}
    done = report(site)
    assert done.records == 5
    assert all_once(remote, 25)
    assert follow(site).loaded + done.loaded == 25


def test_a_request_that_was_lost_on_its_way_waits_until_it_is_sure_and_goes_again(
    site: UsageSite, remote: RemoteUsage
) -> None:
    collect(site, [raw(number) for number in range(12)])
    remote.cut = ["before"]
    with pytest.raises(Unavailable):
        report(site)
    done = report(site)
    assert (done.records, ids(remote)) == (2, ["10", "11"])
    assert [note.code for note in done.notes] == ["usage-lost-answer"]
    assert isinstance(site.clock, FixedClock)
    site.clock.at += timedelta(days=1, seconds=1)
    assert (report(site).records, all_once(remote, 12)) == (10, True)


def test_where_the_api_does_not_tell_what_is_loaded_a_person_says(site: UsageSite, remote: RemoteUsage) -> None:
    remote.tells_loaded = False
    collect(site, [raw(0), raw(1)])
    remote.cut = ["before"]
    with pytest.raises(Unavailable):
        report(site)
    assert isinstance(site.clock, FixedClock)
    site.clock.at += timedelta(days=30)
    (note,) = report(site).notes
    assert "--request 1 --taken" in note.hint
    assert (settle_request(site, 1, taken=False), report(site).records, all_once(remote, 2)) == (2, 2, True)
    with pytest.raises(NotAllowed):
        settle_request(site, 1, taken=True)


@pytest.mark.parametrize(
    ("status", "after"),
    [("429", {"unsent": 2}), ("401", {"unsent": 2}), ("400", {"failed": 2}), ("500", {"sending": 2})],
)
def test_what_is_known_of_a_request_decides_what_becomes_of_its_records(
    site: UsageSite, remote: RemoteUsage, status: str, after: dict[str, int]
) -> None:
    collect(site, [raw(0), raw(1)])
    remote.cut = [status]
    if status == "400":
        assert "refused as a whole: the answer is 400: status 400" in report(site).notes[0].message
    else:
        with pytest.raises(Unavailable):
            report(site)
    assert states(site.database) == after
    assert remote.taken == []


def test_the_key_is_in_no_message(site: UsageSite, remote: RemoteUsage, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("wrong-key")
    collect(site, [raw(0)])
    with pytest.raises(Unavailable) as error:
        report(site)
    assert "401" in error.value.findings[0].message
    assert "wrong-key" not in str(error.value.findings)


POINTS = ("before a request", "after a request", "in the commit of a request's answer")


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("nth", [1, 3])
def test_a_report_that_is_killed_at_any_point_sends_nothing_twice(
    site: UsageSite, remote: RemoteUsage, point: str, nth: int
) -> None:
    collect(site, [raw(number) for number in range(35)])
    passed = []

    def die(name: str) -> None:
        passed.append(name)
        if passed.count(point) == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        report(site, crash_point=die)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    report(site)
    assert isinstance(site.clock, FixedClock)
    site.clock.at += timedelta(days=1, seconds=1)
    report(site)
    assert all_once(remote, 35)
    follow(site)
    assert states(site.database) == {"loaded": 35}


def test_two_reports_at_a_time_are_one_too_many(site: UsageSite, remote: RemoteUsage) -> None:
    collect(site, [raw(0)])
    seen = []

    def second(name: str) -> None:
        if name == "before a request":
            child = os.fork()
            if child == 0:
                try:
                    report(site)
                except Unavailable as error:
                    os._exit(0 if error.findings[0].code == "database-busy" else 2)
                os._exit(1)
            seen.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    report(site, crash_point=second)
    assert (seen, ids(remote)) == ([0], ["0"])
