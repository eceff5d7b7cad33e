"""A step's transaction in one message: all of it or nothing, with the same values as statement by statement."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from amierules.database import dialect, events, journal, work
from amierules.database.connection import Database
from amierules.database.dialect import DatabaseError
from amierules.database.journal import StepRow
from amierules.database.own_tables import work_key
from amierules.database.ownership import LostOwnership
from amierules.database.taking_over import take_over
from amierules.database.together import Writer, together
from amierules.database.work import WorkItem
from tests.support.amie_rows import NOW, add_work

HOSTILE = 'O\'Hara "x" \\ %s %(a)s $1 ; commit; -- \u2603 \n {}'
INTENT = StepRow(
    packet_rec_id=1,
    path=f"step {HOSTILE}",
    position=2,
    kind="command",
    state="started",
    source_digest="s",
    input_digest="i",
    started_at=NOW,
    changes=[{"argv": ["echo", HOSTILE]}],
    given={"units": Decimal("1.10"), "none": None},
    host=HOSTILE,
    pid=4242,
    mark="m",
)


@pytest.fixture
def item(database: Database) -> WorkItem:
    with database.begin() as connection:
        add_work(connection, 1, keys=("old",))
        found = work.get(connection, 1)
    assert found is not None
    return found


def steps(database: Database) -> dict[str, StepRow]:
    with database.read() as connection:
        return journal.steps(connection, 1)


def begin(writer: Writer, item: WorkItem) -> None:
    """What a packet's first intent writes."""
    fence = take_over(writer, item, ["new", HOSTILE], pinned={"rule": HOSTILE}, who="run@host", now=NOW)
    journal.write_settled(writer, [replace(INTENT, path="before", state="done", position=1, fence=fence)])
    journal.write_intent(writer, INTENT, fence, timedelta(seconds=90), owned=True)


def test_a_first_intent_is_there_as_it_was_given(database: Database, item: WorkItem) -> None:
    with together(database) as writer:
        begin(writer, item)
    with database.read() as connection:
        now = work.get(connection, 1)
        keys = set(connection.scalars(select(work_key.c.key).where(work_key.c.packet_rec_id == 1)))
        told = [(one.who, one.what, one.at) for one in events.for_packet(connection, 1)]
        left = journal.steps(connection, 1)[INTENT.path].deadline
        moment = dialect.moment(connection)
    assert now is not None
    assert (now.status, now.fence, now.begun, now.pinned) == ("running", item.fence + 1, True, {"rule": HOSTILE})
    assert keys == {"new", HOSTILE}
    assert told == [("run@host", "running", NOW)]
    found = steps(database)
    assert list(found) == ["before", INTENT.path]
    assert replace(found[INTENT.path], deadline=None) == replace(INTENT, fence=item.fence + 1)
    assert left is not None
    assert timedelta() < left - moment <= timedelta(seconds=90)


def test_a_result_and_a_second_try(database: Database, item: WorkItem) -> None:
    with together(database) as writer:
        begin(writer, item)
    ends: dict[str, Any] = {"result": {"said": HOSTILE}, "reason": HOSTILE, "fence": item.fence + 1, "now": NOW}
    with together(database) as writer:
        journal.write_result(writer, 1, INTENT.path, state="failed", **ends)
    kept = steps(database)[INTENT.path]
    assert (kept.state, kept.result, kept.reason, kept.finished_at) == ("failed", {"said": HOSTILE}, HOSTILE, NOW)
    with together(database) as writer:
        journal.write_intent(writer, INTENT, item.fence + 1)
    again = steps(database)[INTENT.path]
    assert (again.state, again.result, again.finished_at, again.deadline) == ("started", None, None, None)


def _changed_meanwhile(writer: Writer, item: WorkItem) -> None:
    begin(writer, replace(item, updated_at=item.updated_at - timedelta(seconds=1)))


def _another_fence(writer: Writer, item: WorkItem) -> None:
    journal.own(writer, 1, item.fence)
    journal.write_settled(writer, [replace(INTENT, path="first")])
    journal.write_intent(writer, INTENT, item.fence + 1)


def _no_step(writer: Writer, item: WorkItem) -> None:
    journal.own(writer, 1, item.fence)
    journal.write_settled(writer, [replace(INTENT, path="first")])
    journal.write_result(writer, 1, "never begun", state="done", fence=item.fence, now=NOW)


@pytest.mark.parametrize("fence", [0, 2])
def test_a_result_of_another_fence_is_not_kept(database: Database, item: WorkItem, fence: int) -> None:
    with together(database) as writer:
        begin(writer, item)
    before = steps(database)
    with pytest.raises(LostOwnership), together(database) as writer:
        journal.write_result(writer, 1, INTENT.path, state="done", fence=fence, now=NOW)
    assert steps(database) == before


@pytest.mark.parametrize("writes", [_changed_meanwhile, _another_fence, _no_step])
def test_nothing_is_written_about_a_packet_that_is_lost(
    database: Database, item: WorkItem, writes: Callable[[Writer, WorkItem], None]
) -> None:
    with pytest.raises(LostOwnership), together(database) as writer:
        writes(writer, item)
    assert steps(database) == {}
    with database.read() as connection:
        assert work.get(connection, 1) == item
        assert events.for_packet(connection, 1) == []
    # What comes next is not touched by it.
    with together(database) as writer:
        begin(writer, item)


def _something_else_fails(writer: Writer, item: WorkItem) -> None:
    begin(writer, item)
    raise ZeroDivisionError


def _a_value_is_refused(writer: Writer, item: WorkItem) -> None:
    nobody: Any = None
    journal.write_settled(writer, [INTENT])
    events.write_one(writer, 1, nobody, "running", "", NOW)


@pytest.mark.parametrize(
    ("writes", "errors"), [(_something_else_fails, ZeroDivisionError), (_a_value_is_refused, DatabaseError)]
)
def test_nothing_is_written_where_it_fails(
    database: Database, item: WorkItem, writes: Callable[[Writer, WorkItem], None], errors: Any
) -> None:
    with pytest.raises(errors), together(database) as writer:
        writes(writer, item)
    assert steps(database) == {}
