"""What a dry run prints is what a run then does to the account files and the grid-mapfile."""

from pathlib import Path

import pytest

from amierules.database.connection import Database
from tests.support.believing import HISTORY, believe, histories
from tests.support.outside import Mapfile, UnixAccounts
from tests.support.shadow import ScratchRoot
from tests.support.sites import ALPHA, BETA, IDS, SETTINGS, make_site
from tests.support.traffic import Traffic


@pytest.mark.parametrize("seed", histories(500))
def test_the_changes_that_were_printed_are_made(tmp_path: Path, seed: int) -> None:
    root, file = ScratchRoot.make(tmp_path / "root"), tmp_path / "grid-mapfile"
    file.write_text('# ours and theirs\n"/CN=someone else" lister\n', encoding="utf-8")
    site = make_site(
        Database.open("sqlite://", create=True),
        tmp_path / "site",
        settings={
            **SETTINGS,
            "accounts": "shadow",
            "dns": "grid_mapfile",
            "merge": ("alias", "merge")[seed % 2],
            "blank_absent": seed % 3 == 0,
        },
        prefix=root.path,
        ids={**IDS, "gid": {"range": [40000, 49999]}},
        grid_mapfile={"file": str(file)},
    )
    tally = believe(site, (UnixAccounts(root), Mapfile(file)), Traffic(seed, (ALPHA, ALPHA, BETA)))
    assert tally.packets == HISTORY
    assert tally.changes > 10, tally
    assert tally.ends["done"] > 10, tally
