"""What a scratch host holds, as the `world` of a test file gives it."""

from collections.abc import Mapping
from typing import Any

from amierules.ports.directory import Entry
from amierules.testing.scratch_host import ScratchHost

Contents = dict[str, dict[str, Any]]
"""The things of a host: by what they are, then by what they are called."""

_SECTIONS = ("users", "groups", "directory", "accounts", "slurm_users", "grid_mapfile")


def contents(host: ScratchHost) -> Contents:
    """All that is there."""
    etc = {name: _rows(host, name) for name in ("passwd", "group", "shadow")}
    names = {row[2]: row[0] for row in etc["group"]}
    locked = {row[0]: row[7] != "" for row in etc["shadow"]}
    users = {row[0]: _user(row, names, etc["group"], locked=locked.get(row[0], False)) for row in etc["passwd"]}
    accounts, associations = host.slurm.contents()
    return {
        "users": {name: user for name, user in users.items() if user["uid"]},
        "groups": {row[0]: {"name": row[0], "gid": int(row[2])} for row in etc["group"] if row[0] not in users},
        "directory": {entry.dn: _entry(entry) for entry in host.directory.entries()},
        "accounts": {account["name"]: account for account in accounts},
        "slurm_users": {f"{one['cluster']}/{one['account']}/{one['name']}": one for one in associations},
        "grid_mapfile": {line: line for line in host.mapfile_lines()},
    }


def new_in(after: Contents, before: Contents) -> Contents:
    """What is new or other than it was."""
    return {
        section: {name: one for name, one in after[section].items() if before.get(section, {}).get(name) != one}
        for section in after
    }


def as_world(things: Contents) -> dict[str, Any]:
    """The things as a test file gives them."""
    listed = {section: list(things.get(section, {}).values()) for section in _SECTIONS}
    slurm = {"accounts": listed.pop("accounts"), "users": listed.pop("slurm_users")}
    whole = {**listed, "slurm": {name: some for name, some in slurm.items() if some}}
    return {name: some for name, some in whole.items() if some}


def _rows(host: ScratchHost, name: str) -> list[list[str]]:
    text = (host.folder / "etc" / name).read_text(encoding="utf-8")
    return [line.split(":") for line in text.splitlines()]


def _user(row: list[str], names: Mapping[str, str], groups: list[list[str]], *, locked: bool) -> dict[str, Any]:
    name, primary = row[0], names.get(row[3], row[0])
    usual = {"group": name, "groups": [], "comment": "", "home": f"/home/{name}", "shell": "/bin/bash", "locked": False}
    there = {
        "group": primary,
        "groups": [group[0] for group in groups if name in group[3].split(",")],
        "comment": row[4],
        "home": row[5],
        "shell": row[6],
        "locked": locked,
    }
    return {"name": name, "uid": int(row[2]), **{key: one for key, one in there.items() if one != usual[key]}}


def _entry(entry: Entry) -> dict[str, Any]:
    values = {name: list(some) for name, some in entry.attributes.items()}
    return {"dn": entry.dn, "attributes": {name: one[0] if len(one) == 1 else one for name, one in values.items()}}


def with_all_values(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with those values of another one, too, of which it has several or may have."""
    values = {name: _listed(value) for name, value in one["attributes"].items()}
    for name, more in other["attributes"].items():
        several = isinstance(more, list) or isinstance(one["attributes"].get(name), list)
        if name in values and (several or name.lower().startswith("member")):
            values[name] += [value for value in _listed(more) if value not in values[name]]
    return {"dn": one["dn"], "attributes": {name: some[0] if len(some) == 1 else some for name, some in values.items()}}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]
