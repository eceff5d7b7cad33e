"""Processes killed by SIGKILL around a write to Slurm: the next one adopts what is there, and does only the rest."""

from pathlib import Path

import pytest

from amierules.database.connection import Database
from amierules.engine.doubt import Resolution, settle_doubt
from amierules.engine.site import Site
from tests.support.deaths import at_point, run_in_process
from tests.support.sites import load, make_site, reason_of, rpi, run, status_of, steps_of
from tests.support.slurm import JOB_USER, SlurmServer

RULES = """
packet: request_project_inactivate
rules:
  - name: all
    actions:
      - name: account
        slurm_account: {account: "{{ packet.ProjectID }}", description: of P, limits: {MaxJobs: 3}, fairshare: 7}
      - name: user
        slurm_association: {account: "{{ packet.ProjectID }}", user: games, coordinator: true}
      - name: reset
        when: packet.Comment == 'reset'
        slurm_account: {account: "{{ packet.ProjectID }}", description: of P, reset_usage: true}
    reply: {copy: [ProjectID, ResourceList]}
"""


@pytest.fixture
def site(tmp_path: Path, sqlite_url: str, slurm: SlurmServer) -> Site:
    database = Database.open_unchecked(sqlite_url)
    return make_site(database, tmp_path / "site", {"rule.yaml": RULES}, slurm={"conf": str(slurm.conf)})


def test_what_was_written_is_adopted_and_the_rest_is_done(site: Site, slurm: SlurmServer) -> None:
    cells = [(point, passage) for point in ("after intent", "after effect", "in result") for passage in (1, 2)]
    names = [f"crash{number}" for number in range(len(cells))]
    packets = load(site, *(rpi({"ProjectID": name}) for name in names))
    for packet, cell in zip(packets, cells, strict=True):
        assert run_in_process(site, [packet], crash_point=at_point(*cell))
    assert not run_in_process(site)
    for packet, name in zip(packets, names, strict=True):
        assert status_of(site, packet) == "done", reason_of(site, packet)
        assert slurm.own(name, "fairshare,maxjobs") == ["7", "3"]
        assert slurm.users(name) == {JOB_USER: ""}
        assert slurm.show("account", "coord", "where", f"account={name}", "withcoord") == [[JOB_USER]]


def test_a_reset_that_nobody_recorded_is_in_doubt_and_a_person_says(site: Site, slurm: SlurmServer) -> None:
    run(site, load(site, rpi({"ProjectID": "crash"})))
    assert slurm.ended(slurm.submit("crash")) == "COMPLETED"
    slurm.until_used("crash")
    (packet,) = load(site, rpi({"ProjectID": "crash", "Comment": "reset"}))
    site.database.close()
    assert run_in_process(site, [packet], crash_point=at_point("after effect"))
    assert slurm.usage("crash") == 0
    run(site)
    assert status_of(site, packet) == "in_doubt"
    result = steps_of(site, packet)["account"].result
    settle_doubt(site, packet, "reset", Resolution(True, result, "looked at sshare", "pat"))
    run(site)
    assert status_of(site, packet) == "done"
