"""Reporting as notify_project_usage packets: a transaction of ours for each record, in the commit that notes it."""

from dataclasses import dataclass, field

from sqlalchemy import Connection

from amierules.database import events, usage_reports
from amierules.database.originating import originate
from amierules.database.usage_answers import answered
from amierules.database.usage_lock import reporting_alone
from amierules.database.usage_reports import FAILED, LOADED, SENT, Outcome, Record
from amierules.diagnostics import Finding, Invalid
from amierules.protocol.outgoing import prepare_outgoing
from amierules.usage.collecting import CrashPoint, Progress
from amierules.usage.records import packet_fields
from amierules.usage.site import UsageSite

TYPE = "notify_project_usage"
_GROUP = 100
"""Packets that are committed together."""


@dataclass
class Reported:
    """What a report did."""

    records: int = 0
    requests: int = 0
    failed: int = 0
    loaded: int = 0
    """Records of which it turned out that they were loaded."""
    refused: int = 0
    """Records of which it turned out that they were not taken."""
    notes: list[Finding] = field(default_factory=list)


def remote_of(site: UsageSite) -> str:
    """The site that gets the packets. Raises `Invalid` where the configuration has several and names none."""
    sites, to = site.configuration.remote_site_names, site.configuration.usage.to
    if to is None and len(sites) != 1:
        hint = f"name one as `usage: {{to: NAME}}`: {', '.join(sites)}"
        raise Invalid(Finding("unknown-site", "nothing says which site gets the usage", hint=hint))
    return to or sites[0]


class PacketReporter:
    """Reports to the AMIE database."""

    def __init__(self, site: UsageSite, progress: Progress, crash_point: CrashPoint = lambda name: None) -> None:
        self._site = site
        self._progress = progress
        self._crash_point = crash_point
        self.remote = remote_of(site)

    def follow(self) -> Reported:
        """Notes what the other side has answered. Raises `Unavailable`."""
        now = self._site.now()
        with self._site.database.begin() as connection:
            answers = answered(connection, self.remote)
            found: dict[int, Outcome] = {
                usage_id: (LOADED if taken else FAILED, None if taken else message or "refused", None)
                for usage_id, (taken, message) in answers.items()
            }
            usage_reports.settle(connection, self.remote, found, now)
        loaded = sum(1 for taken, _ in answers.values() if taken)
        return Reported(loaded=loaded, refused=len(answers) - loaded)

    def report(self, limit: int | None) -> Reported:
        """Sends what is unsent, at most so many records. Raises `Unavailable` and `Invalid`."""
        with reporting_alone(self._site.database), self._site.database.kept():
            done = self.follow()
            after = 0
            while limit is None or done.records + done.failed < limit:
                size = _GROUP if limit is None else min(_GROUP, limit - done.records - done.failed)
                with self._site.database.begin() as connection:
                    records = usage_reports.unsent(connection, self.remote, after, size)
                    for record in records:
                        self._send(connection, record, done)
                    self._crash_point("in the commit of packets")
                self._crash_point("after packets are committed")
                if not records:
                    break
                after = records[-1]["usage_id"]
                self._progress(done.records)
        return done

    def _send(self, connection: Connection, record: Record, done: Reported) -> None:
        now = self._site.clock.now().replace(microsecond=0)
        seconds, usage_id = int(now.timestamp()), record["usage_id"]
        configuration = self._site.configuration
        prepared = prepare_outgoing(TYPE, packet_fields(record, now), charset=configuration.charset, reply=False)
        if prepared.problems:
            reason = "; ".join(problem.message for problem in prepared.problems)
            usage_reports.claim(connection, self.remote, [usage_id], FAILED, seconds, reason=reason)
            done.failed += 1
            return
        made = originate(
            connection,
            type_name=TYPE,
            body=prepared.body,
            site_name=configuration.site_name,
            remote_site_name=self.remote,
            now=now,
        )
        events.add(connection, made.packet_rec_id, self._site.who, "sent", f"usage record {usage_id}", now)
        number = made.packet_rec_id
        usage_reports.claim(connection, self.remote, [usage_id], SENT, seconds, packet_rec_id=number)
        done.records += 1
