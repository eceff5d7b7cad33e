"""The kind `user` makes, changes and removes accounts, with real shadow-utils in a scratch root."""

from typing import Any

import pytest

from amierules.actions.accounts_files import accounts
from amierules.actions.base import ActionError, Conflict
from amierules.database.rows import Person
from amierules.ports import Host
from amierules.templating import Unknown
from tests.support.shadow import NOW, Runner, ScratchRoot, host_digest

HASH = "$6$salt$hash"


@pytest.fixture(scope="module", autouse=True)
def host_is_untouched() -> Any:
    """The host's own files are the same after all of these tests."""
    before = host_digest()
    yield
    assert host_digest() == before


def argv(runner: Runner, **given: Any) -> list[object]:
    """The words of the only change, without the tool's scratch root."""
    (change,) = runner.plan(**given).changes
    words = list(change.argv or ())
    assert words[1:3] == ["--root" if "--gid" in words and words[0] == "usermod" else "--prefix", str(runner.root)]
    return [words[0], *words[3:]]


def test_an_account_is_made_as_wanted_and_then_present(
    runner: Runner, root: ScratchRoot, alice: dict[str, Any]
) -> None:
    assert root.line("passwd", "alice") == ["alice", "x", "20001", "30001", "Alice Ümlaut", "/home/alice", "/bin/bash"]
    assert root.groups_of("alice") == {"proj2"}
    assert not (root.path / "home" / "alice").exists()
    plan = runner.plan(**alice)
    assert (plan.changes, plan.reason, plan.conflict) == ((), "the user is as wanted", False)
    assert plan.result == {
        "uid": 20001,
        "gid": 30001,
        "home": "/home/alice",
        "shell": "/bin/bash",
        "groups": ["proj2"],
        "created": False,
    }


def test_the_plan_of_a_new_account_is_one_useradd(runner: Runner, root: ScratchRoot) -> None:
    given: dict[str, Any] = {
        "name": "bob",
        "uid": "20002",
        "comment": "B",
        "group": "proj1",
        "groups": ["proj2", "proj3"],
    }
    assert argv(runner, **given) == [
        "useradd", "--uid", "20002", "--gid", "proj1", "--comment=B",
        "--groups", "proj2,proj3", "--no-create-home", "--", "bob",
    ]  # fmt: skip
    assert root.line("passwd", "bob") is None
    assert runner.run(**given)["created"] is True


def test_what_is_not_given_is_known_after_apply(runner: Runner, root: ScratchRoot) -> None:
    result = runner.plan(name="bob", uid=20002, dry=True).result
    assert isinstance(result, dict)
    assert result["uid"] == 20002
    assert all(isinstance(result[name], Unknown) for name in ("gid", "home", "shell"))
    made = runner.run(name="bob", uid=20002)
    line = root.line("passwd", "bob")
    assert line is not None
    assert made == {"uid": 20002, "gid": int(line[3]), "home": line[5], "shell": line[6], "groups": [], "created": True}


def test_a_home_is_made_only_where_it_is_asked_for(runner: Runner, root: ScratchRoot) -> None:
    (root.path / "etc" / "skel" / ".profile").write_text("# ours\n")
    runner.run(name="bob", uid=20002, home="/home/bob", create_home=True)
    home = root.path / "home" / "bob"
    assert home.stat().st_uid == 20002
    assert (home / ".profile").read_text() == "# ours\n"
    assert {path.name for path in home.iterdir()} == {".profile"}
    assert runner.plan(name="bob", uid=20002, create_home=True).changes == ()


def test_a_home_that_could_not_be_made_is_an_error_and_the_account_stays(runner: Runner, root: ScratchRoot) -> None:
    (root.path / "home").rmdir()
    (root.path / "home").write_text("no folder")
    with pytest.raises(ActionError, match="user bob was made, but its home /home/bob was not"):
        runner.run(name="bob", uid=20002, home="/home/bob", create_home=True)
    assert root.line("passwd", "bob") is not None


def test_a_uid_that_another_has_is_a_conflict_before_anything_is_run(runner: Runner, alice: dict[str, Any]) -> None:
    with pytest.raises(Conflict, match="uid 20001, wanted for the new user bob, is alice's"):
        runner.plan(name="bob", uid=20001, dry=True)


def test_a_group_that_is_missing_is_named_when_it_is_needed(runner: Runner, alice: dict[str, Any]) -> None:
    assert len(runner.plan(name="bob", groups=["nosuch"], dry=True).changes) == 1
    for given in ({"name": "bob", "uid": 20002}, {"name": "alice", "uid": 20001}):
        with pytest.raises(ActionError, match="group 'nosuch' does not exist"):
            runner.run(**given, groups=["nosuch"])
        with pytest.raises(ActionError, match="group 'nosuch' does not exist"):
            runner.run(**given, group="nosuch")


def test_a_comment_is_made_fit_for_passwd(runner: Runner, root: ScratchRoot) -> None:
    given: dict[str, Any] = {"name": "bob", "uid": 20002, "comment": " Bob: the\nbuilder,\x07 Sr. "}
    (change,) = runner.plan(**given).changes
    assert "(comment without colons and control characters)" in change.summary
    runner.run(**given)
    line = root.line("passwd", "bob")
    assert line is not None
    assert line[4] == "Bob the builder, Sr."
    assert runner.plan(**given).changes == ()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"shell": "/sbin/nologin"}, ["--shell", "/sbin/nologin"]),
        ({"home": "/scratch/alice"}, ["--home", "/scratch/alice"]),
        ({"comment": "--root=/tmp"}, ["--comment=--root=/tmp"]),
        ({"comment": ""}, ["--comment="]),
        ({"group": "proj3"}, ["--gid", "proj3"]),
        ({"groups": ["proj2", "proj3", "proj3"]}, ["--append", "--groups", "proj3"]),
        ({"groups_exact": ["proj3"]}, ["--groups", "proj3"]),
        ({"groups_exact": []}, ["--groups", ""]),
        ({"groups_absent": ["proj2", "proj3"]}, ["--groups", ""]),
        ({"groups": ["proj3"], "groups_absent": ["proj2"]}, ["--groups", "proj3"]),
        ({"group": "proj3", "groups": ["proj3", "proj1"]}, ["--gid", "proj3", "--append", "--groups", "proj1"]),
        ({"locked": True}, ["--lock", "--expiredate", "1970-01-02"]),
        ({"shell": "/bin/sh", "comment": "A"}, ["--comment=A", "--shell", "/bin/sh"]),
    ],
)
def test_only_what_differs_is_changed(
    runner: Runner, alice: dict[str, Any], given: dict[str, Any], words: list[str]
) -> None:
    assert argv(runner, name="alice", uid=20001, **given) == ["usermod", *words, "--", "alice"]
    assert runner.run(name="alice", uid=20001, **given)["created"] is False
    assert runner.plan(name="alice", uid=20001, **given).changes == ()


@pytest.mark.parametrize(
    "given",
    [
        {"groups": []},
        {"groups": ["proj1", "proj2"]},
        {"groups_exact": ["proj2"]},
        {"groups_exact": ["proj2", "proj1", "proj2"]},
        {"groups_absent": ["proj1", "proj3", "never-there"]},
        {"locked": False},
        {"create_home": True},
        {"state": "present"},
        {"uid": None, "comment": None, "groups": None},
    ],
)
def test_what_holds_already_changes_nothing(runner: Runner, alice: dict[str, Any], given: dict[str, Any]) -> None:
    runner.known(Person("k1", uid=20001, logins=("alice",)))
    assert runner.plan(**{"name": "alice", "uid": 20001, **given}).changes == ()


def test_groups_are_added_or_exact(runner: Runner, root: ScratchRoot, alice: dict[str, Any]) -> None:
    assert runner.run(name="alice", uid=20001, groups=["proj3"])["groups"] == ["proj2", "proj3"]
    assert root.groups_of("alice") == {"proj2", "proj3"}
    assert runner.run(name="alice", uid=20001, groups_exact=["proj3"])["groups"] == ["proj3"]
    assert root.groups_of("alice") == {"proj3"}
    assert runner.run(name="alice", uid=20001, groups_absent=["proj3"])["groups"] == []
    assert root.groups_of("alice") == set()
    for other in ({"groups": ["proj2"]}, {"groups_absent": ["proj2"]}):
        given: dict[str, Any] = {"groups_exact": ["proj3"], **other}
        with pytest.raises(ActionError, match="can be given beside it"):
            runner.plan(name="alice", uid=20001, **given)


def test_a_lock_expires_the_account_and_unlocking_gives_the_password_back(
    runner: Runner, root: ScratchRoot, alice: dict[str, Any]
) -> None:
    root.set_password("alice", HASH)
    runner.run(name="alice", uid=20001, locked=True)
    line = root.line("shadow", "alice")
    assert line is not None
    assert (line[1], line[7]) == (f"!{HASH}", "1")
    assert argv(runner, name="alice", uid=20001, locked=False) == [
        "usermod", "--expiredate", "", "--unlock", "--", "alice",
    ]  # fmt: skip
    runner.run(name="alice", uid=20001, locked=False)
    line = root.line("shadow", "alice")
    assert line is not None
    assert (line[1], line[7]) == (HASH, "")


@pytest.mark.parametrize("password", ["!", "*", "!!", "!*", ""])
def test_without_a_password_there_is_nothing_to_unlock(
    runner: Runner, root: ScratchRoot, alice: dict[str, Any], password: str
) -> None:
    root.set_password("alice", password)
    runner.run(name="alice", uid=20001, locked=True)
    assert "--unlock" not in argv(runner, name="alice", uid=20001, locked=False)
    runner.run(name="alice", uid=20001, locked=False)


@pytest.mark.parametrize(
    ("expires", "locked"), [("", False), ("0", True), ("1", True), ("20513", True), ("20514", False), ("-1", False)]
)
def test_an_account_is_locked_from_the_day_it_expires(
    root: ScratchRoot, runner: Runner, alice: dict[str, Any], expires: str, locked: bool
) -> None:
    assert NOW.date().toordinal() - 719163 == 20513
    (root.path / "etc" / "shadow").write_text(f"alice:!:1:::::{expires}:\n")
    state = accounts(str(root.path), Host()).user("alice", NOW)
    assert state is not None
    assert state.locked is locked


def test_an_account_can_be_made_locked(runner: Runner) -> None:
    runner.run(name="bob", uid=20002, locked=True)
    assert runner.plan(name="bob", uid=20002, locked=True).changes == ()
    assert len(runner.plan(name="bob", uid=20002, locked=False).changes) == 1


def test_the_summary_says_what_changes_from_what_to_what(runner: Runner, alice: dict[str, Any]) -> None:
    (change,) = runner.plan(name="alice", uid=20001, shell="/bin/sh", groups=["proj3"], comment="").changes
    assert change.summary == (
        "change user alice: comment Alice Ümlaut -> (none); shell /bin/bash -> /bin/sh; groups proj2 -> proj2, proj3"
    )
    assert change.before == {"comment": "Alice Ümlaut", "shell": "/bin/bash", "groups": ["proj2"]}


def test_an_account_is_removed_and_its_home_left(runner: Runner, root: ScratchRoot) -> None:
    runner.run(name="bob", uid=20002, home="/home/bob", create_home=True)
    assert argv(runner, name="bob", uid=20002, state="absent") == ["userdel", "--", "bob"]
    assert runner.run(name="bob", uid=20002, state="absent")["uid"] == 20002
    assert root.line("passwd", "bob") is None
    assert (root.path / "home" / "bob").is_dir()
    assert runner.plan(name="bob", uid=20002, state="absent").reason == "there is no such user"
