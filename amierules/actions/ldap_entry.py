"""The kind `ldap_entry`: an entry of a directory."""

from collections.abc import Sequence

from amierules.actions.base import (
    ActionError,
    Change,
    Conflict,
    Doubt,
    InDoubt,
    Params,
    Plan,
    Surroundings,
    Transient,
    unknown_in,
)
from amierules.actions.ldap_changes import (
    CLASSES,
    EntryState,
    as_value,
    asked_about,
    before,
    changed_entry,
    check_names,
    differences,
    foreign,
    given,
    in_words,
    modifications,
    new_entry,
    text,
)
from amierules.actions.ldap_names import asking, base_of, dn_of, failure, shown_rdns
from amierules.actions.words import shown
from amierules.ports import DirectoryError, Entry, Trouble
from amierules.templating import Unknown

_KIND = "ldap_entry"
_NUMBERS = (("uidNumber", "posixAccount"), ("gidNumber", "posixGroup"))
"""Attributes of which no two entries of a class may have the same number."""


def doubt(params: Params) -> Doubt:
    """The state itself tells what was done."""
    return Doubt.PROBE


def target(params: Params) -> str:
    """The entry."""
    return f"entry {shown_rdns(params)}".lower()


def probe(params: Params, surroundings: Surroundings) -> EntryState:
    """The entry as it is. Raises `ActionError`."""
    check_names(params)
    directory, dn = surroundings.world.directory, dn_of(_KIND, params, surroundings)
    with asking():
        entry = directory.read(dn, surroundings.timeout)
        if entry is None:
            return EntryState(owner_of_number=_owner_of_number(params, surroundings))
        alike = {
            (name.lower(), value)
            for name, value in asked_about(params, entry)
            if directory.compare(dn, name, value, surroundings.timeout)
        }
    return EntryState(entry, frozenset(alike))


def plan(params: Params, state: object, surroundings: Surroundings) -> Plan:
    """At most one change: the entry is made, modified in one step, or removed; a conflict where it is not ours."""
    assert isinstance(state, EntryState)  # noqa: S101 - it is our own probe's
    check_names(params)
    dn = dn_of(_KIND, params, surroundings)
    removing = params.get("state") == "absent"
    if state.entry is None:
        if removing:
            return Plan(reason="there is no such entry", after=state, result=_result(params, dn, surroundings))
        return _creation(params, dn, state, surroundings)
    not_ours = foreign(params, state, surroundings)
    if not_ours:
        return Plan(conflict=True, reason=not_ours, after=state)
    result = _result(params, dn, surroundings)
    if removing:
        change = Change(
            f"remove entry {shown(dn)}", "delete", dn, before={"objectClass": state.entry.values("objectClass")}
        )
        return Plan((change,), after=EntryState(), result=result)
    found = differences(params, state)
    if not found:
        return Plan(reason="the entry is as wanted", after=state, result=result)
    summary = f"change entry {shown(dn)}: {in_words(found)}"
    change = Change(summary, "modify", dn, before=before(found, state.entry), after=as_value(found))
    return Plan((change,), after=EntryState(changed_entry(state.entry, found), state.alike), result=result)


def apply(params: Params, plan: Plan, surroundings: Surroundings) -> object:
    """Make the change and look again: what is then there counts."""
    if not plan.changes:
        return plan.result
    change = plan.changes[0]
    try:
        _make(change, surroundings)
    except DirectoryError as error:
        return _after_trouble(error, params, change, surroundings)
    wrong = _missing(params, probe(params, surroundings), surroundings)
    if wrong:
        raise InDoubt(f"the directory says that it is done, but {wrong}")
    return {"dn": change.target, "created": change.op == "create"}


def _creation(params: Params, dn: str, state: EntryState, surroundings: Surroundings) -> Plan:
    if state.owner_of_number is not None:
        raise Conflict(state.owner_of_number)
    if "object_classes" not in params:
        raise ActionError(f"there is no entry {shown(dn)}, and none is made without `object_classes`")
    attributes = new_entry(params)
    details = [f"{name} {shown(values)}" for name, values in attributes.items()]
    change = Change(f"create entry {shown(dn)}: {'; '.join(details)}", "create", dn, after=attributes)
    entry = Entry(dn, {name: [text(one) for one in values] for name, values in attributes.items()})
    return Plan((change,), after=EntryState(entry), result=_result(params, dn, surroundings, created=True))


def _result(params: Params, dn: str, surroundings: Surroundings, *, created: bool = False) -> dict[str, object]:
    known: object = Unknown(surroundings.step, dn) if unknown_in(list(params["dn"])) else dn
    return {"dn": known, "created": created}


def _owner_of_number(params: Params, surroundings: Surroundings) -> str | None:
    """Who has the number that the new entry wants; for people."""
    classes = {text(one).lower() for one in new_entry(params)[CLASSES]} if "object_classes" in params else set()
    for attribute, object_class in _NUMBERS:
        for number in _numbers(params, attribute) if object_class.lower() in classes else ():
            owner = _other_entry(object_class, attribute, number, surroundings)
            if owner is not None:
                return f"{attribute} {number}, wanted for the new entry {shown_rdns(params)}, is that of {owner}"
    return None


def _numbers(params: Params, attribute: str) -> Sequence[str]:
    values = {**given(params, "owner"), **given(params, "create_only"), **given(params, "attributes")}
    return [text(one) for name, listed in values.items() if name.lower() == attribute.lower() for one in listed]


def _other_entry(object_class: str, attribute: str, number: str, surroundings: Surroundings) -> str | None:
    directory = surroundings.world.directory
    wanted = directory.filter([f"(&(objectClass={object_class})({attribute}=", number, "))"])
    found = directory.search(base_of(_KIND, {}, surroundings), "sub", wanted, (attribute,), surroundings.timeout)
    return shown(found[0].dn) if found else None


def _make(change: Change, surroundings: Surroundings) -> None:
    directory, timeout = surroundings.world.directory, surroundings.timeout
    given_to: dict[str, dict[str, list[str]]] = change.after if isinstance(change.after, dict) else {}
    if change.op == "create":
        attributes = {name: [text(one) for one in values] for name, values in given_to.items()}
        directory.add(change.target, attributes, timeout)
    elif change.op == "modify":
        directory.modify(change.target, modifications(given_to), timeout)
    else:
        directory.delete(change.target, timeout)


def _missing(params: Params, state: EntryState, surroundings: Surroundings) -> str:
    """What is not as wanted, for people; '' where all is."""
    if params.get("state") == "absent":
        return "" if state.entry is None else "the entry is still there"
    if state.entry is None:
        return "there is no such entry"
    return foreign(params, state, surroundings) or in_words(differences(params, state, verifying=True))


def _after_trouble(
    error: DirectoryError, params: Params, change: Change, surroundings: Surroundings
) -> dict[str, object]:
    """What the step comes to after the server did not do it, or nobody knows. Raises `ActionError`."""
    if error.trouble in (Trouble.LOST, Trouble.EXISTS):
        state = probe(params, surroundings)
        if state.entry is not None and change.op == "create":
            not_ours = foreign(params, state, surroundings)
            if not_ours:
                raise Conflict(not_ours) from error
        if not _missing(params, state, surroundings):
            return {"dn": change.target, "created": change.op == "create" and error.trouble is Trouble.LOST}
        if error.trouble is Trouble.EXISTS:
            raise Transient(f"the entry {shown(change.target)} was made at the same time by somebody else") from error
    if error.trouble is Trouble.VIOLATION and change.op == "create":
        with asking():
            owner = _owner_of_number(params, surroundings)
        if owner is not None:
            raise Conflict(owner) from error
    if error.trouble is Trouble.NOT_THERE and change.op != "create":
        raise Transient(f"the entry {shown(change.target)} was removed at the same time by somebody else") from error
    if error.trouble is Trouble.NOT_THERE:
        raise ActionError(f"there is no entry above {shown(change.target)}") from error
    raise failure(error) from error
