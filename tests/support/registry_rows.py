"""A small registry for tests: two persons, a project with two allocation periods, two accounts."""

from datetime import date
from decimal import Decimal

from amierules.database.connection import Database
from amierules.database.registry import RegistryView
from amierules.database.rows import Account, Allocation, Person, Presence, Project, RegistryRow

BEA = Person(
    "bea",
    "P1",
    "42",
    20001,
    data={"Email": "Bea@Example.org", "LastName": "Sample"},
    ids=("P0",),
    logins=("bsample", "bea"),
    dns=("/CN=z", "/CN=a"),
)
CAL = Person("cal", "P2", "43", 20002, data={"Email": "cal@example.org"}, logins=("cal",))
ROWS: tuple[RegistryRow, ...] = (
    BEA,
    CAL,
    Project("prj", "PR1", "TG1", "grp1", 30001, "A title", "bea", {"note": "x"}),
    Presence("prj", "alpha", active=True),
    Allocation("prj", "alpha", date(2026, 1, 1), date(2026, 12, 31), Decimal("1000.50")),
    Allocation("prj", "alpha", date(2025, 1, 1), None, Decimal(5)),
    Account("bea", "prj", "alpha", "bsample"),
    Account("cal", "prj", "alpha", "cal", active=False),
)


def write(database: Database, *rows: RegistryRow) -> None:
    """Puts the rows into the registry and commits."""
    view = RegistryView(database.read)
    for row in rows:
        view.put(row)
    with database.begin() as connection:
        view.flush(connection)
