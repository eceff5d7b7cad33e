"""What separates a Unix account from the wanted one, whose it is, and the words that tell the tools."""

import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

from amierules.actions.accounts_files import UserState
from amierules.actions.accounts_tools import fit_comment
from amierules.actions.base import Params, Surroundings, Word, expected
from amierules.actions.user_expiry import Modification, expiry_modifications, expiry_words, planned_expiry, same
from amierules.actions.words import shown
from amierules.templating import Unknown

_OPTIONS = (("group", "--gid"), ("comment", "--comment"), ("home", "--home"), ("shell", "--shell"))


def ours(params: Params, state: UserState, surroundings: Surroundings) -> str:
    """'' if the account is provably ours, else why it is not.

    With a uid given, the uid decides; without, the registry's person of this login does: by the uid, or by having none
    while the row is older than this run. A name alone proves nothing.
    """
    name = shown(state.name)
    if isinstance(state.uid, int) and state.uid == 0:
        return f"user {name} is the superuser"
    if "uid" in params:
        if same(params["uid"], state.uid):
            return ""
        return f"user {name} exists with uid {shown(state.uid)}, not {shown(params['uid'])}"
    person = surroundings.registry.login_owner(params["name"])
    if person is None:
        return f"user {name} exists, and the registry knows no person with this login"
    if person.uid is None:
        if not surroundings.registry.created(person.key):
            return ""
        return f"user {name} exists, and its person is new in the registry"
    uid = person.uid_of(params["name"])
    if isinstance(state.uid, Unknown) or same(uid, state.uid):
        return ""
    return f"user {name} exists with uid {state.uid}, and the registry's person has {shown(uid)}"


def with_fit_comment(params: Params) -> Params:
    """The parameters with a comment that passwd can hold."""
    comment = params.get("comment")
    if not isinstance(comment, str) or fit_comment(comment) == comment:
        return params
    return {**params, "comment": fit_comment(comment)}


def creation_words(params: Params, prefix: str | None) -> list[Word]:
    """The options of useradd for a new account."""
    options = (
        ("uid", "--uid"),
        ("group", "--gid"),
        ("comment", "--comment"),
        ("home", "--home-dir"),
        ("shell", "--shell"),
    )
    words: list[Word] = []
    for name, option in options:
        if name in params:
            words += _option(option, params[name])
    groups = _wanted_groups(params)
    if isinstance(groups, Unknown) or groups:
        words += ["--groups", joined(groups)]
    if params.get("create_home") is True:
        # useradd would take the host's skeleton even under a scratch root.
        words += ["--create-home", *(("--skel", os.path.join(prefix, "etc", "skel")) if prefix is not None else ())]
    else:
        words.append("--no-create-home")
    return [*words, *expiry_words(params)]


def modifications(params: Params, state: UserState) -> list[Modification]:
    """The fields of an account that are not as wanted. Raises `ActionError` where that cannot be told."""
    found = []
    for name, option in _OPTIONS:
        before = getattr(state, name)
        if name in params and not same(params[name], before):
            found.append(Modification(name, before, params[name], _option(option, params[name])))
    found += [*_of_groups(params, state), *expiry_modifications(params, state)]
    if "shadow" in state.lacks and not any("--expiredate" in one.words for one in found):
        # Any date makes usermod write the line; none is what the account has.
        found.append(Modification("line in shadow", "", "one without password", ("--expiredate", "")))
    return found


def lacks_group(params: Params, state: UserState) -> bool:
    """Whether the primary group is to be made that the account has and that is missing."""
    return "group" in state.lacks and "group" not in params


def planned_user(params: Params, after_apply: Unknown, today: date, state: UserState | None = None) -> UserState:
    """The account as it will be: what the tool decides on its own is known after apply."""
    name = params["name"]
    before = state or UserState(name, after_apply, after_apply, after_apply, "", after_apply, after_apply, (), False)
    primary = params.get("group", name if lacks_group(params, before) else before.group)
    exact = params.get("groups_exact")
    groups = exact if exact is not None else [*_staying_groups(params, before), *_missing_groups(params, before)]
    expiry = planned_expiry(params, before, today)
    return replace(
        before,
        uid=params.get("uid", before.uid),
        gid=before.gid if same(primary, before.group) or lacks_group(params, before) else after_apply,
        group=primary,
        comment=params.get("comment", before.comment),
        home=params.get("home", before.home),
        shell=params.get("shell", before.shell),
        groups=_ordered([groups] if isinstance(groups, Unknown) else groups, primary),
        locked=expiry.locked,
        password_locked=expiry.password_locked,
        expires=expiry.expires,
        lacks=frozenset(),
    )


def result_of(state: UserState, *, created: bool) -> dict[str, object]:
    """What `register` gets."""
    return {
        "uid": state.uid,
        "gid": state.gid,
        "home": state.home,
        "shell": state.shell,
        "groups": list(state.groups),
        "created": created,
    }


def joined(groups: Iterable[Any] | Unknown) -> Word:
    """Group names as one word; unknown as a whole if one of them is."""
    if isinstance(groups, Unknown):
        return groups
    names = list(groups)
    unknown = next((name for name in names if isinstance(name, Unknown)), None)
    if unknown is None:
        return ",".join(names)
    values = [expected(name) for name in names]
    return unknown if any(isinstance(value, Unknown) for value in values) else Unknown(unknown.step, ",".join(values))


def _of_groups(params: Params, state: UserState) -> list[Modification]:
    if "groups_exact" in params:
        primary = params.get("group", state.group)
        wanted = params["groups_exact"]
        if isinstance(wanted, Unknown):
            return [Modification("groups", list(state.groups), wanted, ("--groups", wanted))]
        others = [group for group in wanted if not same(group, primary)]
        if _equal_sets(others, [group for group in state.groups if not same(group, primary)]):
            return []
        return [Modification("groups", list(state.groups), others, ("--groups", joined(others)))]
    absent = params.get("groups_absent")
    if isinstance(expected(absent), Unknown):
        return [Modification("groups", list(state.groups), absent, ("--groups", joined(expected(absent))))]
    missing, staying = _missing_groups(params, state), _staying_groups(params, state)
    after = [*staying, *missing]
    if len(staying) < len(state.groups):
        # Not every usermod can remove from a group alone.
        return [Modification("groups", list(state.groups), after, ("--groups", joined(after)))]
    return [Modification("groups", list(state.groups), after, ("--append", "--groups", joined(missing)))] * bool(
        missing
    )


def _wanted_groups(params: Params) -> list[Any] | Unknown:
    groups: list[Any] | Unknown = params.get("groups_exact", params.get("groups", []))
    return groups


def _staying_groups(params: Params, state: UserState) -> list[Any]:
    """The groups that the account has and does not leave."""
    absent = expected(params.get("groups_absent", ()))
    if isinstance(absent, Unknown):
        return list(state.groups)
    return [group for group in state.groups if not any(same(group, other) for other in absent)]


def _missing_groups(params: Params, state: UserState) -> list[Any]:
    """The groups to add: a group that is or becomes the primary one needs no adding."""
    wanted = expected(params.get("groups", ()))
    if isinstance(wanted, Unknown):
        return [wanted]
    have = [*state.groups, params.get("group", state.group)]
    missing: list[Any] = []
    for group in wanted:
        if not any(same(group, other) for other in [*have, *missing]):
            missing.append(group)
    return missing


def _equal_sets(some: Iterable[Any], others: Iterable[Any]) -> bool:
    left, right = list(some), list(others)
    return all(any(same(one, other) for other in right) for one in left) and all(
        any(same(other, one) for one in left) for other in right
    )


def _ordered(groups: Iterable[Any], primary: object) -> tuple[Any, ...]:
    """The groups beside the primary one, sorted, each once; those of which nothing is known come last."""
    by_name: dict[str, Any] = {}
    unknown: list[Unknown] = []
    for group in groups:
        name = expected(group)
        if isinstance(name, Unknown):
            unknown.append(name)
        elif not same(name, primary):
            by_name.setdefault(name, group)
    return (*(by_name[name] for name in sorted(by_name)), *unknown)


def _option(option: str, value: Any) -> tuple[Word, ...]:
    """An option with its value, as one word where the value may begin with `-`.

    The tools look for `--root` and `--prefix` in every word, even in one that is another option's value.
    """
    if isinstance(value, Unknown):
        return option, value
    return (f"{option}={value}",) if option == "--comment" else (option, str(value))
