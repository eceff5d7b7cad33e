"""`run --observe` and `status --observed`: what people and scripts see."""

from pathlib import Path

import pytest

from tests.support import states
from tests.support.amie_json import rpc, rpi
from tests.support.command_line import call


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site folder with a new project and one that nobody knows to be stopped; we are in it."""
    monkeypatch.chdir(states.make_folder(tmp_path, {}))
    packets = states.write(tmp_path / "packets.json", [rpc({"PiDnList": []}), rpi({"ProjectID": "P-2"})])
    assert call("load", packets).status == 0
    return tmp_path


def test_plans_are_shown_and_kept_and_nothing_is_done(site: Path) -> None:
    seen = call("run", "--observe")
    assert seen.status == 0
    assert seen.stdout.splitlines() == [
        "waits    1 request_project_create: would be answered by notify_project_create",
        "waits    2 request_project_inactivate: would hold: no project P-2",
    ]
    assert seen.stderr == "2 packets: 2 not answered yet. Nothing was done.\n"
    assert call("run", "--observe").stderr == "nothing new\n"
    assert {line["status"] for line in call("status", "--format", "json").json("status")["packets"]} == {"ready"}
    assert "the registry is empty" in call("registry", "show").stderr


def test_what_was_answered_otherwise_is_shown_tag_by_tag(site: Path) -> None:
    call("run", "--observe")
    assert call("run", 1).status == 0  # here the other program is one of our own
    assert call("fail", 2, "--reason", "never heard of it").status == 0
    seen = call("run", "--observe")
    assert seen.stdout.splitlines() == [
        "agrees   1 request_project_create: would be answered by notify_project_create",
        "differs  2 request_project_inactivate: would hold: no project P-2",
        "            (reply): hold: no project P-2 here, inform_transaction_complete there",
    ]
    assert seen.stderr == "2 packets: 1 answered alike, 1 answered otherwise. Nothing was done.\n"
    listed = call("status", "--observed")
    assert (listed.status, listed.stdout) == (0, seen.stdout)
    data = call("status", "--observed", "--format", "json").json("observed")
    assert [(one["packet_rec_id"], one["standing"]) for one in data["observed"]] == [(1, "agrees"), (2, "differs")]


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--observe", "--watch"),
        ("run", "--observe", "--limit", "1"),
        ("run", "--observe", "--jobs", "2"),
        ("status", "--observed", "--all"),
        ("status", "--observed", "--check"),
        ("status", "--observed", "--format", "prometheus"),
    ],
)
def test_what_cannot_be_together_is_wrong_usage(site: Path, words: tuple[str, ...]) -> None:
    assert call(*words).status == 2
