"""`db check`: whether the tables are as amierules needs them."""

from collections.abc import Iterator

from sqlalchemy import Column, Connection, Inspector, Table, UniqueConstraint, inspect, select

from amierules.database import amie_tables, dialect, own_tables
from amierules.database.connection import Database
from amierules.database.schema import (
    CURRENT_VERSION,
    OURS,
    OWN_TABLE_NAMES,
    RESTORE_AMIE,
    RESTORE_OURS,
    installed_version,
    whose_amie_tables,
)
from amierules.diagnostics import Finding, Severity, printable
from amierules.protocol.catalogue import catalogue

_MIGRATE = "run `amierules db migrate`"


def check(database: Database) -> list[Finding]:
    """What is missing, altered or extra in AMIE's tables and ours, and notes on whose tables they are.

    An error is what amierules cannot work with; a warning is a difference that may be meant. Raises `Unavailable`.
    """
    with database.read() as connection:
        if connection.dialect.name == "sqlite" and dialect.is_empty(connection):
            return [Finding("database-no-tables", "the database holds no tables", hint="run `amierules db create`")]
        return list(_findings(connection))


def _findings(connection: Connection) -> Iterator[Finding]:
    amie = dialect.present_tables(connection, amie_tables.TABLE_NAMES)
    ours = dialect.present_tables(connection, OWN_TABLE_NAMES)
    if not amie and not ours:
        yield Finding("database-no-tables", "the database holds no tables", hint="run `amierules db create`")
        return
    inspector = inspect(connection)
    for table in amie_tables.metadata.sorted_tables:
        yield from _table(inspector, table, amie, RESTORE_AMIE)
    hint = _MIGRATE if _is_old(connection, ours) else RESTORE_OURS
    for table in own_tables.metadata.sorted_tables if ours else ():
        yield from _table(inspector, table, ours, hint)
    if amie >= {amie_tables.type_des.name, amie_tables.state_des.name}:
        yield from _content(connection)
    yield from _ownership(connection, ours)


def _is_old(connection: Connection, ours: set[str]) -> bool:
    """Whether a migration may still make what is missing."""
    return own_tables.migration.name in ours and installed_version(connection) < CURRENT_VERSION


def _table(inspector: Inspector, table: Table, present: set[str], hint: str) -> Iterator[Finding]:
    if table.name not in present:
        yield Finding("missing-table", f"the table {table.name} is missing", hint=hint)
        return
    found = {column["name"]: column for column in inspector.get_columns(table.name)}
    for column in table.columns:
        if column.name not in found:
            yield Finding("missing-column", f"the column {table.name}.{column.name} is missing", hint=hint)
            continue
        reflected = found.pop(column.name)
        yield from _column(inspector, column, str(reflected["type"].compile(inspector.dialect)), reflected["nullable"])
    for name in found:
        message = f"the column {table.name}.{printable(name, 60)} is not known to amierules"
        yield Finding("extra-column", message, severity=Severity.WARNING)
    yield from _keys(inspector, table)


def _column(inspector: Inspector, column: Column[object], type_: str, nullable: bool) -> Iterator[Finding]:
    wanted = column.type.compile(inspector.dialect)
    name = f"{column.table.name}.{column.name}"
    if type_ != wanted:
        yield _altered(f"the column {name} is {type_}, not {wanted}")
    if nullable and not column.nullable:
        yield _altered(f"the column {name} may be null")
    if column.nullable and not nullable:
        yield _altered(f"the column {name} may not be null")


def _altered(message: str) -> Finding:
    return Finding("altered-column", message, severity=Severity.WARNING)


def _keys(inspector: Inspector, table: Table) -> Iterator[Finding]:
    unique: set[frozenset[str | None]] = {
        frozenset(key["column_names"]) for key in inspector.get_unique_constraints(table.name)
    }
    unique |= {frozenset(index["column_names"]) for index in inspector.get_indexes(table.name) if index["unique"]}
    unique.add(frozenset(inspector.get_pk_constraint(table.name)["constrained_columns"]))
    wanted = [frozenset(table.primary_key.columns.keys())]
    wanted += [frozenset(key.columns.keys()) for key in table.constraints if isinstance(key, UniqueConstraint)]
    for columns in wanted:
        if columns and columns not in unique:
            message = f"the table {table.name} has no unique key on {', '.join(sorted(columns))}"
            yield Finding("missing-key", message, hint="amierules relies on it: restore the key")


def _content(connection: Connection) -> Iterator[Finding]:
    states = {row.state_name: row.state_id for row in connection.execute(select(amie_tables.state_des))}
    for name, number in amie_tables.STATE_IDS.items():
        if states.get(name) != number:
            found = f"has the id {states[name]}" if name in states else "is missing"
            yield Finding("altered-state", f"the state {name} of state_des {found}; AMIE gives it the id {number}")
    types = set(connection.execute(select(amie_tables.type_des.c.type_name)).scalars())
    for name in sorted(set(catalogue().types) - types):
        message = f"the packet type {name} is missing in type_des: such packets are kept, and cannot be answered"
        yield Finding("missing-packet-type", message, severity=Severity.WARNING)


def _ownership(connection: Connection, ours: set[str]) -> Iterator[Finding]:
    if not ours:
        yield Finding("missing-table", "the tables of amierules are missing", hint=_MIGRATE)
    if not ours >= {own_tables.migration.name, own_tables.meta.name}:
        return
    version = installed_version(connection)
    if version != CURRENT_VERSION:
        hint = _MIGRATE if version < CURRENT_VERSION else "update amierules"
        message = f"the tables of amierules have version {version}; this program knows version {CURRENT_VERSION}"
        yield Finding("schema-version", message, hint=hint)
    if whose_amie_tables(connection) == OURS:
        message = "amierules made the AMIE tables: it completes packets and transactions itself"
    else:
        message = "the AMIE tables were found: transactions are left to the program that made them"
    yield Finding("amie-tables", message, severity=Severity.NOTE)
