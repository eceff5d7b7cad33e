"""The kind `ldap_search`: look for entries of a directory."""

from collections.abc import Sequence

from amierules.actions.base import Doubt, Params, Plan, Surroundings, expected, unknown_in
from amierules.actions.ldap_names import asking, base_of
from amierules.ports import Entry
from amierules.rulebook.directory_words import secret_attributes
from amierules.templating import Unknown

_KIND = "ldap_search"


def doubt(params: Params) -> Doubt:
    """It changes nothing."""
    return Doubt.STAGED


def target(params: Params) -> str:
    """The whole search."""
    parts = [params.get("base", ""), params.get("scope", "sub"), *params["filter"], *params.get("attributes", ())]
    return "\0".join(str(expected(part)) for part in parts)


def probe(params: Params, surroundings: Surroundings) -> Sequence[Entry] | None:
    """The entries, in a dry run too; None where the filter is not known yet. Raises `ActionError`."""
    if unknown_in(dict(params)):
        return None
    directory = surroundings.world.directory
    base, scope, attributes = (
        base_of(_KIND, params, surroundings),
        params.get("scope", "sub"),
        params.get("attributes", ()),
    )
    with asking():
        return directory.search(base, scope, directory.filter(params["filter"]), attributes, surroundings.timeout)


def plan(params: Params, state: object, surroundings: Surroundings) -> Plan:
    """No change: what was found is the result."""
    if not isinstance(state, list):
        return Plan(reason="read only", after=state, result=Unknown(surroundings.step))
    entries = [_shown(entry, params.get("attributes", ())) for entry in state]
    result = {"entries": entries, "first": entries[0] if entries else None, "count": len(entries)}
    return Plan(reason=f"read only: {len(entries)} found", after=state, result=result)


def apply(params: Params, plan: Plan, surroundings: Surroundings) -> object:
    """There is nothing to do."""
    return plan.result


def _shown(entry: Entry, asked: Sequence[str]) -> dict[str, object]:
    """The entry as rules see it: what was asked for by that name, an empty list where it is not there; no passwords."""
    names = [name for name in asked if name != "*"] or list(entry.attributes)
    known = {name.lower(): name for name in names}
    others = {name: name for name in entry.attributes if name.lower() not in known} if "*" in asked else {}
    wanted = [name for name in (*names, *others) if name.lower() not in secret_attributes()]
    return {"dn": entry.dn, **{name: list(entry.values(name)) for name in wanted}}
