"""The kinds `user` and `group` on a host's own files, as root and through sudo, with an /etc of the test's own."""

from pathlib import Path
from typing import Any

import pytest

from amierules.actions import group, user
from amierules.actions.accounts_files import HostAccounts
from amierules.actions.accounts_tools import failure
from amierules.actions.base import BackendUnavailable, Conflict
from amierules.ports import Completed, Host
from tests.support.private_etc import PrivateEtc
from tests.support.shadow import NOW, Runner, host_digest

IMPORTS = """
from amierules.actions import group, user
from amierules.actions.base import ActionError
from amierules.actions.schemas import shipped_kind_schemas
from amierules.protocol.catalogue import catalogue
from tests.support.shadow import Runner

shipped_kind_schemas()
catalogue()

def kept(kind, **given):
    runner = Runner({"user": user, "group": group}[kind], kind, None)
    runner.defaults["sudo"] = True
    try:
        (change, *_) = runner.plan(**given).changes or [None]
        print(*(change.argv if change else ["-"]))
        print(sorted(runner.run(**given).items()))
    except ActionError as error:
        print(type(error).__name__, error)
"""
MAKE = 'kept("user", name="zed", uid=29999, home="/nonexistent/zed", shell="/bin/sh")'
LOCK = 'kept("user", name="zed", uid=29999, locked=True)'


@pytest.fixture
def etc(tmp_path: Path) -> PrivateEtc:
    return PrivateEtc(tmp_path)


def test_nobody_makes_and_locks_an_account_through_sudo(etc: PrivateEtc) -> None:
    before = host_digest()
    etc.let_nobody("useradd", "usermod", "userdel", "groupadd", "getent")
    said = etc.run(IMPORTS, 'kept("group", name="crew", gid=29998)\n' + MAKE + f"\n{LOCK}\n{LOCK}", as_nobody=True)
    lines = said.splitlines()
    assert lines[0] == "sudo -n -- groupadd --gid 29998 -- crew"
    assert lines[2].startswith("sudo -n -- useradd --uid 29999 ")
    assert "('created', True)" in lines[3]
    assert lines[4] == "sudo -n -- usermod --lock --expiredate 1970-01-02 -- zed"
    assert lines[6] == "-"
    made, shadow = etc.line("passwd", "zed"), etc.line("shadow", "zed")
    assert made is not None
    assert made[2] == "29999"
    assert shadow is not None
    assert shadow[7] == "1"
    assert host_digest() == before


@pytest.mark.parametrize("tools", [(), ("getent",)])
def test_a_password_that_sudo_asks_for_is_said_and_waited_for(etc: PrivateEtc, tools: tuple[str, ...]) -> None:
    etc.let_nobody(*tools)
    said = etc.run(IMPORTS, MAKE, as_nobody=True).splitlines()[-1]
    assert said.startswith("BackendUnavailable sudo: a password is required (sudoers must let nobody run useradd")
    assert etc.line("passwd", "zed") is None


def test_root_needs_no_sudo(etc: PrivateEtc) -> None:
    said = etc.run(IMPORTS, MAKE).splitlines()
    assert said[0].startswith("useradd --uid 29999 ")
    assert etc.line("passwd", "zed") is not None


def test_twenty_processes_at_once_make_all_accounts(etc: PrivateEtc) -> None:
    code = f"""
import subprocess, sys
one = "import sys\\n" + {IMPORTS!r} + "\\nkept('user', name='zed' + sys.argv[1], uid=30000 + int(sys.argv[1]))"
started = [subprocess.Popen([sys.executable, "-c", one, str(n)], stdout=subprocess.PIPE, text=True) for n in range(20)]
print(*(process.communicate(timeout=100)[0] for process in started))
"""
    said = etc.run("", code)
    assert "Transient" not in said
    assert said.count("('created', True)") == 20
    assert all(etc.line("passwd", f"zed{number}") for number in range(20))


class FilesWithout(HostAccounts):
    """The real name services of this host, beside empty files of the shadow-utils: all accounts come from elsewhere."""

    def __init__(self, folder: Path) -> None:
        super().__init__(etc=str(folder))
        for name in ("passwd", "group"):
            (folder / name).touch()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FilesWithout:
    made = FilesWithout(tmp_path)
    for kind in (user, group):
        monkeypatch.setattr(kind, "accounts", lambda prefix, host, shadow_line=None: made)
    return made


def test_an_account_of_another_name_service_is_not_changed(elsewhere: FilesWithout) -> None:
    there = elsewhere.user("daemon", NOW)
    assert there is not None
    assert not there.local
    runner = Runner(user, "user", None)
    wanted: list[dict[str, Any]] = [{"shell": "/bin/other"}, {"state": "absent"}]
    for given in wanted:
        plan = runner.plan(name="daemon", uid=there.uid, **given)
        assert (plan.conflict, plan.changes) == (True, ())
        assert plan.reason == ("user daemon is not in /etc/passwd: another name service has it, and must change it")
    assert runner.plan(name="daemon", uid=there.uid).reason == "the user is as wanted"


def test_a_name_that_another_name_service_has_is_not_made_again(elsewhere: FilesWithout) -> None:
    plan = Runner(user, "user", None).plan(name="daemon", uid=29999)
    assert (plan.conflict, plan.changes) == (True, ())
    plan = Runner(group, "group", None).plan(name="daemon", gid=29999)
    assert (plan.conflict, plan.changes) == (True, ())


def test_groups_of_another_name_service_are_not_joined_in_vain(elsewhere: FilesWithout) -> None:
    wanted: list[dict[str, Any]] = [{"groups": ["daemon"]}, {"groups_exact": ["daemon"]}]
    for given in wanted:
        with pytest.raises(Conflict, match="group daemon is not in /etc/group: another name service has it"):
            Runner(user, "user", None).plan(name="no-such-user-here", uid=29999, **given)
    there = elsewhere.group("daemon")
    assert there is not None
    assert Runner(group, "group", None).plan(name="daemon", gid=there.gid, state="absent").conflict


def test_what_sudo_says_is_no_word_of_the_tool() -> None:
    words = ("sudo", "-n", "--", "useradd", "--", "zed")
    refused = Completed(words, 1, "", "sudo: a password is required\n")
    assert isinstance(failure(refused, Host()), BackendUnavailable)
    busy = Completed(words, 1, "", "useradd: cannot lock /etc/passwd; try again later.\n")
    assert not isinstance(failure(busy, Host()), BackendUnavailable)
    assert str(failure(busy, Host())).startswith("useradd: cannot lock")


LOOK = """
from dataclasses import replace
from amierules.actions.schemas import kind_schemas
from amierules.engine.health.host import check_accounts
from amierules.rulebook.loader import load_rulebook
from amierules.shipped import ROOT
from amierules.templating import Environment
from tests.support.registries import configuration
site = replace(configuration(), settings={"accounts": "shadow"}, shadow_sudo=True)
rulebook, _ = load_rulebook([ROOT / "rules"], kind_schemas(), Environment())
"""


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        (
            ("useradd", "usermod", "userdel", "groupadd", "groupdel", "getent"),
            "ok Unix accounts of this host, as nobody",
        ),
        (("useradd",), "error sudo does not let nobody run usermod without a password"),
    ],
)
def test_doctor_tells_whether_sudo_lets_us(etc: PrivateEtc, tools: tuple[str, ...], said: str) -> None:
    etc.let_nobody(*tools)
    seen = etc.run(LOOK, "for one in check_accounts(site, rulebook): print(one.health, one.detail)", as_nobody=True)
    assert seen.startswith(said)
