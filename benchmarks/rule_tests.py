"""How long 500 rule tests take, against tests that a programmer would write by hand for one rule.

The tests are those of the shipped rules, several times over. By hand: for each test an SQLite database in memory from
a copy, the packet's rows stored, its project looked up, the reply's fields rendered by Jinja, the reply's rows stored,
read and compared. Ratios are of processor seconds a test, the median of interleaved pairs.
`python -m benchmarks.rule_tests [--tests N] [--pairs N] [--limit RATIO] [--json]`; with `--limit`, a higher ratio ends
with status 1.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from jinja2.sandbox import SandboxedEnvironment

from benchmarks.startup import AMIERULES, installed

SHIPPED = Path(__file__).parents[1] / "tests" / "shipped"
_TABLES = """
create table packet (id integer primary key, type text, state text);
create table data (packet integer, tag text, subtag text, seq integer, value text);
create table project (grant_number text primary key, project_id text, login text);
"""
_BODY = {
    **{"GrantNumber": "BIO260001", "ResourceList": "alpha.site.example", "UserFirstName": "Ann"},
    **{"UserLastName": "Example", "UserOrganization": "Example State", "UserOrgCode": "0032425", "UserGlobalID": "9"},
}
_FIELDS = {
    **{name: f"{{{{ packet.{name} }}}}" for name in ("UserFirstName", "UserLastName", "UserOrgCode", "ResourceList")},
    **{"ProjectID": "{{ project.project_id }}", "UserRemoteSiteLogin": "{{ project.login }}", "UserPersonID": "20000"},
}


_EXPECTED = {"ProjectID": "P-BIO260001", "UserRemoteSiteLogin": "aexample", "UserPersonID": "20000"}


def by_hand(tests: int) -> float:
    """Processor seconds of so many tests that are written by hand."""
    begin = time.process_time()
    template = sqlite3.connect(":memory:")
    template.executescript(_TABLES)
    template.execute("insert into project values ('BIO260001', 'P-BIO260001', 'aexample')")
    template.commit()
    environment = SandboxedEnvironment()
    fields = {name: environment.from_string(text) for name, text in _FIELDS.items()}
    for number in range(tests):
        _one_by_hand(template, fields, number)
    return time.process_time() - begin


def _one_by_hand(template: sqlite3.Connection, fields: dict[str, Any], number: int) -> None:
    with sqlite3.connect(":memory:") as database:
        template.backup(database)
        database.execute("insert into packet values (1, 'request_account_create', 'in-progress')")
        rows = [(1, tag, None, 0, value) for tag, value in _BODY.items()]
        database.executemany("insert into data values (?, ?, ?, ?, ?)", rows)
        packet = dict(database.execute("select tag, value from data where packet = 1"))
        found = database.execute(
            "select project_id, login from project where grant_number = ?", (packet["GrantNumber"],)
        )
        project = dict(zip(("project_id", "login"), found.fetchone(), strict=True))
        reply = {name: text.render(packet=packet, project=project) for name, text in fields.items()}
        database.execute("insert into packet values (2, 'notify_account_create', 'in-progress')")
        answer = [(2, tag, None, 0, value) for tag, value in reply.items()]
        database.executemany("insert into data values (?, ?, ?, ?, ?)", answer)
        database.execute("update packet set state = 'completed' where id = 1")
        sent = dict(database.execute("select tag, value from data where packet = 2"))
    if sent != {name: _EXPECTED.get(name, packet.get(name)) for name in sent}:
        raise AssertionError(number)


def write_tests(folder: Path, tests: int) -> int:
    """The shipped tests in the folder, as often as it takes; how many they are."""
    shutil.copy(SHIPPED / "amierules.yaml", folder)
    config = (SHIPPED / "amierules.yaml").read_text(encoding="utf-8")
    (folder / "amierules.yaml").write_text(config.replace("../..", str(SHIPPED.parents[1])), encoding="utf-8")
    (folder / "tests").mkdir()
    written, copy = 0, 0
    while written < tests:
        for path in sorted(SHIPPED.glob("*.yaml")):
            text = path.read_text(encoding="utf-8")
            if path.name != "amierules.yaml" and written < tests:
                (folder / "tests" / f"{copy}-{path.name}").write_text(text, encoding="utf-8")
                written += text.count("\n  - name: ")
        copy += 1
    return written


def by_amierules(folder: Path, *options: str) -> tuple[float, float]:
    """Seconds that `amierules test` takes there, and those of all processors."""
    environment = installed(folder)
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([str(AMIERULES), "test", *options], cwd=folder, check=True, capture_output=True, env=environment)
    lasted, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return lasted, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Prints what was measured; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=int, default=500, help="how many tests at least (500)")
    parser.add_argument("--pairs", type=int, default=3, help="how many pairs (3)")
    parser.add_argument("--limit", type=float, help="the highest ratio")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="amierules-bench-") as scratch:
        folder = Path(scratch)
        tests = write_tests(folder, options.tests)
        pairs = [(by_amierules(folder, "--jobs", "1"), by_hand(tests)) for _ in range(options.pairs)]
        together = min(by_amierules(folder)[0] for _ in range(options.pairs))
    ratio = statistics.median(ours[1] / hand for ours, hand in pairs)
    found = {
        "tests": tests,
        "seconds": min(ours[0] for ours, _ in pairs),
        "seconds_on_all_processors": together,
        "milliseconds_a_test": 1000 * min(ours[1] for ours, _ in pairs) / tests,
        "milliseconds_a_test_by_hand": 1000 * min(hand for _, hand in pairs) / tests,
        "ratio": ratio,
    }
    if options.json:
        print(json.dumps({"python": platform.python_version(), "cores": os.cpu_count(), **found}))
    else:
        print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {options.pairs} pairs\n")
        print("\n".join(f"{name.replace('_', ' '):<30}{value:>10.2f}" for name, value in found.items()))
    return int(options.limit is not None and ratio > options.limit)


if __name__ == "__main__":
    sys.exit(main())
