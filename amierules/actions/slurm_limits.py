"""Slurm's limits: how rules write them, how sacctmgr prints them, and when the two are the same."""

import re
from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any

from amierules.actions.base import ActionError
from amierules.actions.conversion import WrongType, decimal, described
from amierules.actions.slurm_calls import NONE
from amierules.diagnostics import printable

Amounts = Mapping[str, Decimal | None]
"""A limit, by trackable resource (`cpu`, `gres/gpu`); one that is a plain number has the key ''. None clears it."""

PLAIN, MINUTES, RESOURCES = "plain", "minutes", "resources"
LIMITS: Mapping[str, tuple[str, str]] = {
    "GrpJobs": ("GrpJobs", PLAIN),
    "GrpSubmitJobs": ("GrpSubmit", PLAIN),
    "GrpTRES": ("GrpTRES", RESOURCES),
    "GrpTRESMins": ("GrpTRESMins", RESOURCES),
    "GrpTRESRunMins": ("GrpTRESRunMins", RESOURCES),
    "GrpWall": ("GrpWall", MINUTES),
    "MaxJobs": ("MaxJobs", PLAIN),
    "MaxSubmitJobs": ("MaxSubmit", PLAIN),
    "MaxTRES": ("MaxTRES", RESOURCES),
    "MaxTRESMins": ("MaxTRESMins", RESOURCES),
    "MaxTRESPerNode": ("MaxTRESPerNode", RESOURCES),
    "MaxWall": ("MaxWall", MINUTES),
}
"""By the name that a rule and `sacctmgr modify` use: the name of the column of `sacctmgr show`, and the form."""
SUBMITTING = "GrpSubmitJobs"
"""The limit that keeps whoever is inactive from submitting: 0."""

_RESOURCE = re.compile(r"[a-z]+(/[A-Za-z0-9_][A-Za-z0-9_.:@+-]{0,60})?", re.ASCII)
_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?)([KMGTP]?)", re.ASCII)
_MEGABYTES = {"K": Decimal(1) / 1024, **{unit: Decimal(1024**power) for power, unit in enumerate(("M", "G", "T", "P"))}}
_UNITS = {unit: Decimal(1000**power) for power, unit in enumerate(("", "K", "M", "G", "T", "P"))}
_LARGEST = Decimal(2**62)


def wanted_limits(given: Mapping[str, Any]) -> dict[str, Amounts]:
    """The limits that a rule gives, as amounts. Raises `ActionError` for what sacctmgr could take for something else.

    Fractions are cut off: nobody gets more than was granted.
    """
    wanted: dict[str, Amounts] = {}
    for name, value in given.items():
        if LIMITS[name][1] != RESOURCES:
            wanted[name] = {"": _amount(name, "", value)}
        elif isinstance(value, Mapping):
            wanted[name] = {_resource(name, key): _amount(name, key, one) for key, one in value.items()}
        else:
            raise ActionError(f"limits.{name} must be a mapping, like {{cpu: 100}}, not {described(value)}")
    return {name: amounts for name, amounts in wanted.items() if amounts}


def read_limit(name: str, printed: str) -> dict[str, Decimal]:
    """A limit as `sacctmgr show` prints it. Raises `ActionError` for what it never prints."""
    form = LIMITS[name][1]
    if not printed:
        return {}
    try:
        if form == RESOURCES:
            pairs = (pair.partition("=") for pair in printed.split(","))
            return {key: _read_amount(key, amount) for key, _, amount in pairs}
        return {"": _read_minutes(printed) if form == MINUTES else Decimal(printed)}
    except ArithmeticError:
        raise ActionError(f"sacctmgr shows '{printable(printed, 60)}' as {name}") from None


def differs(wanted: Amounts, present: Amounts) -> bool:
    """Whether a limit is not as wanted; resources that are not named are left as they are."""
    return any(present.get(key) != amount for key, amount in wanted.items())


def merged(wanted: Amounts, present: Amounts) -> dict[str, Decimal]:
    """The limit once it is set as wanted."""
    return {key: amount for key, amount in {**present, **wanted}.items() if amount is not None}


def in_words(amounts: Amounts) -> str:
    """A limit as sacctmgr takes it: -1 clears."""
    return ",".join(f"{key}={_number(amount)}" if key else _number(amount) for key, amount in amounts.items())


def _number(amount: Decimal | None) -> str:
    return "-1" if amount is None else f"{amount:f}"


def _resource(name: str, key: str) -> str:
    if not _RESOURCE.fullmatch(key):
        raise ActionError(f"limits.{name}: '{printable(key, 60)}' is no trackable resource, like cpu, mem or gres/gpu")
    return key


def _amount(name: str, key: str, value: object) -> Decimal | None:
    """An amount that a rule gives: a number from 0, or `none` or -1 for no limit. Raises `ActionError`."""
    what = f"limits.{name}{f': {key}' if key else ''}"
    # A plain -1 is a person's; one that was computed, or came in a packet, is a mistake and no licence.
    if value == NONE or (isinstance(value, int) and not isinstance(value, bool) and value == -1):
        return None
    if key == "mem" and isinstance(value, str) and (matched := _AMOUNT.fullmatch(value)) and matched[2]:
        return _whole(_read_amount(key, value))
    try:
        amount = decimal(value)
    except WrongType as error:
        raise ActionError(f"{what}: {error}") from None
    if amount < 0 or amount > _LARGEST:
        raise ActionError(f"{what}: {printable(amount, 40)} is not from 0 to {_LARGEST}; `none` clears a limit")
    return _whole(amount)


def _whole(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal(1), ROUND_DOWN)


def _read_amount(key: str, printed: str) -> Decimal:
    matched = _AMOUNT.fullmatch(printed)
    if matched is None:
        raise ArithmeticError
    units = {"": Decimal(1), **_MEGABYTES} if key in ("mem", "vmem") else _UNITS
    return _whole(Decimal(matched[1]) * units[matched[2]])


def _read_minutes(printed: str) -> Decimal:
    """Minutes, of `1-02:03:00`, `02:03:00` or a plain number of them."""
    days, dash, rest = printed.rpartition("-")
    parts = [Decimal(part) for part in rest.split(":")]
    if len(parts) == 1:
        return parts[0]
    hours, minutes = (parts[0], parts[1]) if len(parts) == 3 else (Decimal(0), parts[0])
    return (Decimal(days) if dash else Decimal(0)) * 1440 + hours * 60 + minutes
