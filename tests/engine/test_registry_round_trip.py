"""An export of the registry reads back to the same registry."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from amierules.database.connection import Database
from amierules.database.registry import RegistryView
from amierules.database.registry_read import key_of
from amierules.database.rows import Person, Project, RegistryRow
from amierules.diagnostics import Severity
from amierules.engine.registry.export import exported
from amierules.engine.registry.stock import Stock
from tests.support.registries import (
    SAMPLE,
    canonical,
    errors,
    planned,
    registries,
    stock_of,
    take_in,
    write,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(rows=registries())
def test_an_export_reads_back_to_the_same_registry(
    rows: list[RegistryRow], tmp_path_factory: pytest.TempPathFactory
) -> None:
    stock = Stock(rows)
    text, findings = exported(stock)
    assert findings == []
    again = Stock()
    result = planned(tmp_path_factory.getbasetemp(), again, text)
    assert errors(result) == []
    assert canonical(again) == canonical(stock)
    assert exported(again)[0] == text


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(rows=registries())
def test_an_export_changes_nothing_where_it_came_from(
    rows: list[RegistryRow], tmp_path_factory: pytest.TempPathFactory
) -> None:
    stock = Stock(rows)
    result = planned(tmp_path_factory.getbasetemp(), stock, exported(stock)[0])
    assert (errors(result), result.rows, result.changes) == ([], [], [])
    assert result.summary().startswith("nothing to change")


def test_the_database_holds_what_was_imported(database: Database, tmp_path: Path) -> None:
    text, _ = exported(Stock(SAMPLE))
    result = take_in(database, tmp_path, text)
    assert result.summary() == "2 persons added; 1 project added; 1 allocation added; 1 account added"
    assert canonical(stock_of(database)) == canonical(Stock(SAMPLE))
    assert take_in(database, tmp_path, text).rows == []


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(rows=registries())
def test_a_registry_moves_through_a_file_to_a_database(rows: list[RegistryRow], tmp_path: Path) -> None:
    text, _ = exported(Stock(rows))
    with Database.open("sqlite:///:memory:", create=True) as database:
        take_in(database, tmp_path, text)
        assert canonical(stock_of(database)) == canonical(Stock(rows))


def test_reading_all_rows_gives_what_the_view_gives(database: Database) -> None:
    write(database, SAMPLE)
    rows = stock_of(database).rows
    view = RegistryView(database.read)
    assert rows == {key_of(row): row for row in SAMPLE}
    assert all(view.row(ref) == row for ref, row in rows.items())


def test_a_row_that_no_file_can_name_is_left_out_and_said_so() -> None:
    nameless = Person("k9", logins=("x",))
    text, findings = exported(Stock([nameless, Project("j9", "PR9", pi="k9")]))
    assert [finding.code for finding in findings] == ["not-exported", "not-exported"]
    assert "person x" in findings[0].message
    assert "PR9" not in text


def test_a_text_that_import_refuses_is_said_at_export() -> None:
    _, findings = exported(Stock([Person("k9", "P9", data={"note": "a\x1b[31m"})]))
    assert [(finding.code, finding.severity) for finding in findings] == [("not-importable", Severity.WARNING)]
