"""The kind `person`: find, make or merge persons in the registry, with ids, a login, attributes and DNs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from amierules.actions.base import ActionError, Conflict, Doubt, Params, Plan, Surroundings
from amierules.actions.person_merge import Merge, changes_of, merge, stage
from amierules.actions.registry_changes import refuse_taken, row_change, row_meant
from amierules.database.rows import FORMER_GLOBAL_IDS, Person
from amierules.diagnostics import printable
from amierules.protocol.catalogue import catalogue
from amierules.templating import Unknown

# Tags of a subject that are ids, wishes or DNs: the row has places of its own for them.
_NOT_DATA = frozenset(
    {"PersonID", "GlobalID", "DnList", "RequestedLoginList", "SitePersonId", "RemoteSiteLogin", "UID"}
)


def doubt(params: Params) -> Doubt:
    """The row is committed with the packet's end."""
    return Doubt.STAGED


def target(params: Params) -> str:
    """Every step looks for itself."""
    return ""


def probe(params: Params, surroundings: Surroundings) -> Person | None:
    """The person meant as the registry has it now; None where one is to be made."""
    row = row_meant(params, surroundings, "person")
    return surroundings.registry.person(row.key) if row is not None else None


def plan(params: Params, state: object, surroundings: Surroundings) -> Plan:
    """The person with everything that the parameters ask for; ids and a login are allocated where needed."""
    before = state if isinstance(state, Person) else None
    after = _with_attributes(before or _new_person(params, surroundings), params)
    merged = _merge(params, before, after, surroundings)
    after = merged.kept if merged else after
    after = _with_dns(after, params)
    after = _with_ids(after, params, surroundings, is_new=before is None)
    after = replace(after, data={**after.data, **_free_data(params)})
    changes = row_change(
        f"person {printable(after.global_id or after.data.get('LastName') or after.key)}", before, after
    )
    if merged is not None:
        merged = replace(merged, kept=after)
        changes += changes_of(surroundings.registry, merged)
    return Plan(changes, "" if changes else "as it is", after=merged or after, result=after)


def apply(params: Params, plan: Plan, surroundings: Surroundings) -> object:
    """Stage the row, or all rows of a merge."""
    if isinstance(plan.after, Merge):
        stage(surroundings.registry, plan.after)
    else:
        surroundings.registry.put(plan.after)
    return plan.result


def _merge(params: Params, before: Person | None, kept: Person, surroundings: Surroundings) -> Merge | None:
    """The merge that `merge` asks for; None where it is not given, or names the person who is kept."""
    given = params.get("merge")
    if given is None:
        return None
    if before is None:
        raise ActionError("there is no person in scope to merge into")
    if given.key == before.key:
        return None
    other = surroundings.registry.person(given.key)
    if other is None:
        raise ActionError("the person to merge is not in the registry any more")
    return merge(surroundings.registry, kept, other)


def _new_person(params: Params, surroundings: Surroundings) -> Person:
    if not params.get("attributes"):
        raise ActionError("there is no person in scope, and no `attributes` to make one from")
    return Person(surroundings.registry.new_key())


def _with_attributes(row: Person, params: Params) -> Person:
    attributes = params.get("attributes", {})
    if not isinstance(attributes, Mapping):
        raise ActionError("`attributes` must be a mapping, such as `subject`")
    global_id = attributes.get("GlobalID")
    if global_id in row.data.get(FORMER_GLOBAL_IDS, ()):
        global_id = row.global_id
    if global_id is not None and row.global_id not in (None, global_id):
        raise Conflict(f"the packet says GlobalID {printable(global_id)}, the registry {printable(row.global_id)}")
    data = dict(row.data)
    for tag, value in attributes.items():
        if tag in _NOT_DATA:
            continue
        if value not in (None, []):
            data[tag] = _plain(value)
        elif params.get("clear_absent") and tag in _clearable():
            data.pop(tag, None)
    return replace(row, data=data, global_id=row.global_id or global_id)


def _clearable() -> frozenset[str]:
    """The tags whose absence says something: a role on a project, for one, is in no packet about a person alone."""
    return frozenset(catalogue().types["request_user_modify"].allowed)


def _plain(value: Any) -> Any:
    """A tag's value as the row keeps it: texts, and lists and mappings of them."""
    if isinstance(value, list):
        return [_plain(element) for element in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(element) for key, element in value.items() if element is not None}
    return str(value)


def _with_dns(row: Person, params: Params) -> Person:
    removed = set(params.get("remove_dns") or ())
    kept = [dn for dn in row.dns if dn not in removed]
    added = [dn for dn in params.get("add_dns") or () if dn not in kept]
    return replace(row, dns=tuple(dict.fromkeys([*kept, *added])))


def _with_ids(row: Person, params: Params, surroundings: Surroundings, *, is_new: bool) -> Person:
    """Ids that are given are used; a new person, or one who gets its first login, is allocated the missing ones."""
    wishes: Sequence[str] | None = params.get("login_from")
    gets_login = not row.logins and (params.get("login") is not None or wishes is not None)
    own_key = None if is_new else row.key
    for what in ("uid", "person_id", "login"):
        refuse_taken(surroundings, what, params.get(what), own_key)
    uid = params.get("uid", row.uid)
    if uid is None and (is_new or gets_login):
        uid = surroundings.allocate.number("uid", {})
    person_id = params.get("person_id", row.person_id)
    if person_id is None:
        person_id = _as_text(surroundings.allocate.number("person_id", {"uid": uid}))
    if person_id is None:
        raise ActionError("a person needs a person_id: give one, or configure `ids: {person_id: …}`")
    login = params.get("login") or (surroundings.allocate.login(wishes) if wishes and gets_login else None)
    if gets_login and login is None:
        raise ActionError("none of the wishes in `login_from` has a value")
    others = (other for other in (*row.ids, row.person_id) if other is not None and other is not person_id)
    ids = tuple(dict.fromkeys(other for other in others if other != person_id)) if not is_new else ()
    logins: tuple[Any, ...] = (
        row.logins if login is None else (login, *(other for other in row.logins if other != login))
    )
    return replace(row, uid=uid, person_id=person_id, ids=ids, logins=logins)


def _as_text(number: Any) -> Any:
    if isinstance(number, Unknown):
        return Unknown(number.step, str(number.expected)) if number.has_expected else number
    return str(number) if isinstance(number, int) else number


def _free_data(params: Params) -> dict[str, Any]:
    return {str(key): value for key, value in (params.get("data") or {}).items()}
