"""`amierules init`: a site folder that works at once, and never replaces a file."""

import re
import stat
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.diagnostics import NotAllowed
from amierules.engine.site_folder import OTHER_SIDE, configuration_text, write_site_folder
from amierules.rulebook.configuration import load_configuration
from amierules.shipped import ROOT
from tests.support.command_line import call


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    assert call("init", folder).status == 0
    return folder


def test_the_new_folder_is_valid_at_once_without_any_warning(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(site)
    ended = call("validate", "--strict")
    assert (ended.status, ended.stderr) == (0, "")
    assert re.fullmatch(r"\d+ rules in \d+ files: ok\n", ended.stdout)


def test_the_first_rule_test_passes(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(site)
    ended = call("test")
    assert (ended.status, ended.stdout) == (0, "")
    assert ended.stderr.startswith("2 passed")
    refused = call("validate", "tests/accounts.yaml")
    assert refused.status == 2
    assert "`amierules test tests/accounts.yaml`" in refused.stderr


@pytest.mark.parametrize("command", ["dry-run", "status", "doctor"])
def test_the_reading_commands_work_in_the_new_folder_and_make_nothing(
    site: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(site)
    before = sorted(site.rglob("*"))
    ended = call(command)
    assert ended.status == 0, ended.stdout + ended.stderr
    assert sorted(site.rglob("*")) == before


def test_it_tells_what_to_type_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = call("init", "my site").stdout.splitlines()
    assert "  cd 'my site'" in lines
    assert any(line.startswith("  amierules validate ") for line in lines)
    assert max(map(len, lines)) <= 80


def test_rules_and_schemas_are_those_that_are_shipped(site: Path) -> None:
    for folder, pattern in (("rules", "*.yaml"), ("schemas", "*.json")):
        shipped = {path.relative_to(ROOT): path.read_bytes() for path in (ROOT / folder).rglob(pattern)}
        assert shipped
        assert {path.relative_to(site): path.read_bytes() for path in (site / folder).rglob(pattern)} == shipped


def test_each_modeline_names_a_schema_that_is_there(site: Path) -> None:
    files = list(site.rglob("*.yaml"))
    assert len(files) > 10
    for file in files:
        modeline = re.match(r"# yaml-language-server: \$schema=(\S+)\n", file.read_text())
        assert modeline, file
        assert (file.parent / modeline[1]).is_file()


def test_settings_touch_nothing_outside_the_database(site: Path) -> None:
    configuration, findings = load_configuration(site / "amierules.yaml", {})
    assert configuration is not None
    assert findings == []
    assert dict(configuration.settings) == {
        "accounts": "none",
        "accounts_command": "/usr/local/sbin/site-accounts",
        "scheduler": "none",
        "slurm_resource": "cpu",
        "slurm_minutes": 60,
        "renewal_resets_usage": False,
        "dns": "none",
        "approve_accounts": False,
        "approve_projects": False,
        "approve_merges": False,
        "merge": "alias",
        "blank_absent": False,
        "wait_for_renewal": 0,
        "coordinators": [],
        "unused_types": "park",
    }
    assert configuration.database == f"sqlite:///{site}/amie.db"
    assert (configuration.site_name, configuration.remote_site_names) == ("TestSite", ("TGCDB",))
    assert configuration.templates.is_dir()
    assert (site / "tests").is_dir()


def test_what_is_commented_out_is_valid_as_it_stands(site: Path) -> None:
    file = site / "amierules.yaml"
    text = file.read_text(encoding="utf-8")
    opened = re.sub(r"^# (?=resources:|usage:|secrets:|  )", "", text, flags=re.MULTILINE)
    assert opened.count("\nusage:\n") == opened.count("\nsecrets:\n") == 1
    file.write_text(opened, encoding="utf-8")
    configuration, findings = load_configuration(file, {})
    assert findings == []
    assert configuration is not None
    assert configuration.usage.is_given
    assert configuration.usage.fields == ("Reservation",)
    assert configuration.usage.api is not None


def test_other_people_of_the_host_may_not_enter_the_folder(site: Path) -> None:
    assert stat.S_IMODE(site.stat().st_mode) & stat.S_IRWXO == 0


def test_the_resources_named_are_configured(tmp_path: Path) -> None:
    names = ["alpha.site.example", "true", "with:colon#and-more", '"quoted"', "${site_name}"]
    assert call("init", tmp_path / "s", *(word for name in names for word in ("--resource", name))).status == 0
    configuration, _ = load_configuration(tmp_path / "s" / "amierules.yaml", {})
    assert configuration is not None
    assert list(configuration.resources) == names


@given(st.text(alphabet=string.ascii_letters + string.digits + string.punctuation, min_size=1, max_size=16))
def test_every_name_that_amie_allows_is_read_back_as_it_was_given(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    if name == OTHER_SIDE:
        return
    file = tmp_path_factory.mktemp("any") / "amierules.yaml"
    file.write_text(configuration_text(name), encoding="utf-8")
    configuration, findings = load_configuration(file, {})
    assert findings == []
    assert configuration is not None
    assert configuration.site_name == name


@pytest.mark.parametrize("name", ["", " ", "two words", "x" * 17, "Zürich", "TGCDB", "a\nb: c", "\x1b[31m", "\udcff"])
def test_a_name_that_amie_does_not_allow_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        write_site_folder(tmp_path / "s", name)
    assert {finding.code for finding in refused.value.findings} == {"bad-value"}
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x00", "\udcff", "x" * 300])
def test_a_resource_without_a_visible_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotAllowed):
        write_site_folder(tmp_path / "s", "TestSite", (name,))
    assert not (tmp_path / "s").exists()


def test_a_folder_that_is_not_empty_is_refused_naming_the_first_file_in_the_way(site: Path) -> None:
    (site / "amierules.yaml").unlink()
    (site / "aaa.txt").touch()
    before = sorted(site.rglob("*"))
    ended = call("init", site)
    assert ended.status == 2
    assert re.search(r": the folder is not empty: rules/\S+\.yaml is there\n", ended.stderr)
    assert "--force" in ended.stderr
    assert sorted(site.rglob("*")) == before


def test_a_folder_with_other_files_only_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    ended = call("init", tmp_path)
    assert ended.status == 2
    assert "notes.txt is there" in ended.stderr


def test_force_adds_what_is_missing_and_leaves_the_rest(site: Path) -> None:
    (site / "amierules.yaml").write_text("mine\n")
    (site / "rules" / "data_create.yaml").unlink()
    ended = call("init", site, "--force")
    assert ended.status == 0
    assert ended.stdout.startswith("1 file written")
    assert (site / "amierules.yaml").read_text() == "mine\n"
    assert (site / "rules" / "data_create.yaml").is_file()


def test_an_empty_folder_that_is_there_is_used(tmp_path: Path) -> None:
    assert call("init", tmp_path).status == 0


@pytest.mark.parametrize("obstacle", ["a file", "a file inside", "a folder inside", "a dangling link"])
def test_what_cannot_be_written_is_one_finding(tmp_path: Path, obstacle: str) -> None:
    folder = tmp_path / "s"
    if obstacle == "a file":
        folder.touch()
    else:
        folder.mkdir()
        if obstacle == "a file inside":
            (folder / "rules").touch()
        elif obstacle == "a folder inside":
            (folder / "amierules.yaml").mkdir()
        else:
            (folder / "rules").symlink_to(tmp_path / "nowhere" / "rules")
    ended = call("init", folder, "--force")
    assert ended.status == 1
    assert "error[cannot-write]" in ended.stderr
