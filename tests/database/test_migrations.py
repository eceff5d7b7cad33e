"""Making tables, bringing ours from version to version, and checking them."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import Connection, inspect, select, text

from amierules.database import amie_tables, own_tables
from amierules.database.connection import Database
from amierules.database.migrations import create_all, migrate, migration_sql
from amierules.database.schema import CURRENT_VERSION, OWN_TABLE_NAMES, STEPS
from amierules.database.table_check import check
from amierules.diagnostics import AmierulesError, Severity
from amierules.protocol.catalogue import catalogue
from tests.support.postgres import PostgresServer

AMIE_TABLES = sorted(amie_tables.TABLE_NAMES)
ADDED_COLUMNS = (
    ("amierules_work", "asked"),
    ("amierules_approval", "answers"),
    ("amierules_step", "given"),
    *(("amierules_step", name) for name in ("place", "mark", "deadline")),
    ("amierules_work", "paused_by"),
    ("amierules_project_resource", "brought_by"),
)
ADDED = (
    "index amierules_work_blocker",
    "table amierules_pause",
    "table amierules_outbox",
    "table amierules_observed",
    "table amierules_person_former_global",
    "table amierules_post",
    "table amierules_unreadable",
    "table amierules_client_state",
    "index amierules_packet_unnamed",
    "index amierules_packet_remote_trans",
    *(f"table amierules_usage{name}" for name in ("", "_batch", "_problem", "_report", "_run")),
)
"""What the steps from version 1 on have added."""


def described(connection: Connection, tables: Sequence[str]) -> dict[str, object]:
    """All that makes the tables: columns, keys, indexes."""
    inspector = inspect(connection)
    return {
        table: (
            [
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(table)
            ],
            inspector.get_pk_constraint(table),
            sorted(str(sorted(key.items())) for key in inspector.get_foreign_keys(table)),
            sorted((key["name"], key["column_names"]) for key in inspector.get_unique_constraints(table)),
            sorted((str(index["name"]), index["column_names"]) for index in inspector.get_indexes(table)),
        )
        for table in tables
    }


def contents(connection: Connection) -> list[list[tuple[object, ...]]]:
    tables = (amie_tables.state_des, amie_tables.type_des)
    return [[tuple(row) for row in connection.execute(select(table).order_by(text("1")))] for table in tables]


def refused(call: object) -> str:
    assert callable(call)
    with pytest.raises(AmierulesError) as error:
        call()
    (finding,) = error.value.findings
    assert finding.hint
    return finding.code


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/new.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


both_kinds = pytest.mark.parametrize("empty_url", ["sqlite", "postgresql"], indirect=True)


def test_our_amie_tables_are_those_of_the_reference_implementation(
    postgres_ready_url: str, found_postgres_url: str
) -> None:
    ours, theirs = Database.open_unchecked(postgres_ready_url), Database.open_unchecked(found_postgres_url)
    with ours.read() as made, theirs.read() as found:
        assert described(made, AMIE_TABLES) == described(found, AMIE_TABLES)
        assert contents(made) == contents(found)


def test_the_catalogue_and_type_des_agree(database: Database) -> None:
    with database.read() as connection:
        _, types = contents(connection)
    assert types == [(number, catalogue().by_id[number].name) for number in range(1, 32)]


@both_kinds
def test_create_makes_everything_once(empty_url: str) -> None:
    with Database.open_unchecked(empty_url) as database:
        create_all(database)
        assert refused(lambda: create_all(database)) == "database-exists"
        assert migrate(database) == []
    with Database.open(empty_url, create=False) as database:
        assert database.owns_amie_tables


def test_create_leaves_found_tables_alone(found_postgres_url: str) -> None:
    with Database.open_unchecked(found_postgres_url) as database:
        assert refused(lambda: create_all(database)) == "amie-tables-exist"
        with database.read() as connection:
            assert not inspect(connection).has_table("amierules_work")


def test_migrate_adds_ours_beside_found_tables_and_does_not_alter_them(found_postgres_url: str) -> None:
    with Database.open_unchecked(found_postgres_url) as database:
        with database.read() as connection:
            before = described(connection, AMIE_TABLES)
        assert migrate(database) == list(range(1, CURRENT_VERSION + 1))
        assert migrate(database) == []
        with database.read() as connection:
            assert described(connection, AMIE_TABLES) == before
            foreign = [key for name in OWN_TABLE_NAMES for key in inspect(connection).get_foreign_keys(name)]
    assert {key["referred_table"] for key in foreign} <= set(OWN_TABLE_NAMES)


@both_kinds
def test_migrate_needs_amie_tables(empty_url: str) -> None:
    with Database.open_unchecked(empty_url) as database:
        assert refused(lambda: migrate(database)) == "no-amie-tables"


def test_some_of_our_tables_alone_are_refused(found_postgres_url: str) -> None:
    with Database.open_unchecked(found_postgres_url) as database:
        with database.begin() as connection:
            connection.execute(text("create table amierules_work (x int)"))
        assert refused(lambda: migrate(database)) == "database-half-made"


def test_a_newer_database_is_refused(database: Database) -> None:
    with database.begin() as connection:
        row = {"version": CURRENT_VERSION + 1, "applied_at": datetime.now(UTC)}
        connection.execute(own_tables.migration.insert().values(row))
    assert refused(lambda: migrate(database)) == "database-newer"


def a_step(dialect_name: str) -> list[str]:
    return [f"alter table amierules_meta add column {dialect_name}_column integer"]


def test_steps_are_applied_once_and_in_order(database: Database) -> None:
    steps = (*STEPS, a_step, lambda _: ["alter table amierules_meta add column later integer"])
    assert migrate(database, steps) == [CURRENT_VERSION + 1, CURRENT_VERSION + 2]
    assert migrate(database, steps) == []
    with database.read() as connection:
        columns = [column["name"] for column in inspect(connection).get_columns("amierules_meta")]
    kind = "sqlite" if database.is_sqlite else "postgresql"
    assert columns == ["name", "value", f"{kind}_column", "later"]


def test_a_step_that_fails_changes_nothing(database: Database) -> None:
    with pytest.raises(Exception, match="nonsense"):
        migrate(database, (*STEPS, a_step, lambda _: ["nonsense"]))
    assert migrate(database, (*STEPS, a_step)) == [CURRENT_VERSION + 1]


@pytest.mark.parametrize("url", ["sqlite_url", "postgres_ready_url"])
def test_the_steps_lead_from_the_first_version_to_the_tables_of_today(request: pytest.FixtureRequest, url: str) -> None:
    with Database.open_unchecked(request.getfixturevalue(url)) as database:
        with database.read() as connection:
            today = described(connection, OWN_TABLE_NAMES)
        with database.begin() as connection:
            data = {"former_global_ids": ["90011"]}
            connection.execute(own_tables.person.insert().values(key="k", state="active", data=data))
            for made in ADDED:
                connection.execute(text(f"drop {made}"))
            for table, column in ADDED_COLUMNS:
                connection.execute(text(f"alter table {table} drop column {column}"))
            connection.execute(text("delete from amierules_migration where version > 1"))
        assert migrate(database) == list(range(2, CURRENT_VERSION + 1))
        with database.read() as connection:
            assert described(connection, OWN_TABLE_NAMES) == today
            found = connection.execute(own_tables.person_former_global.select()).all()
        assert [tuple(row) for row in found] == [("90011", "k")]
        assert not [finding for finding in check(database) if finding.severity is not Severity.NOTE]


@pytest.mark.parametrize("kind", ["found_postgres_url", "postgres_ready_url", "sqlite_url"])
def test_two_that_migrate_at_once(request: pytest.FixtureRequest, kind: str) -> None:
    url = request.getfixturevalue(kind)
    results: list[list[int]] = []

    def work() -> None:
        with Database.open_unchecked(url) as database:
            results.append(migrate(database, (*STEPS, a_step)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results)[:3] == [[], [], []]
    assert sorted(results)[3] in (list(range(1, CURRENT_VERSION + 2)), [CURRENT_VERSION + 1])


def test_the_printed_sql_makes_what_migrate_makes(
    found_postgres_url: str, legacy_template: str, postgres_server: PostgresServer
) -> None:
    name = postgres_server.create_database(legacy_template)
    connection = psycopg2.connect(postgres_server.url(name))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(migration_sql("postgresql", 0))
    connection.close()
    with Database.open(postgres_server.url(name), create=False) as printed, printed.read() as one:
        assert not printed.owns_amie_tables
        with Database.open_unchecked(found_postgres_url) as applied:
            migrate(applied)
            with applied.read() as other:
                assert described(one, OWN_TABLE_NAMES) == described(other, OWN_TABLE_NAMES)
    postgres_server.drop_database(name)


def test_the_printed_sql_from_a_version_on_holds_only_later_steps() -> None:
    printed = migration_sql("sqlite", CURRENT_VERSION, (*STEPS, a_step))
    assert "sqlite_column" in printed
    assert "create table" not in printed.lower()
    assert f"({CURRENT_VERSION + 1}, current_timestamp)" in printed
    assert migration_sql("postgresql", CURRENT_VERSION) == "begin;\ncommit;\n"


def test_the_step_for_the_outbox_makes_it_as_it_is_made_anew(database: Database) -> None:
    step = next(step for step in STEPS if "amierules_outbox" in " ".join(step("sqlite")))
    with database.begin() as connection:
        made = described(connection, ["amierules_outbox"])
        connection.execute(text("drop table amierules_outbox"))
        for statement in step(connection.dialect.name):
            connection.exec_driver_sql(statement)
        assert described(connection, ["amierules_outbox"]) == made


def test_check_finds_nothing_in_sound_tables(database: Database) -> None:
    assert [(finding.code, finding.severity) for finding in check(database)] == [("amie-tables", Severity.NOTE)]


def test_check_says_that_the_amie_tables_were_found(legacy_postgres_url: str) -> None:
    with Database.open(legacy_postgres_url, create=False) as database:
        (finding,) = check(database)
    assert "were found" in finding.message


@both_kinds
def test_check_of_an_empty_database(empty_url: str) -> None:
    with Database.open_unchecked(empty_url) as database:
        assert [finding.code for finding in check(database)] == ["database-no-tables"]


def test_check_of_found_tables_without_ours(found_postgres_url: str) -> None:
    with Database.open_unchecked(found_postgres_url) as database:
        assert [finding.code for finding in check(database)] == ["missing-table"]


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        ("drop table expected_reply_tbl", "missing-table", "expected_reply_tbl"),
        ("drop table amierules_step", "missing-table", "amierules_step"),
        ("alter table amierules_work drop column reason", "missing-column", "amierules_work.reason"),
        ("alter table packet_tbl add column site_note text", "extra-column", "packet_tbl.site_note"),
        ("alter table data_tbl alter column value type varchar(80)", "altered-column", "data_tbl.value"),
        ("alter table data_tbl alter column seq drop not null", "altered-column", "data_tbl.seq"),
        ("alter table data_tbl alter column value set not null", "altered-column", "data_tbl.value"),
        ("alter table data_tbl drop constraint data_tbl_packet_rec_id_tag_subtag_seq_key", "missing-key", "data_tbl"),
        ("delete from type_des where type_id = 31", "missing-packet-type", "request_person_merge"),
        ("delete from state_des where state_id = 5", "altered-state", "on-hold"),
        ("update state_des set state_id = 9 where state_id = 7", "altered-state", "killed"),
        ("delete from amierules_migration", "schema-version", "version 0"),
        ("update amierules_migration set version = version + 70", "schema-version", f"version {CURRENT_VERSION + 70}"),
    ],
)
def test_check_names_what_differs(postgres_ready_url: str, change: str, code: str, named: str) -> None:
    with Database.open_unchecked(postgres_ready_url) as database:
        with database.begin() as connection:
            connection.execute(text(change))
        (finding,) = [finding for finding in check(database) if finding.severity is not Severity.NOTE]
    assert finding.code == code
    assert named in finding.message
