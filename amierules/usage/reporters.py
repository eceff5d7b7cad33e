"""The way by which a site's records reach the other side."""

from typing import Protocol

from amierules.ports.json_service import Patience
from amierules.usage.api_reporter import REMOTE, ApiReporter
from amierules.usage.collecting import CrashPoint, Progress
from amierules.usage.packets import PacketReporter, Reported, remote_of
from amierules.usage.site import UsageSite


class Reporter(Protocol):
    """Reports records, and follows what becomes of them."""

    remote: str

    def follow(self) -> Reported:
        """Notes what the other side says of records that were sent."""

    def report(self, limit: int | None) -> Reported:
        """Sends what is unsent, at most so many records."""


def reporter_of(
    site: UsageSite,
    progress: Progress = lambda rows: None,
    crash_point: CrashPoint = lambda name: None,
    patience: Patience | None = None,
) -> Reporter:
    """The reporter that the configuration names. Raises `Invalid`."""
    if site.configuration.usage.report == "api":
        return ApiReporter(site, progress, crash_point, patience)
    return PacketReporter(site, progress, crash_point)


def remote_name(site: UsageSite) -> str:
    """What the ledger calls the other side. Raises `Invalid`."""
    return REMOTE if site.configuration.usage.report == "api" else remote_of(site)
