"""The kind `user` plans: whose an account is, dry runs, and what it reads."""

import os
from pathlib import Path
from typing import Any

import pytest

from amierules.actions import user
from amierules.actions.accounts_files import UserState, accounts
from amierules.actions.base import ActionError, Doubt, Transient
from amierules.database.rows import Person
from amierules.ports import Host
from amierules.templating import Unknown
from tests.support.real import require, require_root
from tests.support.shadow import NOW, Runner, ScratchRoot, host_digest


@pytest.fixture(scope="module", autouse=True)
def host_is_untouched() -> Any:
    """The host's own files are the same after all of these tests."""
    before = host_digest()
    yield
    assert host_digest() == before


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


@pytest.mark.parametrize("field", ["comment", "home", "shell", "group", "groups", "groups_exact", "locked", "expires"])
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
        {"name": "alice", "uid": 20001, "groups_absent": ["proj2"], "groups": ["proj3"]},
        {"name": "alice", "uid": 20001, "expires": "2026-12-31"},
        {"name": "alice", "uid": 20001, "expires": "2026-02-01"},
        {"name": "alice", "uid": 20001, "expires": "2026-12-31", "locked": True},
        {"name": "alice", "uid": 20001, "state": "absent"},
    ],
)
def test_the_planned_state_is_what_a_later_probe_finds(
    runner: Runner, alice: dict[str, Any], given: dict[str, Any]
) -> None:
    params, plan, surroundings = runner.planned(**given)
    user.apply(params, plan, surroundings)
    found = user.probe(params, surroundings)
    after = plan.after
    if after is None or found is None:
        assert after is found
        return
    assert isinstance(after, UserState)
    for name in ("name", "uid", "gid", "group", "comment", "home", "shell", "groups", "locked", "expires"):
        expected = getattr(after, name)
        assert isinstance(expected, Unknown) or expected == getattr(found, name), name


def test_the_hosts_accounts_are_read_where_there_is_no_prefix() -> None:
    host = Runner(user, "user", None)
    assert host.plan(name="daemon", uid=4_000_000_000).conflict
    (change,) = host.plan(name="no-such-user-here", uid=3_999_999_999).changes
    assert change.argv is not None
    assert "--prefix" not in change.argv
    state = accounts(None, Host()).user("root", NOW)
    assert state is not None
    assert (state.uid, state.group, state.locked) == (0, "root", False)


def test_who_is_not_root_is_told_so(tmp_path: Path) -> None:
    require_root()
    require("setpriv")
    root = ScratchRoot.make(tmp_path / "root")
    for path in (root.path, root.path / "etc", *root.path.parents[:4]):
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
    found = accounts(str(root.path), Host())
    assert found.user("bad", NOW) is None
    assert found.login_of(5) == "b\udcff"
    state = found.user("last", NOW)
    assert state is not None
    assert (state.group, state.groups, state.locked) == (None, ("g",), False)


def test_a_root_without_account_files_says_so(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    with pytest.raises(ActionError, match="passwd: No such file"):
        Runner(user, "user", tmp_path).plan(name="bob")
