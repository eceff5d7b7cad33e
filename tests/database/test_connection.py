"""Opening a database, and its transactions."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import event, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from amierules.database import run_lock
from amierules.database.amie_tables import transaction_tbl
from amierules.database.connection import Database
from amierules.diagnostics import Unavailable
from tests.support.databases import code_of, note, noted


def test_a_new_database_has_all_tables_and_they_are_ours(database: Database) -> None:
    assert database.exists
    assert database.owns_amie_tables
    with database.read() as connection:
        assert connection.execute(text("select count(*) from type_des")).scalar_one() == 31
        assert connection.execute(text("select count(*) from state_des")).scalar_one() == 7


def test_found_amie_tables_are_not_ours(legacy_postgres_url: str) -> None:
    with Database.open(legacy_postgres_url, create=True) as database:
        assert not database.owns_amie_tables


def test_a_missing_file_is_an_empty_database_in_memory_for_readers(tmp_path: Path) -> None:
    path = tmp_path / "amie.db"
    with Database.open(f"sqlite:///{path}", create=False) as database:
        assert not database.exists
        assert database.path is None
        assert noted(database) == {"amie_tables"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("create", [True, False])
def test_an_empty_file_counts_as_missing(tmp_path: Path, create: bool) -> None:
    path = tmp_path / "amie.db"
    path.touch()
    with Database.open(f"sqlite:///{path}", create=create) as database:
        assert database.exists is create
        assert noted(database) == {"amie_tables"}


def test_a_file_name_may_hold_any_character(tmp_path: Path) -> None:
    path = tmp_path / "a b?c#d%20é.db"
    with Database.open(f"sqlite:///{str(path).replace('?', '%3F')}", create=True) as made:
        assert made.path is not None
        assert made.path.exists()


def test_an_sqlite_file_keeps_a_durable_write_ahead_log(sqlite_url: str) -> None:
    with Database.open(sqlite_url, create=False) as database, database.begin() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        values = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in pragmas]
    assert values == ["wal", 2, 1, 30000]


def test_a_transaction_is_committed_at_its_end_and_rolled_back_on_an_error(database: Database) -> None:
    with database.begin() as connection:
        note(connection, "kept")
    with suppress(KeyError), database.begin() as connection:
        note(connection, "lost")
        raise KeyError
    assert noted(database) == {"amie_tables", "kept"}


def test_a_reading_transaction_cannot_write(database: Database) -> None:
    with pytest.raises(Unavailable) as error, database.read() as connection:
        note(connection, "x")
    assert code_of(error) == "database-read-only"


def test_a_reading_transaction_sees_one_state(database: Database) -> None:
    count = text("select count(*) from amierules_meta")
    with database.read() as reading:
        before = reading.execute(count).scalar_one()
        with database.begin() as writing:
            note(writing, "meanwhile")
        assert reading.execute(count).scalar_one() == before
    assert noted(database) == {"amie_tables", "meanwhile"}


@pytest.mark.parametrize("url_of", ["memory", "stored"])
def test_reading_inside_a_writing_transaction_does_not_wait(request: pytest.FixtureRequest, url_of: str) -> None:
    url = "sqlite://" if url_of == "memory" else request.getfixturevalue("sqlite_url")
    with Database.open(url, create=False) as database, database.begin() as writing:
        note(writing, "x")
        with database.read() as reading:
            assert reading.execute(text("select count(*) from state_des")).scalar_one() == 7


def test_integrity_errors_come_through(database: Database) -> None:
    with pytest.raises(IntegrityError), database.begin() as connection:
        note(connection, "amie_tables")


def test_foreign_keys_hold(database: Database) -> None:
    with pytest.raises(IntegrityError), database.begin() as connection:
        connection.execute(text("insert into transaction_depends_tbl values (17, 18)"))


def test_kept_connections_are_used_again(database: Database) -> None:
    made = []
    event.listen(database.engine, "connect", lambda *_: made.append(1))
    with database.kept():
        for number in range(3):
            with database.begin() as connection:
                note(connection, f"n{number}")
            assert len(noted(database)) == number + 2
    assert len(made) == 2
    with database.begin() as connection:
        note(connection, "afterwards")
    assert len(made) == 3


def test_kept_connections_allow_transactions_inside_one_another(database: Database) -> None:
    with database.kept(), database.kept(), database.read(), database.read() as inner, database.begin() as writing:
        note(writing, "x")
        assert inner.execute(text("select count(*) from state_des")).scalar_one() == 7


def test_a_database_in_memory_serves_several_threads() -> None:
    with Database.open("sqlite://", create=False) as database:

        def write(number: int) -> None:
            with database.begin() as connection:
                note(connection, f"n{number}")

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(noted(database)) == 9


def test_two_databases_in_memory_are_apart() -> None:
    with Database.open("sqlite://", create=False) as one, Database.open("sqlite://", create=False) as other:
        with one.begin() as connection:
            note(connection, "only here")
        assert noted(other) == {"amie_tables"}


def test_what_a_database_in_memory_held_is_put_back_with_the_numbers_that_it_gives() -> None:
    with Database.open("sqlite://", create=False) as database:
        given = next_transaction(database)
        with database.begin() as connection:
            note(connection, "before")
        held = database.held()
        with database.begin() as connection:
            note(connection, "after")
        assert next_transaction(database) == given + 1

        database.hold(held)

        assert noted(database) == {"amie_tables", "before"}
        assert next_transaction(database) == given + 1
        with database.read() as connection:
            assert connection.execute(text("select count(*) from transaction_tbl")).scalar_one() == 2


def next_transaction(database: Database) -> int:
    with database.begin() as connection:
        row = {"originating_site_name": "A", "local_site_name": "A", "remote_site_name": "B", "state_id": 1}
        known = connection.execute(select(func.count()).select_from(transaction_tbl)).scalar_one()
        statement = (
            insert(transaction_tbl).values(transaction_id=known, **row).returning(transaction_tbl.c.trans_rec_id)
        )
        return int(connection.execute(statement).scalar_one())


def test_many_who_make_the_same_file_at_once_all_succeed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/amie.db"
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with Database.open(url, create=True) as database, database.begin() as connection:
                note(connection, f"n{number}")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with Database.open(url, create=False) as database:
        assert len(noted(database)) == 7


def test_one_run_at_a_time_on_a_file(sqlite_url: str) -> None:
    with Database.open(sqlite_url, create=False) as one, Database.open(sqlite_url, create=False) as other:
        with one.run_lock():
            with pytest.raises(Unavailable, match=f"process {os.getpid()}") as error, other.run_lock():
                pass
            assert code_of(error) == "database-busy"
            assert noted(other) == {"amie_tables"}
        with other.run_lock():
            pass


_KILLED = """
import os, signal, sys, time
from amierules.database.connection import Database
with Database.open(sys.argv[1], create=False).run_lock():
    if os.fork() == 0:
        time.sleep(0.5)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_that_was_killed_holds_up_nobody_with_the_child_that_it_was_starting(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "_DYING", 60.0)
    killed = subprocess.run([sys.executable, "-c", _KILLED, sqlite_url], check=False)
    assert killed.returncode == -signal.SIGKILL
    with Database.open(sqlite_url, create=False) as database, database.run_lock():
        pass


def test_several_runs_on_postgresql(postgres_ready_url: str) -> None:
    with Database.open(postgres_ready_url, create=False) as database, database.run_lock(), database.run_lock():
        assert database.path is None
