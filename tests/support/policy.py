"""What tests of the shipped rules share: one packet sent and answered, and what the registry then says."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import delete

from amierules.database import amie_tables, own_tables
from amierules.database.connection import Database
from amierules.database.rows import Account, Person, Project
from amierules.engine.site import Site
from amierules.ports import FixedClock, LocalProcesses, World
from tests.support import sites
from tests.support.shadow import ScratchRoot
from tests.support.sites import ALPHA
from tests.support.slurm import SlurmServer

GRANT = "XYZ259276"
BO, ANN = "20000", "20001"
"""The PersonIDs that `introduce` brings about."""


def registry_only(**settings: Any) -> Site:
    """A site with the shipped rules, no Unix accounts, and an empty database: the same one, emptied, at each call."""
    site = _shipped(tuple({**sites.SETTINGS, **settings}.items()))
    world = World(LocalProcesses(), FixedClock(sites.NOW))
    return replace(site, database=_emptied(), world=world)


def _emptied() -> Database:
    database = _database()
    kept = {own_tables.migration, own_tables.meta, amie_tables.state_des, amie_tables.type_des}
    with database.begin() as connection:
        for table in (*reversed(own_tables.metadata.sorted_tables), *reversed(amie_tables.metadata.sorted_tables)):
            if table not in kept:
                connection.execute(delete(table))
    return database


@cache
def _database() -> Database:
    """Its engine keeps its compiled statements, which take longer than most tests."""
    return Database.open("sqlite://", create=True)


@cache
def _shipped(settings: tuple[tuple[str, Any], ...]) -> Site:
    """Reading the shipped rules takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        return sites.make_site(Database.open("sqlite://", create=True), Path(folder), settings=dict(settings))


def with_accounts(folder: Path, root: ScratchRoot, **settings: Any) -> Site:
    """A site with the shipped rules, and Unix accounts under a scratch root."""
    given = {**sites.SETTINGS, "accounts": "shadow", **settings}
    ids = {**sites.IDS, "gid": {"range": [40000, 49999]}}  # the scratch root has groups from 30001 on
    return sites.make_site(Database.open("sqlite://", create=True), folder, settings=given, prefix=root.path, ids=ids)


def with_slurm(folder: Path, server: SlurmServer, **settings: Any) -> Site:
    """A site with the shipped rules, and accounts in Slurm."""
    given = {**sites.SETTINGS, "scheduler": "slurm", **settings}
    database = Database.open("sqlite://", create=True)
    return sites.make_site(database, folder, settings=given, slurm={"conf": str(server.conf)})


@dataclass(frozen=True)
class Answer:
    """How a packet ended: its status, and the reply's type and body."""

    packet_rec_id: int
    status: str
    reason: str
    type: str | None
    body: Mapping[str, Any]

    @property
    def refused(self) -> bool:
        """Whether the reply is a Failure."""
        return self.status == "failed" and self.body.get("StatusCode") == "Failure"


def send(site: Site, packet: Mapping[str, Any]) -> Answer:
    """Loads a packet, runs, and tells how it ended. Transactions of new projects are then over: accounts wait
    for that.
    """
    (packet_rec_id,) = sites.load(site, packet)
    sites.run(site)
    sites.complete_projects(site)
    return answer(site, packet_rec_id)


def answer(site: Site, packet_rec_id: int) -> Answer:
    """How a packet stands."""
    item = sites.work_of(site, packet_rec_id)
    replies = sites.replies_to(site, packet_rec_id)
    reply = replies[-1].packet if replies else None
    return Answer(
        packet_rec_id, item.status, item.reason or "", reply.header.type if reply else None, reply.body if reply else {}
    )


def introduce(site: Site, *, resource: str = ALPHA) -> None:
    """The project of Bo Sample, with Ann Example on it: packets that are answered."""
    for packet in (sites.rpc({"ResourceList": [resource]}), sites.rac({"ResourceList": [resource]})):
        assert send(site, packet).status == "done"


def closed(packet_answer: Answer) -> bool:
    """Whether a packet was answered by an inform_transaction_complete that says Success, and nothing else."""
    success = {"StatusCode": "Success", "DetailCode": "1", "Message": "OK"}
    return (packet_answer.status, packet_answer.type, packet_answer.body) == (
        "done",
        "inform_transaction_complete",
        success,
    )


def person(site: Site, person_id: str) -> Person:
    """A person who must be there."""
    found = sites.registry(site).find_person(person_id=person_id)
    assert found is not None, person_id
    return found


def project(site: Site, grant: str = GRANT) -> Project:
    """A project that must be there."""
    found = sites.registry(site).find_project(grant_number=grant)
    assert found is not None, grant
    return found


def is_active(site: Site, resource: str = ALPHA, grant: str = GRANT) -> bool:
    """Whether the project is active on a resource."""
    presence = sites.registry(site).presence(project(site, grant).key, resource)
    return presence is not None and presence.active


def periods(site: Site, resource: str = ALPHA, grant: str = GRANT) -> dict[str, tuple[str, str]]:
    """The project's allocation periods on a resource: (end, units) by start; none where there is no such project."""
    view = sites.registry(site)
    found = view.find_project(grant_number=grant)
    rows = view.allocations(found.key, resource) if found else []
    return {row.start.isoformat(): (row.end.isoformat() if row.end else "", str(row.units)) for row in rows}


def account(site: Site, person_id: str, resource: str = ALPHA, grant: str = GRANT) -> Account:
    """The account of a person on the project and a resource; it must be there."""
    view = sites.registry(site)
    (found,) = view.accounts(person=person(site, person_id).key, project=project(site, grant).key, resource=resource)
    return found


def active_accounts(site: Site) -> set[tuple[str, str, str]]:
    """(login, grant, resource) of all accounts that may be used."""
    view = sites.registry(site)
    grants = {row.project: view.project(row.project) for row in view.accounts()}
    return {
        (row.login, owner.grant_number or "", row.resource)
        for row in view.accounts()
        if row.active and (owner := grants[row.project]) is not None
    }


def locked(root: ScratchRoot, login: str) -> bool:
    """Whether a Unix account is locked (by its date of expiry)."""
    line = root.line("shadow", login)
    assert line is not None
    return line[7] == "1"
