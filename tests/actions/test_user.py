"""The kind `user`, against real shadow-utils in a scratch root."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from amierules.actions import user
from amierules.actions.accounts_files import UserState, accounts
from amierules.actions.base import ActionError, Conflict, Doubt, InDoubt, Transient
from amierules.database.rows import Person
from amierules.ports import Completed, LocalProcesses
from amierules.templating import Unknown
from tests.support.real import require
from tests.support.shadow import NOW, Runner, ScratchRoot, host_digest

HASH = "$6$salt$hash"


@pytest.fixture(scope="module", autouse=True)
def host_is_untouched() -> Any:
    """The host's own files are the same after all of these tests."""
    before = host_digest()
    yield
    assert host_digest() == before


@pytest.fixture
def root(tmp_path: Path) -> ScratchRoot:
    return ScratchRoot.make(tmp_path / "root")


@pytest.fixture
def runner(root: ScratchRoot) -> Runner:
    return Runner(user, "user", root.path)


@pytest.fixture
def alice(runner: Runner) -> dict[str, Any]:
    """An account with all that can be given; the parameters it was made with."""
    given = {
        "name": "alice",
        "uid": 20001,
        "comment": "Alice Ümlaut",
        "group": "proj1",
        "groups": ["proj2"],
        "home": "/home/alice",
        "shell": "/bin/bash",
    }
    runner.run(**given)
    return given


def argv(runner: Runner, **given: Any) -> list[object]:
    """The words of the only change, without the tool's scratch root."""
    (change,) = runner.plan(**given).changes
    words = list(change.argv or ())
    assert words[1:3] == ["--root" if "--gid" in words and words[0] == "usermod" else "--prefix", str(runner.root)]
    return [words[0], *words[3:]]


# ------------------------------------------------------------------ making


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
        "useradd", "--uid", "20002", "--gid", "proj1", "--comment", "B",
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


# ------------------------------------------------------------------ changing


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"shell": "/sbin/nologin"}, ["--shell", "/sbin/nologin"]),
        ({"home": "/work/alice"}, ["--home", "/work/alice"]),
        ({"comment": "-rf"}, ["--comment", "-rf"]),
        ({"comment": ""}, ["--comment", ""]),
        ({"group": "proj3"}, ["--gid", "proj3"]),
        ({"groups": ["proj2", "proj3", "proj3"]}, ["--append", "--groups", "proj3"]),
        ({"groups_exact": ["proj3"]}, ["--groups", "proj3"]),
        ({"groups_exact": []}, ["--groups", ""]),
        ({"group": "proj3", "groups": ["proj3", "proj1"]}, ["--gid", "proj3", "--append", "--groups", "proj1"]),
        ({"locked": True}, ["--lock", "--expiredate", "1970-01-02"]),
        ({"shell": "/bin/sh", "comment": "A"}, ["--comment", "A", "--shell", "/bin/sh"]),
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
    with pytest.raises(ActionError, match="only one of them"):
        runner.plan(name="alice", uid=20001, groups=["proj2"], groups_exact=["proj3"])


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
    state = accounts(str(root.path)).user("alice", NOW)
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


# ------------------------------------------------------------------ whose account it is


@pytest.mark.parametrize("given", [{}, {"shell": "/bin/sh"}, {"locked": True}, {"state": "absent"}])
def test_an_account_with_another_uid_is_somebody_elses(
    runner: Runner, alice: dict[str, Any], given: dict[str, Any]
) -> None:
    runner.known(Person("k1", uid=20001, logins=("alice",)))
    plan = runner.plan(name="alice", uid=20002, **given)
    assert (plan.conflict, plan.changes) == (True, ())
    assert plan.reason == "user alice exists with uid 20001, not 20002"


@pytest.mark.parametrize("given", [{}, {"state": "absent"}])
@pytest.mark.parametrize(
    ("person", "reason"),
    [
        (None, "user alice exists, and the registry knows no person with this login"),
        (Person("k1", uid=20001, logins=("alice",)), ""),
        (Person("k1", uid=20001, logins=("other", "alice")), ""),
        (Person("k1", uid=7, logins=("alice",)), "user alice exists with uid 20001, and the registry's person has 7"),
        (Person("k1", logins=("alice",)), ""),
        (
            Person("k1", uid=20001, logins=("bob",)),
            "user alice exists, and the registry knows no person with this login",
        ),
    ],
)
def test_without_a_uid_the_registry_decides(
    runner: Runner, alice: dict[str, Any], person: Person | None, reason: str, given: dict[str, Any]
) -> None:
    runner.known(*([person] if person else []))
    plan = runner.plan(name="alice", **given)
    assert (plan.conflict, plan.reason if plan.conflict else "") == (bool(reason), reason)


def test_a_person_that_this_run_made_proves_nothing(runner: Runner, alice: dict[str, Any]) -> None:
    runner.registry.put(Person("k1", logins=("alice",)))
    plan = runner.plan(name="alice")
    assert (plan.conflict, plan.reason) == (True, "user alice exists, and its person is new in the registry")


def test_the_superuser_is_never_ours(runner: Runner) -> None:
    runner.known(Person("k1", logins=("root",)))
    for given in ({}, {"locked": True}, {"state": "absent"}, {"uid": 20001}):
        assert runner.plan(name="root", **given).conflict


# ------------------------------------------------------------------ between plan and apply


def planned(runner: Runner, **given: Any) -> tuple[Any, Any, Any]:
    params, surroundings = runner.params(**given), runner.surroundings()
    return params, user.plan(params, user.probe(params, surroundings), surroundings), surroundings


def test_an_account_that_a_crashed_run_made_is_adopted(runner: Runner, root: ScratchRoot) -> None:
    params, plan, surroundings = planned(runner, name="bob", uid=20002)
    runner.run(name="bob", uid=20002)
    assert user.apply(params, plan, surroundings)["created"] is False
    assert runner.plan(name="bob", uid=20002).reason == "the user is as wanted"


def test_an_account_that_somebody_else_made_meanwhile_is_a_conflict(runner: Runner) -> None:
    params, plan, surroundings = planned(runner, name="bob")
    Runner(user, "user", runner.root).run(name="bob", uid=20099)
    with pytest.raises(Conflict, match="bob was made by somebody else"):
        user.apply(params, plan, surroundings)
    params, plan, surroundings = planned(runner, name="carol", uid=20003)
    Runner(user, "user", runner.root).run(name="carol", uid=20098)
    with pytest.raises(Conflict, match="carol"):
        user.apply(params, plan, surroundings)


def test_a_uid_taken_meanwhile_is_a_conflict(runner: Runner) -> None:
    params, plan, surroundings = planned(runner, name="bob", uid=20002)
    Runner(user, "user", runner.root).run(name="carol", uid=20002)
    with pytest.raises(Conflict, match="20002"):
        user.apply(params, plan, surroundings)


def test_an_account_removed_meanwhile_fails_permanently(runner: Runner, alice: dict[str, Any]) -> None:
    params, plan, surroundings = planned(runner, name="alice", uid=20001, shell="/bin/sh")
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


# ------------------------------------------------------------------ dry runs


def test_expected_values_are_planned_with_and_stay_unknown(runner: Runner) -> None:
    name, uid = Unknown("person", expected="bob"), Unknown("person", expected=20002)
    plan = runner.plan(name=name, uid=uid, group="proj1", groups=[Unknown("project", expected="proj2")], dry=True)
    (change,) = plan.changes
    assert change.argv is not None
    assert change.argv[4] is uid
    assert change.argv[-1] is name
    assert isinstance(plan.result, dict)
    assert plan.result["uid"] is uid
    params, surroundings = runner.params(name=name, uid=uid, groups=["proj2"]), runner.surroundings(dry=True)
    assert user.plan(params, plan.after, surroundings).changes == ()
    params = runner.params(name="bob", uid=20002, groups=["proj3"], shell="/bin/sh", locked=True)
    (change,) = user.plan(params, plan.after, surroundings).changes
    assert isinstance(change.before, dict)
    assert isinstance(change.before["shell"], Unknown)
    assert change.before["locked"] is False


def test_an_expected_uid_of_another_account_is_a_conflict_in_a_dry_run(runner: Runner, alice: dict[str, Any]) -> None:
    assert runner.plan(name="alice", uid=Unknown("person", expected=20002), dry=True).conflict
    assert not runner.plan(name="alice", uid=Unknown("person", expected=20001), dry=True).conflict
    assert runner.plan(name="alice", uid=Unknown("person"), dry=True).conflict


@pytest.mark.parametrize("field", ["comment", "home", "shell", "group", "groups", "groups_exact", "locked"])
def test_what_is_quite_unknown_counts_as_a_change(runner: Runner, alice: dict[str, Any], field: str) -> None:
    plan = runner.plan(name="alice", uid=20001, **{field: Unknown("lookup")}, dry=True)
    (change,) = plan.changes
    assert "(known after lookup)" in change.summary
    assert runner.plan(name="bob", uid=20002, **{field: Unknown("lookup")}, dry=True).changes


def test_a_login_that_is_quite_unknown_is_planned_as_new(runner: Runner) -> None:
    (change,) = runner.plan(name=Unknown("person"), uid=20002, dry=True).changes
    assert change.summary == "create user (known after person), uid 20002"


@pytest.mark.parametrize(
    "given",
    [
        {"name": "bob", "uid": 20002, "group": "proj1", "groups": ["proj2"], "home": "/h/b", "shell": "/bin/sh"},
        {"name": "alice", "uid": 20001, "groups": ["proj3"], "shell": "/bin/sh", "locked": True},
        {"name": "alice", "uid": 20001, "groups_exact": ["proj3"], "group": "proj2", "comment": ""},
        {"name": "alice", "uid": 20001, "state": "absent"},
    ],
)
def test_the_planned_state_is_what_a_later_probe_finds(
    runner: Runner, alice: dict[str, Any], given: dict[str, Any]
) -> None:
    params, plan, surroundings = planned(runner, **given)
    user.apply(params, plan, surroundings)
    found = user.probe(params, surroundings)
    after = plan.after
    if after is None or found is None:
        assert after is found
        return
    assert isinstance(after, UserState)
    for name in ("name", "uid", "gid", "group", "comment", "home", "shell", "groups", "locked"):
        expected = getattr(after, name)
        assert isinstance(expected, Unknown) or expected == getattr(found, name), name


# ------------------------------------------------------------------ the host's own accounts


def test_the_hosts_accounts_are_read_where_there_is_no_prefix() -> None:
    host = Runner(user, "user", None)
    assert host.plan(name="daemon", uid=4_000_000_000).conflict
    (change,) = host.plan(name="no-such-user-here", uid=3_999_999_999).changes
    assert change.argv is not None
    assert "--prefix" not in change.argv
    state = accounts(None).user("root", NOW)
    assert state is not None
    assert (state.uid, state.group, state.locked) == (0, "root", False)


def test_who_is_not_root_is_told_so(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    require("setpriv")
    root = ScratchRoot.make(tmp_path / "root")
    for path in (root.path, root.path / "etc", *root.path.parents[:3]):
        path.chmod(path.stat().st_mode | 0o055)
    (root.path / "etc" / "shadow").chmod(0o600)
    outcome = os.fork()
    if outcome == 0:
        os._exit(_try_as_nobody(root.path))
    assert os.waitstatus_to_exitcode(os.waitpid(outcome, 0)[1]) == 0


def _try_as_nobody(root: Path) -> int:
    """0 where both a change and a question that only root may ask are refused with advice."""
    os.setgroups([])
    os.setresuid(65534, 65534, 65534)
    runner = Runner(user, "user", root)
    try:
        runner.run(name="bob", uid=20002)
        return 1
    except ActionError as error:
        if "only root may change accounts" not in str(error) or isinstance(error, Transient):
            return 2
    try:
        runner.plan(name="lister", uid=38, locked=True)
        return 3
    except ActionError as error:
        if "only root may see" not in str(error):
            return 4
    return 0 if runner.plan(name="lister", uid=38).changes == () else 5


def test_the_state_is_the_only_witness() -> None:
    assert user.doubt({"name": "x"}) is Doubt.PROBE
    assert user.target({"name": Unknown("s", expected="x")}) == user.target({"name": "x"}) == "user x"
    assert user.target({"name": "x", "prefix": "/p"}) != user.target({"name": "x"})


def test_lines_that_are_no_accounts_are_passed_over(root: ScratchRoot) -> None:
    (root.path / "etc" / "passwd").write_bytes(b"\n+::::::\nx\nbad:x:a:b:::\nb\xff:x:5:6:\xff:/:/s\nlast:x:7:8:::")
    (root.path / "etc" / "group").write_text("+:::\nx\ng:x:6:last\n")
    found = accounts(str(root.path))
    assert found.user("bad", NOW) is None
    assert found.login_of(5) == "b\udcff"
    state = found.user("last", NOW)
    assert state is not None
    assert (state.group, state.groups, state.locked) == (None, ("g",), False)


def test_a_root_without_account_files_says_so(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    with pytest.raises(ActionError, match="passwd: No such file"):
        Runner(user, "user", tmp_path).plan(name="bob")
