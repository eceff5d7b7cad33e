"""The shipped rules where a resource has login nodes: an account is there once these know its login. A real sshd."""

from pathlib import Path

import pytest

from amierules.database.connection import Database
from amierules.engine.site import Site
from tests.support.policy import answer, send
from tests.support.shadow import ScratchRoot
from tests.support.sites import (
    ALPHA,
    BETA,
    IDS,
    SETTINGS,
    load,
    make_site,
    rac,
    rai,
    rpc,
    run,
    set_clock,
    work_of,
)
from tests.support.sshd import SshServer

KNOWN = "games"
"""A login that every host knows, so that our nodes know it, too."""
STEP = "account/usable on the cluster/known on the login nodes"


def site_with(sshd: SshServer, folder: Path, accounts: str = "shadow") -> Site:
    """A site of two resources, of which ALPHA has login nodes."""
    root = ScratchRoot.make(folder / "root")
    resources = {ALPHA: {"cluster": "alpha", "login_nodes": "127.0.0.[1-2]"}, BETA: {"cluster": "beta"}}
    database = Database.open("sqlite://", create=True)
    settings = {**SETTINGS, "accounts": accounts}
    ids = {**IDS, "gid": {"range": [40000, 49999]}}
    ssh = sshd.section()
    return make_site(
        database, folder / "site", settings=settings, resources=resources, prefix=root.path, ids=ids, ssh=ssh
    )


@pytest.fixture
def site(sshd: SshServer, tmp_path: Path) -> Site:
    return site_with(sshd, tmp_path)


def logins(sshd: SshServer) -> int:
    return sshd.log().count("Accepted publickey for")


def test_an_account_that_the_nodes_know_is_answered_at_once(site: Site, sshd: SshServer) -> None:
    before = logins(sshd)
    assert send(site, rpc({"PiRequestedLoginList": [KNOWN]})).status == "done"
    assert logins(sshd) - before == 2


def test_a_packet_waits_until_the_nodes_know_the_login(site: Site) -> None:
    assert send(site, rpc({"PiRequestedLoginList": [KNOWN]})).status == "done"
    (packet,) = load(site, rac())
    for number in (1, 2):
        run(site)
        got = answer(site, packet)
        assert (got.status, got.type) == ("deferred", None)
        assert got.reason.endswith(f"known on the login nodes: waits until seen.rc == 0, try {number} of 37")
        due = work_of(site, packet).next_attempt_at
        assert due is not None
        set_clock(site, at=due)


@pytest.mark.parametrize("resource", [BETA, ALPHA])
def test_nodes_are_asked_where_there_are_some_and_logins_are_more_than_rows(
    sshd: SshServer, tmp_path: Path, resource: str
) -> None:
    site = site_with(sshd, tmp_path, "shadow" if resource == BETA else "none")
    before = logins(sshd)
    for packet in (rpc({"ResourceList": [resource]}), rac({"ResourceList": [resource]})):
        assert send(site, packet).status == "done"
    assert logins(sshd) == before


def test_a_login_that_may_no_longer_be_used_is_not_asked_for(site: Site, sshd: SshServer) -> None:
    assert send(site, rpc({"PiRequestedLoginList": [KNOWN]})).status == "done"
    before = logins(sshd)
    assert send(site, rai({"PersonID": "20000"})).status == "done"
    assert logins(sshd) == before


def test_nodes_are_asked_before_slurm(site: Site) -> None:
    names = [action.name for action in site.rulebook.blocks["account_on_project"].actions]
    assert names.index("Unix account") < names.index("usable on the cluster") < names.index("Slurm association")
