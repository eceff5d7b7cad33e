"""The kind `allocation`: periods of service units of a project on the packet's resource."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from amierules.actions.base import ActionError, Doubt, Params, Plan, Surroundings
from amierules.actions.registry_changes import resource_needed, row_change, row_in_scope, row_needed
from amierules.database.rows import Allocation, Project


def doubt(params: Params) -> Doubt:
    """The row is committed with the packet's end."""
    return Doubt.STAGED


def target(params: Params) -> str:
    """Every step looks for itself."""
    return ""


def probe(params: Params, surroundings: Surroundings) -> Allocation | None:
    """The period that begins at `start`, or without it the allocation in scope; None where there is none."""
    project: Project = row_needed(params, surroundings, "project")
    start = _start(params, surroundings)
    periods = surroundings.registry.allocations(project.key, resource_needed(surroundings))
    return next((period for period in periods if period.start == start), None)


def plan(params: Params, state: object, surroundings: Surroundings) -> Plan:
    """The period with its units set, added to, or its end extended."""
    before = state if isinstance(state, Allocation) else None
    after = _CHANGES[params.get("change", "set")](params, before, surroundings)
    changes = row_change(f"allocation from {after.start}", before, after)
    return Plan(changes, "" if changes else "as it is", after=after, result=after)


def apply(params: Params, plan: Plan, surroundings: Surroundings) -> object:
    """Stage the row."""
    surroundings.registry.put(plan.after)
    return plan.result


def _start(params: Params, surroundings: Surroundings) -> date | None:
    start: date | None = params.get("start")
    if start is not None:
        return start
    in_scope: Allocation | None = row_in_scope(surroundings, "allocation")
    return in_scope.start if in_scope else None


def _new(params: Params, surroundings: Surroundings) -> Allocation:
    start = _start(params, surroundings)
    if start is None:
        raise ActionError("there is no allocation in scope, and no `start` for a new one")
    project: Project = row_needed(params, surroundings, "project")
    return Allocation(project.key, resource_needed(surroundings), start)


def _set(params: Params, before: Allocation | None, surroundings: Surroundings) -> Allocation:
    row = before or _new(params, surroundings)
    return replace(row, units=_units(params), end=params.get("end", row.end))


def _add(params: Params, before: Allocation | None, surroundings: Surroundings) -> Allocation:
    if before is None:
        return _set(params, None, surroundings)
    return replace(before, units=before.units + _units(params))


def _extend(params: Params, before: Allocation | None, surroundings: Surroundings) -> Allocation:
    if before is None:
        raise ActionError("there is no allocation period to extend")
    if params.get("end") is None:
        raise ActionError("`extend` needs an `end`")
    return replace(before, end=params["end"])


_CHANGES = {"set": _set, "add": _add, "extend": _extend}


def _units(params: Params) -> Decimal:
    if params.get("units") is None:
        raise ActionError("`units` is missing")
    units: Decimal = params["units"]
    return units
