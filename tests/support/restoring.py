"""A site whose database is put back to what it was, in whole or but for the registry, while its back ends are not."""

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, select

from amierules.database import own_tables
from amierules.database.connection import Database
from amierules.engine.site import Site
from tests.support.believing import REGISTRY
from tests.support.sites import replies_to


def kept(site: Site, file: Path) -> Path:
    """A copy of the site's database, which is an SQLite file."""
    file.unlink(missing_ok=True)
    source, copy = sqlite3.connect(str(site.database.url.database)), sqlite3.connect(file)
    try:
        source.backup(copy)
    finally:
        source.close()
        copy.close()
    return file


def restored(site: Site, file: Path, *, registry: bool) -> Site:
    """The site over a copy of its former database; where `registry`, with the registry as it is now."""
    database = Database.open(f"sqlite:///{file}", create=False)
    if registry:
        _take_registry(site.database, database)
    return replace(site, database=database)


def answers(site: Site, packet_rec_id: int) -> list[tuple[str, dict[str, Any]]]:
    """What the packet was answered with."""
    return [(one.packet.header.type, dict(one.packet.body)) for one in replies_to(site, packet_rec_id)]


def _take_registry(source: Database, target: Database) -> None:
    tables = [getattr(own_tables, name) for name in REGISTRY]
    with source.read() as reading, target.begin() as writing:
        for table in reversed(tables):
            writing.execute(delete(table))
        for table in tables:
            rows = [dict(row) for row in reading.execute(select(table)).mappings()]
            if rows:
                writing.execute(insert(table), rows)
