"""`amierules db`: tables made, migrated, printed and checked, on both databases."""

import sqlite3
from pathlib import Path

import pytest

from amierules.database.connection import Database
from amierules.database.own_tables import metadata
from amierules.database.schema import CURRENT_VERSION
from amierules.engine.site_folder import write_site_folder
from tests.support.command_line import call, program
from tests.support.postgres import PostgresServer


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new site folder, and we are in it."""
    write_site_folder(tmp_path / "site", "TestSite")
    monkeypatch.chdir(tmp_path / "site")
    return tmp_path / "site"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, site: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The configured database is new: of each kind."""
    url = "sqlite:///amie.db" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    monkeypatch.setenv("AMIERULES_DATABASE", url)
    return url


def test_create_makes_all_tables_and_check_is_content(empty: str) -> None:
    assert call("db", "create").status == 0
    ended = call("db", "check", "--strict")
    assert ended.status == 0
    assert ended.stdout.endswith(f"ok: all tables are there, ours in version {CURRENT_VERSION}\n")


def test_a_second_create_is_refused(empty: str) -> None:
    call("db", "create")
    ended = call("db", "create")
    assert ended.status == 1
    assert "error[database-exists]" in ended.stderr


def test_migrate_has_nothing_to_do_after_create(empty: str) -> None:
    call("db", "create")
    ended = call("db", "migrate")
    assert ended.status == 0
    assert ended.stdout.startswith("nothing to do: ")


def test_migrate_of_an_empty_database_points_to_create(empty: str) -> None:
    ended = call("db", "migrate")
    assert ended.status == 1
    assert "amierules db create" in ended.stderr


def test_check_of_an_empty_database_finds_that_it_is_empty(empty: str) -> None:
    ended = call("db", "check", "--format", "json")
    assert ended.status == 1
    (finding,) = ended.json("validate")["findings"]
    assert finding["code"] == "database-no-tables"


def test_check_makes_no_sqlite_file(site: Path) -> None:
    call("db", "check")
    assert not (site / "amie.db").exists()


def test_migrate_puts_our_tables_beside_found_ones(
    site: Path, found_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMIERULES_DATABASE", found_postgres_url)
    ended = call("db", "create")
    assert ended.status == 1
    assert "error[amie-tables-exist]" in ended.stderr
    ended = call("db", "migrate")
    assert ended.status == 0
    assert ended.stdout.startswith("made the tables of amierules")
    ended = call("db", "check")
    assert ended.status == 0
    assert "the AMIE tables were found" in ended.stdout


def test_the_printed_sql_does_what_migrate_does(
    site: Path, found_postgres_url: str, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMIERULES_DATABASE", found_postgres_url)
    sql = call("db", "migrate", "--print").stdout
    postgres_server.query(sql, found_postgres_url.partition("?")[0].rpartition("/")[2])
    assert call("db", "check").status == 0
    assert call("db", "migrate").stdout.startswith("nothing to do: ")


def test_printing_connects_to_nothing(site: Path) -> None:
    unreachable = "postgresql://nobody@127.0.0.1:1/amie"
    ended = program("db", "migrate", "--print", cwd=site, AMIERULES_DATABASE=unreachable)
    assert (ended.status, ended.stderr) == (0, "")
    assert ended.stdout.startswith("begin;\n")
    assert all(f"CREATE TABLE {name} " in ended.stdout for name in metadata.tables)


def test_the_sql_printed_for_sqlite_can_be_run(site: Path) -> None:
    sql = call("db", "migrate", "--print").stdout
    assert not (site / "amie.db").exists()
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(sql)
        made = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
    finally:
        connection.close()
    assert made >= set(metadata.tables)


def test_from_the_present_version_on_there_is_nothing_to_run(site: Path) -> None:
    ended = call("db", "migrate", "--print", "--from-version", CURRENT_VERSION)
    assert (ended.status, ended.stdout) == (0, "begin;\ncommit;\n")


@pytest.mark.parametrize(
    "words",
    [("--print", "--from-version", CURRENT_VERSION + 1), ("--print", "--from-version", -1), ("--from-version", 1)],
)
def test_a_version_that_makes_no_sense_is_wrong_usage(site: Path, words: tuple[object, ...]) -> None:
    ended = call("db", "migrate", *words)
    assert ended.status == 2
    assert "error[bad-option]" in ended.stderr


@pytest.mark.parametrize("words", [("create",), ("migrate",), ("check",)])
def test_a_database_that_cannot_be_reached_ends_with_5(
    site: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    for url in ("postgresql://nobody@127.0.0.1:1/amie", "sqlite:///no/such/folder/amie.db"):
        monkeypatch.setenv("AMIERULES_DATABASE", url)
        ended = call("db", *words)
        missing_file = url.startswith("sqlite") and words == ("check",)
        assert ended.status == (1 if missing_file else 5)
        assert "\n" not in (ended.stderr or ended.stdout).partition("\n      = hint")[0]


def test_a_lost_table_is_found(empty: str) -> None:
    call("db", "create")
    url = empty.replace(":///amie.db", f":///{Path.cwd()}/amie.db")
    with Database.open(url, create=False) as database, database.begin() as connection:
        connection.exec_driver_sql("drop table amierules_event")
    ended = call("db", "check")
    assert ended.status == 1
    assert "error[missing-table]" in ended.stdout


def test_a_file_that_is_no_database_is_one_finding(site: Path) -> None:
    (site / "amie.db").write_text("this is no database, but it is long enough to be looked at as one" * 20)
    for command in ("create", "migrate", "check"):
        ended = call("db", command)
        assert ended.status == 5
        assert "error[database-damaged]" in ended.stderr
