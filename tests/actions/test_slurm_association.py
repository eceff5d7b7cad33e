"""The kind `slurm_association`, against a real slurmdbd."""

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from amierules.actions import slurm_account, slurm_association
from amierules.actions.base import ActionError, Doubt
from amierules.templating import Unknown
from tests.support.slurm import CLUSTER, SlurmRunner, SlurmServer

_numbers = count(1)


@pytest.fixture
def runner(slurm_server: SlurmServer) -> SlurmRunner:
    return SlurmRunner(slurm_association, "slurm_association", slurm_server)


@pytest.fixture
def account(slurm_server: SlurmServer) -> str:
    """An account that no other test has."""
    name = f"of{next(_numbers)}"
    SlurmRunner(slurm_account, "slurm_account", slurm_server).run(account=name)
    return name


@pytest.fixture
def user() -> str:
    """A user that no other test has: Slurm need not know them from the host."""
    return f"user{next(_numbers)}"


def rows(runner: SlurmRunner, account: str, columns: str) -> list[list[str]]:
    """What slurmdbd has of the users of an account."""
    found = runner.server.show("assoc", f"user,{columns}", "where", f"account={account}", f"cluster={CLUSTER}")
    return [row[1:] for row in found if row[0]]


def present(runner: SlurmRunner, **given: Any) -> bool:
    return not runner.plan(**given).changes


def test_a_user_is_made_with_all_that_is_given_and_then_present(runner: SlurmRunner, account: str, user: str) -> None:
    given: dict[str, Any] = {"account": account, "user": user, "fairshare": "parent", "limits": {"MaxJobs": 3}}
    (change,) = runner.plan(**given).changes
    words = (f"name={user}", f"account={account}", "cluster=alpha", "fairshare=parent", "MaxJobs=3")
    assert change.argv == ("sacctmgr", "-i", "add", "user", *words)
    named: dict[str, Any] = {"account": account, "user": user, "cluster": CLUSTER}
    assert runner.run(**given) == {**named, "created": True}
    assert rows(runner, account, "fairshare,maxjobs") == [["parent", "3"]]
    plan = runner.plan(**given)
    assert (plan.changes, plan.reason) == ((), "the association is as wanted")
    assert plan.result == {**named, "created": False}


def test_only_what_differs_is_changed(runner: SlurmRunner, account: str, user: str) -> None:
    named: dict[str, Any] = {"account": account, "user": user}
    runner.run(**named, fairshare=2, limits={"MaxJobs": 3, "GrpTRESMins": {"gres/gpu": 60}})
    (change,) = runner.plan(**named, fairshare=2, limits={"MaxJobs": 4, "GrpTRESMins": {"gres/gpu": 60}}).changes
    where = (f"user={user}", f"account={account}", "cluster=alpha")
    assert change.argv == ("sacctmgr", "-i", "modify", "user", "where", *where, "set", "MaxJobs=4")
    runner.run(**named, fairshare=3)
    runner.run(**named, limits={"GrpTRESMins": {"gres/gpu": "none"}})
    assert rows(runner, account, "fairshare,maxjobs,grptresmins") == [["3", "3", ""]]


@pytest.mark.parametrize("dry", [False, True])
def test_the_account_must_be_there_first(runner: SlurmRunner, user: str, dry: bool) -> None:
    with pytest.raises(ActionError, match="there is no account nosuch on alpha yet: make it before"):
        runner.plan(account="nosuch", user=user, dry=dry)
    plan = runner.plan(account="nosuch", user=user, active=False, dry=dry)
    assert (plan.changes, plan.reason) == ((), "there is no such account, on which anybody could submit")
    plan = runner.plan(account="nosuch", user=user, like="somebody", dry=dry)
    assert (plan.changes, plan.reason) == ((), "there is no such account, and so no user to be like")
    assert isinstance(plan.result, dict)
    assert plan.result["created"] is False


def test_in_a_dry_run_an_earlier_step_makes_the_account(runner: SlurmRunner, user: str) -> None:
    surroundings = runner.surroundings(dry=True)
    made: dict[str, Any] = {"account": "planned"}
    slurm_account.plan(made, slurm_account.probe(made, surroundings), surroundings)
    given = {**made, "user": user}
    plan = slurm_association.plan(given, slurm_association.probe(given, surroundings), surroundings)
    assert [change.op for change in plan.changes] == ["create"]


def test_an_inactive_user_keeps_the_association_and_its_fairshare(runner: SlurmRunner, account: str, user: str) -> None:
    named: dict[str, Any] = {"account": account, "user": user}
    runner.run(**named, fairshare=4, limits={"MaxJobs": 2})
    for _ in range(2):
        runner.run(**named, active=False)
        assert rows(runner, account, "fairshare,maxjobs,grpsubmit") == [["4", "2", "0"]]
        assert present(runner, **named, active=False)
        runner.run(**named, active=True)
        assert rows(runner, account, "fairshare,maxjobs,grpsubmit") == [["4", "2", ""]]


def test_who_is_made_inactive_is_so_from_the_beginning_and_on_each_partition(
    runner: SlurmRunner, account: str, user: str
) -> None:
    named: dict[str, Any] = {"account": account, "user": user}
    (change,) = runner.plan(**named, active=False).changes
    assert change.argv is not None
    assert change.argv[-1] == "GrpSubmitJobs=0"
    runner.run(**named, partition="main")
    runner.run(**named, partition="other")
    assert present(runner, **named)
    runner.run(**named, active=False)
    assert rows(runner, account, "partition,grpsubmit") == [["other", "0"], ["main", "0"]]
    runner.run(**named, partition="main", active=True)
    assert not present(runner, **named, active=False)
    assert sorted(rows(runner, account, "partition,grpsubmit")) == [["main", ""], ["other", "0"]]


def test_a_coordinator_becomes_one_and_is_no_longer(runner: SlurmRunner, account: str, user: str) -> None:
    named: dict[str, Any] = {"account": account, "user": user}
    runner.run(**named, coordinator=True)
    assert present(runner, **named, coordinator=True)
    assert runner.server.show("account", "coord", "where", f"account={account}", "withcoord") == [[user]]
    runner.run(**named, coordinator=False)
    assert runner.server.show("account", "coord", "where", f"account={account}", "withcoord") == [[""]]


def test_qos_may_be_inherited_added_and_exact(runner: SlurmRunner, account: str, user: str) -> None:
    runner.server.run("sacctmgr", "-i", "add", "qos", "high,low")
    named: dict[str, Any] = {"account": account, "user": user}
    runner.run(**named)
    assert present(runner, **named, qos=["normal"])
    runner.run(**named, qos=["high"], default_qos="high")
    assert rows(runner, account, "qos,defaultqos") == [["high,normal", "high"]]
    assert present(runner, **named, qos=["normal", "high"])
    runner.run(**named, qos_exact=["low"], default_qos="none")
    assert rows(runner, account, "qos,defaultqos") == [["low", ""]]


def test_the_default_account_is_the_first_until_another_is_chosen(runner: SlurmRunner, account: str, user: str) -> None:
    second = f"{account}b"
    SlurmRunner(slurm_account, "slurm_account", runner.server).run(account=second)
    runner.run(account=account, user=user)
    runner.run(account=second, user=user)
    assert present(runner, account=account, user=user, default_account=True)
    runner.run(account=second, user=user, default_account=True)
    assert present(runner, account=second, user=user, default_account=True)
    assert not present(runner, account=account, user=user, default_account=True)


def test_a_first_account_is_the_default_by_itself(runner: SlurmRunner, account: str, user: str) -> None:
    assert len(runner.plan(account=account, user=user, default_account=True).changes) == 1
    runner.run(account=account, user=user, default_account=True)
    assert present(runner, account=account, user=user, default_account=True)


def test_an_association_is_removed(runner: SlurmRunner, account: str, user: str) -> None:
    runner.run(account=account, user=user)
    (change,) = runner.plan(account=account, user=user, state="absent").changes
    assert change.op == "delete"
    runner.run(account=account, user=user, state="absent")
    plan = runner.plan(account=account, user=user, state="absent")
    assert (plan.changes, plan.reason) == ((), "there is no such association")
    assert rows(runner, account, "account") == []


def test_expected_names_plan_and_stay_unknown(runner: SlurmRunner, account: str, user: str) -> None:
    login = Unknown("user/registry", expected=user)
    plan = runner.plan(account=account, user=login, default_account=True, coordinator=True, qos=["high"], dry=True)
    words = [[word for word in change.argv or () if isinstance(word, Unknown)] for change in plan.changes]
    assert [[(one.step, one.expected) for one in some] for some in words] == [
        [("user/registry", f"name={user}")],
        [("user/registry", f"user={user}")],
        [("user/registry", f"names={user}")],
    ]
    given: dict[str, Any] = {
        "account": account,
        "user": login,
        "default_account": True,
        "coordinator": True,
        "qos": ["high"],
    }
    params, surroundings = runner.params(**given), runner.surroundings(dry=True)
    assert slurm_association.plan(params, plan.after, surroundings).changes == ()


def test_the_state_is_the_only_witness() -> None:
    assert slurm_association.doubt({"account": "a", "user": "u"}) is Doubt.PROBE
    named: dict[str, Any] = {"account": "A", "user": "U"}
    assert slurm_association.target(named) == slurm_association.target({"account": "a", "user": "u"})
    assert slurm_association.target({**named, "partition": "p"}) != slurm_association.target(named)


# ------------------------------------------------------------------ like another user


def test_a_new_user_has_what_the_one_has_that_it_is_like(runner: SlurmRunner, account: str, user: str) -> None:
    runner.server.run("sacctmgr", "-i", "add", "qos", "high,low")
    other = f"{user}x"
    limits: dict[str, Any] = {"MaxJobs": 3, "GrpTRESMins": {"cpu": 60, "gres/gpu": 5}, "MaxWall": 90}
    model: dict[str, Any] = {"account": account, "user": other, "fairshare": 7, "limits": limits, "coordinator": True}
    runner.run(**model, qos_exact=["high", "low"], default_qos="low")
    runner.run(account=account, user=other, active=False)
    named: dict[str, Any] = {"account": account, "user": user, "like": other.upper()}
    assert runner.run(**named, active=True, limits={"MaxWall": 60})["created"] is True
    columns = "fairshare,maxjobs,maxwall,grpsubmit,qos,defaultqos"
    where = ("where", f"account={account}", f"cluster={CLUSTER}", f"user={user}", "wopl")
    assert runner.server.show("assoc", columns, *where) == [["7", "3", "01:00:00", "", "high,low", "low"]]
    assert {user, other} == runner.server.coordinators(account)
    assert present(runner, **named, active=True)


def test_one_that_is_there_already_keeps_what_it_has(runner: SlurmRunner, account: str, user: str) -> None:
    other = f"{user}x"
    runner.run(account=account, user=user, fairshare=2)
    runner.run(account=account, user=other, fairshare=7, limits={"MaxJobs": 3})
    assert present(runner, account=account, user=user, like=other)
    runner.run(account=account, user=other, coordinator=True)
    runner.run(account=account, user=user, like=other)
    assert rows(runner, account, "fairshare,maxjobs") == [["2", ""], ["7", "3"]]
    assert {user, other} == runner.server.coordinators(account)


def test_where_the_other_one_is_not_there_nothing_is_taken_over(runner: SlurmRunner, account: str, user: str) -> None:
    (change,) = runner.plan(account=account, user=user, like="nobody-here").changes
    assert change.argv == ("sacctmgr", "-i", "add", "user", f"name={user}", f"account={account}", "cluster=alpha")


def test_the_cluster_may_be_that_of_a_resource(runner: SlurmRunner, account: str, user: str) -> None:
    known = runner.surroundings()
    clusters = {**known.defaults["slurm"], "clusters": {"beta.site.example": "beta"}}
    surroundings = replace(known, defaults={"slurm": clusters})
    given: dict[str, Any] = {"account": account, "user": user, "resource": "beta.site.example", "active": False}
    plan = slurm_association.plan(given, slurm_association.probe(given, surroundings), surroundings)
    assert isinstance(plan.result, dict)
    assert (plan.changes, plan.result["cluster"]) == ((), "beta")  # where there is no such account
