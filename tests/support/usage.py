"""A site that reports usage: its files, its registry, its jobs, and the Usage API as the other side."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from sqlalchemy import func, select

from amierules.database.connection import Database
from amierules.database.registry import RegistryView
from amierules.database.rows import Account, Person, Presence, Project
from amierules.database.usage_tables import usage, usage_report
from amierules.ports import FixedClock
from amierules.rulebook.configuration import load_configuration
from amierules.templating import Environment
from amierules.usage.collecting import Collected, Collector, CrashPoint
from amierules.usage.fields import RAW
from amierules.usage.rules import load_usage_rules
from amierules.usage.site import UsageSite
from amierules.usage.sources import Rows
from tests.support.json_server import Request, Say, json_server

NOW = datetime(2026, 4, 1, 12, 0, tzinfo=UTC)
ALPHA = "alpha.site.example"
RULES = """\
usage: Core-hours; GPU-hours where there are GPUs.
jobs:
  - {name: nothing, when: job.elapsed == 0, ignore: it did not run}
  - {name: GPU-hours, when: job.gpus > 0, charge: "{{ job.gpus * job.hours }}", fields: {Processors: "{{ job.gpus }}"}}
  - {name: core-hours, charge: "{{ job.cpus * job.hours }}"}
storage:
  - {name: terabytes, charge: "{{ storage.bytes / 1000000000000 }}"}
"""
START = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())


def write_site(folder: Path, *, rules: str = RULES, database: str = "sqlite:///amie.db", **config: Any) -> Path:
    """Writes a configuration and usage rules; the configuration's path. `config` are further sections."""
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    (folder / "rules" / "usage.yaml").write_text(rules, encoding="utf-8")
    plain = {
        "site_name": "TestSite",
        "remote_site_name": "TGCDB",
        "database": database,
        "resources": {ALPHA: {"cluster": "alpha", "factor": 1.5}},
        **config,
    }
    path = folder / "amierules.yaml"
    path.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    return path


def make_site(folder: Path, database: Database, *, rules: str = RULES, now: datetime = NOW, **config: Any) -> UsageSite:
    """A site over a database, with a project and its members."""
    configuration, findings = load_configuration(write_site(folder, rules=rules, **config), {})
    assert configuration is not None, findings
    loaded, findings = load_usage_rules(folder / "rules" / "usage.yaml", Environment(), configuration)
    assert loaded is not None, findings
    know_people(database)
    return UsageSite(configuration, loaded, database, FixedClock(now), "tester")


def know_people(database: Database) -> None:
    """Two persons, each with an account on the project P-BIO (`bio`), whose PI is the first."""
    view = RegistryView(database.read)
    view.put(Person("p1", person_id="1", logins=("mara", "mara2")))
    view.put(Person("p2", person_id="2", logins=("joe",)))
    view.put(Project("k1", "P-BIO", "BIO1", "bio", pi="p1"))
    view.put(Presence("k1", ALPHA, True))
    view.put(Account("p1", "k1", ALPHA, "mara", True))
    view.put(Account("p2", "k1", ALPHA, "joe", True))
    with database.begin() as connection:
        view.flush(connection)


def raw(number: int, **given: object) -> list[str]:
    """A job as sacct writes it: four CPUs for an hour, if nothing else is given."""
    elapsed = _number(given.get("elapsed"), 3600)
    started = _number(given.get("started"), START + number * 60)
    values: dict[str, object] = {
        "job_id": number,
        "cluster": "alpha",
        "account": "bio",
        "login": "mara",
        "partition": "main",
        "qos": "normal",
        "state": "COMPLETED",
        "submitted": started - 10,
        "started": started,
        "ended": started + elapsed,
        "elapsed": elapsed,
        "time_limit": 60,
        "nodes": 1,
        "cpus": 4,
        "tres": "billing=4,cpu=4,mem=100M,node=1",
        "array_id": number,
        "exit_code": "0:0",
        "name": f"job {number}",
    }
    values.update(given)
    return [str(values[one.name]) for one in RAW]


def _number(given: object, default: int) -> int:
    return int(str(given)) if str(given).isdecimal() else default


def rows_of(jobs: Iterable[list[str]], *, piece: int = 10, name: str = "test") -> Rows:
    """Jobs as a source gives them."""

    def pieces() -> Iterator[Any]:
        listed = list(jobs)
        for at in range(0, len(listed), piece):
            some = listed[at : at + piece]
            yield range(at + 1, at + 1 + len(some)), some

    return Rows(name, pieces())


def collect(site: UsageSite, jobs: Iterable[list[str]], crash_point: CrashPoint = lambda name: None) -> Collected:
    """What `usage collect` does with these jobs."""
    return Collector(site, lambda rows: None, crash_point).collect(rows_of(jobs))


def ledger(database: Database) -> list[dict[str, Any]]:
    """The rows of the ledger, by job."""
    with database.read() as connection:
        query = select(usage).order_by(usage.c.cluster, usage.c.job_id, usage.c.submitted)
        return [dict(row) for row in connection.execute(query).mappings()]


def states(database: Database) -> dict[str, int]:
    """How many records are in each state at any remote."""
    with database.read() as connection:
        query = select(usage_report.c.state, func.count()).group_by(usage_report.c.state)
        return {state: int(count) for state, count in connection.execute(query)}


@dataclass
class RemoteUsage:
    """The Usage API as the other side has it: all that it took, and how often."""

    url: str = ""
    taken: list[dict[str, Any]] = field(default_factory=list)
    """Each record of each request that was taken, in order; one that was sent twice stands here twice."""
    sizes: list[tuple[int, int]] = field(default_factory=list)
    """The records and bytes of each request."""
    refuse: Mapping[str, str] = field(default_factory=dict)
    """Records that do not pass, by LocalRecordID, with the reason."""
    fail_later: Mapping[str, str] = field(default_factory=dict)
    failed: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_loading: bool = True
    """Whether what was taken is loaded at once."""
    tells_loaded: bool = True
    cut: list[str] = field(default_factory=list)
    """What becomes of the next requests: `before` they are taken, `after` they are, a status, or nothing."""

    def answer(self, request: Request) -> Say:
        """Takes records, and tells of them."""
        parts = urlsplit(request.path)
        path = parts.path.removeprefix("/api/usage")
        assert request.headers["XA-SITE"]
        if request.headers["XA-API-KEY"] != "sesame":
            return Say(401, {"error": "who are you?"})
        match request.method, path:
            case "POST", "":
                return self._take(request)
            case "GET", "/failed":
                return Say(data={"FailedRecords": list(self.failed.values())})
            case "DELETE", _:
                for number in path.removeprefix("/failed/").split("%2C"):
                    self.failed.pop(number, None)
                return Say(data={"Message": "cleared"})
            case "GET", "/loaded" if self.tells_loaded:
                return Say(data={"LoadedRecords": self._loaded(parse_qs(parts.query))})
            case "GET", "/status":
                return Say(data=[{"Resource": ALPHA, "LoadedRecordCount": len(self.taken), "Errors": []}])
        return Say(404, {"error": "no such thing"})

    def _take(self, request: Request) -> Say:
        message = json.loads(request.body)
        how = self.cut.pop(0) if self.cut else ""
        if how == "before":
            return Say(cut="before")
        if how.isdecimal():
            return Say(int(how), {"error": f"status {how}"})
        self.sizes.append((len(message["Records"]), len(request.body)))
        bad = []
        for record in message["Records"]:
            if record["LocalRecordID"] in self.refuse:
                bad.append(self._fail(record, message["UsageType"], self.refuse[record["LocalRecordID"]]))
                continue
            self.taken.append({"UsageType": message["UsageType"], **record})
            if record["LocalRecordID"] in self.fail_later:
                self._fail(record, message["UsageType"], self.fail_later[record["LocalRecordID"]])
        if how == "after":
            return Say(cut="before")
        return Say(data={"Message": f"{len(message['Records'])} queued", "ValidationFailedRecords": bad})

    def _fail(self, record: dict[str, Any], kind: str, reason: str) -> dict[str, Any]:
        number = str(len(self.failed) + 100)
        self.failed[number] = {"UsageType": kind, **record, "Error": reason, "FailedRecordID": int(number)}
        return self.failed[number]

    def _loaded(self, query: Mapping[str, list[str]]) -> list[dict[str, Any]]:
        if not self.is_loading:
            return []
        names = ("LocalRecordID", "Resource", "SubmitTime", "Charge")
        wanted = query.get("LocalRecordID")
        loaded = [
            {name: record[name] for name in names if name in record}
            for record in self.taken
            if record["LocalRecordID"] not in self.fail_later and (wanted is None or record["LocalRecordID"] in wanted)
        ]
        at = int(query["offset"][0])
        return loaded[at : at + int(query["limit"][0])]


@contextmanager
def remote_usage(**given: Any) -> Iterator[RemoteUsage]:
    """The other side, served by HTTP on this host."""
    with json_server() as server:
        remote = RemoteUsage(server.url, **given)
        server.script = remote.answer
        yield remote


def api_section(remote: RemoteUsage, key: Path, **given: object) -> dict[str, Any]:
    """The sections of the configuration that report to this remote."""
    key.write_text("sesame\n", encoding="ascii")
    api = {"url": remote.url, "key": "{{ secret.usage_api }}", "timeout": "5s", **given}
    return {"secrets": {"usage_api": {"file": str(key)}}, "usage": {"report": "api", "api": api}}
