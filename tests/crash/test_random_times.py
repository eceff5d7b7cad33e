"""Processes killed by SIGKILL at no particular time, again and again, until all is done."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from amierules.database import work
from tests.support.crash_kinds import EVERYTHING
from tests.support.crash_matrix import Backend, Matrix, Record
from tests.support.deaths import KILLS, run_in_process

WANTED = int(os.environ.get("AMIERULES_KILLS", "30"))
"""How many processes are killed on each database: `make soak` wants many more."""
_PACKETS = 12


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """A fresh database, once for each kind."""
    found: Backend = request.getfixturevalue({"sqlite": "file", "postgresql": "durable"}[request.param])
    return found


@pytest.mark.parametrize("first", range(0, WANTED, 30))
def test_whenever_a_process_is_killed_all_is_done_once(
    backend: Backend, tmp_path: Path, record_property: Record, first: int
) -> None:
    matrix = Matrix(EVERYTHING, backend, tmp_path, _PACKETS)
    chance = random.Random(first)  # the moments are as random as the machine: the seed only says which we wished for
    killed = 0
    while killed < 30 and _open(matrix):
        if run_in_process(matrix.site, kill_after=chance.uniform(0.02, 0.4)):
            killed += 1
            record_property(KILLS, [backend.name, EVERYTHING.name, "at a random time", 1])
        backend.gone()
    assert killed
    while _open(matrix):
        assert not run_in_process(matrix.site)
    matrix.check()


def test_whenever_the_command_run_is_killed_all_is_done_once(
    backend: Backend, tmp_path: Path, record_property: Record
) -> None:
    matrix = Matrix(EVERYTHING, backend, tmp_path, _PACKETS)
    command = [sys.executable, "-m", "amierules", "run", "--config", str(tmp_path / "amierules.yaml")]
    environment = {**os.environ, "AMIERULES_DATABASE": backend.url}
    chance = random.Random(0)
    killed = 0
    for _ in range(5):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        # It is at work: whatever it takes to start, it dies with packets half done.
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if process.returncode == -signal.SIGKILL:
            killed += 1
            record_property(KILLS, [backend.name, EVERYTHING.name, "the command run", 1])
        backend.gone()
    assert killed
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    matrix.check()


def _open(matrix: Matrix) -> bool:
    with matrix.site.database.read() as connection:
        return bool(work.listing(connection))
