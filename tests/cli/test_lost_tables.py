"""A database that has lost a table: no command takes it for one in which nothing waits, and each remedy is true."""

import sqlite3
from pathlib import Path

import pytest

from amierules.engine.site_folder import write_site_folder
from tests.support.command_line import call


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site folder with a database, and we are in it."""
    write_site_folder(tmp_path / "site", "TestSite")
    monkeypatch.chdir(tmp_path / "site")
    assert call("db", "create").status == 0
    return tmp_path / "site"


def drop(site: Path, table: str) -> None:
    connection = sqlite3.connect(site / "amie.db")
    connection.execute(f"drop table {table}")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("table", ["amierules_work", "amierules_kept_packet", "amierules_meta", "amierules_migration"])
def test_a_lost_table_of_ours_comes_from_a_backup(site: Path, table: str) -> None:
    drop(site, table)
    for words in ("status", "run", "dry-run"):
        ended = call(*words.split())
        assert ended.status == 5
        assert f"lacks the table {table}" in ended.stderr
        assert "backup" in ended.stderr
    checked = call("db", "check")
    assert checked.status == 1
    assert "backup" in checked.stdout
    assert "db migrate" not in checked.stdout
    migrated = call("db", "migrate")
    assert migrated.status == 1
    assert "nothing to do" not in migrated.stdout


def test_a_lost_table_of_amie_comes_from_a_backup(site: Path) -> None:
    drop(site, "data_tbl")
    for words, status in (("status", 5), ("run", 5), ("db check", 1), ("db migrate", 1), ("doctor", 5)):
        ended = call(*words.split())
        assert ended.status == status, words
        assert "restore AMIE's tables" in ended.stdout + ended.stderr, words
