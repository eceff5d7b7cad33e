"""Fixtures for tests that need a database: always the real thing, PostgreSQL and SQLite."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from amierules.database.connection import Database
from amierules.database.migrations import create_all, migrate
from tests.support import real
from tests.support.deaths import KILLS, table
from tests.support.postgres import PostgresServer
from tests.support.slapd import Slapd
from tests.support.slurm import SlurmServer
from tests.support.sshd import SshServer

# How long an example takes says how busy the machine is.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
AMIE_SQL = Path(__file__).parent / "support" / "amie.sql"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the whole test run."""
    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def slurm_server() -> Iterator[SlurmServer]:
    """A Slurm for the whole test run of this process."""
    server = SlurmServer()
    yield server
    server.remove()


@pytest.fixture
def slurm(slurm_server: SlurmServer) -> SlurmServer:
    """A Slurm without accounts."""
    slurm_server.clean()
    return slurm_server


@pytest.fixture(scope="session")
def sshd() -> Iterator[SshServer]:
    """A real sshd on three addresses."""
    server = SshServer()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def ready_template(postgres_server: PostgresServer) -> str:
    """The name of a database with all tables, all of them ours."""
    name = postgres_server.create_database()
    with Database.open_unchecked(postgres_server.url(name)) as database:
        create_all(database)
    return name


@pytest.fixture(scope="session")
def legacy_template(postgres_server: PostgresServer) -> str:
    """The name of a database whose AMIE tables were made by the reference implementation's SQL."""
    name = postgres_server.create_database()
    postgres_server.query(AMIE_SQL.read_text(encoding="utf-8"), name)
    return name


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a fresh, empty PostgreSQL database."""
    yield from _database(postgres_server, "template0")


@pytest.fixture
def postgres_ready_url(postgres_server: PostgresServer, ready_template: str) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database with all tables."""
    yield from _database(postgres_server, ready_template)


@pytest.fixture
def found_postgres_url(postgres_server: PostgresServer, legacy_template: str) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database with the seven AMIE tables as a site finds them, and none of ours."""
    yield from _database(postgres_server, legacy_template)


@pytest.fixture
def legacy_postgres_url(found_postgres_url: str) -> str:
    """The URL of a fresh PostgreSQL database with found AMIE tables and ours beside them."""
    with Database.open_unchecked(found_postgres_url) as database:
        migrate(database)
    return found_postgres_url


@pytest.fixture(scope="session")
def slapd_server() -> Iterator[Slapd]:
    """One OpenLDAP server for all tests that need one."""
    server = Slapd()
    yield server
    server.remove()


@pytest.fixture
def directory(slapd_server: Slapd) -> Slapd:
    """An OpenLDAP server with the tree that it has at first."""
    slapd_server.reset()
    return slapd_server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a fresh SQLite file with all tables."""
    url = f"sqlite:///{tmp_path}/amie.db"
    Database.open(url, create=True).close()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh database with all tables, once for each kind."""
    return str(request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_ready_url"}[request.param]))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh, opened database with all tables, once for each kind."""
    with Database.open(database_url, create=False) as opened:
        yield opened


@pytest.fixture(params=["ours on sqlite", "ours on postgresql", "found on postgresql"])
def any_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A fresh, opened database: of each kind, and one whose AMIE tables belong to a legacy AMIE program."""
    fixtures = {"ours on sqlite": "sqlite_url", "ours on postgresql": "postgres_ready_url"}
    url = request.getfixturevalue(fixtures.get(request.param, "legacy_postgres_url"))
    with Database.open(url, create=False) as opened:
        yield opened


def _database(server: PostgresServer, template: str) -> Iterator[str]:
    name = server.create_database(template)
    yield server.url(name)
    server.drop_database(name)


def pytest_configure() -> None:
    """A terminal's width is the test's to say: whoever shares tests out sets one for those who get them."""
    os.environ.pop("COLUMNS", None)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where several processes share the tests, each hands in which real parts it used."""
    handed_in: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if handed_in is not None:
        handed_in["real parts"] = real.noted()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes what a process that shared the tests has handed in."""
    handed_in: dict[str, Any] = getattr(node, "workeroutput", {})
    if "real parts" in handed_in:
        real.gather(handed_in["real parts"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says at the end which real parts took part, and how many processes were killed where."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, ())]
    recorded = (value for report in reports for name, value in getattr(report, "user_properties", ()) if name == KILLS)
    for line in table(recorded):
        terminalreporter.write_line(line)
    terminalreporter.write_line(real.closing_line())
