"""The durable server of the crash tests, and the table of kills at the end."""

from collections import Counter
from collections.abc import Iterator

import pytest

from amierules.database.connection import Database
from amierules.database.migrations import create_all
from tests.support.deaths import KILLS
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="session")
def durable_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server that writes each commit to the disk."""
    server = PostgresServer(durable=True)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def durable_template(durable_server: PostgresServer) -> str:
    """The name of a database with all tables."""
    name = durable_server.create_database()
    with Database.open_unchecked(durable_server.url(name)) as database:
        create_all(database)
    return name


@pytest.fixture
def durable_url(durable_server: PostgresServer, durable_template: str) -> Iterator[str]:
    """The URL of a fresh database on it."""
    name = durable_server.create_database(durable_template)
    yield durable_server.url(name)
    durable_server.drop_database(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints how many processes were killed at each point of each kind, both databases together."""
    if not KILLS:
        return
    points = list(dict.fromkeys(point for _, _, point in KILLS))
    both: Counter[tuple[str, str]] = Counter()
    for (_, kind, point), count in KILLS.items():
        both[kind, point] += count
    terminalreporter.section(f"{KILLS.total()} processes killed")
    for number, point in enumerate(points, 1):
        terminalreporter.write_line(f"{number:>4} {point}")
    width = max(len(kind) for kind, _ in both)
    terminalreporter.write_line(" " * width + "".join(f"{number:>5}" for number in range(1, len(points) + 1)))
    for kind in dict.fromkeys(kind for _, kind, _ in KILLS):
        counts = "".join(f"{both[kind, point] or '-':>5}" for point in points)
        terminalreporter.write_line(f"{kind:<{width}}{counts}")
    for database in sorted({database for database, _, _ in KILLS}):
        terminalreporter.write_line(f"{database}: {sum(KILLS[key] for key in KILLS if key[0] == database)}")
