"""The kind `group`: a local Unix group."""

from amierules.actions.accounts_files import GroupState, accounts
from amierules.actions.accounts_tools import (
    before_tools,
    check_name,
    check_new_name,
    failure,
    name_and_prefix,
    prefix_of,
    run_tool,
    tool_of,
)
from amierules.actions.base import (
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
from amierules.actions.user_expiry import same
from amierules.actions.words import shown
from amierules.templating import Unknown


def doubt(params: Params) -> Doubt:
    """The state itself tells what was done."""
    return Doubt.PROBE


def target(params: Params) -> str:
    """The group."""
    where = f" under {shown(params['prefix'])}" if "prefix" in params else ""
    return f"group {shown(expected(params['name']))}{where}"


def probe(params: Params, surroundings: Surroundings) -> GroupState | None:
    """The group as it is, or None. Raises `Conflict` where the wanted gid of a new group is another's."""
    check_name("name", params["name"])
    name = expected(params["name"])
    if isinstance(name, Unknown):
        return None
    known = accounts(prefix_of("group", params, surroundings), surroundings.world.host)
    state = known.group(name)
    gid = expected(params.get("gid"))
    if state is None and isinstance(gid, int) and params.get("state") != "absent":
        owner = known.group_of(gid)
        if owner is not None:
            raise Conflict(f"gid {gid}, wanted for the new group {name}, is that of {owner}")
    return state


def plan(params: Params, state: object, surroundings: Surroundings) -> Plan:
    """At most one call of groupadd or groupdel; a conflict where the group is not provably ours."""
    assert state is None or isinstance(state, GroupState)  # noqa: S101 - it is our own probe's
    check_name("name", params["name"])
    prefix = prefix_of("group", params, surroundings)
    name, target_shown = params["name"], f"group {shown(params['name'])}"
    removing = params.get("state") == "absent"
    if state is None:
        return Plan(reason="there is no such group") if removing else _creation(params, prefix, surroundings)
    foreign = _not_ours(params, state, surroundings)
    if foreign:
        return Plan(conflict=True, reason=foreign, after=state)
    result = {"gid": state.gid, "created": False}
    if removing:
        if not state.local:
            reason = f"{target_shown} is not in /etc/group: another name service has it, and must remove it"
            return Plan(conflict=True, reason=reason, after=state)
        argv = name_and_prefix("groupdel", prefix, (), name, before_tools("group", surroundings))
        change = Change(f"remove {target_shown}", "delete", target_shown, argv, before={"gid": state.gid})
        return Plan((change,), after=None, result=result)
    return Plan(reason="the group is as wanted", after=state, result=result)


def apply(params: Params, plan: Plan, surroundings: Surroundings) -> object:
    """Run the tool and look again: the state that is then there counts, not the exit status."""
    if not plan.changes:
        return plan.result
    change = plan.changes[0]
    prefix = prefix_of("group", params, surroundings)
    completed = run_tool(change.argv, prefix, surroundings)
    state = accounts(prefix, surroundings.world.host).group(params["name"])
    wanted = state is None if change.op == "delete" else state is not None and state.gid == params.get("gid", state.gid)
    if not wanted and completed.rc == 0 and not completed.timed_out:
        raise InDoubt(f"{tool_of(completed)} says that it succeeded, but the group is not as wanted")
    if not wanted or (completed.rc == 9 and "gid" not in params):
        raise failure(completed, surroundings.world.host)
    return plan.result if state is None else {"gid": state.gid, "created": completed.rc != 9}


def _creation(params: Params, prefix: str | None, surroundings: Surroundings) -> Plan:
    gid = params.get("gid", Unknown(surroundings.step))
    options: tuple[Word, ...] = ()
    if "gid" in params:
        options = ("--gid", gid if isinstance(gid, Unknown) else str(gid))
    check_new_name("group", params["name"])
    argv = name_and_prefix("groupadd", prefix, options, params["name"], before_tools("group", surroundings))
    target_shown = f"group {shown(params['name'])}"
    details = f", gid {shown(gid)}" if "gid" in params else ""
    change = Change(f"create {target_shown}{details}", "create", target_shown, argv, after={"gid": gid})
    state = GroupState(params["name"], gid)
    return Plan((change,), after=state, result={"gid": gid, "created": True})


def _not_ours(params: Params, state: GroupState, surroundings: Surroundings) -> str:
    """'' if the group is provably ours, by its gid or by a project of the registry, else why it is not."""
    name = shown(state.name)
    if isinstance(state.gid, int) and state.gid == 0:
        return f"group {name} is the superuser's"
    if "gid" in params:
        if same(params["gid"], state.gid):
            return ""
        return f"group {name} exists with gid {shown(state.gid)}, not {shown(params['gid'])}"
    if surroundings.registry.project_by_group(params["name"]) is None:
        return f"group {name} exists, and the registry knows no project with it"
    return ""
