"""Ten thousand bad packets, loaded, planned and run: each is refused or ends with a reason, good ones are answered."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from amierules.database import packets as amie
from amierules.database import work
from amierules.database.amie_tables import data_tbl, packet_tbl
from amierules.database.connection import Database
from amierules.database.own_tables import FINAL_STATUSES
from amierules.diagnostics import Finding, Severity, printable
from amierules.engine.loading import load_files
from amierules.engine.overview import listing
from amierules.engine.planning import Planner
from amierules.engine.running import Runner
from amierules.engine.site import Site
from tests.support.amie_json import rpc
from tests.support.bad_packets import CAPTURED, bad_packet, bad_text, captured_packet, value
from tests.support.hostile import HOSTILE
from tests.support.sites import CAPTURED as RESOURCE
from tests.support.sites import load, make_site, reply_to, run

BATCHES, PACKETS, TEXTS, TAMPERED = 10, 250, 710, 40
"""In each batch: bad packets in one file, damaged files, and packets whose rows are damaged in the table."""
EXPLAINED = {"waiting", "deferred", "retrying", "held", "parked", "in_doubt"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site with the shipped rules over a database in memory."""
    with Database.open("sqlite://", create=True) as database:
        yield make_site(database, tmp_path)


def good(number: int) -> dict[str, Any]:
    """A packet that shares nothing with any other."""
    return rpc({"GrantNumber": f"GOOD{number}", "PiGlobalID": f"8{number}", "PiRequestedLoginList": [f"good{number}"]})


def judge_findings(findings: list[Finding]) -> None:
    for finding in findings:
        text = finding.message + finding.hint
        assert printable(text, 2000) == text
        assert len(finding.message) <= 400
        assert finding.place is not None


def judge_standing(site: Site) -> None:
    """Every packet has a status that means something, and a reason where it waits."""
    for line in listing(site, final=True):
        assert line.status in {*EXPLAINED, *FINAL_STATUSES, "ready"}, line
        assert line.reason or line.status not in EXPLAINED, line
        assert printable(line.reason or "", 1000) == (line.reason or "")
        assert line.status != "in_doubt"


def process(site: Site) -> dict[int, str]:
    """Plan and run all that waits; no internal error may happen. Returns the statuses of what was touched."""
    for report in Planner(site).waiting():
        assert report.crash is None
        assert report.decision.kind in {"reply", "complete", "ignore", "defer", "hold", "fail", "park", "wait"}
        assert report.decision.reason or report.decision.kind in {"reply", "complete", "ignore"}
    handled = Runner(site).run()
    assert not [one.report.crash for one in handled if one.report.crash]
    judge_standing(site)
    return {one.report.packet_rec_id or 0: one.status for one in handled}


@pytest.mark.parametrize("batch", range(BATCHES))
def test_bad_packets_are_refused_or_parked_and_good_ones_answered(site: Site, batch: int) -> None:
    chance = random.Random(batch)
    bad = [bad_packet(chance, number) for number in range(1, PACKETS + 1)]
    loaded = load_files(site, [("bad.json", json.dumps(bad).encode())])
    judge_findings(loaded.findings)
    left_out = [one for one in loaded.findings if one.code in {"own-packet"} or one.severity is Severity.ERROR]
    assert loaded.new + loaded.kept + loaded.duplicates + len(left_out) == PACKETS
    files = [(f"{number}.json", bad_text(chance, 10_000 + number)) for number in range(TEXTS)]
    damaged = load_files(site, files)
    judge_findings(damaged.findings)
    explained = {one.place.file for one in damaged.findings if one.place}
    assert len(files) <= damaged.new + damaged.kept + len(explained)
    tampered = _tampered(site, chance)
    answered = load(site, good(1), good(2))
    ended = process(site)
    assert {ended[number] for number in answered} == {"done"}
    assert all(reply_to(site, number).packet.header.type == "notify_project_create" for number in answered)
    assert set(tampered) <= {line.packet_rec_id for line in listing(site, final=True)}
    if batch == 0:
        # What was parked stays so, and nothing is done again.
        assert not set(process(site)) & set(answered)


def _tampered(site: Site, chance: random.Random) -> list[int]:
    """Good packets stored, and then their rows damaged as no loader would."""
    ids = load(site, *(captured_packet(chance, number) for number in range(20_000, 20_000 + TAMPERED)))
    with site.database.begin() as connection:
        for packet_rec_id in ids:
            _tamper(connection, packet_rec_id, chance)
    return ids


def _tamper(connection: Connection, packet_rec_id: int, chance: random.Random) -> None:
    of_packet = data_tbl.c.packet_rec_id == packet_rec_id
    tags = sorted(set(connection.scalars(select(data_tbl.c.tag).where(of_packet))))
    tag = chance.choice(tags)
    row = {"packet_rec_id": packet_rec_id, "tag": tag, "subtag": None, "seq": 0, "value": _text(chance)}
    match chance.randrange(6):
        case 0:
            connection.execute(delete(data_tbl).where(of_packet, data_tbl.c.tag == tag))
        case 1:
            connection.execute(update(data_tbl).where(of_packet, data_tbl.c.tag == tag).values(value=_text(chance)))
        case 2:
            connection.execute(update(data_tbl).where(of_packet).values(seq=-1 - data_tbl.c.seq * 7))
        case 3:
            connection.execute(insert(data_tbl), [{**row, "subtag": _text(chance)}, {**row, "seq": 10**6}])
        case 4:
            connection.execute(delete(data_tbl).where(of_packet))
        case _:
            # A second row of the same place, with another value: SQL sees none of them as equal where subtag is NULL.
            connection.execute(insert(data_tbl), [row, {**row, "value": _text(chance)}, {**row, "value": None}])


def _text(chance: random.Random) -> str:
    return chance.choice([text for text in HOSTILE if "\x00" not in text and "\ud800" not in text])


def test_ten_thousand_were_made() -> None:
    assert BATCHES * (PACKETS + TEXTS + TAMPERED) >= 10_000


@pytest.mark.parametrize("where", ["a value", "an element", "a subtag", "a tag", "a header field", "the file"])
def test_ten_megabytes_are_refused(site: Site, where: str) -> None:
    huge = "x" * 10_000_000
    packet = json.loads(json.dumps(CAPTURED[3]))
    match where:
        case "a value":
            packet["body"]["Abstract"] = huge
        case "an element":
            packet["body"]["ResourceList"].append(huge)
        case "a subtag":
            packet["body"]["SitePersonId"] = [{huge: "x"}]
        case "a tag":
            packet["body"][huge] = "x"
        case "a header field":
            packet["header"]["transaction_id"] = huge
        case _:
            packet = huge
    loaded = load_files(site, [("x.json", json.dumps([packet, good(1)]).encode())])
    (finding,) = loaded.findings
    assert (loaded.new, finding.severity) == (1, Severity.ERROR)
    judge_findings(loaded.findings)
    (status,) = process(site).values()
    assert status == "done"


def test_a_value_of_almost_a_megabyte_is_taken(site: Site) -> None:
    (number,) = load(site, rpc({"Abstract": "x" * 1_000_000, "ProjectTitle": "y" * 900_000}))
    assert run(site)[number].status in {"done", "parked"}


HEADER = (
    *(
        "packet_rec_id",
        "trans_rec_id",
        "transaction_id",
        "packet_id",
        "outgoing_flag",
        "packet_state",
        "packet_timestamp",
    ),
    *(
        "originating_site_name",
        "local_site_name",
        "remote_site_name",
        "transaction_state",
        "expected_reply_list",
        "type",
    ),
)


@pytest.mark.parametrize("field", HEADER)
def test_hostile_texts_in_the_header_are_refused_or_kept(site: Site, field: str) -> None:
    given = [good(number) for number in range(len(HOSTILE))]
    for packet, text in zip(given, HOSTILE, strict=True):
        if field == "type":
            packet["type"] = text
        else:
            packet["header"][field] = text
    loaded = load_files(site, [("x.json", json.dumps([*given, good(5000)]).encode())])
    judge_findings(loaded.findings)
    refused = [one for one in loaded.findings if one.severity is Severity.ERROR]
    assert loaded.new + loaded.kept + loaded.duplicates + len(refused) == len(given) + 1
    assert loaded.new >= 1
    assert "done" in process(site).values()


def test_the_same_place_twice_with_different_values_parks_and_names_the_tag(site: Site) -> None:
    first, second = load(site, good(1), good(2))
    with site.database.begin() as connection:
        rows = [{"packet_rec_id": first, "tag": "ProjectTitle", "subtag": None, "seq": 0, "value": "another title"}]
        same = [
            {"packet_rec_id": second, "tag": "ProjectTitle", "subtag": None, "seq": 0, "value": "Examples at scale"}
        ]
        connection.execute(insert(data_tbl), rows + same)
    ended = process(site)
    assert ended == {first: "parked", second: "done"}
    with site.database.read() as connection:
        item = work.get(connection, first)
    assert item is not None
    assert "ProjectTitle" in (item.reason or "")


def test_gaps_in_a_list_are_no_fault(site: Site) -> None:
    (number,) = load(site, rpc({"ResourceList": [RESOURCE]}))
    with site.database.begin() as connection:
        connection.execute(update(data_tbl).where(data_tbl.c.packet_rec_id == number).values(seq=data_tbl.c.seq + 5))
    assert process(site) == {number: "done"}


def test_a_type_that_only_the_tables_know_is_parked(site: Site) -> None:
    strange, fine = load(site, good(1), good(2))
    with site.database.begin() as connection:
        connection.exec_driver_sql("insert into type_des (type_id, type_name) values (999, 'request_coffee')")
        statement = update(packet_tbl).where(packet_tbl.c.packet_rec_id == strange)
        connection.execute(statement.values(type_id=999))
    assert process(site) == {strange: "parked", fine: "done"}
    with site.database.read() as connection:
        assert len(amie.read_packets(connection, [strange], site.name)) == 1


def test_values_are_varied() -> None:
    chance = random.Random(1)
    assert len({json.dumps(value(chance)) for _ in range(2000)}) > 150
