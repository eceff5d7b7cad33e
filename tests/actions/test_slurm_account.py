"""The kind `slurm_account`, against a real slurmdbd."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from amierules.actions import slurm_account
from amierules.actions.base import ActionError, BackendUnavailable, Doubt, InDoubt
from amierules.database.rows import Project
from amierules.ports import Completed, LocalProcesses
from amierules.templating import Unknown
from tests.support.slurm import CLUSTER, JOB_USER, SlurmRunner, SlurmServer

_numbers = count(1)


@pytest.fixture
def runner(slurm_server: SlurmServer) -> SlurmRunner:
    return SlurmRunner(slurm_account, "slurm_account", slurm_server)


@pytest.fixture
def name() -> str:
    """An account that no other test has."""
    return f"acc{next(_numbers)}"


@pytest.fixture
def beta(slurm_server: SlurmServer) -> Iterator[str]:
    """A second cluster."""
    slurm_server.sacctmgr("add", "cluster", "beta")
    yield "beta"
    slurm_server.sacctmgr("delete", "cluster", "beta")


def limits(runner: SlurmRunner, name: str, columns: str) -> list[str]:
    """What slurmdbd has of an account's own association with the cluster."""
    (row,) = runner.server.show("assoc", columns, "where", f"account={name}", f"cluster={CLUSTER}", "user=")
    return row


def present(runner: SlurmRunner, **given: Any) -> bool:
    plan = runner.plan(**given)
    return not plan.changes and not plan.conflict


def test_an_account_is_made_with_all_that_is_given_and_then_present(runner: SlurmRunner, name: str) -> None:
    given: dict[str, Any] = {
        "account": name,
        "description": 'P-1: Quarks, and "other" | things',
        "organization": "My Org",
        "fairshare": 5,
        "limits": {"GrpTRESMins": {"cpu": 6000, "mem": 5000, "gres/gpu": 10}, "MaxJobs": "7", "MaxWall": 1500},
    }
    (change,) = runner.plan(**given).changes
    assert change.argv is not None
    assert change.argv[:7] == (
        "sacctmgr",
        "-i",
        "add",
        "account",
        f"name={name}",
        "cluster=alpha",
        "description=p-1: quarks, and other things",
    )
    assert runner.run(**given) == {"account": name, "cluster": CLUSTER, "created": True}
    assert runner.server.show("account", "account,descr,org", "where", f"account={name}") == [
        [name, "p-1: quarks, and other things", "my org"]
    ]
    columns = "parentname,fairshare,grptresmins,maxjobs,maxwall"
    assert limits(runner, name, columns) == ["root", "5", "cpu=6000,gres/gpu=10,mem=5000M", "7", "1-01:00:00"]
    plan = runner.plan(**given)
    assert (plan.changes, plan.reason) == ((), "the account is as wanted")
    assert plan.result == {"account": name, "cluster": CLUSTER, "created": False}


def test_only_what_differs_is_changed(runner: SlurmRunner, name: str) -> None:
    mine: dict[str, Any] = {"account": name, "description": "P-2"}
    runner.run(**mine, fairshare=3, limits={"GrpTRESMins": {"cpu": 100, "mem": "2G"}, "GrpSubmitJobs": 4})
    (change,) = runner.plan(**mine, fairshare=3, limits={"GrpTRESMins": {"cpu": 200, "mem": 2048}}).changes
    assert change.argv == (
        "sacctmgr",
        "-i",
        "modify",
        "account",
        "where",
        f"account={name}",
        "cluster=alpha",
        "set",
        "GrpTRESMins=cpu=200,mem=2048",
    )
    runner.run(**mine, limits={"GrpTRESMins": {"cpu": 200}, "MaxTRES": {"cpu": 2}})
    assert limits(runner, name, "grptresmins,grpsubmit,maxtres") == ["cpu=200,mem=2G", "4", "cpu=2"]
    runner.run(**mine, limits={"GrpTRESMins": {"mem": "none"}, "GrpSubmitJobs": -1, "MaxTRES": {"cpu": "none"}})
    assert limits(runner, name, "grptresmins,grpsubmit,maxtres") == ["cpu=200", "", ""]
    assert present(runner, **mine, limits={"GrpSubmitJobs": "none", "GrpTRESMins": {"mem": -1}})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"cpu": "100.9"}, "cpu=100"),
        ({"mem": 1536}, "mem=1.50G"),
        ({"mem": "1T"}, "mem=1T"),
        ({"mem": 123456789}, "mem=123456789M"),
        ({"cpu": 99999999999999}, "cpu=99999999999999"),
        ({"gres/gpu": 0}, "gres/gpu=0"),
    ],
)
def test_amounts_are_the_same_however_slurm_prints_them(
    runner: SlurmRunner, name: str, given: dict[str, Any], kept: str
) -> None:
    runner.run(account=name, limits={"GrpTRESMins": given})
    assert limits(runner, name, "grptresmins") == [kept]
    assert present(runner, account=name, limits={"GrpTRESMins": given})


@pytest.mark.parametrize("minutes", [59, 1440, 100_001])
def test_wall_clock_limits_are_minutes(runner: SlurmRunner, name: str, minutes: int) -> None:
    runner.run(account=name, limits={"GrpWall": minutes, "MaxWall": minutes})
    assert present(runner, account=name, limits={"GrpWall": minutes, "MaxWall": minutes})
    assert not present(runner, account=name, limits={"GrpWall": minutes + 1})
    assert not present(runner, account=name, limits={"MaxWall": minutes + 1})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"GrpTRESMins": {"cpu": -5}}, "cpu: -5 is not from 0"),
        ({"GrpTRESMins": {"cpu": "-1"}}, "cpu: -1 is not from 0"),
        ({"GrpTRESMins": {"cpu": "1,mem=2"}}, "cpu: must be a number, not the text '1,mem=2'"),
        ({"GrpTRESMins": {"cpu=1,mem": 2}}, "is no trackable resource"),
        ({"GrpTRESMins": {"nosuch": 1}}, "no TRES known by type nosuch"),
        ({"MaxJobs": True}, "must be a number"),
        ({"MaxJobs": "1 set MaxWall=1"}, "must be a number"),
    ],
)
def test_a_limit_that_is_none_is_refused(runner: SlurmRunner, name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ActionError, match=message):
        runner.run(account=name, limits=given)
    assert runner.server.show("account", "account", "where", f"account={name}") == []


def test_an_inactive_account_has_no_limit_left_when_it_is_active_again(runner: SlurmRunner, name: str) -> None:
    runner.run(account=name)
    runner.run(account=name, active=False)
    assert limits(runner, name, "grpsubmit") == ["0"]
    assert present(runner, account=name, active=False)
    runner.run(account=name, active=True)
    assert limits(runner, name, "grpsubmit") == [""]
    runner.run(account=name, active=True, limits={"GrpSubmitJobs": 50})
    assert present(runner, account=name, active=True)
    runner.run(account=name, active=False, limits={"GrpSubmitJobs": 50})
    assert limits(runner, name, "grpsubmit") == ["0"]


def test_qos_are_added_or_exact_and_one_is_the_default(runner: SlurmRunner, name: str) -> None:
    runner.server.run("sacctmgr", "-i", "add", "qos", "high,low")
    runner.run(account=name, qos=["High"], default_qos="high")
    assert limits(runner, name, "qos,defaultqos") == ["high,normal", "high"]
    assert present(runner, account=name, qos=["high", "normal"], default_qos="high")
    runner.run(account=name, default_qos="none", qos_exact=["low", "high"])
    assert limits(runner, name, "qos,defaultqos") == ["high,low", ""]
    assert present(runner, account=name, qos_exact=["high", "low"])


def test_coordinators_are_added_or_exact(runner: SlurmRunner, name: str) -> None:
    runner.run(account=name)
    for user in ("games", "daemon"):
        runner.server.sacctmgr("add", "user", f"name={user}", f"account={name}", f"cluster={CLUSTER}")
    runner.run(account=name, coordinators=["games"])
    runner.run(account=name, coordinators=["daemon"])
    runner.run(account=name, coordinators=["games", "daemon"])
    runner.run(account=name, coordinators_exact=["daemon"])
    (row,) = runner.server.show("account", "coord", "where", f"account={name}", "withcoord")
    assert row == ["daemon"]
    assert present(runner, account=name, coordinators_exact=["daemon"])


def test_a_parent_is_set_and_changed(runner: SlurmRunner, name: str) -> None:
    for parent in ("physics", "chemistry"):
        runner.run(account=f"{name}{parent}")
    runner.run(account=name, parent=f"{name}physics")
    runner.run(account=name, parent=f"{name}chemistry")
    assert limits(runner, name, "parentname") == [f"{name}chemistry"]
    with pytest.raises(ActionError, match="nosuch"):
        runner.run(account=f"{name}b", parent="nosuch")


def test_an_account_is_on_several_clusters(runner: SlurmRunner, name: str, beta: str) -> None:
    runner.run(account=name, description="P-3", limits={"MaxJobs": 1})
    runner.run(account=name, description="P-3", cluster=beta, limits={"MaxJobs": 2})
    assert present(runner, account=name, description="P-3", cluster=CLUSTER, limits={"MaxJobs": 1})
    assert present(runner, account=name, description="P-3", cluster="BETA", limits={"MaxJobs": 2})
    runner.run(account=name, description="P-3", cluster=beta, state="absent")
    assert present(runner, account=name, description="P-3")
    assert not present(runner, account=name, description="P-3", cluster=beta)


def test_an_account_is_removed_from_its_cluster(runner: SlurmRunner, name: str) -> None:
    runner.run(account=name)
    runner.run(account=name, state="absent")
    plan = runner.plan(account=name, state="absent")
    assert (plan.changes, plan.reason) == ((), "there is no such account")


def test_the_name_is_slurms_small_letters(runner: SlurmRunner, name: str) -> None:
    runner.run(account=name.upper())
    assert present(runner, account=name)
    assert runner.plan(account=name.upper()).result == {"account": name, "cluster": CLUSTER, "created": False}


# ------------------------------------------------------------------ whose it is


def test_an_account_of_somebody_else_is_never_adopted_by_its_name(runner: SlurmRunner, name: str) -> None:
    runner.server.sacctmgr("add", "account", f"name={name}", f"cluster={CLUSTER}", "description=theirs")
    others: list[dict[str, Any]] = [{}, {"description": "P-9"}, {"state": "absent"}, {"active": False}]
    for given in others:
        plan = runner.plan(account=name, **given)
        assert plan.conflict
        assert plan.changes == ()
        assert plan.reason.startswith(f"account {name} exists in Slurm, described as 'theirs' of '")


def test_an_account_with_our_mark_is_ours_and_so_is_the_group_of_a_known_project(
    runner: SlurmRunner, name: str
) -> None:
    runner.run(account=name, description="P-9", organization="us")
    assert present(runner, account=name, description="p-9", organization="US")
    assert runner.plan(account=name, description="P-10", organization="us").conflict
    runner.registry.put(Project("new", "P-10", group=name))
    assert runner.plan(account=name, description="P-10", organization="us").conflict
    runner.known(Project("old", "P-10", group=name))
    (change,) = runner.plan(account=name, description="P-10", organization="us").changes
    assert change.argv is not None
    assert change.argv[-1] == "description=p-10"


def test_slurms_own_account_is_left_alone(runner: SlurmRunner) -> None:
    with pytest.raises(ActionError, match="Slurm's own"):
        runner.plan(account="Root")


# ------------------------------------------------------------------ one reading, and what cannot be reached


class Counting(LocalProcesses):
    """Notes what is run; `before` is called with each call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, ...]] = []

    def run(self, argv: Any, **named: Any) -> Completed:
        self.calls.append(tuple(map(str, argv)))
        return super().run(argv, **named)


def test_one_reading_serves_all_steps_until_something_is_written(slurm_server: SlurmServer, name: str) -> None:
    counting = Counting()
    runner = SlurmRunner(slurm_account, "slurm_account", slurm_server, counting)
    surroundings = runner.surroundings()
    params = runner.params(account=name)
    plan = slurm_account.plan(params, slurm_account.probe(params, surroundings), surroundings)
    slurm_account.probe(params, surroundings)
    assert [call[1] for call in counting.calls] == ["-nP"]
    slurm_account.apply(params, plan, surroundings)
    assert [call[1] for call in counting.calls] == ["-nP", "-i", "-nP"]
    assert slurm_account.plan(params, slurm_account.probe(params, surroundings), surroundings).changes == ()
    assert len(counting.calls) == 3


def test_what_others_did_meanwhile_is_no_failure(runner: SlurmRunner, name: str) -> None:
    params, plan, surroundings = runner.planned(account=name, description="P-4")
    other = SlurmRunner(slurm_account, "slurm_account", runner.server)
    other.run(account=name, description="P-4")
    result = slurm_account.apply(params, plan, surroundings)
    assert isinstance(result, dict)


def test_a_write_that_left_nothing_is_in_doubt(slurm_server: SlurmServer, name: str) -> None:
    class Lying(LocalProcesses):
        def run(self, argv: Any, **named: Any) -> Completed:
            if "-i" in argv:
                return Completed(tuple(argv), 0, "", "")
            return super().run(argv, **named)

    with pytest.raises(InDoubt, match=f"create account {name}"):
        SlurmRunner(slurm_account, "slurm_account", slurm_server, Lying()).run(account=name)


def test_without_slurmdbd_the_back_end_is_away(runner: SlurmRunner, name: str) -> None:
    params, plan, surroundings = runner.planned(account=name)
    runner.server.stop_dbd()
    try:
        with pytest.raises(BackendUnavailable, match="Connection refused") as raised:
            runner.plan(account=name)
        assert raised.value.back_end == "slurm"
        with pytest.raises(BackendUnavailable, match="Connection refused"):
            slurm_account.apply(params, plan, surroundings)
    finally:
        runner.server.start_dbd()
    assert runner.run(account=name)["created"]


def test_a_slurm_that_does_not_answer_in_time_is_away(slurm_server: SlurmServer, name: str) -> None:
    class Silent(LocalProcesses):
        def run(self, argv: Any, **named: Any) -> Completed:
            # The program says so at once, and then repeats it for a minute.
            return super().run(["sh", "-c", "echo no such file >&2; exec sleep 60"], timeout=2)

    with pytest.raises(BackendUnavailable, match="took too long and was ended; it said: no such file"):
        SlurmRunner(slurm_account, "slurm_account", slurm_server, Silent()).plan(account=name)


def test_who_is_no_administrator_is_told_so(slurm_server: SlurmServer, name: str) -> None:
    class AsSomebody(LocalProcesses):
        def run(self, argv: Any, **named: Any) -> Completed:
            return super().run(["setpriv", f"--reuid={JOB_USER}", "--clear-groups", *argv], **named)

    with pytest.raises(ActionError, match="Access/permission denied: amierules must run as an Administrator") as raised:
        SlurmRunner(slurm_account, "slurm_account", slurm_server, AsSomebody()).run(account=name)
    assert not isinstance(raised.value, BackendUnavailable)


def test_an_unknown_cluster_is_told(runner: SlurmRunner, name: str) -> None:
    with pytest.raises(ActionError, match="This cluster 'nowhere' doesn't exist"):
        runner.run(account=name, cluster="nowhere")


def test_expected_names_plan_and_stay_unknown(runner: SlurmRunner, name: str) -> None:
    given = Unknown("project", expected=name)
    plan = runner.plan(account=given, limits={"MaxJobs": Unknown("allocation", expected=7)}, dry=True)
    (change,) = plan.changes
    assert change.argv is not None
    unknown = [word for word in change.argv if isinstance(word, Unknown)]
    assert [(one.step, one.expected) for one in unknown] == [
        ("project", f"name={name}"),
        ("allocation", "MaxJobs=7"),
    ]
    params, surroundings = runner.params(account=given), runner.surroundings(dry=True)
    assert slurm_account.plan(params, plan.after, surroundings).changes == ()


def test_only_a_reset_leaves_a_doubt_that_a_person_settles() -> None:
    assert slurm_account.doubt({"account": "a"}) is Doubt.PROBE
    assert slurm_account.doubt({"account": "a", "reset_usage": False}) is Doubt.PROBE
    assert slurm_account.doubt({"account": "a", "reset_usage": True}) is Doubt.PERSON
    assert slurm_account.target({"account": Unknown("s", expected="X")}) == slurm_account.target({"account": "x"})
    assert slurm_account.target({"account": "x", "cluster": "b"}) != slurm_account.target({"account": "x"})
