"""What stands for the shadow-utils and getent in a rule test: models that keep `etc/` under a scratch root.

Exit statuses are those of the shadow-utils (useradd(8), usermod(8), userdel(8), groupadd(8), groupdel(8)), and of
getent(1). What `/etc/login.defs` decides is as on most hosts: a new account has a group of its own name.
"""

import getopt
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

from amierules.ports.scripted.programs import Program

Said = tuple[int, str, str]
Tool = Callable[[str, Mapping[str, str]], Said]

_FIRST_ID = 1000
_PASSWD, _GROUP, _SHADOW = "passwd", "group", "shadow"
_MODES: Mapping[str, Sequence[str]] = {
    "useradd": (
        *("uid=", "gid=", "comment=", "home-dir=", "shell=", "groups=", "create-home", "no-create-home"),
        *("skel=", "expiredate=", "prefix=", "root="),
    ),
    "usermod": (
        *("gid=", "comment=", "home=", "shell=", "append", "groups=", "lock", "unlock", "expiredate="),
        *("prefix=", "root="),
    ),
    "userdel": ("prefix=", "root=", "remove", "force"),
    "groupadd": ("gid=", "prefix=", "root="),
    "groupdel": ("prefix=", "root=", "force"),
}
_NO_GROUP = "!"


class ShadowTools:
    """The tools. `root` is the folder that stands for `/`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def programs(self) -> dict[str, Program]:
        """The models by name."""
        changing = {name: _parsed(name, getattr(self, f"_{name}")) for name in _MODES}
        return {**changing, "getent": self._getent}

    def _getent(self, words: Sequence[str]) -> Said:
        named = [word for word in words if word != "--"]
        if len(named) < 2 or named[0] not in (_PASSWD, _GROUP, _SHADOW):
            return 1, "", "getent: only passwd, group and shadow are there in a rule test\n"
        column = 2 if named[0] != _SHADOW else 0
        etc = _Etc(self._root)
        found = [next((row for row in etc.rows(named[0]) if key in (row[0], row[column])), None) for key in named[1:]]
        lines = "".join(":".join(row) + "\n" for row in found if row is not None)
        return (2 if None in found else 0), lines, ""

    def _useradd(self, name: str, given: Mapping[str, str]) -> Said:
        etc = _Etc(self._root, given)
        if etc.row(_PASSWD, name) is not None:
            return 9, "", f"useradd: user '{name}' already exists\n"
        uid = given.get("uid") or etc.free(_PASSWD)
        if etc.row(_PASSWD, uid, 2) is not None:
            return 4, "", f"useradd: UID {uid} is not unique\n"
        gid = etc.gid(given["gid"]) if "gid" in given else _own_group(etc, name, uid)
        if gid is None:
            return 6, "", f"useradd: group '{given['gid']}' does not exist\n"
        if gid == _NO_GROUP:
            return 9, "", f"useradd: group {name} exists - if you want to add this user to that group, use -g.\n"
        groups = _listed(given.get("groups"))
        if missing := [group for group in groups if etc.row(_GROUP, group) is None]:
            return 6, "", f"useradd: group '{missing[0]}' does not exist\n"
        home = given.get("home-dir", f"/home/{name}")
        etc.put(_PASSWD, [name, "x", uid, gid, given.get("comment", ""), home, given.get("shell", "/bin/bash")])
        etc.put(_SHADOW, [name, "!", "19000", "0", "99999", "7", "", _days(given.get("expiredate", "")), ""])
        for group in groups:
            etc.join(name, group)
        if "create-home" in given:
            etc.make_folder(home)
        etc.write()
        return 0, "", ""

    def _usermod(self, name: str, given: Mapping[str, str]) -> Said:
        etc = _Etc(self._root, given)
        row, shadow = etc.row(_PASSWD, name), etc.row(_SHADOW, name)
        if row is None or shadow is None:
            return 6, "", f"usermod: user '{name}' does not exist\n"
        groups = _listed(given.get("groups"))
        gid = etc.gid(given["gid"]) if "gid" in given else row[3]
        if gid is None or (missing := [group for group in groups if etc.row(_GROUP, group) is None]):
            return 6, "", f"usermod: group '{given['gid'] if gid is None else missing[0]}' does not exist\n"
        row[3] = gid
        for at, option in ((4, "comment"), (5, "home"), (6, "shell")):
            row[at] = given.get(option, row[at])
        if "groups" in given:
            for group in etc.rows(_GROUP) if "append" not in given else ():
                group[3] = ",".join(one for one in _listed(group[3]) if one != name)
            for one in groups:
                etc.join(name, one)
        if "expiredate" in given:
            shadow[7] = _days(given["expiredate"])
        if "lock" in given and not shadow[1].startswith("!"):
            shadow[1] = f"!{shadow[1]}"
        if "unlock" in given:
            shadow[1] = shadow[1].removeprefix("!")
        etc.write()
        return 0, "", ""

    def _userdel(self, name: str, given: Mapping[str, str]) -> Said:
        etc = _Etc(self._root, given)
        if etc.row(_PASSWD, name) is None:
            return 6, "", f"userdel: user '{name}' does not exist\n"
        own = etc.row(_GROUP, name)
        etc.remove(_PASSWD, name)
        etc.remove(_SHADOW, name)
        for group in etc.rows(_GROUP):
            group[3] = ",".join(one for one in _listed(group[3]) if one != name)
        if own is not None and not own[3] and etc.row(_PASSWD, own[2], 3) is None:
            etc.remove(_GROUP, name)
        etc.write()
        return 0, "", ""

    def _groupadd(self, name: str, given: Mapping[str, str]) -> Said:
        etc = _Etc(self._root, given)
        if etc.row(_GROUP, name) is not None:
            return 9, "", f"groupadd: group '{name}' already exists\n"
        gid = given.get("gid") or etc.free(_GROUP)
        if etc.row(_GROUP, gid, 2) is not None:
            return 4, "", f"groupadd: GID '{gid}' already exists\n"
        etc.put(_GROUP, [name, "x", gid, ""])
        etc.write()
        return 0, "", ""

    def _groupdel(self, name: str, given: Mapping[str, str]) -> Said:
        etc = _Etc(self._root, given)
        row = etc.row(_GROUP, name)
        if row is None:
            return 6, "", f"groupdel: group '{name}' does not exist\n"
        if (owner := etc.row(_PASSWD, row[2], 3)) is not None:
            return 8, "", f"groupdel: cannot remove the primary group of user '{owner[0]}'\n"
        etc.remove(_GROUP, name)
        etc.write()
        return 0, "", ""


class _Etc:
    """The account files under a root, or under the scratch root that a tool is given."""

    def __init__(self, root: Path, given: Mapping[str, str] | None = None) -> None:
        below = (given or {}).get("prefix") or (given or {}).get("root") or ""
        self._root = Path(f"{root}{below}")
        self._rows = {name: self._read(name) for name in (_PASSWD, _GROUP, _SHADOW)}

    def rows(self, file: str) -> list[list[str]]:
        """The lines of a file, as lists of fields."""
        return self._rows[file]

    def row(self, file: str, key: str, column: int = 0) -> list[str] | None:
        """The first line that has the key in a column."""
        return next((row for row in self._rows[file] if row[column] == key), None)

    def gid(self, named: str) -> str | None:
        """The gid of a group that is given by its name, or by its gid."""
        row = self.row(_GROUP, named) or self.row(_GROUP, named, 2)
        return row[2] if row is not None else None

    def free(self, file: str) -> str:
        """The first free id from 1000 on."""
        used = {row[2] for row in self._rows[file]}
        return next(str(number) for number in range(_FIRST_ID, 1 << 32) if str(number) not in used)

    def put(self, file: str, row: list[str]) -> None:
        """A new line."""
        self._rows[file].append(row)

    def remove(self, file: str, name: str) -> None:
        """Take a line away."""
        self._rows[file] = [row for row in self._rows[file] if row[0] != name]

    def join(self, name: str, group: str) -> None:
        """Make somebody a member of a group that is there."""
        row = self.row(_GROUP, group)
        assert row is not None  # noqa: S101 - asked by the callers
        row[3] = ",".join(dict.fromkeys([*_listed(row[3]), name]))

    def make_folder(self, path: str) -> None:
        """A home."""
        Path(f"{self._root}{path}").mkdir(parents=True, exist_ok=True)

    def write(self) -> None:
        """Write all files."""
        for name, rows in self._rows.items():
            (self._root / "etc" / name).write_text("".join(":".join(row) + "\n" for row in rows), encoding="utf-8")

    def _read(self, name: str) -> list[list[str]]:
        text = (self._root / "etc" / name).read_text(encoding="utf-8")
        return [line.split(":") for line in text.splitlines() if line]


def _own_group(etc: _Etc, name: str, uid: str) -> str:
    if etc.row(_GROUP, name) is not None:
        return _NO_GROUP
    gid = uid if etc.row(_GROUP, uid, 2) is None else etc.free(_GROUP)
    etc.put(_GROUP, [name, "x", gid, ""])
    return gid


def _listed(text: str | None) -> list[str]:
    return [one for one in (text or "").split(",") if one]


def _days(day: str) -> str:
    """A date as shadow has it: days since 1970."""
    return str((date.fromisoformat(day) - date(1970, 1, 1)).days) if day else ""


def _parsed(name: str, tool: Tool) -> Program:
    def run(words: Sequence[str]) -> Said:
        try:
            options, names = getopt.gnu_getopt(list(words), "", list(_MODES[name]))
        except getopt.GetoptError as error:
            return 2, "", f"{name}: {error}\n"
        if len(names) != 1:
            return 2, "", f"{name}: one name is wanted\n"
        return tool(names[0], {option.removeprefix("--"): value for option, value in options})

    return run
