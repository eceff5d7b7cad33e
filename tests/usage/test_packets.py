"""Reporting as notify_project_usage packets: each record in one transaction of ours, once, and what is answered."""

import os
import signal
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select

from amierules.database.amie_tables import packet_tbl, transaction_tbl
from amierules.database.connection import Database
from amierules.database.packet_rows import Content, insert_contents
from amierules.database.packets import read_packets
from amierules.database.usage_tables import usage_report
from amierules.diagnostics import NotAllowed
from amierules.protocol.packet import Body
from amierules.protocol.rows import body_to_rows
from amierules.usage.adjusting import Adjustment, adjust
from amierules.usage.packets import PacketReporter
from amierules.usage.retrying import Wish, retry_records
from amierules.usage.site import UsageSite
from tests.support.amie_rows import add_packet
from tests.support.usage import ALPHA, START, collect, ledger, make_site, raw, states


@pytest.fixture
def site(tmp_path: Path, any_database: Database) -> UsageSite:
    return make_site(tmp_path, any_database)


def report(site: UsageSite, limit: int | None = None) -> int:
    return PacketReporter(site, lambda records: None).report(limit).records


def sent(site: UsageSite) -> dict[int, Body]:
    """The packets that were sent, by packet_rec_id."""
    with site.database.read() as connection:
        query = select(usage_report.c.packet_rec_id).where(usage_report.c.packet_rec_id.is_not(None))
        found = read_packets(connection, list(connection.scalars(query)), "TestSite")
    return {number: one.packet.body for number, one in found.items()}


def transactions(site: UsageSite) -> int:
    with site.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(transaction_tbl)).scalar_one())


def answer(database: Database, packet_rec_id: int, status: str, message: str) -> None:
    """The other side's inform_transaction_complete."""
    with database.begin() as connection:
        query = select(packet_tbl.c.trans_rec_id).where(packet_tbl.c.packet_rec_id == packet_rec_id)
        trans_rec_id = connection.scalars(query).one()
        number = add_packet(connection, trans_rec_id, "inform_transaction_complete")
        rows = body_to_rows({"StatusCode": status, "DetailCode": "1", "Message": message})
        insert_contents(connection, {number: Content(rows, ())})


def test_a_job_becomes_one_packet_in_a_transaction_of_its_own(site: UsageSite) -> None:
    collect(site, [raw(7, name="x|y", tres="billing=9,cpu=4,gres/gpu=2,mem=1G,node=1"), raw(8, elapsed=1)])
    assert (report(site, 1), report(site), report(site)) == (1, 1, 0)
    assert transactions(site) == 2
    bodies = sent(site)
    (job,) = [body for body in bodies.values() if body["JobIdentity"] == {"LocalJobID": "7"}]
    assert job == {
        "UsageType": "normal",
        "ProjectID": "P-BIO",
        "Charge": "2",
        "UserLogin": "mara",
        "MachineName": ALPHA,
        "RecordIdentity": {"CreateTime": "2026-04-01T12:00:00Z", "RecordID": f"7.{START + 410}"},
        "JobIdentity": {"LocalJobID": "7"},
        "SubmitTime": "2026-03-01T00:06:50Z",
        "StartTime": "2026-03-01T00:07:00Z",
        "EndTime": "2026-03-01T01:07:00Z",
        "WallDuration": "PT3600S",
        "NodeCount": "1",
        "Processors": "2",
        "Queue": "main",
        "JobName": "x|y",
    }


def test_an_adjustment_is_sent_with_its_reason_and_a_wrong_one_refused(site: UsageSite) -> None:
    adjust(site, Adjustment("refund", "bio", ALPHA, Decimal("1.5"), START, "bad node"))
    report(site)
    (body,) = sent(site).values()
    assert (body["UsageType"], body["Charge"], body["Comment"], body["UserLogin"]) == (
        "refund",
        "1.5",
        "bad node",
        "mara",
    )
    for wrong in ({"type": "refun"}, {"project": "chem"}, {"resource": "x"}, {"charge": Decimal(-1)}, {"login": "zoe"}):
        given = {
            "type": "debit",
            "project": "P-BIO",
            "resource": ALPHA,
            "charge": Decimal(1),
            "start": START,
            "reason": "r",
        }
        with pytest.raises(NotAllowed):
            adjust(site, Adjustment(**{**given, "start": START, "reason": "r", **wrong}))  # type: ignore[arg-type]


def test_what_is_answered_is_loaded_or_failed_and_what_failed_can_be_sent_again(site: UsageSite) -> None:
    collect(site, [raw(1), raw(2), raw(3)])
    report(site)
    numbers = sorted(sent(site))
    answer(site.database, numbers[0], "Success", "OK")
    answer(site.database, numbers[1], "Failure", "no allocation")
    done = PacketReporter(site, lambda records: None).follow()
    assert (done.loaded, done.refused, states(site.database)) == (1, 1, {"loaded": 1, "failed": 1, "sent": 1})
    assert retry_records(site, Wish(None)).released == 1
    assert (report(site), report(site), transactions(site)) == (1, 0, 4)
    assert retry_records(site, Wish([99])).findings


def test_a_record_that_amie_would_not_take_fails_and_holds_nothing_up(tmp_path: Path, database: Database) -> None:
    nodes = "{{ 0 if job.name == 'bad' else 1 }}"
    rules = f'usage: test\njobs:\n  - {{name: a, charge: 1, fields: {{NodeCount: "{nodes}"}}}}\n'
    site = make_site(tmp_path, database, rules=rules)
    collect(site, [raw(1, name="bad"), raw(2)])
    done = PacketReporter(site, lambda records: None).report(None)
    assert (done.records, done.failed) == (1, 1)
    with database.read() as connection:
        reasons = connection.scalars(select(usage_report.c.reason).where(usage_report.c.state == "failed")).all()
    assert reasons
    assert "NodeCount" in str(reasons[0])


@pytest.mark.parametrize("point", ["in the commit of packets", "after packets are committed"])
def test_a_report_that_is_killed_sends_nothing_twice(site: UsageSite, point: str) -> None:
    collect(site, [raw(number) for number in range(12)])
    child = os.fork()
    if child == 0:

        def die(name: str) -> None:
            if name == point:
                os.kill(os.getpid(), signal.SIGKILL)

        PacketReporter(site, lambda records: None, die).report(None)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert report(site) == (0 if point.startswith("after") else 12)
    assert (transactions(site), len(ledger(site.database))) == (12, 12)
