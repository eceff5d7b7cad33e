"""`amierules registry`: what people and scripts see."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from jsonschema import Draft7Validator
from typer.testing import CliRunner

from amierules.cli.main import build
from amierules.shipped import read_schema


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str


REGISTRY = """\
persons:
  - {person_id: P1, global_id: "71691", login: bsample, uid: 20001, FirstName: Bea, LastName: Sample, dns: [/CN=Bea]}
  - {person_id: P2, login: cal, data: {since: {$date: "2025-10-01"}}}
projects:
  - {project_id: PR1, grant_number: TG1, group: grp1, gid: 30001, title: "A \\n title", pi: P1}
allocations:
  - {project: PR1, start: 2025-10-01, units: 1000.50}
accounts:
  - {person: P1, project: PR1}
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Path:
    """A site folder, which is the working folder."""
    (tmp_path / "amierules.yaml").write_text(
        f"site_name: TestSite\nremote_site_name: TGCDB\ndatabase: {json.dumps(database_url)}\n"
        "resources: {alpha.site.example: {}}\n",
        encoding="utf-8",
    )
    (tmp_path / "registry.yaml").write_text(REGISTRY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AMIERULES_CONFIG", raising=False)
    monkeypatch.delenv("AMIERULES_DATABASE", raising=False)
    return tmp_path


def amierules(*words: str) -> Ended:
    result = CliRunner().invoke(build(["registry"]), ["registry", *words])
    return Ended(result.exit_code, result.stdout, result.stderr)


def test_import_says_what_it_did(site: Path) -> None:
    first = amierules("import", "registry.yaml")
    assert (first.exit_code, first.stdout) == (
        0,
        "2 persons added; 1 project added; 1 allocation added; 1 account added\n",
    )
    again = amierules("import", "registry.yaml")
    assert again.exit_code == 0
    assert again.stdout.startswith("nothing to change (2 persons as they were; 1 project as it was;")


def test_check_shows_changes_and_writes_nothing(site: Path) -> None:
    shown = amierules("import", "--check", "registry.yaml")
    assert shown.exit_code == 0
    assert "+ person P1: " in shown.stdout
    assert "nothing was written" in shown.stderr
    assert "the registry is empty" in amierules("show").stderr


def test_what_is_wrong_is_shown_and_ends_with_1(site: Path) -> None:
    amierules("import", "registry.yaml")
    (site / "persons.csv").write_text("person_id,uid\nP8,5\nP9,20001\n", encoding="utf-8")
    result = amierules("import", "persons.csv")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "persons.csv:3:4: error[id-taken]: uid 20001 of person P9 belongs to person P1" in result.stderr
    assert "P8" not in amierules("show").stdout


def test_the_table_has_a_line_for_each_row(site: Path) -> None:
    amierules("import", "registry.yaml")
    lines = amierules("show").stdout.splitlines()
    assert [line.split()[0] for line in lines if line] == ["PERSON", "P1", "P2", "PROJECT", "PR1"]
    assert lines[-1].endswith("A \\n title")


def test_rows_are_shown_whole(site: Path) -> None:
    amierules("import", "registry.yaml")
    shown = amierules("show", "person", "71691", "cal", "project", "TG1")
    assert shown.exit_code == 0
    for text in (
        "uid: 20001",
        "FirstName: Bea",
        "since: 2025-10-01",
        "title: A \\n title",
        "units 1000.50",
        "login bsample, active true",
    ):
        assert text in shown.stdout


@pytest.mark.parametrize("words", [(), ("person", "P2"), ("project", "PR1", "person", "P1")])
def test_json_follows_its_schema(words: tuple[str, ...], site: Path) -> None:
    amierules("import", "registry.yaml")
    data = json.loads(amierules("show", *words, "--format", "json").stdout)
    Draft7Validator(read_schema("output/registry.schema")).validate(data)
    wanted = words[1::2] or ("P1", "P2", "PR1")
    shown = {row["person_id"] for row in data["persons"]} | {row["project_id"] for row in data["projects"]}
    assert shown == set(wanted)


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("show", "person", "P9"), 2, "no-such-person"),
        (("show", "P1"), 2, "usage"),
        (("show", "person"), 2, "usage"),
        (("set", "group", "PR1", "gid=1"), 2, "usage"),
        (("set", "person", "P1", "Emial=x"), 2, "unknown-name"),
        (("set", "person", "P1", "uid=x"), 1, "bad-value"),
        (("import", "registry.yaml", "--kind", "person"), 2, "unknown-kind"),
        (("import", "gone.yaml"), 1, "unreadable-file"),
        (("export", "no/such/folder.yaml"), 1, "cannot-write"),
    ],
)
def test_mistakes_end_with_their_status(words: tuple[str, ...], status: int, code: str, site: Path) -> None:
    amierules("import", "registry.yaml")
    result = amierules(*words)
    assert (result.exit_code, result.stdout) == (status, "")
    assert f"error[{code}]" in result.stderr


def test_an_error_in_json_is_json(site: Path) -> None:
    result = amierules("show", "person", "P9", "--format", "json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["code"] == "no-such-person"


def test_set_shows_what_it_changed(site: Path) -> None:
    amierules("import", "registry.yaml")
    result = amierules("set", "person", "P1", "state=suspended", "--reason", "left")
    assert (result.exit_code, result.stdout) == (0, "~ person P1: state active -> suspended\n")
    assert amierules("set", "person", "P1", "state=suspended").stdout == "nothing to change\n"


def test_an_export_is_imported_again(site: Path) -> None:
    amierules("import", "registry.yaml")
    before = amierules("show", "--format", "json").stdout
    assert amierules("export", "out.yaml").exit_code == 0
    assert (site / "out.yaml").read_text(encoding="utf-8") == amierules("export").stdout
    assert (site / "out.yaml").stat().st_mode & 0o077 == 0, "persons' data is for nobody else"
    amierules("set", "person", "P1", "uid=7", "FirstName=X")
    amierules("set", "project", "PR1", "active@alpha.site.example=false")
    assert amierules("import", "out.yaml").stdout.startswith("1 person changed, 1 as it was; 1 project changed;")
    assert amierules("show", "--format", "json").stdout == before


def test_looking_makes_no_database(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMIERULES_DATABASE", "sqlite:///new.db")
    assert amierules("show").exit_code == 0
    assert amierules("import", "registry.yaml", "--check").exit_code == 0
    assert not (site / "new.db").exists()
    assert amierules("import", "registry.yaml").exit_code == 0
    assert (site / "new.db").exists()


def test_merge_shows_what_becomes_of_both(site: Path) -> None:
    amierules("import", "registry.yaml")
    shown = amierules("merge", "P2", "bsample", "--check")
    assert (shown.exit_code, "nothing was written" in shown.stderr) == (0, True)
    done = amierules("merge", "P2", "bsample", "--reason", "twins")
    assert (done.exit_code, done.stdout) == (0, shown.stdout)
    lines = done.stdout.splitlines()
    assert [line[:9] for line in lines] == ["~ person ", "+ account", "~ project", "- person "]
    assert "logins cal -> cal; bsample" in lines[0]
    whole = amierules("show", "person", "P1").stdout
    assert "cal" in whole
    assert "/CN=Bea" in whole
    assert amierules("merge", "P2", "P1").exit_code == 2
