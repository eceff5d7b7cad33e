"""The same packets again, from a restored database or sent once more: no change is planned, and none is made."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest

from amierules.database.connection import Database
from amierules.engine.site import Site
from tests.support.believing import HISTORY, STAGED, histories, plan_of, registry_rows, set_aside, status
from tests.support.outside import BackEnd, Mapfile, UnixAccounts
from tests.support.outside_servers import SlurmAccounts, Tree
from tests.support.restoring import answers, kept, restored
from tests.support.shadow import ScratchRoot
from tests.support.sites import ALPHA, BETA, IDS, SETTINGS, load, make_site, run
from tests.support.slapd import Slapd
from tests.support.slurm import SlurmServer
from tests.support.traffic import ADDING, Packet, Traffic, again


@pytest.mark.parametrize("seed", histories(100, 3000))
def test_with_unix_accounts_and_a_grid_mapfile(tmp_path: Path, seed: int) -> None:
    root, file = ScratchRoot.make(tmp_path / "root"), tmp_path / "grid-mapfile"
    ids, mapfile = {**IDS, "gid": {"range": [40000, 49999]}}, {"file": str(file)}
    settings = {**SETTINGS, "accounts": "shadow", "dns": "grid_mapfile", "merge": ("alias", "merge")[seed % 2]}
    database = Database.open(f"sqlite:///{tmp_path}/amie.db", create=True)
    site = make_site(database, tmp_path / "site", settings=settings, prefix=root.path, ids=ids, grid_mapfile=mapfile)
    assert _play(site, (UnixAccounts(root), Mapfile(file)), Traffic(seed, (ALPHA, ALPHA, BETA)), tmp_path) > 10


@pytest.mark.parametrize("seed", histories(100, 4000))
def test_with_a_directory(tmp_path: Path, directory: Slapd, seed: int) -> None:
    settings = {**SETTINGS, "accounts": "ldap", "merge": ("alias", "merge")[seed % 2]}
    database = Database.open(f"sqlite:///{tmp_path}/amie.db", create=True)
    site = make_site(database, tmp_path / "site", settings=settings, ldap=directory.section())
    assert _play(site, (Tree(directory),), Traffic(seed, (ALPHA, ALPHA, BETA)), tmp_path) > 10


@pytest.mark.parametrize("seed", histories(50, 6000))
def test_with_accounts_in_slurm(tmp_path: Path, slurm: SlurmServer, seed: int) -> None:
    settings = {**SETTINGS, "scheduler": "slurm", "renewal_resets_usage": seed % 2 == 0}
    settings |= {"coordinators": ["pi", "co_pi"], "merge": ("alias", "merge")[seed // 2 % 2]}
    database = Database.open(f"sqlite:///{tmp_path}/amie.db", create=True)
    site = make_site(database, tmp_path / "site", settings=settings, slurm={"conf": str(slurm.conf)})
    assert _play(site, (SlurmAccounts(slurm),), Traffic(seed, (ALPHA,)), tmp_path) > 10


def _play(site: Site, back_ends: Sequence[BackEnd], traffic: Traffic, folder: Path) -> int:
    """Plays a history, and each packet again; returns how many were done."""
    done = 0
    for _ in range(HISTORY):
        packet = traffic.packet()
        (packet_rec_id,) = load(site, packet)
        amie, whole = kept(site, folder / "before.db"), kept(site, folder / "all-before.db")
        run(site, [packet_rec_id])
        if status(site, packet_rec_id) == "done":
            done += 1
            if not _adds(packet):
                _answered_again(site, restored(site, amie, registry=True), back_ends, packet_rec_id, nothing=True)
            _answered_again(site, restored(site, whole, registry=False), back_ends, packet_rec_id, nothing=False)
            _sent_again(site, back_ends, packet)
        set_aside(site, packet_rec_id)
    return done


def _adds(packet: Packet) -> bool:
    """Whether the packet adds to an allocation: only what AMIE's tables hold tells that it did so before."""
    return packet["body"].get("AllocationType") in ADDING


def _answered_again(
    site: Site, other: Site, back_ends: Sequence[BackEnd], packet_rec_id: int, *, nothing: bool
) -> None:
    """From a restored database the packet gets its answer, and changes `nothing`, or only what was restored."""
    held = [one.look() for one in back_ends]
    said = plan_of(other, packet_rec_id).said
    _no_changes(said, besides=() if nothing else STAGED)
    run(other, [packet_rec_id])
    assert answers(other, packet_rec_id) == answers(site, packet_rec_id), said
    assert [one.look() for one in back_ends] == held, said
    if nothing:
        assert registry_rows(other.database) == registry_rows(site.database), said
    other.database.close()


def _sent_again(site: Site, back_ends: Sequence[BackEnd], packet: Packet) -> None:
    """In a transaction of its own the packet is answered, and changes nothing."""
    if _adds(packet) and "RecordID" not in packet["body"]:
        return
    (packet_rec_id,) = load(site, again(packet))
    held, rows = [one.look() for one in back_ends], registry_rows(site.database)
    said = plan_of(site, packet_rec_id).said
    _no_changes(said)
    run(site, [packet_rec_id])
    assert [one.look() for one in back_ends] == held, said
    assert registry_rows(site.database) == rows, said
    set_aside(site, packet_rec_id)


def _no_changes(said: dict[str, Any], besides: Collection[str] = ()) -> None:
    found = [(said["type"], step["path"], step["changes"]) for step in said["actions"] if step["kind"] not in besides]
    assert not [one for one in found if one[2]], [one for one in found if one[2]]
    assert "unknown" not in {step["state"] for step in said["actions"]}, said
