"""Whatever a packet sends, sacctmgr gets it as one value of one key, or not at all."""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from amierules.actions import slurm_account, slurm_association
from amierules.actions.base import ActionError, Kind, Plan
from amierules.actions.parameters import check_params
from amierules.actions.schemas import kind_schema
from amierules.actions.slurm_calls import fit_text
from amierules.database.rows import Project
from amierules.ports import Completed, FixedClock, Processes, World
from tests.support.hostile import HOSTILE, VALUES
from tests.support.shadow import NOW
from tests.support.slurm import CLUSTER, SlurmRunner, SlurmServer

SYNTAX = (
    "a,b", "a=b", "x set MaxJobs=1", "x where account=root", "x cluster=beta", "[1-3]", "a[1-3]", "a,", ",a", "root",
    "ROOT", "x|alpha|root", "x\nroot|alpha|", "'x'", '"x"', "x'; drop table acct_table; --", "x\\", "x\\' or 1=1 -- ",
    "-1", "+x", "-i", "--immediate", "none", "=", "+=", "x+=y", "x-=y", "$(id)", "`id`", "%", "*", "x\x00y", "x y",
    "é", "名前", "\U0001f600", "x" * 101, "\t", " ", "\u2028", "x\r\ny", "NULL", "0", "1e3", "set", "where", "all",
)  # fmt: skip
ALL = tuple(dict.fromkeys((*SYNTAX, *VALUES, *HOSTILE)))
SAFE = re.compile(r"[a-z0-9_][a-z0-9_.@+-]{0,99}")
TEXT = re.compile(r"[!#-&(-\[\]-_a-{}~]+( [!#-&(-\[\]-_a-{}~]+)*")
"""ASCII without capital letters, quotes, backslash, `|` and control characters."""

NAMES: dict[str, tuple[Kind, dict[str, Any]]] = {
    "account": (slurm_account, {}),
    "parent": (slurm_account, {"account": "a"}),
    "cluster": (slurm_account, {"account": "a"}),
    "coordinators": (slurm_account, {"account": "a"}),
    "coordinators_exact": (slurm_account, {"account": "a"}),
    "qos": (slurm_account, {"account": "a"}),
    "qos_exact": (slurm_account, {"account": "a"}),
    "default_qos": (slurm_account, {"account": "a"}),
    "fairshare": (slurm_account, {"account": "a"}),
    "user": (slurm_association, {"account": "a", "active": False}),
    "partition": (slurm_association, {"account": "a", "user": "u", "active": False}),
}


@dataclass
class Silent(Processes):
    """Runs nothing: Slurm has no account yet."""

    calls: list[tuple[str, ...]] = field(default_factory=list)

    def run(self, argv: Any, **named: Any) -> Completed:
        self.calls.append(tuple(argv))
        return Completed(tuple(argv), 0, "", "")


class Lone(SlurmRunner):
    """Plans without any Slurm."""

    def __init__(self, kind: Kind, processes: Processes) -> None:
        name = kind.__name__.rpartition(".")[2]  # type: ignore[attr-defined]
        super().__init__(kind, name, SlurmServer.__new__(SlurmServer), processes)
        self.world = World(processes, FixedClock(NOW))

    def surroundings(self, *, dry: bool = False, timeout: float | None = None) -> Any:
        made = super(SlurmRunner, self).surroundings(dry=dry, timeout=timeout)
        made.defaults.update({"slurm": {"cluster": CLUSTER}})  # type: ignore[attr-defined]
        return made


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_refused_before_any_process_or_cannot_be_misread(name: str) -> None:
    kind, others = NAMES[name]
    processes = Silent()
    runner = Lone(kind, processes)
    schema = kind_schema(runner.name)
    passed = 0
    for value in ALL:
        given = [value] if schema["properties"][name].get("x-type") == "list" else value
        params, problems = check_params(schema, {**others, name: given})
        assert problems == []
        processes.calls.clear()
        plan, refusal = _planned(runner, params)
        if plan is None:
            assert processes.calls == []
            assert "\n" not in refusal
            assert "\x1b" not in refusal
            continue
        passed += 1
        wanted = str(value).lower()
        assert SAFE.fullmatch(wanted), value
        for argv in (*processes.calls, *(change.argv or () for change in plan.changes)):
            assert argv[0] == "sacctmgr"
            assert all(isinstance(word, str) and re.fullmatch(r"-?[a-zA-Z]+\+?(=[^=|'\"\n]*)?", word) for word in argv)
    assert 0 < passed < len(ALL) / 4


def _planned(runner: Lone, params: Any) -> tuple[Plan | None, str]:
    surroundings = runner.surroundings()
    try:
        return runner.kind.plan(params, runner.kind.probe(params, surroundings), surroundings), ""
    except ActionError as error:
        return None, str(error)


def test_a_text_is_one_value_that_sacctmgr_keeps_as_it_is() -> None:
    for value in ALL:
        fit = fit_text(value)
        assert fit == "" or TEXT.fullmatch(fit), value
        assert len(fit) <= 200
        assert fit_text(fit) == fit


@pytest.mark.parametrize(
    "value", ["1,mem=2", "1 set x=1", "cpu=1", "-1", "1e9", "0x1", " 1", "1\n", "٣", "nan", "", [], {}]
)
def test_a_limit_is_a_number(value: object) -> None:
    runner = Lone(slurm_account, Silent())
    for limits in ({"MaxJobs": value}, {"GrpTRESMins": {"cpu": value}}):
        with pytest.raises(ActionError, match="limits"):
            runner.plan(account="a", limits=limits)


def _everything(server: SlurmServer) -> tuple[list[list[str]], list[list[str]], list[list[str]]]:
    accounts = server.show("account", "account,coord", "withcoord")
    associations = server.show("assoc", "cluster,account,user,maxjobs,grpsubmit,fairshare,parentname,qos")
    return sorted(accounts), sorted(associations), server.show("user", "user,admin")


def test_texts_change_nothing_but_their_account(slurm: SlurmServer) -> None:
    runner = SlurmRunner(slurm_account, "slurm_account", slurm)
    runner.run(account="texts", description="ours", organization="ours")
    # By its group in the registry it is ours, whatever its text was.
    runner.known(Project("k1", "P-1", group="texts"))
    before = _everything(slurm)
    kept = "ours"
    values = [value for value in (*SYNTAX, *VALUES[::150]) if fit_text(value) not in ("", kept)]
    for value in dict.fromkeys(values):
        runner.run(account="texts", description=value)
        (row,) = slurm.show("account", "descr", "where", "account=texts")
        assert "|".join(row) == fit_text(value)
    assert _everything(slurm) == before
