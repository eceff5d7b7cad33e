"""Examples of the language as data: rules, what the site holds, packets, and what must come of them."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select

from amierules.database import amie_tables, packets
from amierules.database.connection import Database
from amierules.database.registry_all import read_all
from amierules.database.rows import Account, Allocation, Person, Presence, Project, RegistryRow
from amierules.engine.deciding import Word, decide
from amierules.engine.decision import PacketReport
from amierules.engine.registry.stock import Stock
from amierules.engine.site import Site
from amierules.rulebook.durations import duration_seconds
from tests.support import sites
from tests.support.language_use import Watch
from tests.support.outbox import queued
from tests.support.registries import canonical
from tests.support.shadow import ScratchRoot
from tests.support.slapd import slapd

FOLDER = Path(__file__).parent.parent / "language" / "cases"
_ROWS: Mapping[str, type[RegistryRow]] = {
    "person": Person,
    "project": Project,
    "presence": Presence,
    "allocation": Allocation,
    "account": Account,
}
_PACKETS = {
    "request_project_create": sites.rpc,
    "request_account_create": sites.rac,
    "request_project_inactivate": sites.rpi,
    "request_project_reactivate": sites.rpr,
    "request_user_modify": sites.rum,
    "request_person_merge": sites.rpm,
    "data_project_create": sites.dpc,
}


@dataclass
class Case:
    """One example. `FOLDER` in its texts stands for a folder that is its alone, with the empty folder `there`.

    The names of `servers` stand for what the configuration says of real servers.
    """

    path: Path
    folder: Path
    said: dict[str, Any]

    @classmethod
    def read(cls, path: Path, folder: Path, servers: Iterable[tuple[str, str]] = ()) -> "Case":
        """Reads an example that is to be played in a folder."""
        text = path.read_text(encoding="utf-8").replace("FOLDER", str(folder / "files"))
        for name, said in servers:
            text = text.replace(name, said)
        return cls(path, folder, yaml.safe_load(text))

    def play(self, watch: Watch) -> None:
        """Plays all turns and checks what each says must come of it."""
        (self.folder / "files" / "there").mkdir(parents=True)
        with ExitStack() as stack:
            database = stack.enter_context(Database.open("sqlite://", create=True))
            directory = {"ldap": stack.enter_context(slapd()).section()} if self.said.get("directory") else {}
            site = self._site(database, directory)
            sites.know(
                site, *(_row(kind, values) for one in self.said.get("registry", ()) for kind, values in one.items())
            )
            numbers: list[int] = []
            for turn in self.said["turns"]:
                self._prepare(site, turn, numbers)
                with watch.watching(site):
                    reports = {number: one.report for number, one in sites.run(site).items()}
                number = numbers[turn.get("of", 0) - 1]
                came = self._came(site, number, reports.get(number), turn["then"])
                assert came == turn["then"], f"{self.path.name}: {came}, wanted {turn['then']}"

    def _site(self, database: Database, directory: Mapping[str, Any]) -> Site:
        rules = self.said["rules"]
        texts = {"rules.yaml": rules} if isinstance(rules, str) else rules
        config = {**self.said.get("configuration", {}), **directory}
        if self.said.get("unix_accounts"):
            config["prefix"] = ScratchRoot.make(self.folder / "root").path
        for name, text in self.said.get("templates", {}).items():
            file = self.folder / "site" / "templates" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        site = sites.make_site(database, self.folder / "site", texts, may_be_broken=True, **config)
        assert site.rulebook.broken == {}
        return site

    def _prepare(self, site: Site, turn: Mapping[str, Any], numbers: list[int]) -> None:
        for name, text in turn.get("files", {}).items():
            Path(name).write_text(text, encoding="utf-8")
        sites.set_clock(site, later=timedelta(seconds=duration_seconds(turn["later"]) if "later" in turn else 0))
        if "decide" in turn:
            said = {"answers": {}, **turn["decide"]}
            decide(site, numbers[turn.get("of", 0) - 1], Word(said["word"], said["reason"], "pat", said["answers"]))
        if "packet" in turn:
            numbers += sites.load(site, _packet(turn["packet"]))

    def _came(self, site: Site, number: int, report: PacketReport | None, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """What came of the packet, in so far as it is asked for."""
        item = sites.work_of(site, number)
        replies = sites.replies_to(site, number)
        reply = replies[-1].packet if replies else None
        asked: dict[str, Callable[[], Any]] = {
            "status": lambda: item.status,
            "reason": lambda: item.reason,
            "rule": lambda: report.rule if report else None,
            "reply": lambda: reply and {"type": reply.header.type, **reply.body},
            "steps": lambda: {step.path: step.state for step in report.steps} if report else {},
            "registry": lambda: _part(_plain(canonical(_stock(site))), wanted["registry"]),
            "files": lambda: {name: Path(name).read_text(encoding="utf-8") for name in wanted["files"]},
            "sent": lambda: _sent(site),
            "messages": lambda: [{one.channel: one.content} for one in queued(site, number)],
        }
        return {name: asked[name]() for name in wanted}


def _packet(given: Mapping[str, Any]) -> dict[str, Any]:
    made = _PACKETS.get(given["type"])
    body, header = given.get("body", {}), given.get("header", {})
    return made(body, **header) if made else sites.packet_json(given["type"], body, **header)


def _row(kind: str, values: Mapping[str, Any]) -> RegistryRow:
    cast: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    if "units" in cast:
        cast["units"] = Decimal(cast["units"])
    return _ROWS[kind](**cast)


def _stock(site: Site) -> Stock:
    with site.database.read() as connection:
        return Stock(read_all(connection))


def _plain(value: Any) -> Any:
    """With dates as the texts that they print as."""
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int) else re.sub(r"^(\S+) 00:00:00$", r"\1", str(value))


def _part(whole: Any, wanted: Any) -> Any:
    """The keys of a mapping that are asked for; the rest of the registry is beside the point."""
    if isinstance(whole, dict) and isinstance(wanted, dict):
        return {name: _part(whole.get(name), value) for name, value in wanted.items()}
    return whole


def _sent(site: Site) -> list[dict[str, Any]]:
    """The packets with which the site started transactions."""
    table, started = amie_tables.packet_tbl.c, amie_tables.transaction_tbl.c
    query = select(table.packet_rec_id).join_from(amie_tables.packet_tbl, amie_tables.transaction_tbl)
    query = query.where(started.originating_site_name == sites.SITE, table.outgoing_flag == 1)
    with site.database.read() as connection:
        found = packets.read_packets(connection, list(connection.scalars(query)), site.name)
    headers = [found[number].packet for number in sorted(found)]
    return [{"type": one.header.type, "to": one.header.remote_site_name, **one.body} for one in headers]
