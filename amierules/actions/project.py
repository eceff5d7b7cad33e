"""The kind `project`: find or make a project in the registry, and set whether it is active on the packet's resource."""

from dataclasses import dataclass, replace

from amierules.actions.accounts_tools import check_name
from amierules.actions.base import Change, Doubt, Params, Plan, Surroundings
from amierules.actions.registry_changes import changed, refuse_taken, resource_needed, row_change, row_meant
from amierules.database.rows import Person, Presence, Project
from amierules.diagnostics import printable

_UNIQUE = ("grant_number", "project_id", "group", "gid")


@dataclass(frozen=True)
class _State:
    project: Project | None
    presence: Presence | None


def doubt(params: Params) -> Doubt:
    """The rows are committed with the packet's end."""
    return Doubt.STAGED


def target(params: Params) -> str:
    """Every step looks for itself."""
    return ""


def probe(params: Params, surroundings: Surroundings) -> object:
    """The project meant as the registry has it now, and its presence on the packet's resource."""
    row = row_meant(params, surroundings, "project")
    if row is None:
        return _State(None, None)
    project = surroundings.registry.project(row.key)
    presence = surroundings.registry.presence(row.key, surroundings.resource) if surroundings.resource else None
    return _State(project, presence)


def plan(params: Params, state: object, surroundings: Surroundings) -> Plan:
    """The project with everything that the parameters ask for; a new one with a group is allocated a gid."""
    before = state if isinstance(state, _State) else _State(None, None)
    own_key = before.project.key if before.project else None
    for what in _UNIQUE:
        refuse_taken(surroundings, what, params.get(what), own_key)
    group = params.get("group")
    # Rules make it of what a packet says, and directories, schedulers and the site's own scripts get it.
    if group is not None and (before.project is None or before.project.group != group):
        check_name("group", group)
    project = _project(params, before.project, surroundings)
    pis = (before.project.pi if before.project else None, project.pi)
    also = {} if pis[0] == pis[1] else {"pi": (_person_id(pis[0], surroundings), _person_id(pis[1], surroundings))}
    changes = row_change(f"project {printable(project.project_id or project.key)}", before.project, project, also)
    presence = before.presence
    if params.get("active") is not None:
        there = before.presence or Presence(project.key, resource_needed(surroundings), brought_by=surroundings.brings)
        presence = replace(there, active=params["active"])
        changes += _activity(before.presence, presence, project)
    after = _State(project, presence)
    return Plan(changes, "" if changes else "as it is", after=after, result=project)


def apply(params: Params, plan: Plan, surroundings: Surroundings) -> object:
    """Stage the rows."""
    after = plan.after
    if isinstance(after, _State) and after.project is not None:
        surroundings.registry.put(after.project)
        if after.presence is not None:
            surroundings.registry.put(after.presence)
    return plan.result


def _project(params: Params, before: Project | None, surroundings: Surroundings) -> Project:
    project = before or Project(surroundings.registry.new_key())
    pi: Person | None = params.get("pi")
    given = {name: params.get(name) for name in (*_UNIQUE, "title")}
    project = changed(project, {**given, "pi": pi.key if pi is not None else None})
    if project.gid is None and project.group is not None and (before is None or before.group is None):
        project = changed(project, {"gid": surroundings.allocate.number("gid", {})})
    data = {str(key): value for key, value in (params.get("data") or {}).items()}
    return replace(project, data={**project.data, **data})


def _person_id(key: str | None, surroundings: Surroundings) -> object:
    person: Person | None = surroundings.registry.person(key) if key else None
    return person.person_id if person else None


def _activity(before: Presence | None, after: Presence, project: Project) -> tuple[Change, ...]:
    if before == after:
        return ()
    was = before.active if before else None
    verb = "activate" if after.active else "inactivate"
    target = f"project {printable(project.project_id or project.key)} on {printable(after.resource)}"
    return (Change(f"{verb} {target}", "modify", target, before={"active": was}, after={"active": after.active}),)
