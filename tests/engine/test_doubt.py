"""Steps in doubt, and packets that start over: what a person may say, and what comes of it."""

from pathlib import Path
from typing import Any

import pytest

from amierules.diagnostics import ExitStatus, Finding, NotAllowed
from amierules.engine.doubt import Resolution, settle_doubt
from amierules.engine.site import Site
from amierules.engine.starting_over import start_over
from tests.support.shadow import ScratchRoot
from tests.support.sites import (
    MakeSite,
    decision,
    events_of,
    load,
    make_site,
    reason_of,
    registry,
    reply_to,
    rpi,
    run,
    status_of,
    steps_of,
    work_of,
)

HEAD = "packet: request_project_inactivate\nrules:\n  - name: a\n    actions:\n"
REPLY = '    reply: {copy: [ProjectID, ResourceList], fields: {Comment: "%s"}}\n'
SLOW = "      - {name: slow, command: {run: [sh, -c, 'echo x >> %s/log; sleep 5'], %s}, timeout: 1s, register: out}\n"


def _doubtful(make: MakeSite, tmp_path: Path, comment: str = "x", more: str = "ok: [0]") -> tuple[Site, int]:
    """A packet whose step took too long and was ended."""
    site = make(HEAD + SLOW % (tmp_path, more) + REPLY % comment)
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "in_doubt"
    return site, packet


def _say(site: Site, packet: int, step: str = "slow", *, done: bool = True, result: Any = None) -> str:
    return settle_doubt(site, packet, step, Resolution(done, result, "looked", "pat"))


def _refusal(error: pytest.ExceptionInfo[NotAllowed]) -> Finding:
    assert error.value.status is ExitStatus.USAGE
    (finding,) = error.value.findings
    return finding


def _die(point: str) -> None:
    if point == "after intent":
        raise KilledError


class KilledError(BaseException):
    """The process is gone."""


# ------------------------------------------------------------------ resolve


def test_the_reason_says_what_to_type(make: MakeSite, tmp_path: Path) -> None:
    site, packet = _doubtful(make, tmp_path)
    assert reason_of(site, packet).endswith(f'; `amierules resolve {packet} "slow" --done|--redo`')


def test_what_was_done_is_not_done_again_and_registers_what_is_supposed(make: MakeSite, tmp_path: Path) -> None:
    site, packet = _doubtful(make, tmp_path, "{{ out.rc }} {{ out.changed }} {{ out.stdout is none }}")
    assert _say(site, packet) == "ready"
    run(site)
    assert reply_to(site, packet).packet.body["Comment"] == "0 true true"
    assert (tmp_path / "log").read_text() == "x\n"
    assert [event.why for event in events_of(site, packet) if event.what == "resolved"] == ["slow: done; looked"]


def test_register_gets_the_result_that_the_person_gives(make: MakeSite, tmp_path: Path) -> None:
    site, packet = _doubtful(make, tmp_path, "{{ out.rc }} {{ out.changed }} {{ out.stdout }}")
    _say(site, packet, result={"rc": 3, "stdout": "the text"})
    run(site)
    assert reply_to(site, packet).packet.body["Comment"] == "3 true the text"


@pytest.mark.parametrize(
    ("result", "said", "hint"),
    [
        (5, "it is no JSON object", "known here: changed, rc"),
        ({"stdut": "x"}, "it has 'stdut'", "did you mean 'stdout'?"),
        ({"rc": "0"}, "'rc' must be a whole number", "known here: changed, rc"),
        ({"rc": True}, "'rc' must be a whole number", "known here: changed, rc"),
        ({"changed": 1}, "'changed' must be true or false", "known here: changed, rc"),
        ({"stdout": 7}, "'stdout' must be a text", "known here: changed, rc"),
    ],
)
def test_a_result_that_no_such_step_has_is_refused(
    make: MakeSite, tmp_path: Path, result: Any, said: str, hint: str
) -> None:
    site, packet = _doubtful(make, tmp_path)
    with pytest.raises(NotAllowed) as refused:
        _say(site, packet, result=result)
    finding = _refusal(refused)
    assert (finding.code, said in finding.message, hint in finding.hint) == ("bad-result", True, True)
    assert status_of(site, packet) == "in_doubt"


def test_what_a_command_of_secret_output_printed_stays_secret(make: MakeSite, tmp_path: Path) -> None:
    site, packet = _doubtful(make, tmp_path, "{{ out.stdout }}", "secret_output: true")
    _say(site, packet, result={"stdout": "hidden"})
    assert "hidden" not in str(steps_of(site, packet)["slow"])
    run(site)
    assert (status_of(site, packet), "must not hold a secret" in reason_of(site, packet)) == ("parked", True)


def test_what_was_not_done_is_done(make: MakeSite, tmp_path: Path) -> None:
    site, packet = _doubtful(make, tmp_path, "{{ out.rc }}")
    assert _say(site, packet, done=False) == "ready"
    run(site)
    assert status_of(site, packet) == "in_doubt"
    assert (tmp_path / "log").read_text() == "x\nx\n"


def test_a_step_of_another_name_is_not_meant(make: MakeSite, tmp_path: Path) -> None:
    site, packet = _doubtful(make, tmp_path)
    with pytest.raises(NotAllowed) as refused:
        _say(site, packet, "slwo")
    finding = _refusal(refused)
    assert (finding.code, finding.hint) == ("no-such-step", "did you mean 'slow'?")


def test_nothing_is_settled_where_nothing_is_in_doubt(make: MakeSite) -> None:
    site = make("packet: request_project_inactivate\nrules: [{name: a, hold: x}]")
    (packet,) = load(site, rpi())
    run(site)
    with pytest.raises(NotAllowed) as refused:
        _say(site, packet)
    assert _refusal(refused).code == "not-allowed"


def test_of_several_steps_in_doubt_each_is_settled(make: MakeSite, tmp_path: Path) -> None:
    step = "      - {name: %s, command: [sh, -c, 'echo %s >> " + str(tmp_path) + "/log']}\n"
    site = make(HEAD + step % ("b", "b") + REPLY % "x")
    (packet,) = load(site, rpi())
    with pytest.raises(KilledError):
        run(site, crash_point=_die)
    site = make(HEAD + step % ("a", "a") + step % ("b", "b") + REPLY % "x")
    with pytest.raises(KilledError):
        run(site, crash_point=_die)
    run(site)
    assert status_of(site, packet) == "in_doubt"
    assert all(f'"{name}" --done|--redo' in reason_of(site, packet) for name in "ab")
    assert _say(site, packet, "b") == "in_doubt"
    assert reason_of(site, packet) == f'still in doubt: `amierules resolve {packet} "a" --done|--redo`'
    assert _say(site, packet, "a", done=False) == "ready"
    run(site)
    assert status_of(site, packet) == "done"
    assert (tmp_path / "log").read_text() == "a\n"


def test_a_step_whose_guard_cannot_be_asked_may_be_settled_too(make: MakeSite, tmp_path: Path) -> None:
    """Such a packet is parked, with its step in doubt."""
    guard = tmp_path / "guard"
    guard.write_text("#!/bin/sh\nexit 1\n")
    guard.chmod(0o755)
    action = f"      - {{name: c, command: {{run: ['true'], unless: {{run: ['{guard}']}}}}, register: out}}\n"
    site = make(HEAD + action + REPLY % "{{ out.changed }}!")
    (packet,) = load(site, rpi())
    with pytest.raises(KilledError):
        run(site, crash_point=_die)
    guard.unlink()
    run(site)
    assert (status_of(site, packet), steps_of(site, packet)["c"].state) == ("parked", "started")
    assert _say(site, packet, "c") == "ready"
    run(site)
    assert reply_to(site, packet).packet.body["Comment"] == "true!"


def test_nothing_is_done_again_while_its_process_may_run_elsewhere(
    make: MakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make(HEAD + SLOW % (tmp_path, "ok: [0]") + REPLY % "x")
    (packet,) = load(site, rpi())
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("amierules.engine.doing.whereabouts", lambda: "elsewhere")
        with pytest.raises(KilledError):
            run(site, crash_point=_die)
    run(site)
    assert (status_of(site, packet), "may still run on" in reason_of(site, packet)) == ("retrying", True)
    with pytest.raises(NotAllowed) as refused:
        _say(site, packet, done=False)
    assert "a process of slow may still run on" in _refusal(refused).message
    assert steps_of(site, packet)["slow"].state == "started"
    assert _say(site, packet, done=True) == "ready"


# ------------------------------------------------------------------ retry --from-start


def test_a_packet_that_starts_over_forgets_its_journal_and_its_rule(make: MakeSite, tmp_path: Path) -> None:
    log = f"sh, -c, 'echo x >> {tmp_path}/log'"
    site = make(
        HEAD + f"      - {{name: c, command: [{log}]}}\n      - {{name: d, command: ['false']}}\n" + REPLY % "x"
    )
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "parked"
    site = make("packet: request_project_inactivate\nrules: [{name: other, ignore: x}]")
    assert start_over(site, packet, "new rule", "pat") == ["c is done again"]
    assert (status_of(site, packet), work_of(site, packet).begun, steps_of(site, packet)) == ("ready", False, {})
    assert work_of(site, packet).pinned is None
    assert [event.why for event in events_of(site, packet) if event.what == "started over"] == [
        "2 steps forgotten; new rule"
    ]
    run(site)
    assert status_of(site, packet) == "ignored"


def test_it_says_what_becomes_of_each_effect(tmp_path: Path, memory: Any) -> None:
    root = ScratchRoot.make(tmp_path / "root")
    actions = (
        "      - {name: row, person: {attributes: {LastName: Sample}, login_from: [bsample]}}\n"
        "      - {name: user, user: {name: '{{ person.login }}', uid: '{{ person.uid }}'}}\n"
        f"      - {{name: guarded, command: {{run: [touch, '{tmp_path}/x'], "
        f"unless: {{run: [test, -e, '{tmp_path}/x']}}}}}}\n"
        "      - {name: looks, command: {run: [id], read_only: true}}\n"
        "      - {name: plain, command: ['true']}\n"
        f"      - {{name: last, command: [test, -e, '{tmp_path}/go']}}\n"
    )
    site = make_site(memory, tmp_path / "site", {"a.yaml": HEAD + actions + REPLY % "x"}, prefix=root.path)
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "parked", reason_of(site, packet)
    assert start_over(site, packet, "", "pat") == [
        "user is looked at again, and adopted where it is as wanted",
        "guarded is done again, unless its guard says that it is done",
        "plain is done again",
    ]
    (tmp_path / "go").touch()
    run(site)
    assert status_of(site, packet) == "done", reason_of(site, packet)
    lines = [line for line in (root.path / "etc/passwd").read_text().splitlines() if line.startswith("bsample")]
    assert [line.split(":")[2] for line in lines] == ["20000"]


def test_it_lets_go_of_what_the_configuration_does_not_allow_any_more(memory: Any, tmp_path: Path) -> None:
    actions = "      - {name: row, person: {attributes: {LastName: Sample}, login_from: [bsample, bo]}}\n"
    actions += f"      - {{name: last, command: [test, -e, '{tmp_path}/go']}}\n"

    def made(**config: Any) -> Site:
        return make_site(memory, tmp_path / "site", {"a.yaml": HEAD + actions + REPLY % "x"}, **config)

    site = made()
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "parked", reason_of(site, packet)
    site = made(
        ids={"uid": {"range": [21000, 21999]}, "person_id": {"from": "uid"}},
        logins={"pattern": "[a-z]+", "reserved": ["bsample"]},
    )
    assert start_over(site, packet, "", "pat") == [
        "uid 20000 is given up: it is outside the configuration's `ids` by now",
        "login bsample is given up: the configuration's `logins` do not allow it by now",
    ]
    (tmp_path / "go").touch()
    run(site)
    assert status_of(site, packet) == "done", reason_of(site, packet)
    person = registry(site).find_person(login="bo")
    assert person is not None
    assert person.uid == 21000


def test_it_is_refused_while_a_step_is_in_doubt(make: MakeSite, tmp_path: Path) -> None:
    site, packet = _doubtful(make, tmp_path)
    with pytest.raises(NotAllowed) as refused:
        start_over(site, packet, "", "pat")
    finding = _refusal(refused)
    assert "slow was begun, and nobody recorded how it ended" in finding.message
    assert finding.hint == f'settle it first: `amierules resolve {packet} "slow" --done|--redo`'
    assert steps_of(site, packet)["slow"].state == "started"


@pytest.mark.parametrize("outcome", ["ignore: x", "fail: x"])
def test_it_is_refused_once_the_packet_has_ended(make: MakeSite, outcome: str) -> None:
    site = make(f"packet: request_project_inactivate\nrules: [{{name: a, {outcome}}}]")
    (packet,) = load(site, rpi())
    run(site)
    with pytest.raises(NotAllowed) as refused:
        start_over(site, packet, "", "pat")
    assert _refusal(refused).code == "not-allowed"


def test_approvals_outlive_it(make: MakeSite) -> None:
    site = make("packet: request_project_inactivate\nrules: [{name: a, hold: x}, {name: b, when: false, ignore: x}]")
    (packet,) = load(site, rpi())
    run(site)
    decision(site, packet, "approve")
    run(site)
    assert status_of(site, packet) == "parked"
    assert start_over(site, packet, "", "pat") == []
    run(site)
    assert status_of(site, packet) == "parked"
