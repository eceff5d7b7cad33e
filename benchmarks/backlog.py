"""A backlog of packets for benchmarks: request_account_create of 30 rows each, and transactions that wait elsewhere."""

import csv
import io
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

import psycopg2

from amierules.database.amie_tables import STATE_IDS
from amierules.protocol.catalogue import catalogue
from amierules.protocol.packet import IN_PROGRESS

SITE, CENTRAL, RESOURCE = "TestSite", "TGCDB", "alpha.site.example"
REQUEST, REPLY = "request_account_create", "notify_account_create"
FIRST = datetime(2026, 3, 1, 12, 0)

Row = tuple[object, ...]

_TEXTS = {
    "UserTitle": "Dr.",
    "UserFirstName": "Ann",
    "UserMiddleName": "B",
    "UserLastName": "Example",
    "UserEmail": "ann@university.example",
    "UserOrganization": "University of Examples",
    "UserOrgCode": "0032425",
    "UserDepartment": "Physics",
    "UserPosition": "Graduate Student",
    "UserStreetAddress": "1 Example Road",
    "UserStreetAddress2": "Room 2",
    "UserCity": "Exampleton",
    "UserState": "IL",
    "UserZip": "61801",
    "UserCountry": "9US",
    "UserBusinessPhoneNumber": "217-555-0100",
    "UserBusinessPhoneExtension": "12",
    "UserFax": "217-555-0101",
    "NsfStatusCode": "GS",
    "AllocatedResource": RESOURCE,
    "RequesterLogin": "pi",
}
_TABLES = {
    "transaction_tbl": (
        *("trans_rec_id", "originating_site_name", "transaction_id", "local_site_name", "remote_site_name"),
        *("state_id", "ts"),
    ),
    "packet_tbl": (
        *("packet_rec_id", "trans_rec_id", "packet_id", "type_id", "version", "state_id", "outgoing_flag", "ts"),
    ),
    "data_tbl": ("packet_rec_id", "tag", "subtag", "seq", "value"),
    "expected_reply_tbl": ("packet_rec_id", "type_id", "timeout"),
    "amierules_work": (
        *("packet_rec_id", "trans_rec_id", "type", "ts", "status", "begun", "taken_in_at", "updated_at"),
    ),
    "amierules_packet": ("packet_rec_id", "remote_site_name", "in_reply_to", "stored_at"),
}
_COUNTERS = {"transaction_tbl": "trans_rec_id", "packet_tbl": "packet_rec_id"}


def data_rows(number: int) -> list[Row]:
    """The 30 rows of packet `number`; no two packets share a person or a grant."""
    rows: list[Row] = [(number, tag, None, 0, value) for tag, value in _TEXTS.items()]
    rows += [
        (number, "GrantNumber", None, 0, f"ABC{number:07}"),
        (number, "ResourceList", None, 0, RESOURCE),
        (number, "UserGlobalID", None, 0, str(900_000 + number)),
        (number, "UserPersonID", None, 0, f"p{number:07}"),
        (number, "UserRequestedLoginList", None, 0, f"u{number:07}"),
    ]
    rows += [(number, "UserDnList", None, seq, f"/C=US/O=Grid {seq}/CN=Ann Example {number}") for seq in range(4)]
    return rows


def waiting(count: int) -> dict[str, Iterator[Row]]:
    """The rows of `count` packets that wait for us, by table; numbered from 1, each in a transaction of its own."""
    types, state, numbers = catalogue().types, STATE_IDS[IN_PROGRESS], range(1, count + 1)
    timeout = types[REQUEST].expected_replies[0].timeout
    at = {number: (FIRST + timedelta(seconds=number)).isoformat(" ", "microseconds") for number in numbers}
    return {
        "transaction_tbl": ((number, CENTRAL, number, SITE, CENTRAL, state, at[number]) for number in numbers),
        "packet_tbl": ((number, number, 1, types[REQUEST].id, "1.0", state, 0, at[number]) for number in numbers),
        "data_tbl": (row for number in numbers for row in data_rows(number)),
        "expected_reply_tbl": ((number, types[REPLY].id, timeout) for number in numbers),
    }


def sent(count: int) -> dict[str, Iterator[Row]]:
    """The rows of `count` transactions whose request we have answered, and which wait for the other side."""
    types, numbers = catalogue().types, range(1, count + 1)
    open_, over, at = STATE_IDS[IN_PROGRESS], STATE_IDS["completed"], FIRST.isoformat(" ", "microseconds")
    both = ((0, types[REQUEST].id, over), (1, types[REPLY].id, open_))
    return {
        "transaction_tbl": ((number, CENTRAL, number, SITE, CENTRAL, open_, at) for number in numbers),
        "packet_tbl": (
            (2 * number - 1 + outgoing, number, 1, type_id, "1.0", state, outgoing, at)
            for number in numbers
            for outgoing, type_id, state in both
        ),
        "amierules_work": ((2 * number - 1, number, REQUEST, at, "done", False, at, at) for number in numbers),
        "amierules_packet": ((2 * number, CENTRAL, 2 * number - 1, at) for number in numbers),
    }


def fill_postgres(dsn: str, tables: dict[str, Iterator[Row]]) -> None:
    """Copies the rows into a PostgreSQL database that has the tables, and gathers statistics as autovacuum would."""
    connection = psycopg2.connect(dsn)
    with connection, connection.cursor() as cursor:
        for table, rows in tables.items():
            for chunk in _chunks(rows, 50_000):
                columns = ", ".join(_TABLES[table])
                cursor.copy_expert(f"copy {table} ({columns}) from stdin (format csv)", _as_csv(chunk))
            if counter := _COUNTERS.get(table):
                cursor.execute(
                    f"select setval(pg_get_serial_sequence('{table}', '{counter}'), max({counter})) from {table}"
                )
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("vacuum (analyze)")
    connection.close()


def fill_sqlite(path: Path, tables: dict[str, Iterator[Row]]) -> None:
    """Inserts the rows into an SQLite file that has the tables."""
    connection = sqlite3.connect(path)
    with connection:
        for table, rows in tables.items():
            columns, marks = ", ".join(_TABLES[table]), ", ".join("?" * len(_TABLES[table]))
            connection.executemany(f"insert into {table} ({columns}) values ({marks})", rows)
    connection.close()


def _as_csv(rows: Iterable[Row]) -> io.StringIO:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    text.seek(0)
    return text


def _chunks(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, size)):
        yield chunk
