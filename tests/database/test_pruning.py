"""What `db prune` forgets of packets that ended long ago, and what it never touches."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, update

from amierules.database import events, outbox, own_tables, pruning, work
from amierules.database.connection import Database
from amierules.database.intake import Needs, take_in
from amierules.database.outbox import Draft
from amierules.database.packets import StoredPacket
from amierules.database.pruning import Pruned, prune
from tests.support.amie_rows import NOW, add_packet, add_transaction, add_work

LONG_AGO = NOW - timedelta(days=200)
STEP: dict[str, Any] = {
    "path": "a",
    "position": 1,
    "kind": "command",
    "state": "done",
    "source_digest": "s",
    "input_digest": "i",
    "fence": 1,
    "started_at": LONG_AGO,
}


def add(database: Database, status: str, ended: datetime) -> int:
    """A packet with a step, an event and two keys."""
    with database.begin() as connection:
        state = "completed" if status in own_tables.FINAL_STATUSES else "in-progress"
        packet = add_packet(connection, add_transaction(connection), state=state)
        add_work(connection, packet, status, keys=("a", "b"), begun=True, updated_at=ended, record_id="R")
        connection.execute(insert(own_tables.step).values({**STEP, "packet_rec_id": packet}))
        events.add(connection, packet, "run@a", status, "", ended)
    return packet


def kept(database: Database, packet: int) -> tuple[int, int, int]:
    """How many steps, events and keys there are of a packet."""
    with database.read() as connection:
        counts = [
            connection.scalar(select(func.count()).where(table.c.packet_rec_id == packet)) or 0
            for table in (own_tables.step, own_tables.event, own_tables.work_key)
        ]
    return counts[0], counts[1], counts[2]


def pruned(database: Database, *, dry_run: bool = False) -> Pruned:
    return prune(database, NOW - timedelta(days=180), who="pat", now=NOW, dry_run=dry_run)


@pytest.mark.parametrize("status", [*work.OPEN_STATUSES, *own_tables.FINAL_STATUSES])
def test_only_what_has_ended_long_ago_is_forgotten(database: Database, status: str) -> None:
    old, new = add(database, status, LONG_AGO), add(database, status, NOW)
    ended = status in own_tables.FINAL_STATUSES
    assert pruned(database) == (Pruned(1, 1, 1) if ended else Pruned())
    assert kept(database, old) == ((0, 0, 0) if ended else (1, 1, 2))
    assert kept(database, new) == (1, 1, 2)
    assert pruned(database) == Pruned()


def test_a_dry_run_counts_and_changes_nothing(database: Database) -> None:
    packet = add(database, "done", LONG_AGO)
    assert pruned(database, dry_run=True) == Pruned(1, 1, 1)
    assert kept(database, packet) == (1, 1, 2)


def test_more_than_a_batch_is_forgotten(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "_BATCH", 3)
    for _ in range(8):
        add(database, "done", LONG_AGO)
    assert pruned(database, dry_run=True) == Pruned(8, 8, 8)
    assert pruned(database) == Pruned(8, 8, 8)


def test_that_it_was_done_is_an_event_and_the_work_row_stays(database: Database) -> None:
    packet = add(database, "done", LONG_AGO)
    pruned(database)
    with database.read() as connection:
        item = work.get(connection, packet)
        (said,) = connection.scalars(select(own_tables.event.c.what).where(own_tables.event.c.packet_rec_id.is_(None)))
    assert said == "pruned"
    assert item is not None
    assert (item.status, item.record_id, item.updated_at) == ("done", "R", LONG_AGO)


def test_a_pruned_packet_that_is_set_back_is_held_since_nobody_knows_what_was_done(database: Database) -> None:
    def needs(_: Connection, found: Sequence[StoredPacket]) -> list[Needs]:
        return [Needs(set(), None, None, None)] * len(found)

    with database.begin() as connection:
        packet = add_packet(connection, add_transaction(connection))
        add_work(connection, packet, "done", begun=True, updated_at=LONG_AGO, keys=("a",))
    assert pruned(database).packets == 1
    take_in(database, needs_of=needs, site_name="TestSite", now=NOW)
    with database.read() as connection:
        item = work.get(connection, packet)
    assert item is not None
    assert item.status == "held"


@pytest.mark.parametrize("state", outbox.STATES)
def test_messages_that_are_settled_are_forgotten_with_their_packet(database: Database, state: str) -> None:
    old, new = add(database, "done", LONG_AGO), add(database, "done", NOW)
    draft = Draft("rule", "a", "reply", "0", "mail", "staff@site.example", {"text": "x"})
    with database.begin() as connection:
        for packet in (old, new):
            outbox.queue(connection, packet, [draft], LONG_AGO)
        connection.execute(update(own_tables.outbox).values(state=state))
    settled = state in ("sent", "dropped")
    assert pruned(database, dry_run=True) == pruned(database) == Pruned(1, 1, 1, int(settled))
    with database.read() as connection:
        assert len(outbox.for_packet(connection, old)) == int(not settled)
        assert len(outbox.for_packet(connection, new)) == 1
    assert pruned(database) == Pruned()
