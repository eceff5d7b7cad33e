"""All that a packet has left, in a form in which two packets of the same rule are equal but for their names."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import select

from amierules.database import packets
from amierules.database.amie_tables import packet_tbl, transaction_tbl
from amierules.database.journal import StepRow
from amierules.database.registry import RegistryView
from amierules.engine.site import Site
from tests.support.sites import registry, replies_to, status_of, steps_of, stored

_NUMBER = re.compile(r"\b[24]\d{4}\b")


def left_by(site: Site, packet: int, name: str, log: Path, root: Path | None = None) -> dict[str, Any]:
    """What packet `packet` left that speaks of `name`: its state in AMIE's tables, its replies, what else was sent,
    its steps, registry rows, lines of the log of effects, account lines under `root`,
    and lines of a grid-mapfile beside the log.

    The name is replaced by NAME, and ids that were given out by ID: these must be asked about apart.
    """
    header = stored(site, packet).packet.header
    found = {
        "status": status_of(site, packet),
        "states": [header.packet_state, header.transaction_state],
        "replies": [(one.packet.header.type, one.packet.body) for one in replies_to(site, packet)],
        "sent": _sent(site, name),
        "steps": [(path, row.kind, row.state, _result(row)) for path, row in steps_of(site, packet).items()],
        "rows": _rows(registry(site), name),
        "effects": sorted(line for line in log.read_text().splitlines() if line.endswith(f" {name}")),
        "accounts": _accounts(root, name) if root else [],
        "DNs": _dns(log.with_name("grid-mapfile"), name),
    }
    shown: dict[str, Any] = plain(found, name)
    return shown


def _result(row: StepRow) -> object:
    """A step's result, but for keys of rows, and what one who finds the work done cannot know: who did it, and what was
    printed.
    """
    if not isinstance(row.result, dict):
        return row.result
    if "$row" in row.result:
        return row.result["$row"][0]
    nodes = {node: _lasting(result) for node, result in row.result.get("nodes", {}).items()}
    return {**_lasting(row.result), **({"nodes": nodes} if nodes else {})}


def _lasting(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key not in ("stdout", "stderr", "changed", "created")}


def plain(value: object, name: str) -> Any:
    """The value as texts in lists and dicts, with NAME in place of the name and ID in place of each id given out."""
    if isinstance(value, dict):
        return {key: plain(one, name) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one, name) for one in value]
    text = value if isinstance(value, str) else repr(value)
    return _NUMBER.sub("ID", text.replace(name, "NAME"))


def _sent(site: Site, name: str) -> list[tuple[str, object]]:
    """The packets with which transactions of ours began."""
    ours = (
        select(packet_tbl.c.packet_rec_id)
        .join(transaction_tbl)
        .where(transaction_tbl.c.originating_site_name == site.name)
    )
    with site.database.read() as connection:
        stored_packets = packets.read_packets(connection, list(connection.scalars(ours)), site.name)
    found = [one.packet for one in stored_packets.values()]
    return [(one.header.type, one.body) for one in found if one.body.get("PersonID") == name]


def _rows(view: RegistryView, name: str) -> list[dict[str, Any]]:
    person, project = view.find_person(login=name), view.find_project(project_id=name)
    rows: list[Any] = [row for row in (person, project) if row is not None]
    if person is not None:
        rows += view.accounts(person=person.key)
    shown = [asdict(row) for row in rows]
    if project is not None:
        shown += [asdict(row) for row in view.allocations(project.key, "alpha.site.example")]
    keys = {row.key: f"the {type(row).__name__}" for row in (person, project) if row is not None}
    return [
        {column: keys.get(value, value) if isinstance(value, str) else value for column, value in row.items()}
        for row in shown
    ]


def _dns(file: Path, name: str) -> list[str]:
    lines = file.read_text().splitlines() if file.exists() else []
    return [line for line in lines if name in line]


def _accounts(root: Path, name: str) -> list[str]:
    lines = [line for file in ("passwd", "group") for line in (root / "etc" / file).read_text().splitlines()]
    return [line for line in lines if re.search(rf"{name}\b", line)]
