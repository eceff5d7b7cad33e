"""What a dry run prints is what a run then does where the registry is all that a site has."""

from pathlib import Path

import pytest

from amierules.database.connection import Database
from tests.support.believing import HISTORY, believe, histories
from tests.support.sites import ALPHA, BETA, SETTINGS, make_site
from tests.support.traffic import Traffic


@pytest.mark.parametrize("seed", histories(200, 5000))
def test_the_changes_that_were_printed_are_made(tmp_path: Path, seed: int) -> None:
    settings = {**SETTINGS, "merge": ("alias", "merge")[seed % 2], "blank_absent": seed % 3 == 0}
    site = make_site(Database.open("sqlite://", create=True), tmp_path, settings=settings)
    tally = believe(site, (), Traffic(seed, (ALPHA, ALPHA, BETA)))
    assert tally.packets == HISTORY
    assert tally.ends["done"] > 10, tally
