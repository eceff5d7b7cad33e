"""`approve --set`, `retry --from-start`, `resolve` and deciding about many packets, as a person types them."""

from pathlib import Path

import pytest

from tests.support.amie_json import rpi
from tests.support.command_line import Ended, call, on_terminal
from tests.support.states import make_folder, write

RULES = """
packet: request_project_inactivate
rules:
  - name: ask
    when: packet.ProjectID == 'ask'
    hold: {reason: how much, ask: {quota: "GB for {{ packet.ProjectID }}", path: the folder}}
  - name: hold
    when: packet.ProjectID.startswith('hold')
    hold: look at it
  - name: work
    actions:
      - {name: one, command: [touch, "%s/one"]}
      - {name: slow, when: packet.ProjectID == 'slow', command: [sleep, "5"], timeout: 1s, register: out}
      - {name: last, command: [test, -e, "%s/go"]}
    reply: {copy: [ProjectID, ResourceList], fields: {Comment: "{{ approval.quota if approval else 'x' }}"}}
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site folder; we are in it."""
    folder = make_folder(tmp_path)
    (folder / "rules" / "request_project_inactivate.yaml").write_text(RULES % (folder, folder), encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


def _run(folder: Path, *names: str) -> None:
    assert call("load", write(folder / "packets.json", [rpi({"ProjectID": name}) for name in names])).status == 0
    call("run")


def _status(packet: int = 1) -> str:
    return str(call("show", packet, "--format", "json").json("show")["status"])


def _approve(*words: str) -> Ended:
    return call("approve", "1", *words)


# ------------------------------------------------------------------ approve --set


def test_what_is_asked_for_is_shown(site: Path) -> None:
    _run(site, "ask")
    command = "`amierules approve 1 --set quota=VALUE --set path=VALUE`"
    assert command in call("status").stdout
    shown = call("show", "1").stdout
    assert command in shown
    assert "  asks for quota: GB for ask\n  asks for path: the folder\n" in shown
    asked = {"quota": "GB for ask", "path": "the folder"}
    assert call("show", "1", "--format", "json").json("show")["asked"] == asked
    (line,) = call("status", "--format", "json").json("status")["packets"]
    assert line["asked"] == asked
    outcome = call("dry-run", "1", "--format", "json").json("dry-run")["packets"][0]["outcome"]
    assert outcome["kind"] == "hold"


def test_a_dry_run_shows_it_before_the_run(site: Path) -> None:
    call("load", write(site / "packets.json", rpi({"ProjectID": "ask"})))
    assert "asks for quota: GB for ask" in call("dry-run").stdout
    outcome = call("dry-run", "--format", "json").json("dry-run")["packets"][0]["outcome"]
    assert outcome["asked"] == {"quota": "GB for ask", "path": "the folder"}


def test_an_approval_with_its_values_is_shown(site: Path) -> None:
    (site / "go").touch()
    _run(site, "ask")
    assert _approve("--set", "quota=5=6", "--set", "path=", "--reason", "fine").stdout == "packet 1 is ready\n"
    (approval,) = call("show", "1", "--format", "json").json("show")["approvals"]
    assert (approval["of"], approval["reason"], approval["answers"]) == ("ask", "fine", {"quota": "5=6", "path": ""})
    call("run")
    assert _status() == "done"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), "missing-answer", "needs 'quota': GB for ask"),
        (("--set", "quota=5"), "missing-answer", "add --set path=VALUE"),
        (("--set", "quotas=5", "--set", "path=x"), "unknown-answer", "did you mean 'quota'?"),
        (("--set", "quota"), "usage", "--set NAME=VALUE"),
        (("--set", "=5"), "usage", "--set NAME=VALUE"),
        (("--set", "quota=5", "--set", "quota=6"), "usage", "twice"),
    ],
)
def test_a_wrong_approval_is_refused(site: Path, words: tuple[str, ...], code: str, said: str) -> None:
    _run(site, "ask")
    ended = _approve(*words)
    assert ended.status == 2
    assert f"[{code}]" in ended.stderr
    assert said in ended.stderr
    assert _status() == "held"


# ------------------------------------------------------------------ retry --from-start


def test_a_packet_that_starts_over_says_what_was_done_already(site: Path) -> None:
    _run(site, "x")
    assert _status() == "parked"
    ended = call("retry", "1", "--from-start", "--reason", "new rules")
    assert (ended.status, ended.stdout) == (0, "packet 1 is ready, and starts over\n  one is done again\n")
    assert call("show", "1", "--format", "json").json("show")["steps"] == []


def test_a_wrong_answer_is_mended_by_starting_over(site: Path) -> None:
    _run(site, "ask")
    assert _approve("--set", "quota=much", "--set", "path=").status == 0
    call("run")
    assert _status() == "parked"
    ended = call("retry", "1", "--from-start")
    assert ended.stdout == "packet 1 is ready, and starts over\n  one is done again\n  rule 'ask' asks again\n"
    (site / "go").touch()
    call("run")
    assert _status() == "held"
    assert _approve("--set", "quota=5", "--set", "path=").status == 0
    call("run")
    assert _status() == "done"
    (approval,) = call("show", "1", "--format", "json").json("show")["approvals"]
    assert approval["answers"] == {"quota": "5", "path": ""}


def test_it_is_refused_while_a_step_is_in_doubt(site: Path) -> None:
    _run(site, "slow")
    ended = call("retry", "1", "--from-start")
    assert ended.status == 2
    assert 'settle it first: `amierules resolve 1 "slow" --done|--redo`' in ended.stderr
    assert _status() == "in_doubt"


# ------------------------------------------------------------------ resolve


def test_a_step_in_doubt_is_settled_as_the_reason_says(site: Path) -> None:
    (site / "go").touch()
    _run(site, "slow")
    assert '`amierules resolve 1 "slow" --done|--redo`' in call("show", "1").stdout
    assert "did you mean 'slow'?" in call("resolve", "1", "slwo", "--done").stderr
    wrong = call("resolve", "1", "slow", "--done", "--result", '{"stdut": "x"}')
    assert (wrong.status, "error[bad-result]" in wrong.stderr) == (2, True)
    assert call("resolve", "1", "slow", "--done", "--result", '{"rc": 0}').stdout == "packet 1 is ready\n"
    call("run")
    assert _status() == "done"


# ------------------------------------------------------------------ many packets


def test_all_packets_of_a_status_are_decided_about(site: Path) -> None:
    _run(site, "hold-1", "hold-2", "ask")
    ended = call("retry", "--all", "--status", "held", "--reason", "again")
    assert ended.stdout == "".join(f"packet {number} is ready\n" for number in (1, 2, 3))


def test_what_is_refused_of_one_does_not_keep_the_others(site: Path) -> None:
    _run(site, "hold-1", "ask", "hold-2")
    ended = call("approve", "--all", "--status", "held")
    assert ended.status == 2
    assert ended.stdout == "packet 1 is ready\npacket 3 is ready\n"
    assert "packet 2 needs 'quota'" in ended.stderr


def test_on_a_terminal_one_is_asked_first(site: Path) -> None:
    _run(site, "hold-1", "hold-2")
    said = on_terminal("fail", "--all", "--status", "held", cwd=site, typed="n\n").stdout
    assert "1  request_project_inactivate  look at it" in said
    assert "fail these 2 packets, which are held?" in said
    assert "nothing was decided" in said
    assert (_status(1), _status(2)) == ("held", "held")
    assert "nothing was decided" in on_terminal("fail", "--all", "--status", "held", cwd=site, typed="\x04").stdout
    assert "packet 2 is failed" in on_terminal("fail", "--all", "--status", "held", cwd=site, typed="y\n").stdout


def test_not_where_one_packet_is_meant_or_yes_is_said(site: Path) -> None:
    _run(site, "hold-1", "hold-2")
    assert "?" not in on_terminal("fail", "--all", "--status", "held", "--yes", cwd=site).stdout
    assert (_status(1), _status(2)) == ("failed", "failed")
    _run(site, "hold-3")
    assert "?" not in on_terminal("fail", "--all", "--status", "held", cwd=site).stdout
    assert _status(5) == "failed"
