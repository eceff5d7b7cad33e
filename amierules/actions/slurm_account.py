"""The kind `slurm_account`: an account in Slurm and its association with a cluster, kept by sacctmgr."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from amierules.actions.base import (
    ActionError,
    Change,
    Doubt,
    InDoubt,
    Params,
    Plan,
    Surroundings,
    Word,
    expected,
)
from amierules.actions.slurm_calls import check_name, cluster_of, failure, folded, word
from amierules.actions.slurm_changes import (
    Setting,
    asks_for_qos,
    called,
    carry_out,
    check_settings,
    judge,
    modification,
    qos_settings,
    settings,
    with_qos,
    with_settings,
)
from amierules.actions.slurm_ownership import not_ours, wanted_texts
from amierules.actions.slurm_reading import Account, Association, note_planned, raw_usage, read_account
from amierules.actions.words import shown

_ROOT = "root"
_RESET = "reset"


@dataclass(frozen=True)
class AccountState:
    """An account as it is."""

    account: Account
    inherited: Account | None = None
    """With what it has from those above it, where that is asked for."""
    usage: Decimal | None = None
    """Where it is to be reset."""


def doubt(params: Params) -> Doubt:
    """The state itself tells what was done; not so of usage, which goes on while nobody looks."""
    return Doubt.PERSON if params.get("reset_usage") is True else Doubt.PROBE


def target(params: Params) -> str:
    """The account; on the cluster of the configuration where none is named."""
    where = f" on {shown(folded(expected(params['cluster'])))}" if "cluster" in params else ""
    return f"account {shown(folded(expected(params['account'])))}{where}"


def probe(params: Params, surroundings: Surroundings) -> AccountState:
    """The account as it is, on all clusters."""
    _check(params)
    name, cluster = folded(expected(params["account"])), expected(cluster_of(params, surroundings))
    account = read_account(surroundings, name)
    inherited = read_account(surroundings, name, inherited=True) if asks_for_qos(params) else None
    resets = params.get("reset_usage") is True and account.of(cluster)
    return AccountState(account, inherited, raw_usage(surroundings, cluster, name) if resets else None)


def plan(params: Params, state: object, surroundings: Surroundings) -> Plan:
    """The calls of sacctmgr from `state` to what is wanted; a conflict where the account is not provably ours."""
    assert isinstance(state, AccountState)  # noqa: S101 - it is our own probe's
    return _plan(params, state, surroundings)


def _plan(params: Params, state: AccountState, surroundings: Surroundings) -> Plan:
    _check(params)
    cluster = cluster_of(params, surroundings)
    own = next(iter(state.account.of(expected(cluster))), None)
    foreign = not_ours(params, state.account, surroundings)
    if foreign:
        return Plan(conflict=True, reason=foreign, after=state)
    result = {"account": folded(params["account"]), "cluster": cluster, "created": own is None}
    if params.get("state") == "absent":
        return _removal(params, state, own, cluster, surroundings, {**result, "created": False})
    steps = _Steps(params, state, own, cluster, surroundings)
    changes = tuple(change for change in steps.all() if change is not None)
    after = _planned(params, state, expected(cluster))
    if not changes:
        return Plan(reason="the account is as wanted", after=after, result=result)
    if surroundings.dry:
        note_planned(surroundings, expected(cluster), after.account.name)
    return Plan(changes, after=after, result=result)


def apply(params: Params, plan: Plan, surroundings: Surroundings) -> object:
    """Call sacctmgr and look again: the state that is then there counts, not the exit status."""
    if not plan.changes:
        return plan.result
    completed = carry_out(plan, surroundings)
    state = probe(params, surroundings)
    left = _plan(params, state, surroundings)
    resets = [change for change in plan.changes if change.op == _RESET]
    judge(completed, replace(left, changes=tuple(change for change in left.changes if change.op != _RESET)))
    if resets and (state.usage or 0) >= Decimal(str(resets[0].before)):
        if completed[-1].rc == 0 and not completed[-1].timed_out:
            raise InDoubt("sacctmgr says that it succeeded, but the usage is not reset")
        raise failure(completed[-1])
    return plan.result


@dataclass(frozen=True)
class _Steps:
    """The calls that there may be, in their order."""

    params: Params
    state: AccountState
    own: Association | None
    cluster: Any
    surroundings: Surroundings

    def all(self) -> list[Change | None]:
        """Each call, or None where it is not needed."""
        creation = self._creation() if self.own is None else None
        return [
            creation,
            self._texts() if self.state.account.exists else None,
            self._settings(),
            *self._coordinators(),
            self._reset(),
        ]

    @property
    def _target(self) -> str:
        return f"account {shown(folded(self.params['account']))} on {shown(self.cluster)}"

    def _name(self, key: str = "account") -> Word:
        name = folded(self.params["account"])
        return word(key, str(expected(name)), name)

    def _on_cluster(self) -> Word:
        return word("cluster", str(expected(self.cluster)), self.cluster)

    def _where(self) -> list[Word]:
        return ["account", "where", self._name(), self._on_cluster()]

    def _creation(self) -> Change:
        texts = wanted_texts(self.params)
        words: list[Word] = [self._name("name"), self._on_cluster()]
        if not self.state.account.exists:
            words += [word(key, text, self.params.get(key)) for key, text in texts.items()]
        given = [*self._parent(), *settings(self.params, None)]
        words += [one.word for one in given]
        said = ", ".join([f"create {self._target}", *(f"{one.name} {shown(one.after)}" for one in given)])
        after = {**texts, **{one.name: one.after for one in given}}
        return Change(said, "create", self._target, called(self.surroundings, "add", "account", *words), None, after)

    def _texts(self) -> Change | None:
        account, wanted = self.state.account, wanted_texts(self.params)
        found = [
            Setting(key, getattr(account, key), wanted[key], word(key, wanted[key], self.params[key]))
            for key in wanted
            if key in self.params and getattr(account, key) != wanted[key]
        ]
        if not found:
            return None
        return modification(self.surroundings, self._target, ["account", "where", self._name()], found)

    def _settings(self) -> Change | None:
        cluster = expected(self.cluster)
        inherited = self.state.inherited
        above = next(iter(inherited.of(cluster)), None) if inherited is not None else None
        found = qos_settings(self.params, self.own, above)
        if self.own is not None:
            found = [*self._parent(), *settings(self.params, self.own), *found]
        return modification(self.surroundings, self._target, self._where(), found) if found else None

    def _parent(self) -> list[Setting]:
        parent = folded(self.params.get("parent"))
        before = self.own.parent if self.own is not None else None
        if parent is None or expected(parent) == before:
            return []
        return [Setting("parent", before, parent, word("parent", str(expected(parent)), parent))]

    def _coordinators(self) -> list[Change | None]:
        present = self.state.account.coordinators
        exact = self.params.get("coordinators_exact")
        listed = [folded(one) for one in (self.params.get("coordinators", ()) if exact is None else exact)]
        missing = [one for one in listed if expected(one) not in present]
        wanted = {expected(one) for one in listed}
        extra = [one for one in present if exact is not None and one not in wanted]
        return [
            self._coordinator("add", missing) if missing else None,
            self._coordinator("delete", extra) if extra else None,
        ]

    def _coordinator(self, verb: str, names: Sequence[Any]) -> Change:
        listed = word("names", ",".join(str(expected(one)) for one in names), *names)
        where = ["where"] if verb == "delete" else []
        argv = called(self.surroundings, verb, "coordinator", *where, self._name(), listed)
        said = "make coordinator" if verb == "add" else "no longer coordinator"
        return Change(f"{said} of {self._target}: {shown(list(names))}", "modify", self._target, argv)

    def _reset(self) -> Change | None:
        if not self.state.usage or self.params.get("reset_usage") is not True:
            return None
        argv = called(self.surroundings, "modify", *self._where(), "set", "RawUsage=0")
        said = f"reset the usage of {self._target}: {self.state.usage} -> 0"
        return Change(said, _RESET, self._target, argv, before=str(self.state.usage), after="0")


def _removal(
    params: Params,
    state: AccountState,
    own: Association | None,
    cluster: Any,
    surroundings: Surroundings,
    result: dict[str, object],
) -> Plan:
    if own is None:
        return Plan(reason="there is no such account", after=state, result=result)
    steps = _Steps(params, state, own, cluster, surroundings)
    argv = called(surroundings, "delete", *steps._where())
    change = Change(f"remove {steps._target}", "delete", steps._target, argv)
    left = tuple(one for one in state.account.associations if one.cluster != expected(cluster))
    return Plan((change,), after=replace(state, account=replace(state.account, associations=left)), result=result)


def _planned(params: Params, state: AccountState, cluster: str) -> AccountState:
    """The account as it will be."""
    account = state.account
    texts: dict[str, Any] = {
        name: text for name, text in wanted_texts(params).items() if name in params or not account.exists
    }
    listed = params.get("coordinators_exact", [*account.coordinators, *params.get("coordinators", ())])
    coordinators = tuple(sorted({folded(expected(one)) for one in listed}))
    after = replace(account, exists=True, coordinators=coordinators, **texts)
    inherited = state.inherited
    if inherited is not None:
        inherited = _with(inherited, cluster, lambda present: with_qos(params, present))
    parent = folded(expected(params.get("parent")))

    def change(present: Association) -> Association:
        changed = with_settings(params, present)
        return replace(changed, parent=parent or changed.parent or _ROOT)

    usage = Decimal(0) if state.usage is not None and params.get("reset_usage") is True else state.usage
    return AccountState(_with(after, cluster, change), inherited, usage)


def _with(account: Account, cluster: str, change: Any) -> Account:
    own = next(iter(account.of(cluster)), Association(cluster))
    others = tuple(one for one in account.associations if one is not own)
    return replace(account, associations=(change(own), *others))


def _check(params: Params) -> None:
    """Refuse parameters that sacctmgr could misunderstand, before any process. Raises `ActionError`."""
    check_name("account", params["account"])
    if folded(expected(params["account"])) == _ROOT:
        raise ActionError("the account root is Slurm's own")
    if "parent" in params:
        check_name("parent", params["parent"])
    if "coordinators" in params and "coordinators_exact" in params:
        raise ActionError("`coordinators` adds and `coordinators_exact` replaces: only one of them can be given")
    for name in ("coordinators", "coordinators_exact"):
        for one in params.get(name, ()):
            check_name(name, one)
    check_settings(params)
