"""Jobs that a real Slurm ran: collected, charged, and reported both ways, beside Slurm's own seconds."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from amierules.cli.usage_compare import compared
from amierules.database.connection import Database
from amierules.database.registry import RegistryView
from amierules.database.rows import Account, Person
from amierules.database.usage_sums import Chosen
from amierules.ports import SystemClock
from amierules.usage.api_reporter import ApiReporter
from amierules.usage.charging import shown_units
from amierules.usage.collecting import Collected, Collector
from amierules.usage.health import check_usage
from amierules.usage.jobs import UNFINISHED
from amierules.usage.opening import sacct_rows
from amierules.usage.packets import PacketReporter
from amierules.usage.site import UsageSite
from tests.support.slurm import CLUSTER, JOB_USER, SlurmServer
from tests.support.usage import ALPHA, RemoteUsage, api_section, ledger, make_site, remote_usage

NAME = "a|b \\N\tc\nbio|games|main;--'$(x) é"
ENDED = ("TIMEOUT", "FAILED", "REQUEUED", "CANCELLED", "PREEMPTED", "NODE_FAIL")
PATIENCE = 120


@pytest.fixture
def remote() -> Iterator[RemoteUsage]:
    with remote_usage() as served:
        yield served


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database.open(f"sqlite:///{tmp_path}/amie.db", create=True) as opened:
        yield opened


@pytest.fixture
def site(tmp_path: Path, database: Database, remote: RemoteUsage, slurm: SlurmServer) -> UsageSite:
    for words in (("account", "bio"), ("account", "other")):
        slurm.sacctmgr("add", *words, f"Cluster={CLUSTER}")
    for account in ("bio", "other"):
        slurm.sacctmgr("add", "user", JOB_USER, f"account={account}")
    config = api_section(remote, tmp_path / "key")
    config["usage"]["sacct"] = {"fields": ["Reservation"]}
    made = make_site(tmp_path, database, slurm={"conf": str(slurm.conf)}, **config)
    view = RegistryView(database.read)
    view.put(Person("p9", person_id="9", logins=(JOB_USER,)))
    view.put(Account("p9", "k1", ALPHA, JOB_USER, True))
    with database.begin() as connection:
        view.flush(connection)
    return UsageSite(made.configuration, made.rules, database, SystemClock(), "tester")


def running(slurm: SlurmServer, job: str) -> None:
    is_in(slurm, job, "RUNNING")


def is_in(slurm: SlurmServer, job: str, state: str) -> None:
    """Waits until a job is in a state."""
    deadline = time.monotonic() + PATIENCE
    while slurm.output("squeue", "-h", "-j", job, "-o", "%T").strip() != state:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def run_jobs(slurm: SlurmServer) -> None:
    """Jobs of each kind, and the end of all."""
    late = slurm.submit("bio", script="sleep 300")
    running(slurm, late)
    slurm.output("scontrol", "update", f"job={late}", "EndTime=now+1")
    again = slurm.submit("bio", "--requeue", script="sleep 2")
    running(slurm, again)
    time.sleep(1)
    slurm.output("scontrol", "requeue", again)
    is_in(slurm, again, "PENDING")
    slurm.output("scontrol", "update", f"job={again}", "StartTime=now")  # else it waits for two minutes
    stopped = slurm.submit("bio", script="sleep 300")
    jobs = [
        slurm.submit("bio", "-J", NAME, script="sleep 1"),
        slurm.submit("bio", "--gres=gpu:2", script="sleep 2"),
        slurm.submit("bio", "--array=1-2", script="sleep 1"),
        slurm.submit("bio", script="sleep 1; exit 3"),
        slurm.submit("other", script="true"),
    ]
    slurm.output("scancel", slurm.submit("bio", "--begin=now+1hour", script="true"))
    running(slurm, stopped)
    time.sleep(2)  # what has run for no second at all is not charged
    slurm.output("scancel", stopped)
    for job in (*jobs, again, stopped, late):
        ended(slurm, job)


def run_jobs_that_others_end(slurm: SlurmServer) -> None:
    """A job that an urgent one pushes out, and one whose node fails.

    Jobs in several parts never start here: each part has nodes of its own, and there is only one.
    """
    slurm.sacctmgr("add", "qos", "urgent", "preempt=normal")
    slurm.sacctmgr("modify", "user", JOB_USER, "set", "qos=normal,urgent", "where", "account=bio")
    pushed = slurm.submit("bio", "--exclusive", script="sleep 300")
    running(slurm, pushed)
    time.sleep(2)
    urgent = slurm.submit("bio", "--exclusive", "--qos=urgent", script="sleep 1")
    ended(slurm, pushed)
    ended(slurm, urgent)
    lost = slurm.submit("bio", "--no-requeue", script="sleep 300")
    running(slurm, lost)
    time.sleep(2)
    node = slurm.output("squeue", "-h", "-j", lost, "-o", "%N").strip()
    slurm.output("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    ended(slurm, lost)


def ended(slurm: SlurmServer, job: str) -> None:
    """Waits until a job has ended, with all tasks where it is an array, and is listed.

    A busy slurmctld may tell slurmdbd that a job has ended before it tells when it could start, and only then a
    question about a span of time finds it.
    """
    deadline = time.monotonic() + PATIENCE
    states = ["PENDING"]
    while not states or not UNFINISHED.isdisjoint(states):
        assert time.monotonic() < deadline, states
        time.sleep(0.2)
        listed = slurm.output("sacct", "-nPX", "-A", "bio,other", "-S", "now-1hour", "-o", "jobid,state")
        rows = (line.split("|") for line in listed.splitlines())
        states = [state.split()[0] for number, state in rows if number.partition("_")[0] == job]


def collected(site: UsageSite) -> Collected:
    collector = Collector(site, lambda rows: None)
    window = site.now() - 3600, site.now() + 60
    return collector.collect(sacct_rows(site, window, (), collector.book.groups), window)


def test_doctor_asks_sacct_whether_it_answers_and_knows_the_fields(site: UsageSite, slurm: SlurmServer) -> None:
    configuration = site.configuration
    assert [check.health for check in check_usage(configuration)] == ["ok", "ok", "ok"]
    known = f"sacct answers for {CLUSTER}, and knows 19 fields"
    assert known in [check.detail for check in check_usage(configuration)]
    misspelt = replace(configuration, usage=replace(configuration.usage, fields=("Reservatoin",)))
    (wrong,) = [one for one in check_usage(misspelt) if one.health != "ok"]
    assert (wrong.detail, wrong.hint) == ("sacct knows no field 'Reservatoin'", "did you mean 'Reservation'?")
    slurm.stop_dbd()
    try:
        (wrong,) = [one for one in check_usage(configuration) if one.health != "ok"]
    finally:
        slurm.start_dbd()
    assert wrong.detail.startswith(f"sacct does not answer for {CLUSTER}: sacct ended with status 1")
    assert "slurmdbd must answer" in wrong.hint


def test_what_jobs_used_is_charged_as_slurm_counts_it_and_reported_both_ways(
    site: UsageSite, slurm: SlurmServer, remote: RemoteUsage
) -> None:
    before = slurm.usage("bio")
    run_jobs(slurm)
    run_jobs_that_others_end(slurm)
    done = collected(site)
    assert dict(done.problems) == {}
    assert collected(site).taken.new == 0
    rows = ledger(site.database)
    states = Counter(row["state"] for row in rows)
    assert states["COMPLETED"] >= 5, states
    assert {state: states[state] for state in ENDED} == dict.fromkeys(ENDED, 1), (states, done)
    assert NAME in [row["name"] for row in rows]
    assert {row["account"] for row in rows} == {"bio"}
    assert {row["array_id"].partition("_")[2] for row in rows} >= {"1", "2"}

    # By hand, from what sacct prints without our help; and Slurm's own seconds, of the scheduler too.
    shown = slurm.output(
        "sacct", "-nXPD", "-A", "bio", "-S", "now-1hour", "-o", "ElapsedRaw,AllocCPUS,AllocTRES,CPUTimeRAW"
    )
    jobs = [line.split("|") for line in shown.splitlines() if line.count("|") == 3 and line.split("|")[2]]
    by_hand = sum(
        (Decimal(int(elapsed) * (2 if "gres/gpu=2" in tres else int(cpus))) / 3600).quantize(Decimal("0.000001"))
        for elapsed, cpus, tres, _ in jobs
        if int(elapsed)
    )
    assert shown_units(sum(row["charge"] for row in rows)) == shown_units(by_hand)
    assert sum(row["elapsed"] * row["cpus"] for row in rows) == sum(int(seconds) for *_, seconds in jobs)
    slurm.until_used("bio")
    deadline = time.monotonic() + PATIENCE
    while slurm.usage("bio") - before != sum(row["elapsed"] * row["cpus"] for row in rows):
        assert time.monotonic() < deadline
        time.sleep(0.2)

    api = ApiReporter(site, lambda records: None)
    assert api.report(None).records == len(rows)
    assert PacketReporter(site, lambda records: None).report(None).records == len(rows)
    assert api.report(None).records == 0
    assert sorted(record["LocalRecordID"] for record in remote.taken) == sorted(row["job_id"] for row in rows)
    assert sum(Decimal(record["Charge"]) for record in remote.taken) == by_hand

    (one,) = compared(site, Chosen(start=site.now() - 3600), lambda rows: None) or []
    assert (one.account, one.unexplained, one.ledger_jobs) == ("bio", 0, len(rows))
    assert one.slurm_cpu_seconds == one.ledger_cpu_seconds
