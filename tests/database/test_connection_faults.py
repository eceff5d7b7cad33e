"""What is said when a database cannot be opened, read or written."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import Connection, event, text

from amierules.database import own_tables
from amierules.database.connection import Database
from amierules.database.dialect import fault
from amierules.diagnostics import ExitStatus, Invalid, Unavailable
from tests.support.databases import code_of, note, noted
from tests.support.postgres import PostgresServer


def refusal(url: str, *, create: bool = True) -> str:
    with pytest.raises(Unavailable) as error:
        Database.open(url, create=create)
    assert error.value.status is ExitStatus.UNAVAILABLE
    return code_of(error)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to pass over file permissions."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that users other than root can reach, too."""
    folder = Path(os.path.realpath("/tmp")) / f"amierules-test-{os.getpid()}-{threading.get_ident()}"
    folder.mkdir()
    folder.chmod(0o777)
    yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://user@host/db",
        "postgresql+asyncpg://u@h/d",
        "sqlite:///x.db?mode=ro",
        "postgresql://h:port/d",
    ],
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as error:
        Database.open(url, create=True)
    assert code_of(error) == "database-url"


def test_a_closed_port_and_no_password_in_the_message() -> None:
    url = "postgresql://somebody:s3cret-word@127.0.0.1:9/amie"
    with pytest.raises(Unavailable) as error:
        Database.open(url, create=False)
    assert code_of(error) == "database-unreachable"
    assert "s3cret" not in str(error.value)
    assert "127.0.0.1:9" in str(error.value)


def test_a_password_in_the_query_is_hidden() -> None:
    with pytest.raises(Unavailable) as error:
        Database.open("postgresql://somebody@127.0.0.1:9/amie?password=s3cret-word", create=False)
    assert "s3cret" not in str(error.value)


def test_a_database_or_user_that_is_not_there(postgres_server: PostgresServer) -> None:
    assert refusal(postgres_server.url("no_such_database")) == "database-unreachable"
    assert refusal(postgres_server.url("postgres", user="nobody-at-all")) == "database-unreachable"


def test_tables_that_are_missing(postgres_url: str, found_postgres_url: str) -> None:
    for url, command in ((postgres_url, "db create"), (found_postgres_url, "db migrate")):
        with pytest.raises(Unavailable) as error:
            Database.open(url, create=True)
        assert code_of(error) == "database-no-tables"
        assert command in error.value.findings[0].hint


def test_an_sqlite_file_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table thing (x)")
    connection.close()
    assert refusal(f"sqlite:///{path}") == "database-no-tables"


@pytest.mark.parametrize(("version", "code"), [(99, "database-newer"), (0, "database-old")])
def test_tables_of_another_version(database_url: str, version: int, code: str) -> None:
    with Database.open_unchecked(database_url) as database, database.begin() as connection:
        connection.execute(own_tables.migration.delete())
        connection.execute(own_tables.migration.insert().values(version=version, applied_at=datetime.now(UTC)))
    assert refusal(database_url) == code


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "amie.db"
    path.write_bytes(b"rules:\n  - name: this is no database at all\n" * 100)
    assert refusal(f"sqlite:///{path}") == "database-damaged"
    assert refusal(f"sqlite:///{path}", create=False) == "database-damaged"


def test_a_folder_and_a_missing_folder(tmp_path: Path) -> None:
    assert refusal(f"sqlite:///{tmp_path}") == "database-unreachable"
    assert refusal(f"sqlite:///{tmp_path}/missing/amie.db") == "database-unreachable"
    assert refusal("sqlite:////dev/null") == "database-unreachable"


def test_a_read_only_file_can_be_read_and_not_written(open_folder: Path) -> None:
    url = f"sqlite:///{open_folder}/amie.db"
    Database.open(url, create=True).close()
    (open_folder / "amie.db").chmod(0o444)
    with as_nobody(), Database.open(url, create=False) as database:
        assert noted(database) == {"amie_tables"}
        with pytest.raises(Unavailable) as error, database.begin() as connection:
            note(connection, "x")
    assert code_of(error) == "database-read-only"


def test_a_file_without_permission(open_folder: Path) -> None:
    url = f"sqlite:///{open_folder}/amie.db"
    Database.open(url, create=True).close()
    (open_folder / "amie.db").chmod(0o000)
    with as_nobody():
        assert refusal(url) == "database-unreachable"


def test_a_folder_without_permission_to_make_the_file(open_folder: Path) -> None:
    open_folder.chmod(0o755)
    with as_nobody():
        assert refusal(f"sqlite:///{open_folder}/amie.db") == "database-unreachable"


def test_a_read_only_postgresql(postgres_ready_url: str, postgres_server: PostgresServer) -> None:
    name = postgres_ready_url.split("?")[0].rsplit("/", 1)[1]
    postgres_server.query(f'alter database "{name}" set default_transaction_read_only = on')
    with Database.open(postgres_ready_url, create=True) as database:
        assert noted(database) == {"amie_tables"}
        with pytest.raises(Unavailable) as error, database.begin() as connection:
            note(connection, "x")
    assert code_of(error) == "database-read-only"


def test_a_user_without_rights(postgres_ready_url: str, postgres_server: PostgresServer) -> None:
    postgres_server.query("drop role if exists amie_reader")
    postgres_server.query("create role amie_reader login")
    assert refusal(postgres_ready_url.replace("postgres@", "amie_reader@")) == "database-permission"


def test_a_full_disk(sqlite_url: str) -> None:
    with Database.open(sqlite_url, create=False) as database:
        pages = "PRAGMA max_page_count=1"  # SQLite never goes below what the file has
        event.listen(database.engine, "connect", lambda connection, _: connection.execute(pages).close())
        with pytest.raises(Unavailable) as error, database.begin() as connection:
            note(connection, "big", "x" * 5_000_000)
    assert code_of(error) == "disk-full"


def test_a_locked_file(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amierules.database.engines.BUSY_TIMEOUT", 0.1)
    with Database.open(sqlite_url, create=False) as one, one.begin():
        assert noted(one) == {"amie_tables"}
        with pytest.raises(Unavailable) as error, one.begin():
            pass
    assert code_of(error) == "database-locked"


def test_a_connection_that_is_lost(postgres_ready_url: str, postgres_server: PostgresServer) -> None:
    name = postgres_ready_url.split("?")[0].rsplit("/", 1)[1]

    def use_after_loss(connection: Connection) -> None:
        connection.execute(text("select 1"))
        assert postgres_server.end_connections(name)
        connection.execute(text("select 1"))

    with Database.open(postgres_ready_url, create=False) as database, database.kept():
        for transaction in (database.begin, database.read):
            with pytest.raises(Unavailable) as error, transaction() as connection:
                use_after_loss(connection)
            assert code_of(error) == "database-lost"
        with database.begin() as connection:
            note(connection, "afterwards")
        assert "afterwards" in noted(database)


def test_two_transactions_that_wait_for_each_other(postgres_ready_url: str) -> None:
    with Database.open(postgres_ready_url, create=False) as database:
        with database.begin() as connection:
            note(connection, "a")
            note(connection, "b")
        errors: list[Unavailable] = []
        both = threading.Barrier(2)
        change = text("update amierules_meta set value = 'y' where name = :name")

        def touch(first: str, second: str) -> None:
            try:
                with database.begin() as connection:
                    connection.execute(change, {"name": first})
                    both.wait(10)
                    connection.execute(change, {"name": second})
            except Unavailable as error:
                errors.append(error)

        threads = [threading.Thread(target=touch, args=names) for names in (("a", "b"), ("b", "a"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [error.findings[0].code for error in errors] == ["database-locked"]


def test_a_server_that_dies_in_the_middle_of_an_answer_is_a_lost_database() -> None:
    trouble = fault(psycopg2.DatabaseError("server closed the connection unexpectedly"))
    assert trouble is not None
    assert trouble.code == "database-lost"
    assert fault(psycopg2.DataError("value out of range")) is None


def test_a_server_that_takes_no_more_connections(postgres_server: PostgresServer, postgres_ready_url: str) -> None:
    """As `--jobs 64` brings about with the server's own limit of 100."""
    with ExitStack() as opened, Database.open_unchecked(postgres_ready_url) as database:
        with suppress(psycopg2.OperationalError):
            while True:
                connection = psycopg2.connect(host=str(postgres_server.folder), user="postgres", dbname="postgres")
                opened.enter_context(closing(connection))
        with pytest.raises(Unavailable) as error, database.read():
            pass
    (finding,) = error.value.findings
    assert "takes no more connections (" in finding.message
    assert "--jobs" in finding.hint
    assert "max_connections" in finding.hint


def test_a_user_that_gets_no_more_connections(postgres_server: PostgresServer, postgres_ready_url: str) -> None:
    postgres_server.query("create role few login connection limit 0")
    try:
        with pytest.raises(Unavailable) as error:
            Database.open(postgres_ready_url.replace("//postgres@", "//few@"), create=False)
    finally:
        postgres_server.query("drop role few")
    assert "takes no more connections" in str(error.value)
    assert "--jobs" in error.value.findings[0].hint
