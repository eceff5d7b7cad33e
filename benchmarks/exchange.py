"""How many packets `exchange` fetches and posts a second, against the plain loop that a site would write with requests.

The plain loop gets the list, makes each reply from the packet's own fields, and posts it: it keeps nothing, and whoever
kills it loses or repeats answers. `amierules` stores each packet with its JSON and rows, records each intent and each
result, and commits them durably. Both talk to the same server, which costs next to nothing; ratios are medians of
repetitions that take turns.

`python -m benchmarks.exchange [--packets N] [--pairs N] [--json]`
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import requests

from amierules.cli.opening import open_site
from amierules.database.connection import Database
from amierules.database.migrations import create_all
from amierules.engine.running import Runner
from amierules.exchange.exchanger import Exchanger
from benchmarks.measuring import measure
from benchmarks.rest_stub import SITE, serving
from tests.support.postgres import PostgresServer

_HEADERS = {"XA-SITE": SITE, "XA-API-KEY": "key"}
_RULE = """\
packet: request_project_inactivate
rules:
  - name: answer
    reply: {copy: [ProjectID, ResourceList]}
"""
_CONFIGURATION = """\
site_name: TestSite
remote_site_name: TGCDB
database: {database}
rules: [rules]
secrets: {{amie: {{file: key}}}}
exchange: {{url: "{url}"}}
"""


def plain(url: str, *, session: bool) -> Callable[[], int]:
    """GET, process, POST with requests: a connection for each call, or one that a session keeps."""
    client = requests.Session() if session else requests

    def work() -> int:
        listed = client.get(f"{url}/packets/{SITE}", headers=_HEADERS, timeout=30).json()["result"]
        for packet in listed:
            body = {tag: packet["body"][tag] for tag in ("ProjectID", "ResourceList")}
            header = {"in_reply_to": packet["header"]["packet_rec_id"]}
            reply: dict[str, Any] = {"type": "notify_project_inactivate", "header": header, "body": body}
            client.post(f"{url}/packets/{SITE}", json=reply, headers=_HEADERS, timeout=30).raise_for_status()
        return len(listed)

    return work


def plain_with_session(url: str) -> Callable[[], int]:
    """The plain loop over one connection."""
    return plain(url, session=True)


def plain_without_session(url: str) -> Callable[[], int]:
    """The plain loop as most write it."""
    return plain(url, session=False)


def fetch(configuration: str) -> Callable[[], int]:
    """Fetches all packets into the database."""
    return _exchanging(configuration, lambda exchanger: exchanger.fetch())


def post(configuration: str) -> Callable[[], int]:
    """Posts all replies that wait."""
    return _exchanging(configuration, lambda exchanger: exchanger.post())


def _exchanging(configuration: str, what: Callable[[Exchanger], None]) -> Callable[[], int]:
    opened = open_site(Path(configuration), create=True)
    site = opened.__enter__()

    def work() -> int:
        with Exchanger(site).opened() as exchanger, site.database.kept():
            what(exchanger)
        (results,) = exchanger.results
        assert not results.trouble, results.trouble
        return results.fetched.new or len(results.posted)

    return work


def answer(configuration: str) -> Callable[[], int]:
    """Answers all packets by a rule."""
    opened = open_site(Path(configuration), create=True)
    site = opened.__enter__()
    return lambda: len(Runner(site).run())


def _site(folder: Path, url: str, database: str) -> str:
    (folder / "rules").mkdir(parents=True)
    (folder / "rules" / "answer.yaml").write_text(_RULE, encoding="utf-8")
    (folder / "key").write_text("key", encoding="utf-8")
    file = folder / "amierules.yaml"
    file.write_text(_CONFIGURATION.format(url=url, database=database), encoding="utf-8")
    return str(file)


def compare(count: int, pairs: int) -> dict[str, list[float]]:
    """Rates a second of each contender, one for each repetition."""
    rates: dict[str, list[float]] = {}

    def note(name: str, rate: float) -> None:
        rates.setdefault(name, []).append(rate)

    server = PostgresServer(durable=True)
    try:
        with serving(count) as url, tempfile.TemporaryDirectory() as folder:
            for pair in range(pairs):
                note("plain loop", measure(plain_without_session, url).rate)
                note("plain loop, one connection", measure(plain_with_session, url).rate)
                for kind in ("sqlite", "postgresql"):
                    database = "sqlite:///amie.db" if kind == "sqlite" else _database(server)
                    configuration = _site(Path(folder) / f"{kind}{pair}", url, database)
                    steps = [measure(work, configuration) for work in (fetch, answer, post)]
                    for name, step in zip(("fetch", "answer by a rule", "post"), steps, strict=True):
                        note(f"{name}, {kind}", step.rate)
                    exchange = steps[0].seconds + steps[2].seconds
                    note(f"fetch and post, {kind}", count / exchange)
                    note(f"fetch, answer and post, {kind}", count / (exchange + steps[1].seconds))
    finally:
        server.remove()
    return rates


def _database(server: PostgresServer) -> str:
    url = server.url(server.create_database())
    with Database.open_unchecked(url) as database:
        create_all(database)
    return url


def table(rates: dict[str, list[float]]) -> list[tuple[str, float, float]]:
    """Each contender with its median rate and the median of its ratios to the plain loop."""
    floor = rates["plain loop"]
    return [
        (name, median(found), median(one / other for one, other in zip(found, floor, strict=True)))
        for name, found in rates.items()
    ]


def main(arguments: Sequence[str]) -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packets", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    rows = table(compare(given.packets, given.pairs))
    if given.json:
        print(json.dumps([{"name": name, "rate": rate, "ratio": ratio} for name, rate, ratio in rows], indent=2))
        return 0
    print(f"{given.packets} packets, {given.pairs} repetitions")
    for name, rate, ratio in rows:
        print(f"{name:<34} {rate:>8,.0f}/s  {ratio:>6.2f} of the plain loop")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
