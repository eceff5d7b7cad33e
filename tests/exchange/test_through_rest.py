"""Many transactions through REST while calls go wrong and both sides are killed: each is completed exactly once."""

import os
import random
import time
from collections import Counter
from pathlib import Path

from sqlalchemy import select

from amierules.database.amie_tables import STATE_IDS, transaction_tbl
from amierules.database.connection import Database
from amierules.database.exchange_tables import post
from tests.support.rest_chaos import Chaos

SIZE = int(os.environ.get("AMIERULES_EXCHANGE") or 100)
"""How many transactions, about; `make soak` wants many more."""
SEED = int(os.environ.get("AMIERULES_SEED") or (2 if SIZE <= 100 else random.randrange(100_000)))
_SECONDS, _SETTLED = 900, 120


def test_every_transaction_is_completed_exactly_once(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    chaos = Chaos(tmp_path, SIZE, SEED)
    try:
        chaos.start()
        report = chaos.until_done(random.Random(SEED), seconds=_SECONDS, most_kills=max(6, SIZE // 20))
        _settle(tmp_path)
        status = chaos.end()
    finally:
        chaos.abandon()
    print(f"{len(report.lines)} transactions, {chaos.kills} kills, {report.counts()}")
    assert [f"{one.rule} {one.message}" for one in report.wrong] == []
    assert len(report.lines) >= SIZE * 0.8
    assert report.counts()["failed"] == 0
    assert status == 0, chaos.log("site")
    _check_both_sides(tmp_path, len(report.lines))


def _check_both_sides(folder: Path, transactions: int) -> None:
    """The site has the same transactions, all completed, and has sent each of its packets."""
    states, posts = _of_the_site(folder)
    assert states == {STATE_IDS["completed"]: transactions}
    assert set(posts) == {"sent"}


def _of_the_site(folder: Path) -> tuple[Counter[int], Counter[str]]:
    """How many transactions the site has in each state, and how many posts."""
    with Database.open(f"sqlite:///{folder}/amie.db", create=False) as database, database.read() as connection:
        return Counter(connection.scalars(select(transaction_tbl.c.state_id))), Counter(
            connection.scalars(select(post.c.state))
        )


def _settle(folder: Path) -> None:
    """Waits until the site knows of its last posts, whose answers may have been lost: it looks them up."""
    end = time.monotonic() + _SETTLED
    while time.monotonic() < end:
        states, posts = _of_the_site(folder)
        if set(states) == {STATE_IDS["completed"]} and set(posts) == {"sent"}:
            return
        time.sleep(1)
