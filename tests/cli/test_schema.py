"""`amierules schema` prints what is shipped, and keeps a site's copies up to date."""

import json
from pathlib import Path

import pytest

from amierules.actions.schemas import kind_schemas
from amierules.engine.site_folder import write_site_folder
from amierules.shipped import ROOT
from tests.support.command_line import call


def listed() -> list[str]:
    return [line.split()[0] for line in call("schema").stdout.splitlines()]


def test_every_schema_is_listed_and_can_be_printed() -> None:
    files = {path.relative_to(ROOT / "schemas").as_posix() for path in (ROOT / "schemas").rglob("*.schema.json")}
    assert len(listed()) == len(files)
    for name in listed():
        ended = call("schema", name)
        assert ended.status == 0
        assert json.loads(ended.stdout)["$schema"] == "http://json-schema.org/draft-07/schema#"


@pytest.mark.parametrize("kind", sorted(kind_schemas()))
def test_a_kind_is_called_by_its_name(kind: str) -> None:
    assert json.loads(call("schema", kind).stdout)["title"] == kind


def test_an_unknown_name_is_refused_with_the_one_that_is_meant() -> None:
    ended = call("schema", "rule-fil")
    assert (ended.status, ended.stdout) == (2, "")
    assert "did you mean 'rule-file'?" in ended.stderr


def test_a_name_and_write_do_not_go_together(tmp_path: Path) -> None:
    assert call("schema", "user", "--write", tmp_path / "schemas").status == 2
    assert not (tmp_path / "schemas").exists()


def test_what_is_written_is_what_init_copies(tmp_path: Path) -> None:
    write_site_folder(tmp_path / "site", "TestSite")
    assert call("schema", "--write", tmp_path / "schemas").status == 0
    copies, written = tmp_path / "site" / "schemas", tmp_path / "schemas"
    names = {path.relative_to(copies) for path in copies.rglob("*.json")}
    assert names == {path.relative_to(written) for path in written.rglob("*.json")}
    assert all((copies / name).read_bytes() == (written / name).read_bytes() for name in names)


def test_stale_copies_are_noted_until_they_are_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_site_folder(tmp_path / "site", "TestSite", ("alpha.example",))
    monkeypatch.chdir(tmp_path / "site")
    assert "stale-schemas" not in call("validate").stdout
    (tmp_path / "site/schemas/action.schema.json").write_text("{}")
    (tmp_path / "site/schemas/kinds/user.schema.json").unlink()
    ended = call("validate", "--strict")
    assert ended.status == 0
    assert "schemas: note[stale-schemas]: 2 of these schemas" in ended.stdout
    assert "amierules schema --write schemas" in ended.stdout
    assert call("schema", "--write", "schemas").stdout.endswith("2 files written\n")
    assert call("schema", "--write", "schemas").stdout == "all were up to date\n"
    assert "stale-schemas" not in call("validate").stdout


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = call("schema", "--write", tmp_path / "file" / "schemas")
    assert ended.status == 1
    assert "error[cannot-write]" in ended.stderr
