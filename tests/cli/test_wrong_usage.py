"""Wrong words end with 2 and say so in our words; what is missing on the disk ends with 1."""

from pathlib import Path

import pytest

from tests.support import states
from tests.support.command_line import call
from tests.support.states import packets, write


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site folder with the rules for all states, and we are in it."""
    monkeypatch.chdir(states.make_folder(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "load gone.json",
        "dry-run --packet gone.json",
        "registry import gone.yaml",
        "registry import persons.csv",
        "validate gone.yaml",
        "status --config gone.yaml",
        "validate --config gone.yaml",
        "registry export no/such/folder.yaml",
        "init amierules.yaml/below",
    ],
)
def test_a_file_that_is_not_to_be_had_is_a_finding(site: Path, line: str) -> None:
    ended = call(*line.split())
    assert ended.status == 1
    assert "error[" in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("run --limit x", "it must be a whole number"),
        ("run --limit 0", "it must be at least 1"),
        ("db migrate --from-version x", "it must be a whole number"),
        ("status --format xml", "'xml' is not one of 'text', 'json'"),
        ("statsu", "Did you mean 'status'?"),
        ("help statsu", "Did you mean 'status'?"),
        ("retry 1 --all", "packets are named, so --all has no place here"),
        ("retry --status held", "give both --all and --status"),
        ("retry --all --status hold", "did you mean 'held'?"),
        ("registry show persn P1", "registry show person ID"),
        ("registry set persn P1 state=active", "did you mean 'person'?"),
        ("init x --resource", "'--resource' requires an argument"),
    ],
)
def test_wrong_words_are_answered_in_ours(site: Path, line: str, said: str) -> None:
    ended = call(*line.split())
    assert ended.status == 2
    assert said in " ".join(ended.stderr.replace("│", " ").split())
    assert "Input should" not in ended.stderr
    assert "Value error" not in ended.stderr


def test_no_packet_of_a_status_is_said(site: Path) -> None:
    assert call("retry", "--all", "--status", "held").stderr == "no packet is held\n"
    assert call("status", "--status", "held").stderr == "no packet is held\n"


def test_what_can_be_done_about_a_packet_of_ours(site: Path) -> None:
    call("load", write(site / "one.json", packets("done")))
    call("run")
    ended = call("retry", "2")
    assert (ended.status, "amierules show ID" in ended.stderr) == (2, True)


def test_help_and_version_are_commands_too(site: Path) -> None:
    assert call("help", "registry", "import").stdout == call("registry", "import", "--help").stdout
    assert "validate" in call("help").stdout
    assert call("version").stdout == call("--version").stdout


def test_the_demo_does_not_name_an_option_of_init(site: Path) -> None:
    ended = call("demo", ".")
    assert ended.status == 2
    assert "--force" not in ended.stderr
    assert "choose a new folder" in ended.stderr


def test_a_resource_has_no_spaces(site: Path) -> None:
    ended = call("init", "other", "--resource", "our cluster")
    assert ended.status == 2
    assert "error[bad-value]" in ended.stderr
    assert not (site / "other").exists()
