"""`registry import --ldap`: a running site moves in from its directory."""

from pathlib import Path

import pytest
import yaml

from amierules.engine.site_folder import write_site_folder
from tests.support.command_line import call
from tests.support.slapd import PEOPLE, Slapd


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, directory: Slapd) -> Path:
    write_site_folder(tmp_path, "TestSite", ("alpha.example",))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "amierules.yaml"
    plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**plain, "ldap": directory.section()}), encoding="utf-8")
    return tmp_path


def test_it_is_shown_then_written_then_nothing_is_left_to_do(site: Path) -> None:
    words = ("registry", "import", "--ldap", "--uids", "30-40", "--projects", "crew", "--ldap-attribute", "dns=cn")
    looked = call(*words, "--dry-run")
    assert looked.status == 0, looked.stderr
    assert "+ person 38" in looked.stdout
    assert "nothing was written" in looked.stderr
    assert "the registry is empty" in call("registry", "show").stderr
    assert call(*words).stdout == "1 person added; 1 project added; 1 account added\n"
    shown = call("registry", "show", "person", "38").stdout
    assert all(said in shown for said in ("login: lister", "uid: 38", "List Er", "project_id crew"))
    assert call(*words).stdout.startswith("nothing to change")


def test_all_conflicts_are_shown_and_nothing_is_written(site: Path, directory: Slapd) -> None:
    (site / "persons.csv").write_text("person_id,login,uid\nP1,lister,39\nP2,other,38\n", encoding="utf-8")
    refused = call("registry", "import", "persons.csv", "--ldap")
    assert refused.status == 1
    assert (
        f"uid=lister,{PEOPLE}: error[account-differs]: lister has uid 38 here, and person P1 has 39" in refused.stderr
    )
    assert "the registry is empty" in call("registry", "show").stderr


def test_what_is_wrong_is_said(site: Path, directory: Slapd) -> None:
    assert "did you mean 'global_id'?" in call("registry", "import", "--ldap", "--ldap-attribute", "globalid=o").stderr
    assert call("registry", "import", "x.csv", "--ldap-groups", "(cn=x)").status == 2
    refused = call("registry", "import", "--ldap", "--ldap-accounts", "(uid=x")
    assert (refused.status, "cannot be searched below" in refused.stderr) == (1, True)
    directory.stop()
    try:
        assert call("registry", "import", "--ldap").status == 5
    finally:
        directory.start()
    (site / "amierules.yaml").write_text("site_name: TestSite\nremote_site_name: TGCDB\n", encoding="utf-8")
    refused = call("registry", "import", "--ldap")
    assert (refused.status, "the configuration names no directory" in refused.stderr) == (1, True)
