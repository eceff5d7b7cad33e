"""A whole site for tests, opened as the commands open it: what they do with packets, and what came of it."""

import json
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select, update

from amierules.actions.schemas import kind_schemas
from amierules.actions.table import all_kinds
from amierules.database import amie_tables, events, journal, own_tables, packets, waking, work
from amierules.database.connection import Database
from amierules.database.events import Event
from amierules.database.journal import StepRow
from amierules.database.packets import StoredPacket
from amierules.database.registry import RegistryView
from amierules.database.rows import RegistryRow
from amierules.database.work import WorkItem
from amierules.diagnostics import Finding, Severity
from amierules.engine.attempt import Handled
from amierules.engine.deciding import Word, decide
from amierules.engine.decision import PacketReport
from amierules.engine.directories import directory_of
from amierules.engine.loading import load_files
from amierules.engine.planning import Planner
from amierules.engine.running import Runner
from amierules.engine.site import CrashPoint, Site
from amierules.ports import FixedClock, LocalProcesses, World
from amierules.ports.cluster import ClusterNodes
from amierules.protocol.catalogue import catalogue
from amierules.rulebook.configuration import Configuration, load_configuration
from amierules.rulebook.loader import load_rulebook
from amierules.shipped import ROOT
from amierules.templating import Environment
from tests.support.amie_json import (
    ALPHA,
    BETA,
    CENTRAL,
    SITE,
    dac,
    dpc,
    itc,
    packet_json,
    rac,
    rai,
    rar,
    rpc,
    rpi,
    rpm,
    rpr,
    rum,
)

# The packets are here for convenience.
__all__ = [
    "ALPHA",
    "BETA",
    "CENTRAL",
    "SITE",
    "dac",
    "dpc",
    "itc",
    "packet_json",
    "rac",
    "rai",
    "rar",
    "rpc",
    "rpi",
    "rpm",
    "rpr",
    "rum",
]

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CAPTURED = "test-resource1.testsite.testorg"

SETTINGS: Mapping[str, Any] = {
    "accounts": "none",
    "scheduler": "none",
    "dns": "none",
    "approve_accounts": False,
    "approve_projects": False,
    "approve_merges": False,
    "merge": "alias",
    "blank_absent": False,
}
RESOURCES: Mapping[str, Mapping[str, Any]] = {name: {"cluster": name[:5]} for name in (ALPHA, BETA, CAPTURED)}
IDS: Mapping[str, Any] = {
    "uid": {"range": [20000, 29999]},
    "gid": {"range": [30000, 39999]},
    "person_id": {"from": "uid"},
}

_ENVIRONMENT = Environment()

MakeSite = Callable[..., Site]
"""Makes a site of a test's own: its rules, as one text or as texts by path, and what `make_site` takes."""

# ------------------------------------------------------------------ the site


def make_site(
    database: Database,
    folder: Path,
    rules: Mapping[str, str] | None = None,
    *,
    settings: Mapping[str, Any] = SETTINGS,
    resources: Mapping[str, Mapping[str, Any]] = RESOURCES,
    prefix: Path | None = None,
    clock: FixedClock | None = None,
    may_be_broken: bool = False,
    **config: Any,
) -> Site:
    """A site over the database, its files in `folder`.

    `rules` are texts by path relative to the rules' folder; None means the shipped rules. `prefix` is a scratch root
    for `user` and `group`. `config` are further sections of the configuration. Fails where a file has findings,
    unless `may_be_broken`.
    """
    configuration = configure(folder, rules, settings=settings, resources=resources, prefix=prefix, **config)
    rulebook, findings = load_rulebook(configuration.rules, kind_schemas(), _ENVIRONMENT)
    if rules is not None and not may_be_broken and errors(findings):
        ignore_on_purpose(errors(findings))
        rulebook, findings = load_rulebook(configuration.rules, kind_schemas(), _ENVIRONMENT)
    assert may_be_broken or not errors(findings), errors(findings)
    return Site(
        configuration=configuration,
        rulebook=rulebook,
        database=database,
        world=World(
            LocalProcesses(), clock or FixedClock(NOW), directory_of(configuration), ClusterNodes(configuration.ssh)
        ),
        kinds=all_kinds(),
        schemas=kind_schemas(),
        who="run@test",
    )


def ignore_on_purpose(findings: list[Finding]) -> None:
    """Silences errors by comments: these rules do at run time what `validate` finds beforehand."""
    by_line: dict[tuple[str, int], set[str]] = {}
    for finding in findings:
        if finding.place is not None and finding.place.line:
            by_line.setdefault((finding.place.file, finding.place.line), set()).add(finding.code)
    for (file, number), codes in by_line.items():
        lines = Path(file).read_text(encoding="utf-8").split("\n")
        lines[number - 1] += f"  # amierules: ignore[{', '.join(sorted(codes))}]"
        Path(file).write_text("\n".join(lines), encoding="utf-8")


def configure(
    folder: Path,
    rules: Mapping[str, str] | None = None,
    *,
    settings: Mapping[str, Any] = SETTINGS,
    resources: Mapping[str, Mapping[str, Any]] = RESOURCES,
    prefix: Path | None = None,
    later_rules: Sequence[Path] = (),
    **config: Any,
) -> Configuration:
    """Writes `amierules.yaml` and the rules to `folder`, and loads the configuration.

    `later_rules` are folders of rules after the site's own.
    """
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    write_rules(folder, rules or {})
    # Copies: what a test does to its rules must not reach the shipped ones.
    later = [shutil.copytree(source, folder / f"later-{number}") for number, source in enumerate(later_rules)]
    plain: dict[str, Any] = {
        "site_name": SITE,
        "remote_site_name": CENTRAL,
        "database": "sqlite:///amie.db",
        "rules": ["rules", *map(str, later)] if rules is not None else [str(ROOT / "rules")],
        "settings": dict(settings),
        "resources": {name: dict(values) for name, values in resources.items()},
        "ids": dict(IDS),
        "logins": {"reserved": ["root", "admin"]},
        **({"shadow": {"prefix": str(prefix)}} if prefix else {}),
    }
    path = folder / "amierules.yaml"
    path.write_text(yaml.safe_dump({**plain, **config}, sort_keys=False), encoding="utf-8")
    configuration, findings = load_configuration(path, {})
    assert configuration is not None, findings
    return configuration


def write_rules(folder: Path, rules: Mapping[str, str]) -> None:
    """Writes rule files and blocks below `folder/rules`."""
    for name, text in rules.items():
        file = folder / "rules" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def errors(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that are errors."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def set_clock(site: Site, *, at: datetime | None = None, later: timedelta = timedelta()) -> None:
    """Puts the site's clock to a moment, or forward."""
    clock = site.world.clock
    assert isinstance(clock, FixedClock)
    clock.at = (at or clock.at) + later


# ------------------------------------------------------------------ what the commands do


def load(site: Site, *given: Mapping[str, Any]) -> list[int]:
    """Loads packets in AMIE's JSON form; returns their local packet_rec_ids in the order given. None may be refused."""
    text = json.dumps(given).encode()
    loaded = load_files(site, [("packets.json", text)])
    assert not errors(loaded.findings), loaded.findings
    with site.database.read() as connection:
        found = [packets.resolve_id(connection, f"r:{one['header']['packet_rec_id']}") for one in given]
    return [packet_rec_id for packet_rec_id in found if packet_rec_id is not None]


def run(
    site: Site,
    ids: Collection[int] | None = None,
    *,
    limit: int | None = None,
    crash_point: CrashPoint = lambda name: None,
) -> dict[int, Handled]:
    """What `amierules run` does; the packets that it touched, by local packet_rec_id. No internal error may happen."""
    handled = Runner(site, crash_point=crash_point).run(ids, limit)
    assert not [one.report.crash for one in handled if one.report.crash], handled
    return {one.report.packet_rec_id or 0: one for one in handled}


def plan(site: Site, ids: Collection[int] | None = None) -> list[PacketReport]:
    """What `amierules dry-run` does: the plans of the waiting packets, in order."""
    return list(Planner(site).waiting(ids))


def decision(site: Site, packet_rec_id: int, word: str, reason: str = "because") -> str:
    """What `amierules approve|retry|hold|fail|complete` does; returns the packet's new status."""
    return decide(site, packet_rec_id, Word(word, reason, "pat"))


def complete_projects(site: Site) -> None:
    """Has AMIE's tables say that the transactions are over in which we have sent a notify_project_create, as they do
    where another program answers the data_project_create. What waits for the projects is looked at again.
    """
    packet_tbl, transaction_tbl = amie_tables.packet_tbl, amie_tables.transaction_tbl
    sent = packet_tbl.c.type_id == catalogue().types["notify_project_create"].id
    transactions = select(packet_tbl.c.trans_rec_id).where(sent)
    over = update(transaction_tbl).where(transaction_tbl.c.trans_rec_id.in_(transactions))
    with site.database.begin() as connection:
        connection.execute(over.values(state_id=amie_tables.STATE_IDS["completed"]))
        there = connection.scalars(
            select(packet_tbl.c.packet_rec_id).where(packet_tbl.c.trans_rec_id.in_(transactions))
        )
        waking.release(connection, there.all(), site.world.clock.now())


# ------------------------------------------------------------------ what came of it


def status_of(site: Site, packet_rec_id: int) -> str:
    """The packet's status."""
    return work_of(site, packet_rec_id).status


def reason_of(site: Site, packet_rec_id: int) -> str:
    """The reason of the packet's status."""
    return work_of(site, packet_rec_id).reason or ""


def work_of(site: Site, packet_rec_id: int) -> WorkItem:
    """The packet's work row."""
    with site.database.read() as connection:
        item = work.get(connection, packet_rec_id)
    assert item is not None
    return item


def stored(site: Site, packet_rec_id: int) -> StoredPacket:
    """The packet as the AMIE tables have it; `packet.header` has its state and that of its transaction."""
    with site.database.read() as connection:
        return packets.read_packets(connection, [packet_rec_id], site.name)[packet_rec_id]


def replies_to(site: Site, packet_rec_id: int) -> list[StoredPacket]:
    """The packets that answer this one."""
    query = select(own_tables.packet.c.packet_rec_id).where(own_tables.packet.c.in_reply_to == packet_rec_id)
    with site.database.read() as connection:
        found = packets.read_packets(connection, list(connection.scalars(query)), site.name)
    return [found[number] for number in sorted(found)]


def reply_to(site: Site, packet_rec_id: int) -> StoredPacket:
    """The one packet that answers this one."""
    (reply,) = replies_to(site, packet_rec_id)
    return reply


def steps_of(site: Site, packet_rec_id: int) -> dict[str, StepRow]:
    """The packet's journal, by path."""
    with site.database.read() as connection:
        return journal.steps(connection, packet_rec_id)


def events_of(site: Site, packet_rec_id: int) -> list[Event]:
    """What happened to the packet."""
    with site.database.read() as connection:
        return events.for_packet(connection, packet_rec_id)


def registry(site: Site) -> RegistryView:
    """The registry as it stands."""
    return RegistryView(site.database.read)


def know(site: Site, *rows: RegistryRow) -> None:
    """Puts rows into the registry, as an import does."""
    view = registry(site)
    for row in rows:
        view.put(row)
    with site.database.begin() as connection:
        view.flush(connection)
