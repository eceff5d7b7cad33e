"""`amierules validate`: everything that is wrong, at once, in three formats, without a database."""

import subprocess
import sys
from pathlib import Path

import pytest

from amierules.engine.site_folder import write_site_folder
from tests.support.command_line import call, program

WRONG_KEY = "packet: request_user_modify\nrules:\n  - name: it\n    holt: no\n"
GOOD = 'packet: request_user_modify\nrules:\n  - name: it\n    hold: "no"\n'


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new site folder, and we are in it."""
    write_site_folder(tmp_path / "site", "TestSite", ("alpha.example",))
    monkeypatch.chdir(tmp_path / "site")
    return tmp_path / "site"


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_the_installed_program_says_what_it_read(site: Path) -> None:
    ended = program("validate", cwd=site)
    assert (ended.status, ended.stderr) == (0, "")
    assert ended.stdout.endswith(" files: ok\n")


def test_no_database_library_is_imported(site: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "amierules", "validate"]
    ended = subprocess.run(command, cwd=site, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in ended.stderr.splitlines()}
    assert "jinja2" in imported
    assert not imported & {"sqlalchemy", "psycopg2", "sqlite3", "ldap", "ldap3"}


def test_all_mistakes_of_all_files_are_shown_at_once_in_order(site: Path) -> None:
    edit(site / "rules" / "request_user_modify.yaml", "hold:", "holt:")
    (site / "rules" / "data_create.yaml").write_text("packet: data_project_create\nrules: [\n")
    edit(site / "rules" / "blocks" / "project_group.yaml", "project: {group", "projekt: {group")
    edit(site / "amierules.yaml", "reserved:", "reserve:")
    ended = call("validate")
    assert ended.status == 1
    shown = [line.partition(": error[")[0] for line in ended.stdout.splitlines() if ": error[" in line]
    files = [place.split(":")[0] for place in shown]
    assert files == sorted(files)
    assert {"amierules.yaml", "rules/blocks/project_group.yaml", "rules/data_create.yaml"} < set(files)
    assert files.count("rules/request_user_modify.yaml") == 2
    assert "did you mean 'hold'?" in ended.stdout
    assert ended.stdout.splitlines()[-1].startswith(f"{len(shown)} errors in ")


def test_the_caret_points_at_the_word(site: Path) -> None:
    (site / "rules" / "request_user_modify.yaml").write_text(WRONG_KEY)
    lines = call("validate", "rules").stdout.splitlines()
    assert lines[0].startswith("rules/request_user_modify.yaml:4:5: error[unknown-key]: ")
    assert lines[1:3] == ["    4 |     holt: no", "      |     ^^^^"]


def test_json_follows_its_schema(site: Path) -> None:
    assert call("validate", "--format", "json").json("validate") == {"format_version": 1, "findings": []}
    (site / "rules" / "request_user_modify.yaml").write_text(WRONG_KEY)
    ended = call("validate", "--format", "json")
    assert ended.status == 1
    (finding,) = ended.json("validate")["findings"]
    assert (finding["file"], finding["line"], finding["column"]) == ("rules/request_user_modify.yaml", 4, 5)
    assert (finding["severity"], finding["code"]) == ("error", "unknown-key")
    assert ended.stderr == ""


def test_github_gets_one_command_for_each_finding(site: Path) -> None:
    (site / "rules" / "request_user_modify.yaml").write_text(WRONG_KEY)
    ended = call("validate", "--format", "github")
    assert ended.status == 1
    (line,) = ended.stdout.splitlines()
    assert line.startswith("::error title=unknown-key,file=rules/request_user_modify.yaml,line=4,col=5::")
    assert ended.stderr.startswith("1 error in ")


def test_warnings_fail_only_where_they_are_asked_to(site: Path) -> None:
    (site / "more").mkdir()
    edit(site / "amierules.yaml", "rules: [rules]", "rules: [rules, more]")
    ended = call("validate")
    assert ended.status == 0
    assert "more: warning[no-rules]" in ended.stdout
    assert ended.stdout.endswith(" files: 1 warning\n")
    assert call("validate", "--strict").status == 1


def test_of_a_single_file_only_its_own_findings_are_shown(site: Path) -> None:
    (site / "rules" / "request_user_modify.yaml").write_text(WRONG_KEY)
    ended = call("validate", "rules/request_account_create.yaml", "rules/blocks/ensure_person.yaml")
    assert ended.status == 0
    assert ended.stdout.endswith(" rules in 2 files: ok\n")
    ended = call("validate", "rules/request_user_modify.yaml")
    assert ended.status == 1
    assert ended.stdout.endswith("1 error in 1 file\n")


def test_files_and_folders_can_be_mixed(site: Path) -> None:
    whole = call("validate", "rules").stdout
    assert call("validate", "rules/data_create.yaml", "rules", "rules/blocks").stdout == whole


def test_blocks_are_checked_alone(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(site / "rules" / "blocks" / "project_group.yaml", "project: {group", "projekt: {group")
    ended = call("validate", "rules/blocks")
    assert ended.status == 1
    blocks = len(list((site / "rules" / "blocks").glob("*.yaml")))
    assert ended.stdout.endswith(f" in {blocks} files\n")
    assert "request_project_create" not in ended.stdout
    monkeypatch.chdir(site / "rules" / "blocks")
    assert call("validate", "project_group.yaml").status == 1
    assert call("validate", "ensure_person.yaml").status == 0


def test_a_file_needs_no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yml").write_text(GOOD)
    ended = call("validate", "mine.yml")
    assert (ended.status, ended.stdout) == (0, "1 rule in 1 file: ok\n")


def test_a_file_may_use_blocks_of_the_other_configured_folders(site: Path) -> None:
    (site / "own").mkdir()
    (site / "own" / "mine.yaml").write_text(
        "packet: request_account_create\nrules:\n"
        "  - name: it\n    actions: [{name: user, use: ensure_person}]\n    complete: done\n"
    )
    assert call("validate", "own/mine.yaml").status == 1
    edit(site / "amierules.yaml", "rules: [rules]", "rules: [own, rules]")
    ended = call("validate", "own/mine.yaml")
    assert (ended.status, ended.stdout) == (0, "1 rule in 1 file: ok\n")


def test_a_site_folder_and_its_configuration_stand_for_all_in_it(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = call("validate").stdout
    (site / "amierules.yaml").rename(site / "production.yaml")
    assert call("validate", "production.yaml").stdout == here
    (site / "production.yaml").rename(site / "amierules.yaml")
    monkeypatch.chdir(site.parent)
    for words in (["site"], ["site/amierules.yaml"], ["--config", "site/amierules.yaml"]):
        assert call("validate", *words).stdout == here


def test_rules_are_checked_though_the_configuration_is_broken(site: Path) -> None:
    (site / "rules").rename(site / "own")
    edit(site / "amierules.yaml", "rules: [rules]", "rules: [own]\nnonsense: 1")
    (site / "own" / "request_user_modify.yaml").write_text(WRONG_KEY)
    ended = call("validate")
    assert ended.status == 1
    assert "amierules.yaml:8:1: error[unknown-key]" in ended.stdout
    assert "own/request_user_modify.yaml:4:5: error[unknown-key]" in ended.stdout


def test_without_any_configuration_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ended = call("validate")
    assert ended.status == 1
    assert "error[no-configuration]" in ended.stdout
    assert "amierules init" in ended.stdout


def test_paths_that_are_not_there_are_findings(site: Path) -> None:
    ended = call("validate", "rules/nope.yaml", "rules", "gone")
    assert ended.status == 1
    assert ended.stdout == ""
    assert ended.stderr.count("error[no-such-file]") == 2


def test_a_failure_in_json_follows_the_schema_of_errors(site: Path) -> None:
    ended = call("validate", "gone", "--format", "json")
    assert ended.status == 1
    assert ended.json("error")["error"] == {"code": "no-such-file", "message": "there is no file or folder gone"}


@pytest.mark.parametrize("name", ["packets.json", "rules.txt", ".hidden.yaml"])
def test_a_file_that_no_rulebook_reads_is_not_passed_as_good(site: Path, name: str) -> None:
    (site / name).write_text(GOOD)
    ended = call("validate", name)
    assert ended.status == 2
    assert f"{name}: error[not-a-rule-file]" in ended.stderr


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"{{ }}", b"- a\n- b\n", b"x: &a [*a]\n", b"\t"])
def test_bad_files_are_findings(site: Path, content: bytes) -> None:
    (site / "rules" / "bad.yaml").write_bytes(content)
    ended = call("validate")
    assert ended.status == 1
    assert "rules/bad.yaml" in ended.stdout


def test_a_folder_or_dangling_link_with_the_name_of_a_file_is_a_finding(site: Path) -> None:
    (site / "rules" / "folder.yaml").mkdir()
    (site / "rules" / "link.yaml").symlink_to("nowhere")
    ended = call("validate")
    assert ended.status == 1
    assert ended.stdout.count("error[unreadable-file]") == 2
    assert call("validate", "rules/link.yaml").status == 1
