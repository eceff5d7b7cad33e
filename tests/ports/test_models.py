"""The models of rule tests beside the real programs: the same steps are planned the same, and come to the same."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from amierules.actions import group, ldap_entry, ldap_search, slurm_account, slurm_association, user
from amierules.actions.base import ActionError
from amierules.database.rows import Person, Project
from amierules.engine.doing import shown_change
from amierules.engine.frozen import shown
from amierules.ports import Directory
from amierules.ports.scripted import MemoryDirectory, Script, ScriptedProcesses, ShadowTools, SlurmModel
from tests.support.directories import BASES, BO_ENTRY, DirectoryRunner
from tests.support.shadow import Runner, ScratchRoot
from tests.support.slapd import Slapd
from tests.support.slurm import SlurmRunner, SlurmServer

Step = tuple[Any, dict[str, Any]]
"""A kind's module, and what a step gives it."""
_numbers = count(1)


def _seen(runner: Runner, given: Mapping[str, Any]) -> list[object]:
    """What is planned, what comes of it, and what is left to do; or why it cannot be done."""
    try:
        plan = runner.plan(**given)
        changes = [shown_change(change) for change in plan.changes]
        result = None if plan.conflict else runner.run(**given)
        left = runner.plan(**given)
    except ActionError as error:
        return [type(error).__name__, str(error)]
    return [changes, plan.conflict, plan.reason, shown(result), len(left.changes), left.reason, shown(left.result)]


def _played(steps: Sequence[Step], runners: Mapping[Any, Runner], state: Callable[[], object]) -> list[list[object]]:
    played = []
    for kind, given in steps:
        seen = _seen(runners[kind], given)
        played.append([kind.__name__, *seen, state()])
    return played


# ------------------------------------------------------------------ Unix accounts

ALICE: dict[str, Any] = {"name": "alice", "uid": "20001"}
SHADOW: list[Step] = [
    (group, {"name": "p-1", "gid": "40001"}),
    (group, {"name": "p-1", "gid": "40001"}),
    (group, {"name": "other", "gid": "40001"}),
    (user, {**ALICE, "comment": "Alice Ümlaut", "group": "p-1", "groups": ["proj2"], "locked": False}),
    (user, {**ALICE, "groups": ["proj1", "proj2"], "shell": "/bin/sh"}),
    (user, {**ALICE, "locked": True}),
    (user, {**ALICE, "locked": True}),
    (user, {**ALICE, "locked": False, "expires": "2027-01-01"}),
    (user, {**ALICE, "locked": True, "expires": "2027-01-01"}),
    (user, {**ALICE, "groups_absent": ["proj1"], "home": "/home/elsewhere"}),
    (user, {**ALICE, "groups_exact": ["proj3"], "group": "proj1"}),
    (user, {**ALICE, "expires": "never"}),
    (user, {"name": "bob", "uid": "20001"}),
    (user, {"name": "carol", "uid": "20003", "groups": ["nosuch"]}),
    (user, {"name": "lister"}),
    (user, {**ALICE, "state": "absent"}),
    (user, {**ALICE, "state": "absent"}),
    (group, {"name": "p-1", "gid": "40001", "state": "absent"}),
    (group, {"name": "p-1", "gid": "40001", "state": "absent"}),
]


def _accounts(root: ScratchRoot) -> dict[str, object]:
    """The account files; shadow without the day of the last change of a password, and hashes of nothing."""
    rows = {
        name: [line.split(":") for line in (root.path / "etc" / name).read_text(encoding="utf-8").splitlines()]
        for name in ("passwd", "group", "shadow")
    }
    shadow = [(row[0], row[1][:1], row[7]) for row in rows["shadow"]]
    groups = [(row[0], row[2], sorted(row[3].split(","))) for row in rows["group"]]
    return {"passwd": rows["passwd"], "group": groups, "shadow": shadow}


def _without(root: ScratchRoot, played: object) -> object:
    """What was played, its scratch root called the same as any other."""
    if isinstance(played, str):
        return played.replace(str(root.path), "ROOT")
    if isinstance(played, Mapping):
        return {name: _without(root, one) for name, one in played.items()}
    return [_without(root, one) for one in played] if isinstance(played, list | tuple) else played


def test_the_model_of_the_shadow_utils_does_what_they_do(tmp_path: Path) -> None:
    came = []
    for name in ("real", "model"):
        root = ScratchRoot.make(tmp_path / name)
        processes = ScriptedProcesses(Script(), ShadowTools(Path("/")).programs()) if name == "model" else None
        runners = {kind: Runner(kind, kind.__name__.rpartition(".")[2], root.path, processes) for kind in (user, group)}
        came.append(_without(root, _played(SHADOW, runners, partial(_accounts, root))))
    for real, model in zip(*came, strict=True):
        assert model == real


# ------------------------------------------------------------------ a directory

LDAP: list[Step] = [
    (ldap_search, {"filter": "(uid=lister)", "base": "people", "attributes": ["uid", "cn", "mail"]}),
    (ldap_entry, BO_ENTRY),
    (
        ldap_entry,
        {**BO_ENTRY, "attributes": {"uidNumber": 20000, "cn": "BO Sample", "sn": "Other", "mail": "bo@site.example"}},
    ),
    (ldap_entry, {"dn": "uid=bo", "base": "people", "attributes": {"mail": None, "uidNumber": 20000}}),
    (ldap_entry, {"dn": "cn=crew", "base": "groups", "add": {"memberUid": ["bo", "lister"]}}),
    (ldap_entry, {"dn": "cn=crew", "base": "groups", "remove": {"memberUid": "lister"}}),
    (
        ldap_entry,
        {"dn": "cn=new,cn=nosuch", "base": "groups", "object_classes": ["posixGroup"], "attributes": {"gidNumber": 5}},
    ),
    (ldap_search, {"filter": "(&(objectClass=posixGroup)(memberUid=bo))", "base": "groups", "scope": "one"}),
    (ldap_search, {"filter": "(|(uid=b*)(!(uidNumber=38)))", "base": "people", "scope": "one", "attributes": ["uid"]}),
    (ldap_search, {"filter": "(uid=lister)", "base": "people", "scope": "base"}),
    (ldap_entry, {"dn": "uid=bo", "base": "people", "state": "absent"}),
    (ldap_entry, {"dn": "uid=bo", "base": "people", "state": "absent"}),
]


Tree = Mapping[str, Mapping[str, Sequence[str]]]


def _lowered(tree: Callable[[], Tree]) -> dict[str, dict[str, list[str]]]:
    """The entries; servers may write names of attributes in another case."""
    return {dn.lower(): {name.lower(): sorted(values) for name, values in one.items()} for dn, one in tree().items()}


def test_the_model_of_a_directory_does_what_a_server_does(directory: Slapd) -> None:
    first = directory.tree()
    memory = MemoryDirectory([*BASES["bases"].values()])
    for dn, attributes in first.items():
        # Its name says what the entry is called: a given one need not repeat it.
        name = dn.partition("=")[0]
        memory.put(dn, {one: values for one, values in attributes.items() if one != name or dn.startswith("dc")})
    came = []
    ports: list[tuple[Directory, Callable[[], Tree]]] = [
        (directory.directory, directory.tree),
        (memory, lambda: {entry.dn: entry.attributes for entry in memory.entries()}),
    ]
    for port, tree in ports:
        runners = {
            kind: DirectoryRunner(kind, kind.__name__.rpartition(".")[2], port) for kind in (ldap_entry, ldap_search)
        }
        for runner in runners.values():
            runner.known(
                Person("k1", person_id="1", uid=20000, logins=("bo",)), Project("k2", project_id="P", group="crew")
            )
        came.append(_played(LDAP, runners, partial(_lowered, tree)))
    for real, model in zip(*came, strict=True):
        assert model == real


# ------------------------------------------------------------------ Slurm


def _slurm_steps(account: str, login: str) -> list[Step]:
    of_account: dict[str, Any] = {"account": account}
    of_user: dict[str, Any] = {"account": account, "user": login}
    limits: dict[str, Any] = {"GrpTRESMins": {"cpu": 6000, "gres/gpu": 10}, "MaxJobs": 7}
    return [
        (slurm_association, of_user),
        (slurm_account, {**of_account, "description": "p-1", "organization": "amie", "limits": limits}),
        (slurm_account, {**of_account, "description": "p-1", "organization": "amie", "limits": limits}),
        (slurm_account, {**of_account, "limits": {"GrpTRESMins": {"cpu": 9000}}, "fairshare": 5}),
        (slurm_account, {**of_account, "active": False}),
        (slurm_account, {**of_account, "active": True}),
        (slurm_association, {**of_user, "fairshare": "parent", "limits": {"MaxJobs": 3}}),
        (slurm_association, {**of_user, "limits": {"MaxJobs": 4}}),
        (slurm_association, {**of_user, "limits": {"MaxJobs": "none"}}),
        (slurm_account, {**of_account, "coordinators": [login]}),
        (slurm_account, {**of_account, "coordinators_exact": []}),
        (slurm_association, {**of_user, "active": False}),
        (slurm_association, {**of_user, "active": True}),
        (slurm_association, {**of_user, "state": "absent"}),
        (slurm_association, {**of_user, "state": "absent"}),
        (slurm_account, {**of_account, "state": "absent"}),
        (slurm_account, {**of_account, "state": "absent"}),
    ]


def test_the_model_of_slurm_does_what_it_does(slurm: SlurmServer) -> None:
    account, login = f"model{next(_numbers)}", f"modeluser{next(_numbers)}"
    steps = _slurm_steps(account, login)
    came = []
    for processes in (None, ScriptedProcesses(Script(), SlurmModel().programs())):
        runners = {
            kind: SlurmRunner(kind, kind.__name__.rpartition(".")[2], slurm, processes)
            for kind in (slurm_account, slurm_association)
        }
        # What is left to do after each step tells what state it has left.
        came.append(_played(steps, runners, lambda: None))
    for real, model in zip(*came, strict=True):
        assert model == real
