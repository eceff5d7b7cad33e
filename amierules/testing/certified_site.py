"""A scratch copy of a site for `tgcdb certify`: its rules and its engine, a database of its own, models outside."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, select

from amierules.database import work
from amierules.database.amie_tables import transaction_tbl
from amierules.database.connection import Database
from amierules.database.work import WorkItem
from amierules.diagnostics import Invalid
from amierules.engine.deciding import Word, decide
from amierules.engine.running import Runner
from amierules.engine.site import Site
from amierules.ports.clock import FixedClock
from amierules.testing.assumed import AssumedDirectory, AssumingScript
from amierules.testing.model import Given
from amierules.testing.recording import Recorder
from amierules.testing.stage import Stage, Stages
from amierules.tgcdb.certifying import Standing
from amierules.tgcdb.scenarios import DEFAULT_RESOURCE

_WHO = "certify"


@dataclass
class ScratchSite:
    """The site; nothing outside its folder and its database is touched, and no message is sent."""

    site: Site
    clock: FixedClock
    script: AssumingScript
    _approved: set[tuple[int, str]] = field(default_factory=set)

    def work(self) -> None:
        """Works on all that is due."""
        Runner(self.site).run()

    def standings(self, transaction_ids: Collection[int]) -> list[Standing]:
        """The packets of these transactions that wait."""
        return [
            Standing(number, item.type, item.status, item.reason or "") for number, item in self._items(transaction_ids)
        ]

    def approve(self, transaction_ids: Collection[int]) -> list[Standing]:
        """Approves what is held for a person, if an approval alone will do."""
        approved = []
        for number, item in self._items(transaction_ids):
            key = (item.packet_rec_id, item.approvable or "")
            if item.status != "held" or item.approvable is None or item.asked or key in self._approved:
                continue
            self._approved.add(key)
            decide(self.site, item.packet_rec_id, Word("approve", "a scratch copy", _WHO))
            approved.append(Standing(number, item.type, item.status, item.reason or ""))
        return approved

    def go_on_later(self, transaction_ids: Collection[int], until: datetime) -> bool:
        """Lets time pass until one of these packets is due again."""
        now = self.clock.now()
        moments = [item.next_attempt_at for _, item in self._items(transaction_ids)]
        due = min((one for one in moments if one is not None and now < one <= until), default=None)
        if due is None:
            return False
        self.clock.at = due
        return True

    def _items(self, transaction_ids: Collection[int]) -> list[tuple[int, WorkItem]]:
        with self.site.database.read() as connection:
            ids = _transaction_ids(connection)
            items = work.listing(connection)
        known = [(ids[item.trans_rec_id], item) for item in items if item.trans_rec_id in ids]
        return [(number, item) for number, item in known if number in transaction_ids]


@contextmanager
def scratch_site(configuration: Path, now: datetime, database: Database | None = None) -> Iterator[ScratchSite]:
    """The scratch copy of the site of a configuration file, at the time `now`; gone at the end, with all files.

    `database` is an empty one with all tables; one in memory by default. Raises `Invalid` where the configuration, or a
    rule, cannot be used.
    """
    with Stages.opened() as stages:
        stage, findings = stages.of(configuration)
        if stage is None or stage.errors:
            raise Invalid(stage.errors if stage is not None else findings)
        yield _made(stage, stages.new_folder(), now, database)


def _made(stage: Stage, folder: Path, now: datetime, database: Database | None) -> ScratchSite:
    # A site that names no resource is played as if it had one: its rules are what is looked at.
    given = Given(clock=now, resources={} if stage.configuration.resources else {DEFAULT_RESOURCE: {}})
    host = stage.host(given, folder)
    script = AssumingScript()
    host.script = script
    ldap = stage.configuration.ldap
    host.directory = AssumedDirectory(list(ldap.named.values()) if ldap is not None else [], script)
    site = stage.site(given, host, Recorder())
    script.modelled = host.modelled()
    site = replace(site, database=database or site.database)
    return ScratchSite(site, host.clock, script)


def _transaction_ids(connection: Connection) -> dict[int, int]:
    columns = transaction_tbl.c
    return {
        row.trans_rec_id: row.transaction_id
        for row in connection.execute(select(columns.trans_rec_id, columns.transaction_id))
    }
