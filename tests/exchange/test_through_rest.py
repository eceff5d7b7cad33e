"""Many transactions through REST while calls go wrong and both sides are killed: each is completed exactly once."""

import os
import random
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
_SECONDS = 900
OF_THE_ENGINE = {"T32"}
"""What the judge says of the order in which the rules answer packets, however these came and went."""


def test_every_transaction_is_completed_exactly_once(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    chaos = Chaos(tmp_path, SIZE, SEED)
    try:
        chaos.start()
        report = chaos.until_done(random.Random(SEED), seconds=_SECONDS, most_kills=max(6, SIZE // 20))
        status = chaos.end()
    finally:
        chaos.abandon()
    print(f"{len(report.lines)} transactions, {chaos.kills} kills, {report.counts()}")
    assert [f"{one.rule} {one.message}" for one in report.wrong if one.rule not in OF_THE_ENGINE] == []
    assert len(report.lines) >= SIZE * 0.8
    assert report.counts()["failed"] == 0
    assert status == 0, chaos.log("site")
    _check_both_sides(tmp_path, len(report.lines))


def _check_both_sides(folder: Path, transactions: int) -> None:
    """The site has the same transactions, all completed, and has sent each of its packets."""
    with Database.open(f"sqlite:///{folder}/amie.db", create=False) as database, database.read() as connection:
        states = Counter(connection.scalars(select(transaction_tbl.c.state_id)))
        posts = Counter(connection.scalars(select(post.c.state)))
    assert states == {STATE_IDS["completed"]: transactions}
    # The answer to the very last one may have been lost: it would be looked up next.
    assert set(posts) <= {"sent", "sending"}
