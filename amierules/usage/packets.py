"""Reporting as notify_project_usage packets: a transaction of ours for each record, in the commit that notes it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from amierules.database import events, usage_reports
from amierules.database.originating import originate_all
from amierules.database.usage_answers import answered
from amierules.database.usage_lock import reporting_alone
from amierules.database.usage_reports import FAILED, LOADED, Outcome, Record
from amierules.diagnostics import Finding, Invalid
from amierules.protocol.outgoing import Prepared, prepare_outgoing
from amierules.protocol.packet import Body
from amierules.usage.collecting import CrashPoint, Progress
from amierules.usage.records import packet_fields
from amierules.usage.site import UsageSite

TYPE = "notify_project_usage"
_GROUP = 100
"""Packets that are committed together."""
_LOOK = 1000
"""Records that a dry run reads at once."""


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


def _prepared(site: UsageSite, record: Record, now: datetime) -> Prepared:
    return prepare_outgoing(TYPE, packet_fields(record, now), charset=site.configuration.charset, reply=False)


def _fault(prepared: Prepared) -> str:
    """Why a record makes no packet; nothing where it does."""
    return "; ".join(problem.message for problem in prepared.problems)


def would_fail(site: UsageSite, remote: str, progress: Progress) -> Counter[str]:
    """Of what is unsent, what would make no packet: the number of records by reason. Raises `Unavailable`."""
    now, found, looked_at, after = site.clock.now(), Counter[str](), 0, 0
    while True:
        with site.database.read() as connection:
            records = usage_reports.unsent(connection, remote, after, _LOOK)
        if not records:
            return found
        found.update(reason for record in records if (reason := _fault(_prepared(site, record, now))))
        looked_at, after = looked_at + len(records), records[-1]["usage_id"]
        progress(looked_at)


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
                    self._send(connection, records, done)
                    self._crash_point("in the commit of packets")
                self._crash_point("after packets are committed")
                if not records:
                    break
                after = records[-1]["usage_id"]
                self._progress(done.records)
        return done

    def _send(self, connection: Connection, records: Sequence[Record], done: Reported) -> None:
        now = self._site.clock.now().replace(microsecond=0)
        seconds = int(now.timestamp())
        configuration = self._site.configuration
        good: list[Record] = []
        bodies: list[Body] = []
        for record in records:
            prepared = _prepared(self._site, record, now)
            if reason := _fault(prepared):
                usage_reports.claim(connection, self.remote, [record["usage_id"]], FAILED, seconds, reason=reason)
                done.failed += 1
                continue
            good.append(record)
            bodies.append(prepared.body)
        made = originate_all(
            connection,
            type_name=TYPE,
            bodies=bodies,
            site_name=configuration.site_name,
            remote_site_name=self.remote,
            now=now,
        )
        sent = {one.packet_rec_id: record for one, record in zip(made, good, strict=True)}
        told = [(number, "sent", f"usage record {record['usage_id']}") for number, record in sent.items()]
        events.add_several(connection, told, self._site.who, now)
        usage_reports.claim_sent(connection, self.remote, sent, seconds)
        done.records += len(sent)
