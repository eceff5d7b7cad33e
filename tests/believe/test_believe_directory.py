"""What a dry run prints is what a run then does to a directory."""

from pathlib import Path

import pytest

from amierules.database.connection import Database
from tests.support.believing import HISTORY, believe, histories
from tests.support.outside_servers import Tree
from tests.support.sites import ALPHA, BETA, SETTINGS, make_site
from tests.support.slapd import Slapd
from tests.support.traffic import Traffic


@pytest.mark.parametrize("seed", histories(500, 1000))
def test_the_changes_that_were_printed_are_made(tmp_path: Path, directory: Slapd, seed: int) -> None:
    settings = {
        **SETTINGS,
        "accounts": "ldap",
        "merge": ("alias", "merge")[seed % 2],
        "blank_absent": seed % 3 == 0,
    }
    site = make_site(Database.open("sqlite://", create=True), tmp_path, settings=settings, ldap=directory.section())
    tally = believe(site, (Tree(directory),), Traffic(seed, (ALPHA, ALPHA, BETA)))
    assert tally.packets == HISTORY
    assert tally.changes > 10, tally
    assert tally.ends["done"] > 10, tally
