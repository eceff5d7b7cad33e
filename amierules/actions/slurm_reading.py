"""Slurm's accounts as they are: one reading of an account, on all clusters, serves all steps of a packet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from amierules.actions.base import ActionError, Surroundings
from amierules.actions.slurm_calls import ask, sacctmgr, sshare
from amierules.actions.slurm_limits import LIMITS, read_limit

_FIRST = ("Account", "Cluster", "User", "Partition", "ParentName", "Fairshare", "DefaultQOS", "QOS")
_LAST = ("Coordinators", "Organization", "Description")
"""Texts that people wrote, and that may hold a `|`, come last."""
_COLUMNS = (*_FIRST, *(column for column, _ in LIMITS.values()), *_LAST)


@dataclass(frozen=True)
class Association:
    """An account on a cluster, or a user of it there."""

    cluster: str
    user: str = ""
    """'' for the account's own."""
    partition: str = ""
    parent: str = ""
    fairshare: str = "1"
    default_qos: str = ""
    qos: tuple[str, ...] = ()
    limits: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)


@dataclass(frozen=True)
class Account:
    """An account, as all clusters of a slurmdbd share it, and its associations."""

    name: str
    exists: bool = False
    description: str = ""
    organization: str = ""
    coordinators: tuple[str, ...] = ()
    associations: tuple[Association, ...] = ()

    def of(self, cluster: str, user: str = "", partition: str | None = None) -> tuple[Association, ...]:
        """The associations of a user, or of the account itself; on every partition where none is named."""
        return tuple(
            one
            for one in self.associations
            if (one.cluster, one.user) == (cluster, user) and partition in (None, one.partition)
        )


def read_account(surroundings: Surroundings, name: str, *, inherited: bool = False) -> Account:
    """The account with what is set on it itself, or, where `inherited`, with what it has from those above it too.

    Raises `BackendUnavailable` and `ActionError`.
    """
    key = ("slurm account", name, inherited)
    known = surroundings.readings.get(key)
    if not isinstance(known, Account):
        words = ["-nP", "show", "account", "where", f"account={name}", "withassoc", "withcoord"]
        words += [*([] if inherited else ["wopl"]), f"format={','.join(_COLUMNS)}"]
        known = _account(name, ask(surroundings, sacctmgr(surroundings), *words))
        surroundings.readings[key] = known
    return known


def default_account(surroundings: Surroundings, cluster: str, user: str) -> str:
    """The account of a user's jobs that name none; '' where the cluster does not know the user."""
    key = ("slurm default account", cluster, user)
    known = surroundings.readings.get(key)
    if not isinstance(known, str):
        words = ("-nP", "show", "assoc", "where", f"user={user}", f"cluster={cluster}", "onlydefaults")
        known = ask(surroundings, sacctmgr(surroundings), *words, "format=Account").partition("\n")[0].strip()
        surroundings.readings[key] = known
    return known


def raw_usage(surroundings: Surroundings, cluster: str, account: str) -> Decimal:
    """The account's usage that its limits count, in seconds of its billed resources. Raises `BackendUnavailable`."""
    words = ("-nP", f"--clusters={cluster}", f"--accounts={account}", "--format=Account,User,RawUsage")
    rows = (line.split("|") for line in ask(surroundings, sshare(surroundings), *words).splitlines())
    found = [row[2] for row in rows if len(row) == 3 and (row[0].strip(), row[1]) == (account, "")]
    if not all(usage.isdecimal() for usage in found):
        raise ActionError(f"sshare shows no number as the usage of {account}")
    return Decimal(found[0]) if found else Decimal(0)


def note_planned(surroundings: Surroundings, cluster: str, account: str) -> None:
    """In a dry run: an earlier step would have made the account."""
    surroundings.readings["slurm planned", cluster, account] = True


def is_planned(surroundings: Surroundings, cluster: str, account: str) -> bool:
    """Whether an earlier step of a dry run would have made the account."""
    return ("slurm planned", cluster, account) in surroundings.readings


def forget(surroundings: Surroundings) -> None:
    """Something was written: what was read is read again."""
    for key in [key for key in surroundings.readings if isinstance(key, tuple) and str(key[0]).startswith("slurm ")]:
        del surroundings.readings[key]


def _account(name: str, printed: str) -> Account:
    rows = [row for line in printed.splitlines() if (row := _row(line)) is not None and row["Account"] == name]
    if not rows:
        return Account(name)
    first = rows[0]
    coordinators = tuple(sorted(one for one in first["Coordinators"].split(",") if one))
    found = tuple(_association(row) for row in rows if row["Cluster"])
    return Account(name, True, first["Description"], first["Organization"], coordinators, found)


def _row(line: str) -> dict[str, str] | None:
    """The columns of a line; None for the rest of a text that somebody wrote with a line break in it."""
    values = line.split("|", len(_COLUMNS) - 1)
    return dict(zip(_COLUMNS, values, strict=True)) if len(values) == len(_COLUMNS) else None


def _association(row: Mapping[str, str]) -> Association:
    limits = {name: read_limit(name, row[column]) for name, (column, _) in LIMITS.items()}
    return Association(
        row["Cluster"],
        row["User"],
        row["Partition"],
        row["ParentName"],
        row["Fairshare"],
        row["DefaultQOS"],
        tuple(sorted(one for one in row["QOS"].split(",") if one)),
        {name: limit for name, limit in limits.items() if limit},
    )
