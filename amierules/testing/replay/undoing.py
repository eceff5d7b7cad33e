"""What a step changed, taken back in the models: so that it finds what it found."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from amierules.actions.base import Params
from amierules.database.registry import RegistryView
from amierules.ports.scripted import ShadowTools
from amierules.testing.model import World
from amierules.testing.scratch_host import ScratchHost

_BEFORE = {"--comment": "before", "--home": "/home/before", "--shell": "/bin/sh"}


def provide_user(host: ScratchHost, params: Params, registry: RegistryView) -> None:
    """The account that a step has changed, in the groups that it was to leave, where it is not there yet."""
    name = str(params["name"])
    etc = {file: (host.folder / "etc" / file).read_text(encoding="utf-8").splitlines() for file in ("passwd", "group")}
    owner = registry.login_owner(name)
    uid = params.get("uid", owner.uid_of(name) if owner is not None else None)
    if not isinstance(uid, int) or any(line.split(":")[0] == name for line in etc["passwd"]):
        return
    groups = [str(group) for group in params.get("groups_absent") or ()]
    projects = {group: registry.project_by_group(group) for group in groups}
    there = {line.split(":")[0] for line in etc["group"]}
    new = {group: row.gid for group, row in projects.items() if row is not None and group not in there}
    made = [{"name": group, "gid": gid} for group, gid in new.items() if gid is not None]
    host.add(World(users=[{"name": name, "uid": uid, "groups": groups}], groups=made))


def provide_association(host: ScratchHost, params: Params, changes: Sequence[Mapping[str, Any]]) -> None:
    """The account or association in Slurm that a step has modified, where it is not there yet."""
    modified = [change["argv"] for change in changes if "modify" in (change.get("argv") or ())]
    clusters = {word.partition("=")[2] for words in modified for word in words if str(word).startswith("cluster=")}
    accounts, users = host.slurm.contents()
    for cluster in sorted(clusters):
        name, login = str(params["account"]), params.get("user")
        known = {**next((one["clusters"] for one in accounts if one["name"] == name), {})}
        if cluster not in known:
            host.slurm.put_account(name, {}, (), {**known, cluster: {}})
        there = any((one["name"], one["account"], one["cluster"]) == (login, name, cluster) for one in users)
        if login is not None and not there:
            host.slurm.put_user(str(login), name, cluster, {})


def provide_entry(
    host: ScratchHost, params: Params, registry: RegistryView, changes: Sequence[Mapping[str, Any]]
) -> None:
    """The entry that a step has modified, and whose it is, where it is not there yet."""
    for change in changes:
        dn, before = str(change["target"]), change.get("before")
        if (
            change["op"] != "modify"
            or not isinstance(before, Mapping)
            or any(one.dn == dn for one in host.directory.entries())
        ):
            continue
        name, _, value = dn.partition(",")[0].partition("=")
        person = registry.login_owner(value) if name == "uid" else None
        project = registry.project_by_group(value) if name == "cn" else None
        ids = {"uidNumber": person.uid_of(value) if person else None, "gidNumber": project.gid if project else None}
        known = {one: [str(number)] for one, number in ids.items() if number is not None}
        classes = {"objectClass": [str(one) for one in params.get("object_classes") or ("top",)]}
        host.directory.put(dn, _reverted({**classes, **known}, change))


def undo(host: ScratchHost, params: Params, changes: Sequence[Mapping[str, Any]]) -> None:
    """Undo recorded changes of what is there as it was wanted in the end."""
    for change in reversed(changes):
        words = [word for word in change.get("argv") or () if isinstance(word, str)]
        tool = os.path.basename(words[0]) if words else ""
        if tool == "usermod":
            _undo_usermod(host, params, words)
        elif tool == "sacctmgr":
            _undo_sacctmgr(host, words)
        elif not words:
            _undo_entry(host, change)


def _undo_usermod(host: ScratchHost, params: Params, words: Sequence[str]) -> None:
    name = str(params["name"])
    usermod = ShadowTools(host.folder).programs()["usermod"]
    given = dict(_options(words))
    if "--expiredate" in given:
        # A date of the past locks an account: then it was not locked.
        usermod(["--expiredate", "" if params.get("locked") else "1970-01-02", "--", name])
    for option in ("--lock", "--unlock"):
        if option in given:
            usermod([{"--lock": "--unlock", "--unlock": "--lock"}[option], "--", name])
    for option in _BEFORE.keys() & given.keys():
        usermod([f"{option}={_BEFORE[option]}", "--", name])
    if "--groups" in given:
        rows = [line.split(":") for line in (host.folder / "etc" / "group").read_text(encoding="utf-8").splitlines()]
        held = [row[0] for row in rows if name in row[3].split(",")]
        absent = [group for group in params.get("groups_absent") or () if any(row[0] == group for row in rows)]
        added = given["--groups"].split(",") if "--append" in given else []
        groups = [group for group in dict.fromkeys([*held, *absent]) if group not in added]
        usermod(["--groups", ",".join(groups), "--", name])


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    for at, word in enumerate(words):
        if word.startswith("--") and word != "--":
            option, sign, value = word.partition("=")
            yield option, value if sign else words[at + 1]


def _undo_sacctmgr(host: ScratchHost, words: Sequence[str]) -> None:
    """Settings that were given were not set before; what was added is left: it is not what makes the difference."""
    plain = [word for word in words[1:] if not word.startswith("-")]
    if plain[:1] == ["modify"] and "set" in plain:
        at = plain.index("set")
        cleared = [f"{word.partition('=')[0].rstrip('+')}=-1" for word in plain[at + 1 :]]
        host.slurm.programs()["sacctmgr"]([*plain[: at + 1], *cleared])


def _undo_entry(host: ScratchHost, change: Mapping[str, Any]) -> None:
    before, after = change.get("before"), change.get("after")
    if "dn" in (before or after or {}) and str(change["target"]).startswith("grid-mapfile"):
        _undo_mapfile(host, before, after)
    elif change["op"] == "modify":
        entry = next((one for one in host.directory.entries() if one.dn == change["target"]), None)
        if entry is not None:
            host.directory.put(entry.dn, _reverted(entry.attributes, change))
    elif change["op"] == "delete" and isinstance(before, Mapping):
        host.directory.put(str(change["target"]), {name: _several(one) for name, one in before.items()})


def _reverted(attributes: Mapping[str, Sequence[str]], change: Mapping[str, Any]) -> dict[str, list[str]]:
    """The attributes without a modification: what it replaced, added and deleted is as it was."""
    held = {name: list(values) for name, values in attributes.items()}
    made = change.get("after") or {}
    for name in made.get("replace", {}):
        held[name] = _several((change.get("before") or {}).get(name))
    for name, values in made.get("add", {}).items():
        held[name] = [one for one in held.get(name, []) if one not in _several(values)]
    for name, values in made.get("delete", {}).items():
        held[name] = [*held.get(name, []), *(one for one in _several(values) if one not in held.get(name, []))]
    return {name: values for name, values in held.items() if values}


def _undo_mapfile(host: ScratchHost, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> None:
    path = Path(f"{host.folder}{host.mapfile}")
    lines = host.mapfile_lines()
    if after is not None:
        lines = [line for line in lines if not line.startswith(f'"{after["dn"]}" ')]
    if before is not None:
        lines.append(f'"{before["dn"]}" {before["login"]}')
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _several(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [] if value is None else [str(value)]
