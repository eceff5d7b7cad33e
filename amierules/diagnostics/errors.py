"""The errors that reach a user: each carries findings and the exit status that it ends with."""

from collections.abc import Iterable

from amierules.diagnostics.exit_status import ExitStatus
from amierules.diagnostics.finding import Finding


class AmierulesError(Exception):
    """An expected error. The command line prints its findings and ends with its status."""

    status = ExitStatus.INVALID

    def __init__(self, findings: Finding | Iterable[Finding]) -> None:
        self.findings = [findings] if isinstance(findings, Finding) else list(findings)
        super().__init__("; ".join(finding.message for finding in self.findings))


class Invalid(AmierulesError):
    """Rules, configuration or input that cannot be used."""


class NotAllowed(AmierulesError):
    """Wrong usage, or a transition that a packet's status does not allow."""

    status = ExitStatus.USAGE


class Unavailable(AmierulesError):
    """A database, remote side or lock that is not to be had now."""

    status = ExitStatus.UNAVAILABLE
