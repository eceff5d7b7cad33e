"""The kind `user`: a local Unix account."""

from collections.abc import Sequence
from datetime import UTC, date

from amierules.actions.accounts_files import Accounts, UserState, accounts
from amierules.actions.accounts_tools import (
    before_tools,
    check_name,
    check_new_name,
    check_path,
    failure,
    name_and_prefix,
    prefix_of,
    run_tool,
    shadow_line,
    tool_of,
)
from amierules.actions.base import (
    ActionError,
    Change,
    Conflict,
    Doubt,
    InDoubt,
    Params,
    Plan,
    Surroundings,
    Word,
    expected,
)
from amierules.actions.user_changes import (
    creation_words,
    lacks_group,
    modifications,
    ours,
    planned_user,
    result_of,
    with_fit_comment,
)
from amierules.actions.user_expiry import Modification
from amierules.actions.user_home import missing_home, why_held
from amierules.actions.words import shown
from amierules.ports import Completed
from amierules.templating import Unknown

_SHOWN = ("uid", "group", "groups", "groups_absent", "groups_exact", "comment", "home", "shell", "locked", "expires")


def doubt(params: Params) -> Doubt:
    """The state itself tells what was done."""
    return Doubt.PROBE


def target(params: Params) -> str:
    """The account."""
    where = f" under {shown(params['prefix'])}" if "prefix" in params else ""
    return f"user {shown(expected(params['name']))}{where}"


def probe(params: Params, surroundings: Surroundings) -> UserState | None:
    """The account as it is, or None. Raises `Conflict` where the wanted uid of a new account is another's, and for
    groups that are not in the files of this host."""
    _check(params)
    name = expected(params["name"])
    if isinstance(name, Unknown):
        return None
    known = _accounts(params, surroundings)
    state = known.user(name, surroundings.world.clock.now())
    _check_groups(params, known)
    uid = expected(params.get("uid"))
    if state is None and isinstance(uid, int) and params.get("state") != "absent":
        owner = known.login_of(uid)
        if owner is not None:
            raise Conflict(f"uid {uid}, wanted for the new user {name}, is {owner}'s")
    return state


def plan(params: Params, state: object, surroundings: Surroundings) -> Plan:
    """At most one call of useradd, usermod or userdel, before which the primary group is made where an account lacks
    it; a conflict where the account is not provably ours."""
    assert state is None or isinstance(state, UserState)  # noqa: S101 - it is our own probe's
    _check(params)
    prefix = prefix_of("user", params, surroundings)
    target_shown = f"user {shown(params['name'])}"
    removing = params.get("state") == "absent"
    if state is None:
        return Plan(reason="there is no such user") if removing else _creation(params, prefix, surroundings)
    foreign = ours(params, state, surroundings)
    if foreign:
        return Plan(conflict=True, reason=foreign, after=state)
    if removing:
        argv = name_and_prefix("userdel", prefix, (), params["name"], before_tools("user", surroundings))
        change = Change(f"remove {target_shown}", "delete", target_shown, argv, before={"uid": state.uid})
        found = Plan((change,), after=None, result=result_of(state, created=False))
    elif home := missing_home(params, state, prefix, surroundings):
        return Plan(conflict=True, reason=why_held(params["name"], home), after=state)
    else:
        found = _modification(params, state, prefix, surroundings)
    if found.changes and not state.local:
        reason = f"user {shown(state.name)} is not in /etc/passwd: another name service has it, and must change it"
        return Plan(conflict=True, reason=reason, after=state)
    return found


def apply(params: Params, plan: Plan, surroundings: Surroundings) -> object:
    """Run the tools and look again: the state that is then there counts, not the exit status."""
    if not plan.changes:
        return plan.result
    prefix = prefix_of("user", params, surroundings)
    for change in plan.changes:
        completed = run_tool(change.argv, prefix, surroundings)
        if completed.rc != 0 or completed.timed_out:
            break
    state = _accounts(params, surroundings).user(params["name"], surroundings.world.clock.now())
    missing = _missing(params, state, surroundings)
    if missing and completed.rc == 0 and not completed.timed_out:
        raise InDoubt(f"{tool_of(completed)} says that it succeeded, but {missing}")
    if missing:
        raise failure(completed, surroundings.world.host)
    if state is None:
        return plan.result
    creating = tool_of(completed) == "useradd"
    if creating:
        _check_creation(params, state, missing_home(params, state, prefix, surroundings), completed)
    return result_of(state, created=creating and completed.rc != 9)


def _creation(params: Params, prefix: str | None, surroundings: Surroundings) -> Plan:
    wanted, target_shown = with_fit_comment(params), f"user {shown(params['name'])}"
    check_new_name("login", params["name"])
    before = before_tools("user", surroundings)
    argv = name_and_prefix("useradd", prefix, creation_words(wanted, prefix), params["name"], before)
    given = {name: wanted[name] for name in _SHOWN if name in wanted}
    summary = ", ".join([f"create {target_shown}", *(f"{name} {shown(value)}" for name, value in given.items())])
    change = Change(summary + _note(params, wanted), "create", target_shown, argv, after=given)
    state = planned_user(wanted, Unknown(surroundings.step), _today(surroundings))
    return Plan((change,), after=state, result=result_of(state, created=True))


def _modification(params: Params, state: UserState, prefix: str | None, surroundings: Surroundings) -> Plan:
    wanted = with_fit_comment(params)
    found = modifications(wanted, state)
    after = planned_user(wanted, Unknown(surroundings.step), _today(surroundings), state)
    changes = [_missing_group(params["name"], state, prefix, surroundings)] if lacks_group(params, state) else []
    if found:
        changes.append(_changed(params, wanted, found, prefix, surroundings))
    if not changes:
        return Plan(reason="the user is as wanted", after=state, result=result_of(state, created=False))
    return Plan(tuple(changes), after=after, result=result_of(after, created=False))


def _missing_group(name: str, state: UserState, prefix: str | None, surroundings: Surroundings) -> Change:
    """Makes the primary group, as useradd does, of an account whose tool was ended before it came to that."""
    target_shown = f"group {shown(name)}"
    argv = name_and_prefix("groupadd", prefix, ("--gid", str(state.gid)), name, before_tools("user", surroundings))
    summary = f"create {target_shown}, gid {state.gid}: the primary group of user {shown(name)}, which is missing"
    return Change(summary, "create", target_shown, argv, after={"gid": state.gid})


def _changed(
    params: Params, wanted: Params, found: Sequence[Modification], prefix: str | None, surroundings: Surroundings
) -> Change:
    target_shown = f"user {shown(params['name'])}"
    words: list[Word] = [word for one in found for word in one.words]
    return Change(
        f"change {target_shown}: {_shown_modifications(found)}{_note(params, wanted)}",
        "modify",
        target_shown,
        name_and_prefix("usermod", prefix, words, params["name"], before_tools("user", surroundings)),
        before={one.name: one.before for one in found},
        after={one.name: one.after for one in found},
    )


def _today(surroundings: Surroundings) -> date:
    """The day as the shadow file counts days."""
    return surroundings.world.clock.now().astimezone(UTC).date()


def _accounts(params: Params, surroundings: Surroundings) -> Accounts:
    prefix = prefix_of("user", params, surroundings)
    return accounts(prefix, surroundings.world.host, shadow_line("user", surroundings))


def _check_groups(params: Params, known: Accounts) -> None:
    """Refuse groups that another name service has: the tools say nothing, and put nobody into them."""
    for parameter in ("groups", "groups_exact"):  # one that is to be left is no group to join in vain
        listed = expected(params.get(parameter, ()))
        for name in () if isinstance(listed, Unknown) else map(expected, listed):
            group = known.group(name) if isinstance(name, str) else None
            if group is not None and not group.local:
                raise Conflict(f"group {shown(name)} is not in /etc/group: another name service has it")


def _note(params: Params, wanted: Params) -> str:
    """Says so where the comment had to be changed to fit into passwd."""
    return (
        " (comment without colons and control characters)" if params.get("comment") is not wanted.get("comment") else ""
    )


def _shown_modifications(found: Sequence[Modification]) -> str:
    return "; ".join(f"{one.name} {shown(one.before) or '(none)'} -> {shown(one.after) or '(none)'}" for one in found)


def _missing(params: Params, state: UserState | None, surroundings: Surroundings) -> str:
    """What is not as wanted, for people; '' where all is."""
    if params.get("state") == "absent":
        return "" if state is None else "the user is still there"
    if state is None:
        return "there is no such user"
    if "uid" in params and state.uid != params["uid"]:
        return f"the user's uid is {state.uid}, not {params['uid']}"
    left = [one.name for one in modifications(with_fit_comment(params), state)]
    left += ["the primary group"] if lacks_group(params, state) else []
    return f"this is not as wanted: {', '.join(left)}" if left else ""


def _check_creation(params: Params, state: UserState, no_home: str, completed: Completed) -> None:
    """Refuse an account that somebody else made meanwhile, and one without its home. Raises `ActionError`."""
    if completed.rc == 9 and "uid" not in params:
        raise Conflict(f"user {state.name} was made by somebody else at the same time")
    if no_home:
        raise ActionError(f"user {state.name} was made, but its home {no_home} was not")


def _check(params: Params) -> None:
    """Refuse parameters that the tools could misunderstand, before any process. Raises `ActionError`."""
    check_name("name", params["name"])
    if "groups_exact" in params and ("groups" in params or "groups_absent" in params):
        raise ActionError("`groups_exact` replaces: neither `groups` nor `groups_absent` can be given beside it")
    if "group" in params:
        check_name("group", params["group"])
    for name in ("groups", "groups_absent", "groups_exact"):
        listed = expected(params.get(name, ()))
        for group in () if isinstance(listed, Unknown) else listed:
            check_name(f"{name}:", group)
    for name in ("home", "shell"):
        if name in params:
            check_path(name, params[name])
