"""The kind `slurm_association`: a user of an account in Slurm, on one cluster."""

from dataclasses import dataclass, replace
from typing import Any

from amierules.actions.base import ActionError, Change, Doubt, Params, Plan, Surroundings, Word, expected
from amierules.actions.slurm_calls import check_name, cluster_of, folded, word
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
from amierules.actions.slurm_limits import SUBMITTING
from amierules.actions.slurm_reading import Account, Association, default_account, is_planned, read_account
from amierules.actions.words import shown


@dataclass(frozen=True)
class AssociationState:
    """A user's associations with an account on a cluster: one, or one for each partition."""

    account: Account
    found: tuple[Association, ...] = ()
    inherited: tuple[Association, ...] = ()
    """With what they have from the account, where that is asked for."""
    default: str | None = None
    """The user's default account there, where that is asked for."""
    model: Association | None = None
    """What the user has there whose association a new one is like."""


def doubt(params: Params) -> Doubt:
    """The state itself tells what was done."""
    return Doubt.PROBE


def target(params: Params) -> str:
    """User, account, cluster and partition; without a cluster, that of the configuration."""
    parts = ("user", "account", "cluster", "partition")
    named = (f"{part} {shown(folded(expected(params[part])))}" for part in parts if part in params)
    return f"association of {', '.join(named)}"


def probe(params: Params, surroundings: Surroundings) -> AssociationState:
    """The associations as they are."""
    _check(params)
    cluster = expected(cluster_of(params, surroundings))
    name, user = (folded(expected(params[key])) for key in ("account", "user"))
    partition = expected(params.get("partition"))
    account = read_account(surroundings, name)
    inherited: tuple[Association, ...] = ()
    if asks_for_qos(params):
        inherited = read_account(surroundings, name, inherited=True).of(cluster, user, partition)
    default = default_account(surroundings, cluster, user) if params.get("default_account") is True else None
    like = folded(expected(params.get("like", "")))
    model = next(iter(account.of(cluster, like, partition)), None) if like else None
    return AssociationState(account, account.of(cluster, user, partition), inherited, default, model)


def plan(params: Params, state: object, surroundings: Surroundings) -> Plan:
    """The calls of sacctmgr from `state` to what is wanted. Raises `ActionError` where the account is not there."""
    assert isinstance(state, AssociationState)  # noqa: S101 - it is our own probe's
    return _plan(params, state, surroundings)


def apply(params: Params, plan: Plan, surroundings: Surroundings) -> object:
    """Call sacctmgr and look again: the state that is then there counts, not the exit status."""
    if not plan.changes:
        return plan.result
    completed = carry_out(plan, surroundings)
    judge(completed, _plan(params, probe(params, surroundings), surroundings))
    return plan.result


def _plan(params: Params, state: AssociationState, surroundings: Surroundings) -> Plan:
    _check(params)
    params = _modelled(params, state)
    cluster = cluster_of(params, surroundings)
    steps = _Steps(params, state, cluster, surroundings)
    created = not state.found
    named = {key: folded(params[key]) for key in ("account", "user")}
    result = {**named, "cluster": cluster, "created": created}
    if params.get("state") == "absent":
        result["created"] = False
        if created:
            return Plan(reason="there is no such association", after=state, result=result)
        return Plan((steps.removal(),), after=replace(state, found=(), inherited=()), result=result)
    place = expected(cluster)
    if created and not state.account.of(place) and not is_planned(surroundings, place, state.account.name):
        result["created"] = False
        if expected(params.get("active")) is False:
            return Plan(reason="there is no such account, on which anybody could submit", after=state, result=result)
        if "like" in params:
            return Plan(reason="there is no such account, and so no user to be like", after=state, result=result)
        raise ActionError(f"there is no account {shown(named['account'])} on {shown(cluster)} yet: make it before")
    changes = tuple(change for change in steps.all() if change is not None)
    after = _planned(params, state, expected(cluster))
    return Plan(changes, "" if changes else "the association is as wanted", after=after, result=result)


@dataclass(frozen=True)
class _Steps:
    """The calls that there may be, in their order."""

    params: Params
    state: AssociationState
    cluster: Any
    surroundings: Surroundings

    def all(self) -> list[Change | None]:
        """Each call, or None where it is not needed."""
        creation = None if self.state.found else self._creation()
        return [creation, self._settings(), self._default(), self._coordinator()]

    def removal(self) -> Change:
        """The call that removes the association."""
        argv = called(self.surroundings, "delete", "user", "where", *self._names("user"))
        return Change(f"remove {self._target}", "delete", self._target, argv)

    @property
    def _target(self) -> str:
        account, user = (shown(folded(self.params[key])) for key in ("account", "user"))
        on = f" partition {shown(self.params['partition'])}" if "partition" in self.params else ""
        return f"user {user} of account {account} on {shown(self.cluster)}{on}"

    def _names(self, user: str) -> list[Word]:
        """The words that tell which association; `user` is the key of the user's name."""
        keys = (user, "account", "cluster", "partition")
        values = (folded(self.params["user"]), folded(self.params["account"]), self.cluster)
        given = zip(keys, (*values, self.params.get("partition")), strict=True)
        return [word(key, str(expected(value)), value) for key, value in given if value is not None]

    def _creation(self) -> Change:
        given = [*settings(self.params, None), *_qos_of_model(self.params, self.state)]
        argv = called(self.surroundings, "add", "user", *self._names("name"), *(one.word for one in given))
        said = ", ".join([f"create {self._target}", *(f"{one.name} {shown(one.after)}" for one in given)])
        after = {one.name: one.after for one in given}
        return Change(said, "create", self._target, argv, after=after)

    def _settings(self) -> Change | None:
        found: dict[str, Setting] = {}
        for number, own in enumerate(self.state.found):
            above = self.state.inherited[number] if self.state.inherited else None
            for one in (*settings(self.params, own), *qos_settings(self.params, own, above)):
                found.setdefault(one.name, one)
        if not self.state.found:
            found = {one.name: one for one in qos_settings(self.params, None, None)}
        where: list[Word] = ["user", "where", *self._names("user")]
        return modification(self.surroundings, self._target, where, list(found.values())) if found else None

    def _default(self) -> Change | None:
        account = folded(self.params["account"])
        # The first association of a user is the default by itself.
        if self.params.get("default_account") is not True or self.state.default in ("", expected(account)):
            return None
        user, _, cluster, *_ = self._names("user")
        said = word("defaultaccount", str(expected(account)), account)
        setting = Setting("default account", self.state.default, account, said)
        return modification(self.surroundings, self._target, ["user", "where", user, cluster], [setting])

    def _coordinator(self) -> Change | None:
        wanted, user = self.params.get("coordinator"), folded(self.params["user"])
        present = expected(user) in self.state.account.coordinators
        if wanted is None or wanted == present:
            return None
        account = folded(self.params["account"])
        words: list[Word] = [
            word("account", str(expected(account)), account),
            word("names", str(expected(user)), user),
        ]
        verb = ["add", "coordinator"] if wanted else ["delete", "coordinator", "where"]
        said = "becomes coordinator" if wanted else "is no longer coordinator"
        return Change(f"{self._target} {said}", "modify", self._target, called(self.surroundings, *verb, *words))


def _planned(params: Params, state: AssociationState, cluster: str) -> AssociationState:
    """The associations as they will be."""
    account, user = (folded(expected(params[key])) for key in ("account", "user"))
    new = Association(cluster, user, expected(params.get("partition")) or "", account)
    if state.model is not None and not state.found:
        new = replace(new, qos=state.model.qos, default_qos=state.model.default_qos)
    found = tuple(with_settings(params, one) for one in state.found or (new,))
    inherited = tuple(with_qos(params, one) for one in state.inherited or (new,)) if asks_for_qos(params) else ()
    coordinators = set(state.account.coordinators)
    if "coordinator" in params:
        coordinators = coordinators | {user} if params["coordinator"] else coordinators - {user}
    named = replace(state.account, coordinators=tuple(sorted(coordinators)))
    default = account if params.get("default_account") is True else state.default
    return AssociationState(named, found, inherited, default, state.model)


def _modelled(params: Params, state: AssociationState) -> Params:
    """The parameters, with what a new association has of the one that it is like."""
    if "like" not in params:
        return params
    given = dict(params)
    if folded(expected(params["like"])) in state.account.coordinators:
        given.setdefault("coordinator", True)
    if state.model is None or state.found:
        return given
    if state.model.fairshare != Association("").fairshare:
        given.setdefault("fairshare", state.model.fairshare)
    # Whether the user can submit is not the other one's.
    limits = {name: limit for name, limit in state.model.limits.items() if name != SUBMITTING}
    plain = {name: limit[""] if "" in limit else dict(limit) for name, limit in limits.items()}
    if plain or "limits" in params:
        given["limits"] = {**plain, **params.get("limits", {})}
    return given


def _qos_of_model(params: Params, state: AssociationState) -> list[Setting]:
    """The words that give a new association the QOS of the one that it is like."""
    model, found = state.model, []
    if model is None:
        return []
    if model.qos and "qos" not in params and "qos_exact" not in params:
        listed = ",".join(model.qos)
        found.append(Setting("qos", None, listed, word("qos", listed)))
    if model.default_qos and "default_qos" not in params:
        found.append(Setting("default QOS", None, model.default_qos, word("defaultqos", model.default_qos)))
    return found


def _check(params: Params) -> None:
    """Refuse parameters that sacctmgr could misunderstand, before any process. Raises `ActionError`."""
    for key in ("account", "user", "partition", "like"):
        if key in params:
            check_name(key, params[key])
    check_settings(params)
