"""What separates an entry of the directory from the wanted one, whose it is, and the modifications that change it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amierules.actions.base import ActionError, Params, Surroundings, Word, expected
from amierules.actions.words import shown
from amierules.ports import Entry, Modification
from amierules.rulebook.directory_words import secret_attributes
from amierules.templating import Secret, Unknown

Values = Mapping[str, Sequence[Word]]
"""Values by the names of attributes."""

CLASSES = "objectClass"
_EXACT, _ADDED, _REMOVED, _AT_CREATION, _OWNER = "attributes", "add", "remove", "create_only", "owner"
_OPS = ("replace", "add", "delete")


@dataclass(frozen=True)
class EntryState:
    """An entry as it is, and what the server says of values that it holds in another spelling."""

    entry: Entry | None = None
    alike: frozenset[tuple[str, str]] = frozenset()
    """Names of attributes, in small letters, with values as the parameters have them."""
    owner_of_number: str | None = None
    """What another entry has the number that a new one wants: for people."""


def given(params: Params, name: str) -> dict[str, list[Word]]:
    """The values of a parameter by attribute, without empty ones, which no directory holds; passwords as secrets."""
    found: Mapping[str, Any] = expected(params.get(name, {}))
    return {
        attribute: [_hidden(attribute, one) for one in _listed(values) if text(one)]
        for attribute, values in found.items()
    }


def _listed(values: Any) -> list[Word]:
    """The values one by one, where all of them together are not known yet, too."""
    together = expected(values)
    if not isinstance(together, list | tuple):
        return [values]
    return [Unknown(values.step, one) for one in together] if isinstance(values, Unknown) else list(together)


def _hidden(attribute: str, value: Word) -> Word:
    return Secret(value) if attribute.lower() in secret_attributes() and isinstance(value, str) else value


def text(value: Any) -> str:
    """The value itself; of one that is not known yet, the expected one."""
    value = expected(value)
    return value.reveal() if isinstance(value, Secret) else "" if value is None else str(value)


def check_names(params: Params) -> None:
    """Refuse parameters that contradict each other. Raises `ActionError`."""
    exact = {name.lower(): name for name in given(params, _EXACT)}
    for other in (_ADDED, _REMOVED, _AT_CREATION):
        both = [name for name in given(params, other) if name.lower() in exact]
        if both:
            raise ActionError(f"{both[0]} stands in `{other}`, and in `attributes`, which is exact")
    for name in (_EXACT, _ADDED, _REMOVED, _AT_CREATION):
        if any(one.lower() == CLASSES.lower() for one in given(params, name)):
            raise ActionError(f"{CLASSES} stands in `{name}`: write `object_classes`")


def asked_about(params: Params, entry: Entry) -> Iterator[tuple[str, str]]:
    """The values that the entry does not hold as they are written, and may hold in another spelling."""
    for name in (_EXACT, _ADDED, _REMOVED, _OWNER):
        for attribute, values in given(params, name).items():
            held = entry.values(attribute)
            # In another case it is another text where it is exact.
            close = {one.casefold() for one in held} if name == _EXACT else ()
            yield from (
                (attribute, text(one))
                for one in values
                if held and text(one) not in held and text(one).casefold() not in close
            )


def foreign(params: Params, state: EntryState, surroundings: Surroundings) -> str:
    """'' if the entry is provably ours, else why it is not: a DN alone proves nothing."""
    entry = state.entry
    assert entry is not None  # noqa: S101 - asked by the caller
    if "0" in entry.values("uidNumber"):
        return f"{shown(entry.dn)} is the superuser"
    proofs = _proofs(params)
    if not proofs:
        proofs = _registered(params, surroundings)
    if not proofs:
        return f"{shown(entry.dn)} exists, and nothing proves that it is ours: say in `owner` what it must have"
    for attribute, values in proofs.items():
        wrong = [one for one in values if not _holds(state, attribute, one)]
        if wrong or not values:
            had = shown(list(entry.values(attribute))) or "none"
            return f"{shown(entry.dn)} exists with {attribute} {had}, not {shown(wrong) or 'any that is ours'}"
    return ""


def _proofs(params: Params) -> dict[str, list[Word]]:
    if _OWNER in params:
        return given(params, _OWNER)
    named = {**given(params, _AT_CREATION), **given(params, _EXACT)}
    for number in ("uidNumber", *(() if _names_a_user(params) else ("gidNumber",))):
        found = {name: values for name, values in named.items() if name.lower() == number.lower()}
        if found:
            return found
    return {}


def _names_a_user(params: Params) -> bool:
    return any(name.lower() == "uid" for name in params["dn"][0])


def _registered(params: Params, surroundings: Surroundings) -> dict[str, list[Word]]:
    """The number that the registry knows of who has this login, or of the project that has this group."""
    rdn = {name.lower(): expected(value) for name, value in params["dn"][0].items()}
    person = surroundings.registry.login_owner(rdn["uid"]) if "uid" in rdn else None
    project = surroundings.registry.project_by_group(rdn["cn"]) if "cn" in rdn and person is None else None
    uid = person.uid_of(rdn["uid"]) if person is not None else None
    if uid is not None:
        return {"uidNumber": [_word(uid)]}
    return {"gidNumber": [_word(project.gid)]} if project is not None and project.gid is not None else {}


def _word(number: int | Unknown) -> Word:
    return number if isinstance(number, Unknown) else str(number)


def new_entry(params: Params) -> dict[str, list[Word]]:
    """All attributes of an entry that is made."""
    found: dict[str, list[Word]] = {CLASSES: _listed(params["object_classes"])}
    spelled = {CLASSES.lower(): CLASSES}
    naming: Mapping[str, list[Word]] = {name: [value] for rdn in params["dn"][:1] for name, value in rdn.items()}
    for values in (naming, *(given(params, name) for name in (_OWNER, _AT_CREATION, _EXACT, _ADDED))):
        for name, listed in values.items():
            into = found.setdefault(spelled.setdefault(name.lower(), name), [])
            have = [text(one) for one in into]
            into += [one for one in listed if text(one) not in have]
    return {name: values for name, values in found.items() if values}


def differences(params: Params, state: EntryState, *, verifying: bool = False) -> list[tuple[str, str, list[Word]]]:
    """The modifications: operation, attribute, values. While `verifying`, passwords count as they are: the server may
    keep them in another form.
    """
    entry = state.entry
    assert entry is not None  # noqa: S101 - asked by the caller
    found: list[tuple[str, str, list[Word]]] = []
    classes = {one.lower() for one in entry.values(CLASSES)}
    lacking = [one for one in _listed(params.get("object_classes", ())) if text(one).lower() not in classes]
    if lacking:
        found.append(("add", CLASSES, lacking))
    for name, values in given(params, _EXACT).items():
        kept = verifying and any(isinstance(one, Secret) for one in values) and entry.values(name)
        if not kept and (len(values) != len(entry.values(name)) or not all(_holds(state, name, one) for one in values)):
            found.append(("replace", name, values))
    for op, parameter in (("add", _ADDED), ("delete", _REMOVED)):
        for name, values in given(params, parameter).items():
            changed = [one for one in values if _holds(state, name, one) is (op == "delete")]
            if changed:
                found.append((op, name, changed))
    return found


def _holds(state: EntryState, attribute: str, value: Word) -> bool:
    wanted = text(value)
    assert state.entry is not None  # noqa: S101 - asked by the callers
    return wanted in state.entry.values(attribute) or (attribute.lower(), wanted) in state.alike


def as_value(found: Sequence[tuple[str, str, list[Word]]]) -> dict[str, dict[str, list[Word]]]:
    """Modifications as a plan shows them: values by attribute, by operation."""
    return {
        op: {name: values for one, name, values in found if one == op} for op in _OPS if op in {f[0] for f in found}
    }


def modifications(shown_change: Mapping[str, Values]) -> list[Modification]:
    """What a plan shows, as the directory takes it."""
    return [
        Modification(op, name, [text(one) for one in values])
        for op, changed in shown_change.items()
        for name, values in changed.items()
    ]


def before(found: Sequence[tuple[str, str, list[Word]]], entry: Entry) -> dict[str, list[Word]]:
    """What the attributes hold that are replaced."""
    return {name: [_hidden(name, one) for one in entry.values(name)] for op, name, _ in found if op == "replace"}


def changed_entry(entry: Entry, found: Sequence[tuple[str, str, list[Word]]]) -> Entry:
    """The entry as it will be."""
    attributes = {name: list(values) for name, values in entry.attributes.items()}
    for op, name, values in found:
        known = next((one for one in attributes if one.lower() == name.lower()), name)
        texts, held = [text(one) for one in values], attributes.get(known, [])
        kept = {"replace": texts, "add": [*held, *texts], "delete": [one for one in held if one not in texts]}[op]
        attributes[known] = kept
    return Entry(entry.dn, {name: values for name, values in attributes.items() if values})


def in_words(found: Sequence[tuple[str, str, list[Word]]]) -> str:
    """Modifications for people."""
    return "; ".join(f"{_VERBS[op]} {name} {shown(values) or '(none)'}" for op, name, values in found)


_VERBS = {"replace": "set", "add": "add to", "delete": "remove from"}
