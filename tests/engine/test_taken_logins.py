"""The `taken` command of `login_from`: asked of each candidate, in a dry run too."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from amierules.database.rows import Person
from amierules.engine.site import Site
from tests.support.sites import (
    MakeSite,
    decision,
    know,
    load,
    plan,
    rac,
    reason_of,
    registry,
    run,
    set_clock,
    status_of,
)

RULE = """
packet: request_account_create
rules:
  - name: a
    actions:
      - name: p
        person: {attributes: "{{ subject }}", login_from: "{{ subject.RequestedLoginList + [subject.LastName] }}"}
%s    complete: "{{ person.login }}"
"""
_HOUR = timedelta(hours=1)
ASKED = """\
#!/bin/sh
echo "$1" >> %(folder)s/asked
for name in %(taken)s; do [ "$1" = "$name" ] && exit 0; done
exit %(status)s
"""


def _taken(folder: Path, *names: str, status: int = 2) -> dict[str, Any]:
    """The section `logins`, with a command that knows these names."""
    program = folder / "is taken"
    program.write_text(ASKED % {"folder": folder, "taken": " ".join(names) or "''", "status": status})
    program.chmod(0o755)
    return {"reserved": ["root"], "taken": {"run": [str(program), "{{ login }}"]}}


def _asked(folder: Path) -> list[str]:
    path = folder / "asked"
    return path.read_text().split() if path.exists() else []


def _site(make: MakeSite, logins: dict[str, Any], more: str = "") -> tuple[Site, int]:
    site = make(RULE % more, logins=logins)
    (number,) = load(site, rac({"UserRequestedLoginList": ["annex", "root", "ann"]}))
    return site, number


def test_the_first_login_that_nobody_has_is_given(make: MakeSite, tmp_path: Path) -> None:
    site, number = _site(make, _taken(tmp_path, "annex", "ann"))
    run(site)
    assert reason_of(site, number) == "example"
    assert _asked(tmp_path) == ["annex", "ann", "example"]


def test_numbered_ones_are_asked_about_too(make: MakeSite, tmp_path: Path) -> None:
    site, number = _site(make, _taken(tmp_path, "annex", "ann", "example", "annex1"))
    run(site)
    assert reason_of(site, number) == "annex2"


def test_what_the_registry_has_is_not_asked_about(make: MakeSite, tmp_path: Path) -> None:
    site, number = _site(make, _taken(tmp_path))
    know(site, Person("x", logins=("annex",)))
    run(site)
    assert reason_of(site, number) == "ann"
    assert _asked(tmp_path) == ["ann"]


def test_a_dry_run_asks_and_expects_the_same(make: MakeSite, tmp_path: Path) -> None:
    site, _ = _site(make, _taken(tmp_path, "annex"))
    (report,) = plan(site)
    assert report.steps[0].state == "change"
    after = report.steps[0].changes[0].after
    assert isinstance(after, dict)
    assert [login.expected for login in after["logins"]] == ["ann"]
    assert _asked(tmp_path) == ["annex", "ann"]
    assert registry(site).login_owner("ann") is None


@pytest.mark.parametrize("status", [3, 127])
def test_where_nobody_can_tell_the_packet_is_tried_again(make: MakeSite, tmp_path: Path, status: int) -> None:
    site, number = _site(make, _taken(tmp_path, status=status))
    run(site)
    assert status_of(site, number) == "retrying"
    assert f"cannot tell whether annex is taken: it ended with status {status}" in reason_of(site, number)
    assert registry(site).find_person(global_id="90011") is None
    _taken(tmp_path, "annex")
    set_clock(site, later=_HOUR)
    run(site)
    assert reason_of(site, number) == "ann"


def test_a_command_that_takes_too_long_says_nothing(make: MakeSite) -> None:
    logins = {"taken": {"run": ["sh", "-c", "sleep 60", "{{ login }}"], "timeout": "1s"}}
    site, number = _site(make, logins)
    run(site)
    assert status_of(site, number) == "retrying"
    assert "it took too long" in reason_of(site, number)


def test_nor_does_one_that_is_not_there(make: MakeSite) -> None:
    site, number = _site(make, {"taken": {"run": ["/no/such/program", "{{ login }}"]}})
    run(site)
    assert status_of(site, number) == "retrying"
    (report,) = plan(site)
    assert report.decision.kind == "retry"


def test_the_statuses_that_mean_free_can_be_given(make: MakeSite, tmp_path: Path) -> None:
    logins = _taken(tmp_path, status=7)
    logins["taken"]["free"] = [7]
    site, number = _site(make, logins)
    run(site)
    assert reason_of(site, number) == "annex"


def test_a_command_that_knows_everybody_is_not_believed(make: MakeSite) -> None:
    site, number = _site(make, {"taken": {"run": "true {{ login }}"}})
    run(site)
    assert status_of(site, number) == "parked"
    assert "is the command right?" in reason_of(site, number)


def test_a_login_once_given_is_not_asked_about_again(make: MakeSite, tmp_path: Path) -> None:
    """A crash after the effect: the account that the command then finds is the packet's own."""
    script = f"[ -e {tmp_path}/go ]"
    site, number = _site(make, _taken(tmp_path), f"      - {{name: c, command: [sh, -c, '{script}']}}\n")
    run(site)
    assert status_of(site, number) == "parked"
    _taken(tmp_path, "annex")
    (tmp_path / "go").touch()
    decision(site, number, "retry")
    run(site)
    assert reason_of(site, number) == "annex"
    assert _asked(tmp_path) == ["annex"]


def test_hostile_wishes_never_reach_the_command(make: MakeSite, tmp_path: Path) -> None:
    site = make(RULE % "", logins=_taken(tmp_path))
    wishes = ["$(touch x)", "-rf", "a;b", "{{ 7 * 7 }}", "../../etc", "ümlaut"]
    (number,) = load(site, rac({"UserRequestedLoginList": wishes}))
    run(site)
    assert status_of(site, number) == "done"
    assert json.dumps(_asked(tmp_path)) == '["touchx"]'
