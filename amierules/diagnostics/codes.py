"""The codes that findings have: what each means, and what to do about it, as `schemas/diagnostics.json` says."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from amierules.diagnostics.finding import Severity
from amierules.shipped import read_schema


@dataclass(frozen=True)
class Code:
    """One code. The examples are whole files; None where no file alone can show the mistake."""

    name: str
    severity: Severity
    found_by: str
    """`validate`, `run`, `load`, `registry`, `db` or `command`."""
    meaning: str
    remedy: str
    of: str | None = None
    """What the examples are: a rule file, a block or a configuration."""
    bad: str | None = None
    good: str | None = None


@cache
def codes() -> Mapping[str, Code]:
    """All codes by name."""
    described = read_schema("diagnostics")["codes"]
    return MappingProxyType({name: _code(name, data) for name, data in described.items()})


def _code(name: str, data: Mapping[str, str]) -> Code:
    return Code(
        name=name,
        severity=Severity(data["severity"]),
        found_by=data["found_by"],
        meaning=data["meaning"],
        remedy=data["remedy"],
        of=data.get("of"),
        bad=data.get("bad"),
        good=data.get("good"),
    )
