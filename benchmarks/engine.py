"""How fast the engine answers packets, beside what a programmer would write by hand with psycopg2.

`python -m benchmarks.engine [--full] [--json FILE]`; all in one run on one machine, on a PostgreSQL server of its own
that writes each commit to the disk. How to read it: docs/benchmarks.md.
"""

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks import goals, scenes
from benchmarks.bench import Bench
from tests.support.postgres import PostgresServer

_FULL = {"waiting": [1000, 10_000, 100_000], "idle": [100, 100_000], "commands": 500, "jobs": [1, 4, 16]}


def main() -> int:
    """Prints the table; the exit status."""
    options = _options()
    status = _run(options)
    if status and options.again:
        print("\nOnce more, all of it: what else the machine was doing may have been the reason.\n")
        status = _run(options)
    return status


def _run(options: argparse.Namespace) -> int:
    scratch = Path(tempfile.mkdtemp(prefix="amierules-bench-"))
    server = PostgresServer(durable=True)
    bench = Bench(server, scratch, options.pairs, options.answered, options.workers)
    print(f"Python {platform.python_version()}, PostgreSQL {server.version}, {os.cpu_count()} cores\n")
    print(f"{'what':<44}{'waiting':>9}{'a second':>11}{'ratio':>9}{'MB':>6}")
    try:
        for waiting in options.waiting:
            scenes.answering(bench, waiting)
            scenes.on_sqlite(bench, waiting)
        if options.idle:
            scenes.idling(bench, options.idle)
        if options.commands:
            scenes.commands(bench, options.commands, options.jobs, options.rounds)
    finally:
        server.remove()
        shutil.rmtree(scratch, ignore_errors=True)
    return _judged(bench, options.share, options.json)


def _judged(bench: Bench, share: float | None, file: Path | None) -> int:
    """Prints the goals, and writes all to the file; the exit status."""
    found = goals.reached(bench.lines)
    print("\n" + "\n".join([goals.TITLE, *map(str, found)]))
    if file:
        document = {"format_version": 1, "lines": [asdict(line) for line in bench.lines]}
        document["goals"] = [{**asdict(one), "met": one.is_met()} for one in found]
        file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    missed = [one for one in found if share is not None and not one.is_met(share)]
    for one in missed:
        asked = one.least if one.strict else f"{share} of {one.least}"
        print(f"\n{one.goal}, beside {one.waiting:,}: it is {one.figure:.2f}; at least {asked} is asked")
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--full", action="store_true", help="all that the goals speak of; takes half an hour")
    add("--waiting", type=int, nargs="*", default=[1000], help="backlogs (1000)")
    add("--answered", type=int, default=1000, help="how many of a backlog are answered at most (1000)")
    add("--pairs", type=int, default=5, help="repetitions, interleaved (5)")
    add("--workers", type=int, nargs="+", default=[1, 2], help="how many work at the same time (1 2)")
    add("--idle", type=int, nargs="*", default=[100], help="transactions that wait for the other side (100)")
    add("--commands", type=int, default=0, help="packets with a command of 100 ms (0: not measured)")
    add("--jobs", type=int, nargs="+", default=[1], help="jobs for them; the first one is the base of the ratio (1)")
    add("--rounds", type=int, default=1, help="repetitions of them (1)")
    add("--share", type=float, help="fail where less than this share of a goal is reached: as CI does")
    add("--again", action="store_true", help="where that fails, run all a second time, which is judged alone")
    add("--json", type=Path, help="also write the table to this file")
    full = "--full" in sys.argv
    parser.set_defaults(**(_FULL if full else {}))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
