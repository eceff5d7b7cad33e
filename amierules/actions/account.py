"""The kind `account`: a person's account on a project and the packet's resource."""

from dataclasses import replace

from amierules.actions.base import ActionError, Doubt, Params, Plan, Surroundings
from amierules.actions.registry_changes import resource_needed, row_change, row_needed
from amierules.database.rows import Account, Person, Project


def doubt(params: Params) -> Doubt:
    """The row is committed with the packet's end."""
    return Doubt.STAGED


def target(params: Params) -> str:
    """Every step looks for itself."""
    return ""


def probe(params: Params, surroundings: Surroundings) -> Account | None:
    """The account as it stands, or None."""
    person, project, resource = _subject(params, surroundings)
    found = surroundings.registry.accounts(person=person.key, project=project.key, resource=resource)
    return found[0] if found else None


def plan(params: Params, state: object, surroundings: Surroundings) -> Plan:
    """Make the account, or set whether it is active."""
    person, project, resource = _subject(params, surroundings)
    before = state if isinstance(state, Account) else None
    after = before or Account(person.key, project.key, resource, params.get("login") or _login(person))
    after = replace(after, login=params.get("login") or after.login, active=params.get("active", True))
    changes = row_change("account", before, after)
    return Plan(changes, "" if changes else "as it is", after=after, result=after)


def apply(params: Params, plan: Plan, surroundings: Surroundings) -> object:
    """Stage the row."""
    surroundings.registry.put(plan.after)
    return plan.result


def _subject(params: Params, surroundings: Surroundings) -> tuple[Person, Project, str]:
    person: Person = row_needed(params, surroundings, "person")
    project: Project = row_needed(params, surroundings, "project")
    return person, project, params.get("resource") or resource_needed(surroundings)


def _login(person: Person) -> str:
    if not person.logins:
        raise ActionError("the person has no login: give `login`, or `login_from` to an earlier `person`")
    return person.logins[0]
