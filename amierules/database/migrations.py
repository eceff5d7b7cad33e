"""Making the tables, and bringing ours from version to version: `db create`, `db migrate`."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Table, create_mock_engine, text
from sqlalchemy.schema import CreateIndex, CreateTable

from amierules.database import amie_tables, dialect, own_tables
from amierules.database.connection import Database
from amierules.database.schema import (
    FOUND,
    OURS,
    OWN_TABLE_NAMES,
    RESTORE_AMIE,
    RESTORE_OURS,
    STEPS,
    Step,
    create_amie_tables,
    create_own_tables,
    installed_version,
    record_versions,
)
from amierules.diagnostics import Finding, Invalid, Unavailable

_LOCK = 0x616D6965
"""The advisory lock of whoever makes or migrates tables ("amie")."""


def create_all(database: Database) -> None:
    """Make all tables, AMIE's and ours, in one transaction.

    Raises `Invalid` (`amie-tables-exist`, `database-exists`) where there are any already, and `Unavailable`.
    """
    database.use_write_ahead_log()
    with database.begin() as connection:
        _lock(connection)
        amie, ours = _present(connection)
        if amie and ours:
            raise _refused(database, "database-exists", "has its tables already", "nothing is to be done")
        if amie:
            raise _refused(database, "amie-tables-exist", "holds AMIE's tables already", "run `amierules db migrate`")
        if ours:
            raise _half_made(database, ours)
        create_amie_tables(connection)
        create_own_tables(connection, amie=OURS)
    database.owns_amie_tables = True


def migrate(database: Database, steps: Sequence[Step] = STEPS) -> list[int]:
    """Make our tables beside the AMIE tables found, or bring them to the version of this program.

    Returns the versions that were applied now, [] where there was nothing to do. AMIE's tables are not touched.
    Raises `Invalid` (`no-amie-tables`, `database-half-made`) and `Unavailable` (`database-newer`, ...).
    """
    database.use_write_ahead_log()
    current = 1 + len(steps)
    with database.begin() as connection:
        _lock(connection)
        amie, ours = _present(connection)
        if missing := [name for name in amie_tables.TABLE_NAMES if name not in amie]:
            what = f"lacks the AMIE table {missing[0]}"
            hint = RESTORE_AMIE if amie or ours else "run `amierules db create`, which makes all tables"
            raise _refused(database, "no-amie-tables", what, hint)
        if not ours:
            create_own_tables(connection, amie=FOUND, version=current)
            return list(range(1, current + 1))
        if own_tables.migration.name not in ours:
            raise _half_made(database, ours)
        installed = installed_version(connection)
        if installed > current:
            what = f"the database {database.url_shown} was made by a newer amierules (version {installed})"
            raise Unavailable(Finding("database-newer", what, hint="update amierules"))
        applied = _apply(connection, steps, installed)
        _, ours = _present(connection)
        if lost := [name for name in OWN_TABLE_NAMES if name not in ours]:
            raise _refused(database, "database-half-made", f"lacks the table {lost[0]}", RESTORE_OURS)
        return applied


def _apply(connection: Connection, steps: Sequence[Step], installed: int) -> list[int]:
    versions = list(range(max(installed, 1) + 1, len(steps) + 2))
    for version in versions:
        for statement in steps[version - 2](connection.dialect.name):
            connection.exec_driver_sql(statement)
    record_versions(connection, versions)
    return versions


def migration_sql(dialect_name: str, from_version: int, steps: Sequence[Step] = STEPS) -> str:
    """The SQL that `migrate` would execute from a version on (0: none of our tables), for a person to run.

    `dialect_name` is `postgresql` or `sqlite`. Nothing is connected to.
    """
    current = 1 + len(steps)
    statements = (
        [*_statements_for_all(dialect_name), _versions_sql(1, current)]
        if from_version < 1
        else [
            *(statement for step in steps[from_version - 1 :] for statement in step(dialect_name)),
            *([_versions_sql(from_version + 1, current)] if from_version < current else []),
        ]
    )
    return "".join(f"{statement.strip()};\n" for statement in ("begin", *statements, "commit"))


def _statements_for_all(dialect_name: str) -> list[str]:
    into = create_mock_engine(f"{dialect_name}://", lambda *_: None).dialect
    tables = own_tables.metadata.sorted_tables
    indexes = [index for table in tables for index in sorted(table.indexes, key=lambda one: str(one.name))]
    return [
        *(str(CreateTable(table).compile(dialect=into)) for table in tables),
        *(str(CreateIndex(index).compile(dialect=into)) for index in indexes),
        _insert_sql(own_tables.meta, f"('amie_tables', '{FOUND}')"),
    ]


def _versions_sql(first: int, last: int) -> str:
    rows = ", ".join(f"({version}, current_timestamp)" for version in range(first, last + 1))
    return _insert_sql(own_tables.migration, rows)


def _insert_sql(table: Table, rows: str) -> str:
    return f"insert into {table.name} ({', '.join(table.c.keys())}) values {rows}"  # noqa: S608 (our own names)


def _lock(connection: Connection) -> None:
    # SQLite has taken its lock when the transaction began.
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _present(connection: Connection) -> tuple[set[str], set[str]]:
    amie = dialect.present_tables(connection, amie_tables.TABLE_NAMES)
    return amie, dialect.present_tables(connection, OWN_TABLE_NAMES)


def _half_made(database: Database, ours: Iterable[str]) -> Invalid:
    what = f"holds some of our tables, but not all: {', '.join(sorted(ours))}"
    return _refused(database, "database-half-made", what, "restore the database, or drop these tables")


def _refused(database: Database, code: str, what: str, hint: str) -> Invalid:
    return Invalid(Finding(code, f"the database {database.url_shown} {what}", hint=hint))
