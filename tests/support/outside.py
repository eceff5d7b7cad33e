"""What back ends hold, and what a plan's changes would make of it: worked out apart from the code that makes them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.support.shadow import ScratchRoot

State = dict[str, Any]
"""What a back end holds, each thing under a name of its own."""

Change = Mapping[str, Any]
"""A change as a dry run prints it, with expected values in the place of those that are known after apply."""


class _Anything:
    """What only the tools decide; it is equal to all."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "(anything)"


ANYTHING = _Anything()


class BackEnd(Protocol):
    """A back end whose state can be read and foretold."""

    kinds: frozenset[str]
    """The kinds of action that change it."""

    def look(self) -> State:
        """What it holds."""

    def foretell(self, state: State, change: Change) -> State:
        """What it would hold after a change. Fails where the change contradicts what is there."""


@dataclass(frozen=True)
class UnixAccounts:
    """The account files under a scratch root."""

    root: ScratchRoot
    kinds = frozenset({"user", "group"})

    def look(self) -> State:
        """Lines of all files by what they are about."""
        found: State = {f"home {path.name}": True for path in (self.root.path / "home").iterdir()}
        for name, _, uid, gid, comment, home, shell in self._lines("passwd"):
            about = {"uid": uid, "gid": gid, "comment": comment, "home": home, "shell": shell}
            found[f"user {name}"] = about
        for name, password, *_, expires, _ in self._lines("shadow"):
            found[f"shadow {name}"] = {"locked": password.startswith("!"), "expires": expires}
        for name, _, gid, members in self._lines("group"):
            found[f"group {name}"] = {"gid": gid, "members": _names(members)}
        for name, _, _, members in self._lines("gshadow"):
            found[f"gshadow {name}"] = _names(members)
        return found

    def foretell(self, state: State, change: Change) -> State:
        """What one call of a tool would do."""
        tool, *words = change["argv"]
        options, name = _options(words)
        assert options.pop("--prefix", str(self.root.path)) == str(self.root.path)
        told = {"groupadd": self._groupadd, "useradd": self._useradd, "usermod": self._usermod}[tool](
            state, options, name
        )
        assert not options, (change, options)
        return told

    def _groupadd(self, state: State, options: dict[str, str], name: str) -> State:
        assert f"group {name}" not in state
        gid = options.pop("--gid")
        known = [one["gid"] for key, one in state.items() if key.startswith("group ") and one["gid"] is not ANYTHING]
        assert gid not in known
        return {**state, f"group {name}": {"gid": gid, "members": []}, f"gshadow {name}": []}

    def _useradd(self, state: State, options: dict[str, str], name: str) -> State:
        assert f"user {name}" not in state
        del options["--no-create-home"]
        about = {"uid": options.pop("--uid"), "gid": ANYTHING, "comment": options.pop("--comment", "")}
        locked = _expiry(options)
        made = {
            f"user {name}": {**about, "home": f"/home/{name}", "shell": ANYTHING},
            f"shadow {name}": {"locked": True, "expires": "" if locked is None else locked},
            f"group {name}": {"gid": ANYTHING, "members": []},
            f"gshadow {name}": [],
        }
        return self._in_groups({**state, **made}, name, options.pop("--groups", "").split(","))

    def _usermod(self, state: State, options: dict[str, str], name: str) -> State:
        user, shadow = {**state[f"user {name}"]}, {**state[f"shadow {name}"]}
        user["comment"] = options.pop("--comment", user["comment"])
        shadow["locked"] = (shadow["locked"] or "--lock" in options) and "--unlock" not in options
        options.pop("--lock", None), options.pop("--unlock", None)
        expires = _expiry(options)
        shadow["expires"] = shadow["expires"] if expires is None else expires
        told = {**state, f"user {name}": user, f"shadow {name}": shadow}
        if options.pop("--append", None) is None and "--groups" in options:
            told = _in_no_group(told, name)
        return self._in_groups(told, name, options.pop("--groups", "").split(","))

    def _in_groups(self, state: State, name: str, groups: list[str]) -> State:
        told = {**state}
        for group in filter(None, groups):
            held = told[f"group {group}"]
            told[f"group {group}"] = {**held, "members": sorted({*held["members"], name})}
            told[f"gshadow {group}"] = sorted({*told[f"gshadow {group}"], name})
        return told

    def _lines(self, file: str) -> list[list[str]]:
        text = (self.root.path / "etc" / file).read_text(encoding="utf-8")
        return [line.split(":") for line in text.splitlines()]


@dataclass(frozen=True)
class Mapfile:
    """A grid-mapfile."""

    path: Path
    kinds = frozenset({"grid_mapfile"})

    def look(self) -> State:
        """Who may use which login, and the lines that say nothing of that."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        found: State = {"others": [line for line in lines if not _ENTRY.fullmatch(line)]}
        for match in filter(None, map(_ENTRY.fullmatch, lines)):
            for login in match[2].split(","):
                found[f"{match[1]} as {login}"] = True
        return found

    def foretell(self, state: State, change: Change) -> State:
        """One who may use a login, or may no longer."""
        entry = change["after"] if change["op"] == "create" else change["before"]
        name = f"{entry['dn']} as {entry['login']}"
        assert (name in state) is (change["op"] == "delete"), change
        told = {key: value for key, value in state.items() if key != name}
        return told if change["op"] == "delete" else {**told, name: True}


_ENTRY = re.compile(r'"([^"]*)"\s+(\S+)')


def _options(words: list[str]) -> tuple[dict[str, str], str]:
    """Options with their values, and the name behind `--`."""
    cut = words.index("--")
    assert len(words) == cut + 2, words
    found: dict[str, str] = {}
    rest = words[:cut]
    while rest:
        word = rest.pop(0)
        if word.startswith("--comment="):
            found["--comment"] = word.partition("=")[2]
        else:
            found[word] = "" if word in _FLAGS else rest.pop(0)
    return found, words[cut + 1]


_FLAGS = frozenset({"--no-create-home", "--append", "--lock", "--unlock"})


def _expiry(options: dict[str, str]) -> str | None:
    """The day of expiry as the file has it; None where it is not touched."""
    if "--expiredate" not in options:
        return None
    return {"": "", "1970-01-02": "1"}[options.pop("--expiredate")]


def _in_no_group(state: State, name: str) -> State:
    told = {**state}
    for key, held in state.items():
        if key.startswith("group "):
            told[key] = {**held, "members": [one for one in held["members"] if one != name]}
        elif key.startswith("gshadow "):
            told[key] = [one for one in held if one != name]
    return told


def _names(listed: str) -> list[str]:
    return sorted(filter(None, listed.split(",")))
