"""Databases that are not to be had: each command says so once, and ends with 5."""

import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from amierules.database import engines, own_tables
from amierules.database.connection import Database
from tests.support import states
from tests.support.command_line import Ended, call
from tests.support.postgres import PostgresServer
from tests.support.states import packets, write

READING = ["status", "dry-run", "dry-run --packet one.json", "show 1", "registry show", "registry export"]
WRITING = ["load one.json", "run", "approve 1", "retry 1", "hold 1", "fail 1", "complete 1", "resolve 1 s --redo"]
WRITING += ["pause commands", "resume commands"]
ALL = [*READING, *WRITING, "registry set person 1 state=active", "db prune"]
WITH_JSON = ["status", "dry-run", "show 1", "registry show"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site folder with a packet in a file, and we are in it; the database is chosen by `use`."""
    monkeypatch.chdir(states.make_folder(tmp_path))
    write(tmp_path / "one.json", packets("held"))
    return tmp_path


def refused(line: str, code: str, status: int = 5) -> Ended:
    """Call a command that must be refused with one finding."""
    ended = call(*line.split())
    assert ended.status == status, f"{line}: {ended.stdout}{ended.stderr}"
    assert ended.stdout == "", line
    first, *further = ended.stderr.splitlines()
    assert first.startswith(f"error[{code}]: "), line
    assert all(more.startswith("      = hint: ") for more in further), line
    return ended


def refused_as_json(line: str, code: str) -> None:
    ended = call(*line.split(), "--format", "json")
    assert (ended.status, ended.stderr) == (5, ""), line
    assert ended.json("error")["error"]["code"] == code


def test_a_server_that_cannot_be_reached(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMIERULES_DATABASE", "postgresql://amie:s3cret-word@127.0.0.1:1/amie")
    for line in ALL:
        ended = refused(line, "database-unreachable")
        assert "s3cret-word" not in ended.stderr
        assert "127.0.0.1" in ended.stderr
    for line in WITH_JSON:
        refused_as_json(line, "database-unreachable")
    doctor = call("doctor", "--format", "json")
    assert doctor.status == 5
    states_of = {check["what"]: check["state"] for check in doctor.json("doctor")["checks"]}
    assert states_of["database"] == "error"
    assert call("validate").status == 0


def test_a_missing_file_is_an_empty_database_to_readers_and_made_by_writers(site: Path) -> None:
    for line in READING:
        assert call(*line.split()).status == (2 if line == "show 1" else 0), line
    assert not (site / "amie.db").exists()
    assert call("load", "one.json").status == 0
    assert (site / "amie.db").exists()


def test_a_folder_that_is_missing(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMIERULES_DATABASE", f"sqlite:///{site}/no/such/folder/amie.db")
    for line in [*READING, *WRITING, "status --check"]:
        ended = call(*line.split())
        assert (ended.status, "error[database-unreachable]" in ended.stderr) == (5, True), line
    for line in WRITING:
        refused(line, "database-unreachable")
    assert not (site / "no").exists()


@pytest.mark.parametrize(
    ("content", "code"), [(b"no database at all " * 100, "database-damaged"), (None, "database-unreachable")]
)
def test_a_file_that_is_no_database(site: Path, content: bytes | None, code: str) -> None:
    path = site / "amie.db"
    path.mkdir() if content is None else path.write_bytes(content)
    for line in ALL:
        refused(line, code)
    for line in WITH_JSON:
        refused_as_json(line, code)


@pytest.mark.parametrize(("version", "code"), [(99, "database-newer"), (0, "database-old")])
def test_tables_of_another_version(site: Path, version: int, code: str) -> None:
    assert call("load", "one.json").status == 0
    url = f"sqlite:///{site}/amie.db"
    with Database.open_unchecked(url) as database, database.begin() as connection:
        connection.execute(own_tables.migration.delete())
        connection.execute(own_tables.migration.insert().values(version=version, applied_at=datetime.now(UTC)))
    for line in ALL:
        hint = refused(line, code).stderr
        assert "update amierules" in hint or "amierules db migrate" in hint
    refused_as_json("status", code)


def test_tables_of_another_version_on_postgresql(
    site: Path, postgres_ready_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMIERULES_DATABASE", postgres_ready_url)
    with Database.open_unchecked(postgres_ready_url) as database, database.begin() as connection:
        connection.execute(own_tables.migration.insert().values(version=99, applied_at=datetime.now(UTC)))
    for line in ("status", "run", "load one.json", "registry export"):
        refused(line, "database-newer")


def test_no_tables(site: Path, postgres_url: str, found_postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for url, command in ((postgres_url, "db create"), (found_postgres_url, "db migrate")):
        monkeypatch.setenv("AMIERULES_DATABASE", url)
        for line in ("status", "run", "load one.json", "approve 1", "registry show"):
            assert command in refused(line, "database-no-tables").stderr
        assert call(*command.split()).status == 0
        assert call("load", "one.json").status == 0
        assert call("run").status == 3


def test_a_read_only_server(
    site: Path, postgres_server: PostgresServer, postgres_ready_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMIERULES_DATABASE", postgres_ready_url)
    assert call("load", "one.json").status == 0
    name = postgres_ready_url.partition("?")[0].rpartition("/")[2]
    postgres_server.query(f'alter database "{name}" set default_transaction_read_only = on')
    for line in READING:
        assert call(*line.split()).status == 0, line
    write(site / "one.json", packets("done"))
    for line in ("load one.json", "run", "hold 1", "fail 1"):
        refused(line, "database-read-only")


@contextmanager
def without_rights() -> Iterator[None]:
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
def open_site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A site folder that users other than root can enter, with a packet; we are in it."""
    folder = Path(os.path.realpath("/tmp")) / f"amierules-cli-{os.getpid()}-{threading.get_ident()}"
    states.make_folder(folder)
    monkeypatch.chdir(folder)
    write(folder / "one.json", packets("held"))
    assert call("load", "one.json").status == 0
    # What Python imports late must be there before rights are given up.
    assert call("run").status == 3
    folder.chmod(0o777)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield folder
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def test_a_read_only_file(open_site: Path) -> None:
    (open_site / "amie.db").chmod(0o444)
    write(open_site / "two.json", packets("done"))
    with without_rights():
        for line, status in (("status", 3), ("show 1", 0), ("dry-run", 0)):
            assert call(*line.split()).status == status, line
        for line in ("load two.json", "retry 1"):
            refused(line, "database-read-only")


def test_a_folder_that_cannot_be_written(open_site: Path) -> None:
    open_site.chmod(0o555)
    with without_rights():
        refused("run", "database-read-only")


def test_a_locked_file_is_said_to_writers_and_read_by_readers(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("load", "one.json").status == 0
    write(site / "two.json", packets("done"))
    other = sqlite3.connect(site / "amie.db", isolation_level=None)
    try:
        other.execute("begin immediate")
        for line in ("status", "show 1", "dry-run"):
            assert call(*line.split()).status == 0, line
        monkeypatch.setattr(engines, "BUSY_TIMEOUT", 0.1)
        refused("load two.json", "database-locked")
    finally:
        other.close()
    assert call("load", "two.json").status == 0


def test_a_second_run_ends_with_5_and_everything_else_works_beside(site: Path) -> None:
    assert call("load", "one.json").status == 0
    assert call("run").status == 3
    write(site / "two.json", packets("done"))
    with Database.open(f"sqlite:///{site}/amie.db", create=False) as database, database.run_lock():
        assert f"process {os.getpid()}" in refused("run", "database-busy").stderr
        working: list[tuple[str, int]] = [
            ("status", 3),
            ("show 1", 0),
            ("dry-run", 0),
            ("load two.json", 0),
            ("approve 1", 0),
            ("registry show", 0),
            ("db check", 0),
            ("doctor", 1),
        ]
        for line, status in working:
            ended = call(*line.split())
            assert ended.status == status, line + ended.stdout
    assert call("run").status == 3


@pytest.mark.parametrize("url", ["nonsense", "mysql://u@h/d", "sqlite:///x.db?mode=ro", "postgresql://h:port/d", " "])
def test_a_url_that_is_none_is_an_invalid_configuration(site: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMIERULES_DATABASE", url)
    for line in ("status", "run", "load one.json", "approve 1", "registry show", "db create"):
        ended = call(*line.split())
        assert ended.status == 1, line
        assert ended.stderr.startswith("error["), line
        assert "sqlite:///amie.db" in ended.stderr


def test_a_server_that_goes_away_during_a_run(
    site: Path, postgres_server: PostgresServer, postgres_ready_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMIERULES_DATABASE", postgres_ready_url)
    name = postgres_ready_url.partition("?")[0].rpartition("/")[2]
    psql = site / "end-connections"
    psql.write_text(
        f"#!/bin/sh\nexec {postgres_server.programs}/psql -qAt -h {postgres_server.folder} -U postgres -c "
        f"\"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'\"\n"
    )
    psql.chmod(0o755)
    rule = (
        "packet: request_user_modify\nrules:\n  - name: it\n    actions:\n"
        f"      - {{name: end, command: {{run: [{psql}], unless: {{run: [test, -e, {site}/flag]}}}}}}\n"
        "    reply: {}\n"
    )
    (site / "rules" / "request_user_modify.yaml").write_text(rule)
    assert call("load", "one.json").status == 0
    ended = call("run")
    assert ended.status == 5
    assert ended.stderr.startswith("error[claims-lost]: ")
    assert "Traceback" not in ended.stderr
    (site / "flag").touch()
    assert call("run").status == 0
    assert call("status", "--all", "--format", "json").json("status")["packets"][0]["status"] == "done"


def test_more_jobs_than_the_server_has_connections_for_are_told_of_at_once(
    site: Path, postgres_ready_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMIERULES_DATABASE", postgres_ready_url)
    ended = call("run", "--jobs", 24)
    assert (ended.status, ended.stderr.partition(":")[0]) == (0, "warning[few-connections]")
    assert "--jobs 24 may need 104 connections, and " in ended.stderr
    assert re.search(r"use --jobs 2\d, or raise max_connections", ended.stderr)
    assert "few-connections" not in call("run", "--jobs", 8).stderr
