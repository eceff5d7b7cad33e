"""What servers hold, and what a plan's changes would make of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ldap.dn import dn2str, str2dn

from tests.support.outside import ANYTHING, Change, State
from tests.support.slapd import Slapd
from tests.support.slurm import CLUSTER, SlurmServer


@dataclass(frozen=True)
class Tree:
    """The entries of a directory."""

    server: Slapd
    kinds = frozenset({"ldap_entry"})

    def look(self) -> State:
        """All entries by DN."""
        return {_as_read(dn): entry for dn, entry in self.server.tree().items()}

    def foretell(self, state: State, change: Change) -> State:
        """An entry that is made, or whose values are others."""
        dn, after = _as_read(change["target"]), change["after"]
        if change["op"] == "create":
            assert dn not in state
            return {**state, dn: _filled({name: _texts(values) for name, values in after.items()})}
        assert change["op"] == "modify"
        entry: dict[str, list[str]] = dict(state[dn])
        for name, values in (change["before"] or {}).items():
            assert _texts(values) == entry.get(name, []), (change, entry)
        for op, changed in after.items():
            for name, values in changed.items():
                entry[name] = _OPERATIONS[op](entry.get(name, []), _texts(values))
        return {**state, dn: _filled(entry)}


def _as_read(dn: str) -> str:
    """The DN in one of the ways to write it: the server has its own."""
    return str(dn2str(str2dn(dn)))


_Operation = Callable[[list[str], list[str]], list[str]]
_OPERATIONS: Mapping[str, _Operation] = {
    "replace": lambda held, values: values,
    "add": lambda held, values: sorted([*held, *values]),
    "delete": lambda held, values: [one for one in held if one not in values],
}


def _texts(values: list[Any]) -> list[str]:
    return sorted(map(str, values))


def _filled(entry: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: values for name, values in entry.items() if values}


@dataclass(frozen=True)
class SlurmAccounts:
    """Accounts, their users and limits in slurmdbd."""

    server: SlurmServer
    kinds = frozenset({"slurm_account", "slurm_association"})

    def look(self) -> State:
        """Accounts, and associations with what is set on them."""
        found: State = {}
        for name, description, organization, coordinators in self.server.show(
            "account", "account,descr,org,coordinators", "withcoord"
        ):
            texts = {"description": description, "organization": organization}
            found[f"account {name}"] = {**texts, "coordinators": sorted(filter(None, coordinators.split(",")))}
        for cluster, account, user, partition, *limits in self.server.show("assoc", _COLUMNS, "wopl"):
            about = dict(zip(_SET, limits, strict=True))
            found[f"{user} of {account} on {cluster}{partition}"] = {
                name: _amounts(text) if name.startswith("grp") else text for name, text in about.items()
            }
        return found

    def foretell(self, state: State, change: Change) -> State:
        """What one call of sacctmgr would do."""
        _, asks, verb, what, *words = change["argv"]
        assert asks == "-i"
        given = dict(_pair(word) for word in words if word not in ("where", "set"))
        account = given.pop("account" if "account" in given else "name")
        assert given.pop("cluster", CLUSTER) == CLUSTER
        if what == "coordinator":
            return self._coordinator(state, verb, account, given.pop("names").split(","))
        told = {**state}
        if what == "account":
            texts = {key: given.pop(key) for key in ("description", "organization") if key in given}
            held = state.get(f"account {account}", {"coordinators": []})
            told[f"account {account}"] = {**held, **texts}
        user = given.pop("name" if "name" in given else "user") if what == "user" else ""
        name = f"{user} of {account} on {CLUSTER}"
        assert (name in state) is (verb == "modify"), change
        before = state.get(name, {"fairshare": "1", "grptresmins": {}, "grpsubmit": {}, "qos": ANYTHING})
        told[name] = {**before, **_set(before, given)}
        return told

    def _coordinator(self, state: State, verb: str, account: str, names: list[str]) -> State:
        held = state[f"account {account}"]
        listed = {*held["coordinators"]} | {*names} if verb == "add" else {*held["coordinators"]} - {*names}
        return {**state, f"account {account}": {**held, "coordinators": sorted(listed)}}


_SET = ("fairshare", "grptresmins", "grpsubmit", "qos")
_COLUMNS = f"cluster,account,user,partition,{','.join(_SET)}"
_LONG = {"grpsubmitjobs": "grpsubmit"}


def _pair(word: str) -> tuple[str, str]:
    name, _, text = word.partition("=")
    return name.lower(), text


def _set(before: State, given: dict[str, str]) -> State:
    told: State = {}
    for key, text in given.items():
        name = _LONG.get(key, key)
        assert name in _SET, given
        told[name] = {one: number for one, number in {**before[name], **_amounts(text)}.items() if number != "-1"}
    return told


def _amounts(text: str) -> dict[str, str]:
    """Numbers by what they are of; of a plain number under ''."""
    parts = (one.rpartition("=") for one in text.split(",") if one)
    return {name: number for name, _, number in parts}
