"""What tests of databases share: small rows, and what a refusal says."""

import pytest
from sqlalchemy import Connection, insert, select

from amierules.database import own_tables
from amierules.database.connection import Database
from amierules.diagnostics import Invalid, Unavailable


def code_of(error: pytest.ExceptionInfo[Unavailable] | pytest.ExceptionInfo[Invalid]) -> str:
    (finding,) = error.value.findings
    assert "\n" not in finding.message
    return finding.code


def note(connection: Connection, name: str, value: str = "x") -> None:
    connection.execute(insert(own_tables.meta).values(name=name, value=value))


def noted(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(select(own_tables.meta.c.name)).scalars())
