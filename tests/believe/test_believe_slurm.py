"""What a dry run prints is what a run then does to the accounts in Slurm."""

from pathlib import Path

import pytest

from tests.support.believing import HISTORY, believe, histories
from tests.support.outside_servers import SlurmAccounts
from tests.support.policy import with_slurm
from tests.support.sites import ALPHA
from tests.support.slurm import SlurmServer
from tests.support.traffic import Traffic


@pytest.mark.parametrize("seed", histories(100, 2000))
def test_the_changes_that_were_printed_are_made(tmp_path: Path, slurm: SlurmServer, seed: int) -> None:
    site = with_slurm(tmp_path, slurm, renewal_resets_usage=seed % 2 == 0)
    tally = believe(site, (SlurmAccounts(slurm),), Traffic(seed, (ALPHA,)))
    assert tally.packets == HISTORY
    assert tally.changes > 10, tally
    assert tally.ends["done"] > 10, tally
