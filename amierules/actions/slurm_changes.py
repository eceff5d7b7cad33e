"""What separates an association in Slurm from the wanted one, and the calls of sacctmgr that change it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from amierules.actions.base import ActionError, Change, InDoubt, Params, Plan, Surroundings, Word, expected
from amierules.actions.slurm_calls import NONE, check_name, failure, folded, sacctmgr, tell, word
from amierules.actions.slurm_limits import SUBMITTING, differs, in_words, merged, wanted_limits
from amierules.actions.slurm_reading import Association, forget
from amierules.actions.words import shown
from amierules.diagnostics import printable
from amierules.ports import Completed

_NOTHING = "nothing "
"""How sacctmgr's answer begins where there was nothing to do, with exit status 1: `Nothing new added.`"""
_STOPPED: Mapping[str, Decimal] = {"": Decimal(0)}


@dataclass(frozen=True)
class Setting:
    """One thing that is not as wanted, and the word that sets it."""

    name: str
    before: object
    after: object
    word: Word


def check_settings(params: Params) -> None:
    """Refuse what sacctmgr could misunderstand, before any process. Raises `ActionError`."""
    if "qos" in params and "qos_exact" in params:
        raise ActionError("`qos` adds and `qos_exact` replaces: only one of them can be given")
    for name in ("qos", "qos_exact"):
        for one in params.get(name, ()):
            check_name(name, one)
    if params.get("default_qos", NONE) != NONE:
        check_name("default_qos", params["default_qos"])
    share = _share(params)
    if share is not None and share != "parent" and not (share.isascii() and share.isdecimal() and len(share) < 10):
        raise ActionError(f"fairshare '{printable(share, 60)}' must be a number from 0, or `parent`")
    wanted_limits(_expected(params.get("limits", {})))


def settings(params: Params, present: Association | None) -> list[Setting]:
    """Fairshare and limits that are not as wanted; on a new association all that are given."""
    found = []
    fairshare = _share(params)
    if fairshare is not None and (present is None or present.fairshare != fairshare):
        said = word("fairshare", fairshare, params["fairshare"])
        found.append(Setting("fairshare", present and present.fairshare, fairshare, said))
    for name, wanted in _limits(params, present).items():
        before = present.limits.get(name, {}) if present is not None else {}
        if differs(wanted, before):
            given = params.get("limits", {}).get(name)
            found.append(Setting(name, in_words(before), in_words(wanted), word(name, in_words(wanted), given)))
    return found


def qos_settings(params: Params, own: Association | None, inherited: Association | None) -> list[Setting]:
    """QOS that are not as wanted: what may be used counts, whether it was set here or above; the default is its own."""
    found = []
    present = set(inherited.qos) if inherited is not None else set()
    exact = params.get("qos_exact")
    if exact is not None and {folded(one) for one in exact} != present:
        listed = ",".join(dict.fromkeys(folded(one) for one in exact))
        found.append(Setting("qos", ",".join(sorted(present)), listed, word("qos", listed)))
    missing = [one for one in dict.fromkeys(folded(one) for one in params.get("qos", ())) if one not in present]
    if missing:
        added = ",".join(missing)
        found.append(Setting("qos", ",".join(sorted(present)), f"+{added}", word("qos+", added)))
    default = folded(params.get("default_qos"))
    before = own.default_qos if own is not None else ""
    if default is not None and before != ("" if default == NONE else default):
        said = "-1" if default == NONE else default
        found.append(Setting("default QOS", before, default, word("defaultqos", said)))
    return found


def with_settings(params: Params, present: Association) -> Association:
    """The association once its settings are as wanted."""
    limits = {**present.limits}
    for name, wanted in _limits(params, present).items():
        limits[name] = merged(wanted, limits.get(name, {}))
    default = folded(params.get("default_qos", present.default_qos))
    return replace(
        present,
        fairshare=_share(params) or present.fairshare,
        limits={name: limit for name, limit in limits.items() if limit},
        default_qos="" if default == NONE else default,
    )


def with_qos(params: Params, present: Association) -> Association:
    """The association once the QOS that may be used are as wanted."""
    wanted = params["qos_exact"] if "qos_exact" in params else [*present.qos, *params.get("qos", ())]
    return replace(present, qos=tuple(sorted({folded(one) for one in wanted})))


def asks_for_qos(params: Params) -> bool:
    """Whether QOS are asked for, for which also those from above must be known."""
    return "qos" in params or "qos_exact" in params


def called(surroundings: Surroundings, *words: Word) -> tuple[Word, ...]:
    """A call of sacctmgr that asks nothing back."""
    return (sacctmgr(surroundings), "-i", *words)


def modification(
    surroundings: Surroundings, target: str, where: Sequence[Word], found: Sequence[Setting], what: str = "change"
) -> Change:
    """One call that sets all that is not as wanted."""
    argv = called(surroundings, "modify", *where, "set", *(one.word for one in found))
    said = "; ".join(f"{one.name} {shown(one.before) or NONE} -> {shown(one.after)}" for one in found)
    before, after = ({one.name: getattr(one, when) for one in found} for when in ("before", "after"))
    return Change(f"{what} {target}: {said}", "modify", target, argv, before=before, after=after)


def carry_out(plan: Plan, surroundings: Surroundings) -> list[Completed]:
    """Make the plan's calls in their order, until one does not succeed; where there was nothing to do, it goes on."""
    completed = []
    try:
        for change in plan.changes:
            completed.append(tell(surroundings, change.argv or ()))
            if completed[-1].timed_out or not (completed[-1].rc == 0 or _nothing_to_do(completed[-1])):
                break
    finally:
        forget(surroundings)
    return completed


def judge(completed: Sequence[Completed], left: Plan) -> None:
    """What the state that is then there says counts, not the exit status. Raises `ActionError` where some is left."""
    if not left.changes and not left.conflict:
        return
    last = completed[-1]
    if last.rc == 0 and not last.timed_out:
        left_over = left.reason or "; ".join(change.summary for change in left.changes)
        raise InDoubt(f"sacctmgr says that it succeeded, but this is still to do: {left_over}")
    raise failure(last)


def _share(params: Params) -> str | None:
    given = expected(params.get("fairshare"))
    return None if given is None else str(given)


def _limits(params: Params, present: Association | None) -> dict[str, Any]:
    """The limits that are asked for; being inactive is the limit of no submitted job."""
    wanted: dict[str, Any] = wanted_limits(_expected(params.get("limits", {})))
    active = expected(params.get("active"))
    if active is False:
        wanted[SUBMITTING] = _STOPPED
    elif active is True and SUBMITTING not in wanted and present and present.limits.get(SUBMITTING) == _STOPPED:
        wanted[SUBMITTING] = {"": None}
    return wanted


def _expected(limits: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _expected(one) if isinstance(one, Mapping) else expected(one) for name, one in limits.items()}


def _nothing_to_do(completed: Completed) -> bool:
    lines = [line.strip().lower() for line in completed.stdout.splitlines() if line.strip()]
    return completed.rc == 1 and not completed.stderr.strip() and bool(lines) and lines[-1].startswith(_NOTHING)
