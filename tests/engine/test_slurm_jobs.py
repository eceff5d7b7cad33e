"""Many workers at once: Slurm has one writer at a time, since parallel ones can end its slurmdbd."""

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from amierules.database.connection import Database
from amierules.engine.running import Runner
from amierules.ports import Completed, LocalProcesses, World
from tests.support.sites import load, make_site, rpi, status_of
from tests.support.slurm import SlurmServer

RULES = """
packet: request_project_inactivate
rules:
  - name: all
    actions:
      - {name: account, slurm_account: {account: "{{ packet.ProjectID }}", description: of P}}
      - {name: user, slurm_association: {account: "{{ packet.ProjectID }}", user: games, active: false}}
    reply: {copy: [ProjectID, ResourceList]}
"""


@dataclass
class Counting(LocalProcesses):
    """Counts how many writers there are at a time."""

    writers: int = 0
    most: int = 0
    written: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        super().__init__()

    def run(self, argv: Any, **named: Any) -> Completed:
        writes = "-i" in argv
        with self.lock:
            self.writers += writes
            self.written += writes
            self.most = max(self.most, self.writers)
        try:
            return super().run(argv, **named)
        finally:
            with self.lock:
                self.writers -= writes


def test_eight_workers_of_two_runs_write_one_after_the_other(
    postgres_ready_url: str, tmp_path: Path, slurm: SlurmServer
) -> None:
    counting = Counting()
    with Database.open(postgres_ready_url, create=False) as database:
        site = make_site(database, tmp_path, {"rule.yaml": RULES}, slurm={"conf": str(slurm.conf)})
        site = replace(site, world=World(counting, site.world.clock))
        names = [f"many{number}" for number in range(8)]
        packets = load(site, *(rpi({"ProjectID": name}) for name in names))
        runs = [threading.Thread(target=Runner(site, jobs=jobs).run) for jobs in (8, 2)]
        for one in runs:
            one.start()
        for one in runs:
            one.join()
        assert {status_of(site, packet) for packet in packets} == {"done"}
    assert (counting.most, counting.written) == (1, 16)
    assert {name: slurm.users(name) for name in names} == {name: {"games": "0"} for name in names}
