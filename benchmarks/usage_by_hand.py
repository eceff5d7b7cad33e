"""What a programmer would write by hand to take a file of jobs into the ledger, and to make requests of it."""

import csv
import io
import json
import time
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import psycopg2
from psycopg2.extras import execute_values

from amierules.database.usage_ledger import LEDGER_COLUMNS

MOST_BY_SCRIPT = 2000
"""Jobs that the script takes: it would need hours for the others."""
MOST_PACKETS = 5000
"""Records that are written as packets."""
_PIECE = 10_000
_ATTRIBUTES = ("NodeCount", "CpuCoreCount", "JobName", "Queue")
_COLUMNS = ", ".join(f'"{name}"' for name in LEDGER_COLUMNS)


def _charge(row: list[str]) -> int:
    tres = dict(part.split("=", 1) for part in row[14].split(","))
    hours = Decimal(row[10]) / 3600
    if gpus := int(tres.get("gres/gpu", "0")):
        units = gpus * hours
    else:
        units = max(Decimal(row[13]), Decimal(tres["mem"].rstrip("M")) / 1024 / 4) * hours
    return int(max(units, Decimal("0.001")).quantize(Decimal("0.001"), ROUND_HALF_UP).scaleb(6))


def by_copy(url: str, jobs: str) -> Callable[[], int]:
    """What a programmer would write for this one file and these rules, to be quick: the same rows, by COPY."""
    connection = psycopg2.connect(url.replace("postgresql+psycopg2", "postgresql"))
    accounts = {"bio": "P-BIO"}
    members = {("bio", "mara"), ("bio", "joe")}

    def work() -> int:
        count, now = 0, int(time.time())
        with connection, connection.cursor() as cursor:
            for piece in _pieces(jobs):
                lines = []
                for row in piece:
                    if (row[2], row[3]) not in members:
                        continue
                    values = (
                        "job", row[1], row[0], int(row[7]), int(row[8]), int(row[9]), int(row[10]), row[6], row[2],
                        row[3], row[4], row[5], row[17].replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n"),
                        int(row[12]), int(row[13]), int(row[11]) * 60, row[14], row[15], row[16], "\\N", "rule",
                        accounts[row[2]], "alpha.site.example", row[3], _charge(row), "\\N", now,
                    )  # fmt: skip
                    lines.append("\t".join(map(str, values)))
                text = io.StringIO("\n".join(lines) + "\n")
                cursor.copy_expert(f"copy amierules_usage ({_COLUMNS}) from stdin", text)
                count += len(lines)
        return count

    return work


def _pieces(jobs: str) -> Iterator[list[list[str]]]:
    with open(jobs, encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        piece: list[list[str]] = []
        for row in reader:
            piece.append(row)
            if len(piece) == _PIECE:
                yield piece
                piece = []
        if piece:
            yield piece


def by_script(url: str, jobs: str) -> Callable[[], int]:
    """The script that sites have: for each job ask whether it is known, build the record, insert it, commit."""
    connection = psycopg2.connect(url.replace("postgresql+psycopg2", "postgresql"))
    marks = ", ".join(["%s"] * len(LEDGER_COLUMNS))

    def work() -> int:
        count = 0
        for piece in _pieces(jobs):
            for row in piece:
                with connection, connection.cursor() as cursor:
                    cursor.execute(
                        "select 1 from amierules_usage where cluster = %s and job_id = %s and submitted = %s",
                        (row[1], row[0], int(row[7])),
                    )
                    if cursor.fetchone():
                        continue
                    cursor.execute(
                        "select p.project_id, a.login from amierules_project p"
                        ' join amierules_account a on a.project = p.key where p."group" = %s and a.login = %s',
                        (row[2], row[3]),
                    )
                    project, login = cursor.fetchone() or ("", "")
                    values = (
                        "job", row[1], row[0], int(row[7]), int(row[8]), int(row[9]), int(row[10]), row[6], row[2],
                        row[3], row[4], row[5], row[17], int(row[12]), int(row[13]), int(row[11]) * 60, row[14],
                        row[15], row[16], None, "rule", project, "alpha.site.example", login, _charge(row), None,
                        int(time.time()),
                    )  # fmt: skip
                    cursor.execute(f"insert into amierules_usage ({_COLUMNS}) values ({marks})", values)
                count += 1
                if count == MOST_BY_SCRIPT:
                    return count
        return count

    return work


def requests_by_hand(url: str) -> Callable[[], int]:
    """The requests of all rows, written by hand; nothing is noted of them."""
    connection = psycopg2.connect(url.replace("postgresql+psycopg2", "postgresql"))

    def work() -> int:
        count = size = 0
        with connection, connection.cursor(name="all") as cursor:
            cursor.itersize = 10_000
            cursor.execute(
                "select username, project_id, job_id, resource, charge, usage_id, submitted, started, ended, nodes,"
                " cpus, name, partition from amierules_usage order by usage_id"
            )
            records: list[dict[str, Any]] = []
            for row in cursor:
                moments = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one)) for one in row[6:9]]
                records.append(
                    {
                        "Username": row[0], "LocalProjectID": row[1], "LocalRecordID": row[2], "Resource": row[3],
                        "Charge": str(Decimal(row[4]).scaleb(-6)), "LocalReference": f"x:{row[5]}",
                        "SubmitTime": moments[0], "StartTime": moments[1], "EndTime": moments[2],
                        "Attributes": dict(zip(_ATTRIBUTES, map(str, row[9:13]), strict=True)),
                    }
                )  # fmt: skip
                if len(records) == 500:
                    size += len(json.dumps({"UsageType": "Compute", "Records": records}))
                    count += len(records)
                    records = []
            count += len(records)
        return count

    return work


def packets_by_hand(url: str) -> Callable[[], int]:
    """Packets of the first rows, 100 a commit, each in its own transaction; nothing is checked or noted."""
    connection = psycopg2.connect(url.replace("postgresql+psycopg2", "postgresql"))

    def work() -> int:
        with connection, connection.cursor() as cursor:
            cursor.execute("select type_name, type_id from type_des")
            types = dict(cursor.fetchall())
            cursor.execute(
                "select project_id, charge, username, resource, job_id, submitted, started, ended, elapsed, nodes,"
                " cpus, partition, name from amierules_usage order by usage_id limit %s",
                (MOST_PACKETS,),
            )
            rows = cursor.fetchall()
        for at in range(0, len(rows), 100):
            with connection, connection.cursor() as cursor:
                for number, row in enumerate(rows[at : at + 100], at + 1):
                    _packet(cursor, number, row, types)
        return len(rows)

    return work


_TRANSACTION = (
    "insert into transaction_tbl"
    " (originating_site_name, transaction_id, local_site_name, remote_site_name, state_id, ts)"
    " values ('TestSite', %s, 'TestSite', 'TGCDB', 1, now()) returning trans_rec_id"
)
_PACKET = (
    "insert into packet_tbl (trans_rec_id, packet_id, type_id, version, state_id, outgoing_flag, ts)"
    " values (%s, 1, %s, '1.0', 1, 1, now()) returning packet_rec_id"
)
_TAGS = ("ProjectID", "Charge", "UserLogin", "MachineName", "SubmitTime", "StartTime", "EndTime", "WallDuration")


def _packet(cursor: Any, number: int, row: tuple[Any, ...], types: dict[str, int]) -> None:
    cursor.execute(_TRANSACTION, (number,))
    cursor.execute(_PACKET, (cursor.fetchone()[0], types["notify_project_usage"]))
    (packet,) = cursor.fetchone()
    moments = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one)) for one in row[5:8]]
    values = (row[0], str(Decimal(row[1]).scaleb(-6)), row[2], row[3], *moments, f"PT{row[8]}S")
    data = [
        ("UsageType", None, "normal"),
        *((tag, None, value) for tag, value in zip(_TAGS, values, strict=True)),
        ("RecordIdentity", "CreateTime", moments[2]),
        ("RecordIdentity", "RecordID", f"{row[4]}.{row[5]}"),
        ("JobIdentity", "LocalJobID", row[4]),
        *zip(("NodeCount", "Processors", "Queue", "JobName"), (None,) * 4, map(str, row[9:13]), strict=True),
    ]
    statement = "insert into data_tbl (packet_rec_id, tag, subtag, seq, value) values %s"
    execute_values(cursor, statement, [(packet, tag, subtag, 0, value) for tag, subtag, value in data])
    reply = types["inform_transaction_complete"]
    cursor.execute(
        "insert into expected_reply_tbl (packet_rec_id, type_id, timeout) values (%s, %s, 30240)", (packet, reply)
    )
