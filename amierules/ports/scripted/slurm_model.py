"""What stands for Slurm's sacctmgr and sshare in a rule test: accounts, associations and what is set on them.

Words and answers are those of sacctmgr(1): `show`, `add`, `modify` and `delete` of accounts, users and coordinators.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from amierules.ports.scripted.programs import Program

Said = tuple[int, str, str]

_COLUMN_OF: Mapping[str, str] = {
    **{"grpsubmitjobs": "grpsubmit", "maxsubmitjobs": "maxsubmit", "parent": "parentname", "qoslevel": "qos"},
    "defaultqos": "defaultqos",
}
"""The column that shows a setting, where it is called something else."""
_OF_ACCOUNT = ("description", "organization")
_NOT_SET = frozenset(("name", "names", "account", "accounts", "user", "users", "cluster", "clusters", "partition"))
_USUAL_PARENT = ("parentname", "root")
_INHERITED = ("qos",)


@dataclass
class _Account:
    description: str = ""
    organization: str = ""
    coordinators: list[str] = field(default_factory=list)


@dataclass
class _Association:
    cluster: str
    account: str
    user: str = ""
    partition: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    """By the name of the column."""
    usage: int = 0

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What there is one association of."""
        return self.cluster, self.account, self.user, self.partition


class SlurmModel:
    """Slurm's accounts."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._associations: list[_Association] = []
        self._defaults: dict[tuple[str, str], str] = {}
        """A user's default account, by cluster and user."""

    def programs(self) -> dict[str, Program]:
        """The models by name."""
        return {"sacctmgr": self._sacctmgr, "sshare": self._sshare}

    def put_account(
        self,
        name: str,
        texts: Mapping[str, str],
        coordinators: Sequence[str],
        clusters: Mapping[str, Mapping[str, str]],
    ) -> None:
        """An account that is there, with what is set on it on each cluster; `RawUsage` is its usage."""
        self._accounts[name] = _Account(
            texts.get("description", name), texts.get("organization", name), [*coordinators]
        )
        for cluster, settings in clusters.items():
            self._put(_Association(cluster, name), {"parent": "root", **settings})

    def put_user(self, name: str, account: str, cluster: str, settings: Mapping[str, str]) -> None:
        """A user of an account that is there."""
        self._put(_Association(cluster, account, name), settings)
        self._defaults.setdefault((cluster, name), account)

    def contents(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Accounts with what is set on each by cluster, and users: as `put_account` and `put_user` take them."""
        accounts = []
        for name, account in self._accounts.items():
            own = {one.cluster: _given(one) for one in self._associations if one.account == name and not one.user}
            texts = {"description": account.description, "organization": account.organization}
            coordinators = {"coordinators": [*account.coordinators]} if account.coordinators else {}
            accounts.append({"name": name, **texts, **coordinators, "clusters": own})
        users = []
        for one in self._associations:
            if one.user:
                settings = {"settings": _given(one)} if _given(one) else {}
                users.append({"name": one.user, "account": one.account, "cluster": one.cluster, **settings})
        return accounts, users

    def _put(self, association: _Association, settings: Mapping[str, str]) -> None:
        association.usage = int(settings.get("RawUsage", 0))
        _set(association, {key.lower(): text for key, text in settings.items() if key != "RawUsage"})
        # What a test says of one that all tests of its file are given stands for it.
        self._associations = [one for one in self._associations if one.key != association.key] + [association]

    # ------------------------------------------------------------------ sacctmgr

    def _sacctmgr(self, words: Sequence[str]) -> Said:
        plain = [word for word in words if not word.startswith("-")]
        verb, what = (plain[0], plain[1]) if len(plain) > 1 else ("", "")
        does: Mapping[tuple[str, str], Callable[[list[str]], Said]] = {
            ("show", "account"): self._show_account,
            ("show", "assoc"): self._show_defaults,
            ("add", "account"): self._add_account,
            ("add", "user"): self._add_user,
            ("add", "coordinator"): self._coordinators,
            ("delete", "coordinator"): self._coordinators,
            ("modify", "account"): self._modify,
            ("modify", "user"): self._modify,
            ("delete", "account"): self._delete,
            ("delete", "user"): self._delete,
        }
        if (verb, what) not in does:
            return 1, "", f"sacctmgr: error: a rule test knows no `{' '.join(plain[:2])}`\n"
        return does[verb, what](plain[2:] if what != "coordinator" else [verb, *plain[2:]])

    def _show_account(self, words: list[str]) -> Said:
        given = _pairs(words)
        name, columns = given.get("account", ""), given["format"].split(",")
        account = self._accounts.get(name)
        if account is None:
            return 0, "", ""
        own = [one for one in self._associations if one.account == name]
        texts = {**vars(account), "account": name, "coordinators": ",".join(account.coordinators)}
        rows = [{**texts, **self._shown(one, inherits="wopl" not in words)} for one in own] or [texts]
        return 0, "".join("|".join(str(row.get(column.lower(), "")) for column in columns) + "\n" for row in rows), ""

    def _shown(self, one: _Association, *, inherits: bool) -> dict[str, str]:
        above = self._of(one.cluster, one.account) if inherits and one.user else None
        inherited = {name: above.settings[name] for name in _INHERITED if above and name in above.settings}
        where = {"cluster": one.cluster, "user": one.user, "partition": one.partition}
        return {"fairshare": "1", **inherited, **one.settings, **where}

    def _show_defaults(self, words: list[str]) -> Said:
        given = _pairs(words)
        default = self._defaults.get((given.get("cluster", ""), given.get("user", "")))
        return 0, f"{default}\n" if default else "", ""

    def _add_account(self, words: list[str]) -> Said:
        given = _pairs(words)
        name, cluster = given["name"], given["cluster"]
        if self._of(cluster, name) is not None:
            return 1, " Nothing new added.\n", ""
        texts = {key: given[key] for key in _OF_ACCOUNT if key in given}
        self._accounts.setdefault(name, _Account(texts.get("description", name), texts.get("organization", name)))
        association = _Association(cluster, name)
        _set(association, {"parent": "root", **{key: one for key, one in given.items() if key not in _OF_ACCOUNT}})
        self._associations.append(association)
        return 0, f" Adding Account(s)\n  {name}\n", ""

    def _add_user(self, words: list[str]) -> Said:
        given = _pairs(words)
        user, account, cluster = given["name"], given["account"], given["cluster"]
        if self._of(cluster, account) is None:
            return 1, "", f" This account '{account}' doesn't exist.\n"
        if self._of(cluster, account, user, given.get("partition", "")) is not None:
            return 1, " Nothing new added.\n", ""
        association = _Association(cluster, account, user, given.get("partition", ""))
        _set(association, given)
        self._associations.append(association)
        self._defaults.setdefault((cluster, user), account)
        return 0, f" Adding User(s)\n  {user}\n", ""

    def _modify(self, words: list[str]) -> Said:
        at = words.index("set")
        where, wanted = _pairs(words[:at]), _pairs(words[at:])
        found = self._where(where)
        if not found:
            return 1, " Nothing modified\n", ""
        if "defaultaccount" in wanted:
            self._defaults[where["cluster"], where["user"]] = wanted.pop("defaultaccount")
        for key in [key for key in _OF_ACCOUNT if key in wanted]:
            setattr(self._accounts[where["account"]], key, wanted.pop(key))
        for one in found:
            if wanted.get("rawusage") == "0":
                one.usage = 0
            _set(one, {key: text for key, text in wanted.items() if key != "rawusage"})
        return 0, " Modified...\n", ""

    def _delete(self, words: list[str]) -> Said:
        where = _pairs(words)
        found = self._where(where)
        if "user" not in where:
            found = [one for one in self._associations if (one.cluster, one.account) in {_place(own) for own in found}]
        if not found:
            return 1, " Nothing deleted\n", ""
        self._associations = [one for one in self._associations if not any(one is gone for gone in found)]
        left = {one.account for one in self._associations}
        self._accounts = {name: one for name, one in self._accounts.items() if name in left}
        return 0, " Deleting...\n", ""

    def _coordinators(self, words: list[str]) -> Said:
        given = _pairs(words)
        account = self._accounts.get(given["account"])
        if account is None:
            return 1, "", f" This account '{given['account']}' doesn't exist.\n"
        names = given["names"].split(",")
        others = [one for one in account.coordinators if one not in names]
        account.coordinators = [*others, *(names if words[0] == "add" else [])]
        return 0, "", ""

    # ------------------------------------------------------------------ sshare

    def _sshare(self, words: Sequence[str]) -> Said:
        given = _pairs([word.removeprefix("--") for word in words])
        found = self._of(given.get("clusters", ""), given.get("accounts", ""))
        return 0, f"{found.account}||{found.usage}\n" if found is not None else "", ""

    def _of(self, cluster: str, account: str, user: str = "", partition: str | None = None) -> _Association | None:
        found = (one for one in self._associations if (one.cluster, one.account, one.user) == (cluster, account, user))
        return next((one for one in found if partition in (None, one.partition)), None)

    def _where(self, where: Mapping[str, str]) -> list[_Association]:
        """Those that a `where` means; without `user` the accounts' own."""
        wanted = {"user": "", **{key: text for key, text in where.items() if key in _NOT_SET}}
        return [one for one in self._associations if all(getattr(one, key) == text for key, text in wanted.items())]


def _given(one: _Association) -> dict[str, str]:
    """What is set, under names by which it can be set."""
    names = {column: name for name, column in _COLUMN_OF.items()}
    found = {
        names.get(column, column): text for column, text in one.settings.items() if (column, text) != _USUAL_PARENT
    }
    return {**found, "RawUsage": str(one.usage)} if one.usage else found


def _pairs(words: Iterable[str]) -> dict[str, str]:
    return {key.lower(): text for key, sign, text in (word.partition("=") for word in words) if sign}


def _place(one: _Association) -> tuple[str, str]:
    return one.cluster, one.account


def _set(association: _Association, given: Mapping[str, str]) -> None:
    """Set what is given: `-1` clears, `+=` adds, and of several resources only those that are named change."""
    for key, text in given.items():
        name = key.removesuffix("+")
        if name in _NOT_SET:
            continue
        column = _COLUMN_OF.get(name, name)
        before = association.settings.get(column, "")
        association.settings[column] = _merged(before, text, adds=key.endswith("+"))
        if not association.settings[column]:
            del association.settings[column]


def _merged(before: str, text: str, *, adds: bool) -> str:
    if adds:
        return ",".join(sorted({*filter(None, before.split(",")), *text.split(",")}))
    if "=" not in text:
        return "" if text == "-1" else text
    held = dict(pair.split("=", 1) for pair in before.split(",") if pair)
    held |= dict(pair.split("=", 1) for pair in text.split(","))
    return ",".join(f"{resource}={amount}" for resource, amount in held.items() if amount != "-1")
