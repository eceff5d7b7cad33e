"""What `registry set` and `import` refuse, and how changes are shown."""

from pathlib import Path

import pytest

from tests.support import states
from tests.support.amie_json import ALPHA
from tests.support.command_line import call

REGISTRY = """\
persons:
  - {person_id: P1, login: bsample, dns: [/CN=Bea]}
projects:
  - {project_id: PR1}
  - {project_id: PR2, grant_number: TG2}
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site folder with a registry, and we are in it."""
    monkeypatch.chdir(states.make_folder(tmp_path))
    (tmp_path / "registry.yaml").write_text(REGISTRY, encoding="utf-8")
    assert call("registry", "import", "registry.yaml").status == 0
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("person P1 login=b|sample", "error[bad-value]: 'b sample' cannot be a Unix login"),
        ("person P1 login=12345", "error[bad-value]: '12345' cannot be a Unix login"),
        ("person P1 person_id=", "error[bad-value]"),
        ("project PR1 project_id=", "the project's last id"),
        ("project PR1 active@nores=false", "error[unknown-resource]"),
    ],
)
def test_what_cannot_be_is_an_error(site: Path, words: str, said: str) -> None:
    ended = call("registry", "set", *(word.replace("|", " ") for word in words.split()))
    assert ended.status == 1
    assert said in ended.stderr
    assert call("registry", "set", "person", "P1", "login=bsample").stdout == "nothing to change\n"


def test_an_unusual_login_is_a_warning(site: Path) -> None:
    ended = call("registry", "set", "person", "P1", "login=BSample")
    assert ended.status == 0
    assert "warning[unusual-login]" in ended.stderr


def test_an_imported_login_that_no_account_can_have_is_an_error(site: Path) -> None:
    (site / "more.yaml").write_text("persons: [{person_id: P9, login: 'a b'}]\n", encoding="utf-8")
    ended = call("registry", "import", "more.yaml")
    assert ended.status == 1
    assert "more.yaml:1:34: error[bad-value]" in ended.stderr


def test_one_of_two_ids_may_go(site: Path) -> None:
    ended = call("registry", "set", "project", "PR2", "grant_number=")
    assert (ended.status, ended.stdout) == (0, "~ project PR2: grant_number TG2 -> nothing\n")


def test_nothing_is_shown_both_ways(site: Path) -> None:
    assert "dns /CN=Bea -> nothing" in call("registry", "set", "person", "P1", "dns=").stdout
    assert "dns nothing -> /CN=New" in call("registry", "set", "person", "P1", "dns=/CN=New").stdout
    assert "replaced as a whole" in " ".join(call("registry", "set", "--help").stdout.split())


def test_a_known_resource_is_no_error(site: Path) -> None:
    assert call("registry", "set", "project", "PR1", f"active@{ALPHA}=false").status == 0
