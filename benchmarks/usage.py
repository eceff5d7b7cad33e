"""How fast usage is collected, charged and written as requests, beside what is written by hand.

    python -m benchmarks.usage [--jobs 10000 100000] [--repetitions 3] [--json FILE]

All on one durable PostgreSQL of its own. The file of jobs is written beforehand, and none of it is kept in memory.
"""

import argparse
import csv
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from amierules.database.connection import Database
from amierules.database.migrations import create_all
from amierules.ports import SystemClock
from amierules.rulebook.configuration import load_configuration
from amierules.templating import Environment
from amierules.usage.api_reporter import ApiReporter
from amierules.usage.collecting import Collector
from amierules.usage.fields import RAW
from amierules.usage.opening import file_rows
from amierules.usage.packets import PacketReporter
from amierules.usage.rules import load_usage_rules
from amierules.usage.site import UsageSite
from benchmarks.measuring import Measured, measure
from benchmarks.usage_by_hand import MOST_PACKETS, by_copy, by_script, packets_by_hand, requests_by_hand
from tests.support.postgres import PostgresServer
from tests.support.usage import know_people, raw, write_site

RULES = """\
usage: GPU-hours where there are GPUs, else the larger share of CPUs and memory.
round: {digits: 3}
minimum: 0.001
jobs:
  - {name: nothing, when: job.elapsed == 0, ignore: it did not run}
  - {name: GPU-hours, when: job.gpus > 0, charge: "{{ job.gpus * job.hours }}"}
  - {name: CPUs or memory, charge: "{{ [job.cpus, job.memory / 4] | max * job.hours }}"}
"""


# ------------------------------------------------------------------ the jobs


def write_jobs(path: Path, count: int) -> None:
    """A file of jobs as sacct writes them, separated by commas."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(one.name for one in RAW)
        for number in range(count):
            cpus, elapsed = number % 64 + 1, number % 86_000 + 1
            gpus = f"gres/gpu={number % 4}," if number % 3 == 0 else ""
            writer.writerow(
                raw(
                    number,
                    started=1_767_225_600 + number % 5_000_000,
                    elapsed=elapsed,
                    cpus=cpus,
                    nodes=cpus // 32 + 1,
                    login="mara" if number % 2 else "joe",
                    tres=f"billing={cpus},cpu={cpus},{gpus}mem={cpus * 2000}M,node={cpus // 32 + 1}",
                    name=f"simulation {number % 1000}",
                )
            )


def _site(folder: str, url: str) -> UsageSite:
    path = write_site(
        Path(folder),
        rules=RULES,
        database=url,
        secrets={"usage_api": {"env": "PATH"}},
        usage={"report": "api", "api": {"url": "http://127.0.0.1:9", "key": "{{ secret.usage_api }}"}},
    )
    configuration, _ = load_configuration(path, {})
    assert configuration is not None
    rules, _ = load_usage_rules(Path(folder) / "rules" / "usage.yaml", Environment(), configuration)
    assert rules is not None
    return UsageSite(configuration, rules, Database.open(url, create=False), SystemClock(), "bench")


# ------------------------------------------------------------------ amierules


def collecting(folder: str, url: str, jobs: str) -> Callable[[], int]:
    """`amierules usage collect FILE`."""
    site = _site(folder, url)

    def work() -> int:
        rows = file_rows(Path(jobs), site.configuration.usage, storage=False, format=None)
        done = Collector(site, lambda rows: None).collect(rows)
        return done.taken.new

    return work


class _Sink:
    """Takes requests as an API would."""

    def __init__(self) -> None:
        self.bytes = 0

    def post(self, body: bytes) -> list[Any]:
        self.bytes += len(body)
        return []

    def failed(self) -> list[Any]:
        return []

    errors = failed

    def loaded(self, record_id: str | None = None) -> None:
        return None

    def close(self) -> None:
        pass


def reporting(folder: str, url: str) -> Callable[[], int]:
    """`amierules usage report`, but for the network."""
    site = _site(folder, url)

    def work() -> int:
        reporter = ApiReporter(site, lambda records: None)
        sink: Any = _Sink()
        reporter.api = sink
        done = reporter.report(None)
        return done.records

    return work


def reporting_packets(folder: str, url: str) -> Callable[[], int]:
    """`amierules usage report` of the first records, as packets."""
    site = _site(folder, url)

    def work() -> int:
        return PacketReporter(site, lambda records: None).report(MOST_PACKETS).records

    return work


# ------------------------------------------------------------------ the table


def _clear(server: PostgresServer, name: str) -> None:
    server.query("truncate amierules_usage, amierules_usage_report, amierules_usage_batch, amierules_usage_run", name)


def _clear_packets(server: PostgresServer, name: str) -> None:
    server.query("truncate transaction_tbl, amierules_packet, amierules_event cascade", name)
    server.query("delete from amierules_meta where name = 'last_transaction_id'", name)


def measured(server: PostgresServer, name: str, url: str, folder: Path, count: int) -> dict[str, Measured]:
    """All lines once, in turns."""
    jobs = folder / f"jobs-{count}.csv"
    if not jobs.exists():
        write_jobs(jobs, count)
    found: dict[str, Measured] = {}
    for what, work, words in (
        ("job by job", by_script, (url, str(jobs))),
        ("COPY by hand", by_copy, (url, str(jobs))),
        ("requests by hand", requests_by_hand, (url,)),
        ("usage collect", collecting, (str(folder), url, str(jobs))),
        ("usage report", reporting, (str(folder), url)),
        ("packets by hand", packets_by_hand, (url,)),
        ("report as packets", reporting_packets, (str(folder), url)),
    ):
        if work in (by_script, by_copy, collecting):
            _clear(server, name)
        if work in (packets_by_hand, reporting_packets):
            _clear_packets(server, name)
        found[what] = measure(work, *words)
    return found


_BESIDE = {
    "usage collect": "COPY by hand",
    "usage report": "requests by hand",
    "report as packets": "packets by hand",
}


def main() -> int:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, nargs="+", default=[10_000, 100_000], help="how many jobs")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    options = parser.parse_args()
    server = PostgresServer(durable=True)
    table: list[dict[str, Any]] = []
    try:
        with tempfile.TemporaryDirectory(prefix="amierules-usage-") as scratch:
            folder = Path(scratch)
            name = server.create_database()
            url = server.url(name)
            with Database.open_unchecked(url) as database:
                create_all(database)
            with Database.open(url, create=False) as database:
                know_people(database)
            for count in options.jobs:
                rounds = [measured(server, name, url, folder, count) for _ in range(options.repetitions)]
                table += _lines(count, rounds)
    finally:
        server.remove()
    for line in table:
        print("{jobs:>9,}  {what:<18} {rate:>9,.0f} jobs/s  {ratio:<42} {megabytes:>5.0f} MB".format(**line))
    if options.json:
        options.json.write_text(json.dumps(table, indent=2) + "\n")
    return 0


def _lines(count: int, rounds: list[dict[str, Measured]]) -> Iterator[dict[str, Any]]:
    for what in rounds[0]:
        rates = [one[what].rate for one in rounds]
        ratios = []
        for other in filter(None, (_BESIDE.get(what), "job by job" if what == "usage collect" else None)):
            ratio = statistics.median(one[what].rate / one[other].rate for one in rounds)
            ratios.append(f"{ratio:.2f} of {other}")
        yield {
            "jobs": count,
            "what": what,
            "rate": statistics.median(rates),
            "ratio": ", ".join(ratios),
            "megabytes": max(one[what].megabytes for one in rounds),
        }


if __name__ == "__main__":
    sys.exit(main())
