"""One thing that `doctor` has looked at."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from amierules.diagnostics import AmierulesError, ExitStatus, Finding, Severity


class Health(StrEnum):
    """How a thing is: an error keeps packets from being answered, a warning may."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


_HEALTH = {Severity.ERROR: Health.ERROR, Severity.WARNING: Health.WARNING, Severity.NOTE: Health.OK}


@dataclass(frozen=True)
class Check:
    """What was looked at, how it is, and what to do about it."""

    what: str
    health: Health
    detail: str
    hint: str = ""
    status: ExitStatus = ExitStatus.INVALID
    """The exit status that an error stands for."""

    def as_json(self) -> dict[str, str]:
        """The check as `doctor --format json` prints it."""
        return {"what": self.what, "state": str(self.health), "detail": self.detail, "hint": self.hint}


def ok(what: str, detail: str) -> Check:
    """A thing that is as it should be."""
    return Check(what, Health.OK, detail)


def warning(what: str, detail: str, hint: str = "") -> Check:
    """A thing that may become a trouble."""
    return Check(what, Health.WARNING, detail, hint)


def error(what: str, detail: str, hint: str = "") -> Check:
    """A thing that must be mended."""
    return Check(what, Health.ERROR, detail, hint)


def from_findings(what: str, findings: Iterable[Finding]) -> list[Check]:
    """A check for each finding, with its place in the text."""
    return [_from_finding(what, finding, ExitStatus.INVALID) for finding in sorted(findings, key=Finding.sort_key)]


def from_error(what: str, raised: AmierulesError) -> list[Check]:
    """A check for each finding of an error."""
    return [_from_finding(what, finding, raised.status) for finding in raised.findings]


def _from_finding(what: str, finding: Finding, status: ExitStatus) -> Check:
    place = finding.place
    where = ":".join(str(part) for part in (place.file, place.line) if part) + ": " if place and place.file else ""
    return Check(what, _HEALTH[finding.severity], where + finding.message, finding.hint, status)
