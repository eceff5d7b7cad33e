"""What a job and a storage measurement have: their fields, as rules, files and the ledger call them."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple

from amierules.templating.direct import Known
from amierules.templating.static import A_NUMBER, A_TEXT, Nothing, Static
from amierules.templating.values import DATETIME, MAPPING, NUMBER, TEXT

JobRow = tuple[Any, ...]
"""A job: its values in the order of `COLUMNS`; moments in seconds since 1970, durations in seconds."""

COLUMNS: Final = (
    *("cluster", "job_id", "submitted", "started", "ended", "elapsed", "state", "account", "login", "partition"),
    *("qos", "name", "nodes", "cpus", "time_limit", "tres", "array_id", "exit_code", "more"),
)
"""The columns of the ledger that say what a job was; `more` is the JSON of further fields, or None."""
AT: Final[Mapping[str, int]] = {name: position for position, name in enumerate(COLUMNS)}


class Raw(NamedTuple):
    """A field as sources give it: as text, under our name or that of Slurm's sacct."""

    name: str
    sacct: str
    required: bool


RAW: Final = (
    Raw("job_id", "JobIDRaw", True),
    Raw("cluster", "Cluster", True),
    Raw("account", "Account", True),
    Raw("login", "User", True),
    Raw("partition", "Partition", False),
    Raw("qos", "QOS", False),
    Raw("state", "State", False),
    Raw("submitted", "Submit", True),
    Raw("started", "Start", True),
    Raw("ended", "End", True),
    Raw("elapsed", "ElapsedRaw", False),
    Raw("time_limit", "TimelimitRaw", False),
    Raw("nodes", "AllocNodes", False),
    Raw("cpus", "AllocCPUS", False),
    Raw("tres", "AllocTRES", False),
    Raw("array_id", "JobID", False),
    Raw("exit_code", "ExitCode", False),
    Raw("name", "JobName", False),
)
"""The fields of a source, in the order in which a source's rows have them; further ones follow."""


class Tres(NamedTuple):
    """The trackable resources of a job (Slurm's TRES). Of a job that has none, each is none."""

    gpus: Decimal | None
    memory: Decimal | None
    """In GiB."""
    billing: Decimal | None
    all: Mapping[str, Decimal]


APART: Final[Mapping[str, tuple[str, str]]] = {
    "gpus": ("gres/gpu", ""),
    "memory": ("mem", "G"),
    "billing": ("billing", ""),
}
"""Columns by which a file that is not Slurm's says what a job had: what Slurm calls each, and its unit."""
_NO_TRES = Tres(None, None, None, {})
_GIB: Final = {"K": Decimal(2) ** -20, "M": Decimal(2) ** -10, "G": Decimal(1), "T": Decimal(1024), "P": Decimal(2**20)}
_ZERO = Decimal(0)


@lru_cache(maxsize=65536)
def tres_of(text: str) -> Tres:
    """What `AllocTRES` says: `billing=4,cpu=4,gres/gpu=1,mem=100M,node=1`. Raises `ValueError`."""
    if not text:
        return _NO_TRES
    values: dict[str, Decimal] = {}
    for part in text.split(","):
        name, equals, amount = part.partition("=")
        if not equals:
            raise ValueError(f"{part!r} is no NAME=AMOUNT")
        values[name] = _amount(amount, name == "mem")
    typed = [amount for name, amount in values.items() if name.startswith("gres/gpu:")]
    gpus = values.get("gres/gpu", sum(typed, _ZERO))
    return Tres(gpus, values.get("mem", _ZERO), values.get("billing"), values)


def _amount(text: str, is_memory: bool) -> Decimal:
    unit = text[-1:].upper()
    number = text[:-1] if unit in _GIB else text
    if not number.replace(".", "", 1).isdecimal():
        raise ValueError(f"{text!r} is no amount")
    if is_memory:
        return Decimal(number) * _GIB[unit if unit in _GIB else "M"]
    return Decimal(number) * (1000 ** "KMGTP".index(unit) * 1000 if unit in _GIB else 1)


def _moment(position: int) -> Callable[[JobRow], object]:
    return lambda job: datetime.fromtimestamp(job[position], UTC)


def _plain(position: int) -> Callable[[JobRow], object]:
    return lambda job: job[position]


def _number(position: int) -> Callable[[JobRow], object]:
    return lambda job: None if job[position] is None else Decimal(job[position])


class Field(NamedTuple):
    """A field of `job` in a rule."""

    static: Static
    value: Callable[[JobRow], object]
    direct: Known | None
    """As Python source over the row `j`, where there is such."""
    description: str


def _text(name: str, description: str) -> Field:
    return Field(A_TEXT, _plain(AT[name]), Known(f"j[{AT[name]}]", TEXT), description)


def _whole(name: str, description: str) -> Field:
    return Field(A_NUMBER, _number(AT[name]), Known(f"D(j[{AT[name]}])", NUMBER), description)


def _time(name: str, description: str) -> Field:
    return Field(Static(DATETIME, Nothing.NEVER), _moment(AT[name]), None, description)


_TRES = AT["tres"]
_LIMIT = AT["time_limit"]
_ELAPSED = AT["elapsed"]


def _of_tres(position: int, description: str) -> Field:
    source = Known(f"tres_of(j[{_TRES}])[{position}]", NUMBER)
    return Field(A_NUMBER, lambda job: tres_of(job[_TRES])[position], source, description)


JOB: Final[Mapping[str, Field]] = {
    "job_id": _text("job_id", "the id that no other record of this submission has (`JobIDRaw`)"),
    "array_id": _text("array_id", "the id as Slurm shows it: `12_3` in an array, `12+1` in a heterogeneous job"),
    "cluster": _text("cluster", "the cluster"),
    "account": _text("account", "the account in Slurm"),
    "user": _text("login", "the login"),
    "partition": _text("partition", "the partition"),
    "qos": _text("qos", "the quality of service"),
    "state": _text("state", "the state in which it ended: `COMPLETED`, `TIMEOUT`, …"),
    "name": _text("name", "its name: whatever the user wrote"),
    "exit_code": _text("exit_code", "its exit status, as `0:0`"),
    "submitted": _time("submitted", "when it was submitted"),
    "started": _time("started", "when it began"),
    "ended": _time("ended", "when it ended"),
    "elapsed": _whole("elapsed", "seconds for which it ran"),
    "hours": Field(
        A_NUMBER,
        lambda job: Decimal(job[_ELAPSED]) / 3600,
        Known(f"(D(j[{_ELAPSED}]) / 3600)", NUMBER),
        "hours for which it ran, as an exact decimal number",
    ),
    "limit": Field(
        Static(NUMBER, Nothing.MAYBE, why="a job may have no limit"),
        _number(_LIMIT),
        Known(f"(None if j[{_LIMIT}] is None else D(j[{_LIMIT}]))", NUMBER),
        "seconds for which it might have run; none where there is no limit",
    ),
    "nodes": _whole("nodes", "nodes that it had"),
    "cpus": _whole("cpus", "CPUs that it had"),
    "gpus": _of_tres(0, "GPUs that it had"),
    "memory": _of_tres(1, "GiB of memory that it had"),
    "billing": _of_tres(2, "Slurm's own weighted sum of what it had (`TRESBillingWeights`)"),
    "tres": Field(
        Static(MAPPING, Nothing.NEVER, what="the job's TRES"),
        lambda job: tres_of(job[_TRES]).all,
        None,
        "all its TRES by name, memory in GiB: `job.tres['gres/gpu:a100']`",
    ),
    "more": Field(
        Static(MAPPING, Nothing.NEVER, what="the job's further fields"),
        lambda job: json.loads(job[AT["more"]] or "{}"),
        None,
        "further fields that the configuration names, and further columns of a file, as texts",
    ),
}

STORAGE: Final[Mapping[str, tuple[str, bool]]] = {
    "account": ("whose storage it is: a project's group or id", True),
    "login": ("who uses it; the project's PI where nobody is named", False),
    "resource": ("the resource, as the configuration names it", True),
    "time": ("when it was measured", True),
    "bytes": ("bytes that are stored", True),
    "files": ("how many files", False),
}
"""The fields of a storage measurement: what each is, and whether it must be there."""
