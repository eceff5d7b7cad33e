"""The kind `user` verifies: what happened between plan and apply, and what exit statuses mean."""

import threading
from typing import Any

import pytest

from amierules.actions import user
from amierules.actions.base import ActionError, Conflict, InDoubt, Transient
from amierules.ports import Completed, LocalProcesses
from tests.support.shadow import Runner, ScratchRoot, host_digest


@pytest.fixture(scope="module", autouse=True)
def host_is_untouched() -> Any:
    """The host's own files are the same after all of these tests."""
    before = host_digest()
    yield
    assert host_digest() == before


def test_an_account_that_a_crashed_run_made_is_adopted(runner: Runner, root: ScratchRoot) -> None:
    params, plan, surroundings = runner.planned(name="bob", uid=20002)
    runner.run(name="bob", uid=20002)
    result: Any = user.apply(params, plan, surroundings)
    assert result["created"] is False
    assert runner.plan(name="bob", uid=20002).reason == "the user is as wanted"


@pytest.mark.parametrize(
    ("lost", "done"),
    [
        ({"gshadow"}, []),
        ({"gshadow", "group"}, ["groupadd"]),
        ({"gshadow", "group", "shadow"}, ["groupadd", "usermod"]),
    ],
)
def test_what_a_tool_that_was_ended_midway_has_not_written_is_made_good(
    runner: Runner, root: ScratchRoot, lost: set[str], done: list[str]
) -> None:
    """useradd writes passwd, shadow, group and gshadow, one after the other."""
    runner.run(name="bob", uid=20002)
    whole = {file: root.line(file, "bob") for file in ("passwd", "shadow", "group")}
    for file in lost:
        root.remove_line(file, "bob")
    plan = runner.plan(name="bob", uid=20002)
    assert [change.argv[0] for change in plan.changes if change.argv] == done
    assert runner.run(name="bob", uid=20002)["created"] is False
    assert runner.plan(name="bob", uid=20002).changes == ()
    assert root.line("group", "bob") == whole["group"]
    shadow, before = root.line("shadow", "bob"), whole["shadow"]
    assert shadow is not None
    assert before is not None
    assert (shadow[0], shadow[7]) == (before[0], before[7])
    assert root.line("passwd", "bob") == whole["passwd"]


def test_an_account_without_the_home_that_it_should_have_is_held(runner: Runner, root: ScratchRoot) -> None:
    """useradd makes the home last, and takes no account that is there."""
    given: dict[str, Any] = {"name": "bob", "uid": 20002, "create_home": True, "groups": ["proj1"]}
    runner.run(**given)
    home = root.path / "home" / "bob"
    home.rmdir()
    for dry in (False, True):
        plan = runner.plan(**given, comment="Bob", dry=dry)
        assert (plan.conflict, plan.changes) == (True, ())
        assert plan.reason.startswith("user bob is there, and its home /home/bob is not: ")
    # Nobody needs one who may not log in, and where none is asked for.
    assert len(runner.plan(**given, locked=True).changes) == 1
    assert runner.plan(name="bob", uid=20002).reason == "the user is as wanted"
    assert len(runner.plan(**given, state="absent").changes) == 1
    home.mkdir()
    assert runner.plan(**given).reason == "the user is as wanted"


def test_an_account_that_lacks_its_line_in_shadow_can_be_locked(runner: Runner, root: ScratchRoot) -> None:
    runner.run(name="bob", uid=20002)
    root.remove_line("shadow", "bob")
    assert len(runner.plan(name="bob", uid=20002, locked=True).changes) == 1
    runner.run(name="bob", uid=20002, locked=True)
    assert runner.plan(name="bob", uid=20002, locked=True).changes == ()


def test_a_missing_primary_group_whose_name_another_group_has_is_a_conflict(runner: Runner, root: ScratchRoot) -> None:
    runner.run(name="bob", uid=20002)
    for file in ("group", "gshadow"):
        root.remove_line(file, "bob")
    with (root.path / "etc" / "group").open("a") as groups:
        groups.write("bob:x:4711:\n")
    with pytest.raises(Conflict, match="group 'bob' already exists"):
        runner.run(name="bob", uid=20002)


def test_where_users_get_no_group_of_their_own_a_common_one_that_is_missing_is_left_so(
    runner: Runner, root: ScratchRoot
) -> None:
    settings = root.path / "etc" / "login.defs"
    settings.write_text(settings.read_text().replace("USERGROUPS_ENAB yes", "USERGROUPS_ENAB no"))
    runner.run(name="bob", uid=20002)
    assert root.line("group", "bob") is None
    assert runner.plan(name="bob", uid=20002).changes == ()


def test_a_wanted_primary_group_takes_the_place_of_a_missing_one(runner: Runner, root: ScratchRoot) -> None:
    runner.run(name="bob", uid=20002)
    root.remove_line("group", "bob")
    plan = runner.plan(name="bob", uid=20002, group="proj1")
    assert [change.argv[0] for change in plan.changes if change.argv] == ["usermod"]
    runner.run(name="bob", uid=20002, group="proj1")
    assert root.line("group", "bob") is None


def test_an_account_that_somebody_else_made_meanwhile_is_a_conflict(runner: Runner) -> None:
    params, plan, surroundings = runner.planned(name="bob")
    Runner(user, "user", runner.root).run(name="bob", uid=20099)
    with pytest.raises(Conflict, match="bob was made by somebody else"):
        user.apply(params, plan, surroundings)
    params, plan, surroundings = runner.planned(name="carol", uid=20003)
    Runner(user, "user", runner.root).run(name="carol", uid=20098)
    with pytest.raises(Conflict, match="carol"):
        user.apply(params, plan, surroundings)


def test_a_uid_taken_meanwhile_is_a_conflict(runner: Runner) -> None:
    params, plan, surroundings = runner.planned(name="bob", uid=20002)
    Runner(user, "user", runner.root).run(name="carol", uid=20002)
    with pytest.raises(Conflict, match="20002"):
        user.apply(params, plan, surroundings)


def test_an_account_removed_meanwhile_fails_permanently(runner: Runner, alice: dict[str, Any]) -> None:
    params, plan, surroundings = runner.planned(name="alice", uid=20001, shell="/bin/sh")
    runner.run(name="alice", uid=20001, state="absent")
    with pytest.raises(ActionError) as caught:
        user.apply(params, plan, surroundings)
    assert type(caught.value) is ActionError


class Lying(LocalProcesses):
    """Tools that do, or do not do, their work and then say `rc`: what a signal or a full disk can make of them."""

    def __init__(self, rc: int, *, work: bool, stderr: str = "", timed_out: bool = False) -> None:
        super().__init__()
        self.said = (rc, "", stderr, timed_out)
        self.work = work

    def run(self, argv: Any, **given: Any) -> Completed:
        if self.work:
            super().run(argv, **given)
        return Completed(tuple(argv), *self.said)


@pytest.mark.parametrize("rc", [1, 10, 12, -9])
def test_the_state_counts_and_not_the_exit_status(root: ScratchRoot, rc: int) -> None:
    runner = Runner(user, "user", root.path, Lying(rc, work=True))
    assert runner.run(name="bob", uid=20002)["created"] is True


@pytest.mark.parametrize(
    ("rc", "stderr", "error", "said"),
    [
        (0, "", InDoubt, "useradd says that it succeeded, but there is no such user"),
        (1, "useradd: cannot lock /etc/passwd; try again later.\n", Transient, "useradd: cannot lock"),
        (10, "useradd: cannot lock /etc/group; try again later.\n", Transient, "cannot lock /etc/group"),
        (4, "useradd: UID 20002 is not unique\n", Conflict, "not unique"),
        (9, "useradd: user 'bob' already exists\n", Conflict, "already exists"),
        (3, "useradd: invalid user name\n", ActionError, "invalid user name"),
        (6, "useradd: group 'x' does not exist\n", ActionError, "group 'x' does not exist"),
        (2, "", ActionError, "useradd: ended with status 2"),
    ],
)
def test_what_an_exit_status_means_where_nothing_was_done(
    root: ScratchRoot, rc: int, stderr: str, error: type[ActionError], said: str
) -> None:
    with pytest.raises(ActionError, match=said) as caught:
        Runner(user, "user", root.path, Lying(rc, work=False, stderr=stderr)).run(name="bob", uid=20002)
    assert type(caught.value) is error


def test_a_user_who_is_logged_in_is_changed_later(root: ScratchRoot, alice: dict[str, Any]) -> None:
    busy = Lying(8, work=False, stderr="usermod: user alice is currently used by process 77\n")
    with pytest.raises(Transient, match="currently used by process 77"):
        Runner(user, "user", root.path, busy).run(name="alice", uid=20001, home="/home/other")


def test_a_name_that_the_tools_would_refuse_is_refused_in_a_dry_run(runner: Runner) -> None:
    with pytest.raises(ActionError, match="is too long for a new one: at most 32 characters"):
        runner.plan(name="a" * 33, uid=20002, dry=True)
    assert runner.run(name="a" * 32, uid=20002)["created"] is True


def test_a_tool_that_took_too_long_is_tried_again(root: ScratchRoot) -> None:
    with pytest.raises(Transient, match="took too long"):
        Runner(user, "user", root.path, Lying(-15, work=False, timed_out=True)).run(name="bob", uid=20002)


def test_twenty_accounts_at_once_are_all_made(root: ScratchRoot) -> None:
    errors: list[BaseException] = []

    def make(number: int) -> None:
        try:
            Runner(user, "user", root.path).run(name=f"user{number}", uid=20100 + number, groups=["proj1"])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=make, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert root.groups_of("user0") == {"proj1"}
    assert all(root.line("passwd", f"user{number}") for number in range(20))
