"""The kind `group`, against real shadow-utils in a scratch root."""

import pytest

from amierules.actions import group
from amierules.actions.base import ActionError, Conflict, Doubt
from amierules.database.rows import Project
from amierules.templating import Unknown
from tests.support.shadow import Runner, ScratchRoot


@pytest.fixture
def runner(root: ScratchRoot) -> Runner:
    return Runner(group, "group", root.path)


def test_a_group_is_made_with_its_gid_and_then_present(runner: Runner, root: ScratchRoot) -> None:
    prefix = str(root.path)
    (change,) = runner.plan(name="proj9", gid=30009).changes
    assert change.argv == ("groupadd", "--prefix", prefix, "--gid", "30009", "--", "proj9")
    assert runner.run(name="proj9", gid=30009) == {"gid": 30009, "created": True}
    assert root.line("group", "proj9") == ["proj9", "x", "30009", ""]
    plan = runner.plan(name="proj9", gid=30009)
    assert (plan.changes, plan.reason) == ((), "the group is as wanted")
    assert plan.result == {"gid": 30009, "created": False}


def test_a_group_without_gid_gets_one_that_is_known_after_apply(runner: Runner, root: ScratchRoot) -> None:
    plan = runner.plan(name="proj9", dry=True)
    assert isinstance(plan.result, dict)
    assert isinstance(plan.result["gid"], Unknown)
    made = runner.run(name="proj9")
    line = root.line("group", "proj9")
    assert line is not None
    assert made == {"gid": int(line[2]), "created": True}


def test_a_group_with_another_gid_is_somebody_elses(runner: Runner) -> None:
    plan = runner.plan(name="proj1", gid=5)
    assert (plan.conflict, plan.changes) == (True, ())
    assert plan.reason == "group proj1 exists with gid 30001, not 5"
    assert runner.plan(name="proj1", gid=5, state="absent").conflict


def test_a_group_without_gid_is_ours_if_a_project_has_it(runner: Runner) -> None:
    assert runner.plan(name="proj1").reason == "group proj1 exists, and the registry knows no project with it"
    runner.known(Project("k1", "P-1", group="proj1"))
    plan = runner.plan(name="proj1")
    assert (plan.conflict, plan.reason) == (False, "the group is as wanted")


def test_a_gid_that_another_group_has_is_a_conflict_before_anything_is_run(runner: Runner) -> None:
    with pytest.raises(Conflict, match="gid 30001, wanted for the new group proj9, is that of proj1"):
        runner.plan(name="proj9", gid=30001, dry=True)


def test_the_groups_of_the_superuser_are_never_ours(runner: Runner) -> None:
    runner.known(Project("k1", "P-1", group="root"))
    assert runner.plan(name="root").conflict
    assert runner.plan(name="root", state="absent").conflict


def test_a_group_is_removed_where_it_is_ours(runner: Runner, root: ScratchRoot) -> None:
    (change,) = runner.plan(name="proj1", gid=30001, state="absent").changes
    assert change.argv == ("groupdel", "--prefix", str(root.path), "--", "proj1")
    assert runner.run(name="proj1", gid=30001, state="absent") == {"gid": 30001, "created": False}
    assert root.line("group", "proj1") is None
    assert runner.plan(name="proj1", gid=30001, state="absent").reason == "there is no such group"


def test_a_primary_group_is_not_removed(runner: Runner, root: ScratchRoot) -> None:
    passwd = root.path / "etc" / "passwd"
    passwd.write_text(passwd.read_text() + "a:x:20001:30001::/home/a:/bin/sh\n")
    with pytest.raises(ActionError, match="primary group of user 'a'"):
        runner.run(name="proj1", gid=30001, state="absent")


def test_a_gid_taken_between_plan_and_apply_is_a_conflict(runner: Runner, root: ScratchRoot) -> None:
    params, surroundings = runner.params(name="proj9", gid=30009), runner.surroundings()
    plan = group.plan(params, group.probe(params, surroundings), surroundings)
    file = root.path / "etc" / "group"
    file.write_text(file.read_text() + "other:x:30009:\n")
    with pytest.raises(Conflict, match="30009"):
        group.apply(params, plan, surroundings)


def test_a_group_that_was_made_meanwhile_with_our_gid_is_ours(runner: Runner, root: ScratchRoot) -> None:
    params, surroundings = runner.params(name="proj9", gid=30009), runner.surroundings()
    plan = group.plan(params, group.probe(params, surroundings), surroundings)
    file = root.path / "etc" / "group"
    file.write_text(file.read_text() + "proj9:x:30009:\n")
    assert group.apply(params, plan, surroundings) == {"gid": 30009, "created": False}


def test_a_group_that_was_made_meanwhile_without_a_gid_of_ours_is_not(runner: Runner, root: ScratchRoot) -> None:
    params, surroundings = runner.params(name="proj9"), runner.surroundings()
    plan = group.plan(params, group.probe(params, surroundings), surroundings)
    file = root.path / "etc" / "group"
    file.write_text(file.read_text() + "proj9:x:30009:\n")
    with pytest.raises(Conflict):
        group.apply(params, plan, surroundings)


def test_expected_ids_plan_but_stay_unknown(runner: Runner) -> None:
    gid = Unknown("project", expected=30009)
    plan = runner.plan(name=Unknown("project", expected="proj9"), gid=gid, dry=True)
    (change,) = plan.changes
    assert change.argv is not None
    assert change.argv[4] is gid
    assert change.summary == (
        "create group (known after project, probably proj9), gid (known after project, probably 30009)"
    )
    params, surroundings = runner.params(name="proj9", gid=gid), runner.surroundings(dry=True)
    assert group.plan(params, plan.after, surroundings).changes == ()


def test_the_state_is_the_only_witness() -> None:
    assert group.doubt({"name": "x"}) is Doubt.PROBE
    assert group.target({"name": Unknown("s", expected="x")}) == group.target({"name": "x"}) == "group x"
    assert group.target({"name": "x", "prefix": "/p"}) != group.target({"name": "x"})


def test_the_hosts_groups_are_read_where_there_is_no_prefix() -> None:
    host = Runner(group, "group", None)
    plan = host.plan(name="daemon", gid=4_000_000_000)
    assert plan.conflict
    assert host.plan(name="no-such-group-here", gid=3_999_999_999).changes[0].argv == (
        "groupadd",
        "--gid",
        "3999999999",
        "--",
        "no-such-group-here",
    )
