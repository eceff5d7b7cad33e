"""The journal: intents before effects, results after, and nothing from a worker that lost the packet."""

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from amierules.database import journal, work
from amierules.database.connection import Database
from amierules.database.journal import StepRow
from amierules.database.ownership import LostOwnership
from amierules.templating import Secret
from tests.support.amie_rows import NOW, add_work

LATER = NOW + timedelta(seconds=5)
INTENT = StepRow(
    packet_rec_id=1,
    path="user/Unix account",
    position=2,
    kind="user",
    state="started",
    source_digest="s",
    input_digest="i",
    started_at=NOW,
    changes=[{"argv": ["useradd", "bsample"]}],
    host="node1",
    pid=4242,
)


@pytest.fixture
def begun(database: Database) -> Database:
    with database.begin() as connection:
        add_work(connection, 1)
        add_work(connection, 2)
    return database


def read(database: Database, packet_rec_id: int = 1) -> dict[str, StepRow]:
    with database.read() as connection:
        return journal.steps(connection, packet_rec_id)


def item(database: Database) -> work.WorkItem:
    with database.read() as connection:
        found = work.get(connection, 1)
    assert found is not None
    return found


def take_over(database: Database) -> int:
    with database.begin() as connection:
        return journal.bump_fence(connection, 1)


def test_an_intent_is_kept_as_it_was_and_begins_the_packet(begun: Database) -> None:
    fence = take_over(begun)
    with begun.begin() as connection:
        journal.write_intent(connection, replace(INTENT, state="anything", finished_at=NOW), fence)
    assert read(begun) == {INTENT.path: replace(INTENT, fence=fence)}
    assert item(begun).begun
    assert read(begun, 2) == {}


def test_a_result_survives_with_its_type(begun: Database) -> None:
    staged = [{"table": "person", "key": ["k"], "before": None, "after": {"key": "k"}}]
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    results: list[object] = [None, "text", 5, Decimal("1.10"), date(2026, 1, 1), moment, [{"a": [None]}], {}, []]
    for result in results:
        with begun.begin() as connection:
            journal.write_intent(connection, INTENT, 0)
        with begun.begin() as connection:
            journal.write_result(
                connection,
                1,
                INTENT.path,
                state="done",
                result=result,
                staged=staged,
                reason="made",
                fence=0,
                now=LATER,
            )
        step = read(begun)[INTENT.path]
        assert (step.state, step.reason, step.finished_at) == ("done", "made", LATER)
        assert (step.result, step.staged, step.changes) == (result, staged, INTENT.changes)
        assert type(step.result) is type(result)


def test_steps_come_in_their_order(begun: Database) -> None:
    with begun.begin() as connection:
        for position, path in ((3, "a"), (1, "c"), (2, "b")):
            journal.write_settled(connection, [replace(INTENT, path=path, position=position, state="present")])
    assert list(read(begun)) == ["c", "b", "a"]


def test_a_step_without_intent_does_not_begin_the_packet(begun: Database) -> None:
    with begun.begin() as connection:
        journal.write_settled(connection, [replace(INTENT, state="present", result=1)])
    assert (read(begun)[INTENT.path].state, read(begun)[INTENT.path].finished_at) == ("present", NOW)
    assert not item(begun).begun


def test_a_second_intent_replaces_what_an_earlier_try_recorded(begun: Database) -> None:
    with begun.begin() as connection:
        journal.write_intent(connection, INTENT, 0)
        journal.write_result(connection, 1, INTENT.path, state="failed", reason="exit status 1", fence=0, now=LATER)
    again = replace(INTENT, started_at=LATER, input_digest="new")
    with begun.begin() as connection:
        journal.write_intent(connection, again, 0)
    assert read(begun) == {INTENT.path: again}


def test_a_result_needs_a_step_that_is_under_way(begun: Database) -> None:
    with pytest.raises(LostOwnership), begun.begin() as connection:
        journal.write_result(connection, 1, INTENT.path, state="done", fence=0, now=LATER)
    with begun.begin() as connection:
        journal.write_intent(connection, INTENT, 0)
        journal.write_result(connection, 1, INTENT.path, state="done", result="first", fence=0, now=LATER)
    with pytest.raises(LostOwnership), begun.begin() as connection:
        journal.write_result(connection, 1, INTENT.path, state="done", result="second", fence=0, now=LATER)
    assert read(begun)[INTENT.path].result == "first"


def zombie_writes(connection: Any, fence: int) -> list[Any]:
    return [
        lambda: journal.write_intent(connection, replace(INTENT, path="new"), fence),
        lambda: journal.own(connection, 1, fence),
        lambda: journal.write_result(connection, 1, INTENT.path, state="done", fence=fence, now=LATER),
        lambda: journal.pin(connection, 1, {"rule": "zombie"}, fence),
        lambda: journal.forget(connection, 1, INTENT.path, fence),
    ]


@pytest.mark.parametrize("number", range(5))
def test_a_worker_whose_packet_was_taken_over_records_nothing(begun: Database, number: int) -> None:
    first = take_over(begun)
    with begun.begin() as connection:
        journal.write_intent(connection, INTENT, first)
        journal.pin(connection, 1, {"rule": "mine"}, first)
    second = take_over(begun)
    assert second > first
    with pytest.raises(LostOwnership), begun.begin() as connection:
        zombie_writes(connection, first)[number]()
    assert read(begun) == {INTENT.path: replace(INTENT, fence=first)}
    assert item(begun).pinned == {"rule": "mine"}
    with begun.begin() as connection:
        journal.write_result(connection, 1, INTENT.path, state="done", result="adopted", fence=second, now=LATER)
    assert (read(begun)[INTENT.path].result, read(begun)[INTENT.path].fence) == ("adopted", second)


def test_a_takeover_waits_for_a_write_that_is_not_committed(begun: Database) -> None:
    fence = take_over(begun)
    taken: list[int] = []
    with begun.begin() as connection:
        journal.write_intent(connection, INTENT, fence)
        other = threading.Thread(target=lambda: taken.append(take_over(begun)))
        other.start()
        other.join(0.5)
        assert taken == []
    other.join(20)
    assert taken == [fence + 1]
    assert INTENT.path in read(begun)


def test_what_was_pinned_comes_back_with_its_types(begun: Database) -> None:
    pinned = {"rule": "r", "now": NOW, "site": {"units": Decimal("1.0")}}
    with begun.begin() as connection:
        journal.pin(connection, 1, pinned, 0)
    assert item(begun).pinned == pinned


def test_clearing_starts_anew_and_takes_the_packet_from_its_worker(begun: Database) -> None:
    fence = take_over(begun)
    with begun.begin() as connection:
        journal.write_intent(connection, INTENT, fence)
        journal.pin(connection, 1, {"rule": "r"}, fence)
    with begun.begin() as connection:
        journal.clear(connection, 1)
    assert read(begun) == {}
    assert (item(begun).begun, item(begun).pinned) == (False, None)
    with pytest.raises(LostOwnership), begun.begin() as connection:
        journal.write_intent(connection, INTENT, fence)


def test_a_step_is_forgotten_alone(begun: Database) -> None:
    with begun.begin() as connection:
        journal.write_intent(connection, INTENT, 0)
        journal.write_intent(connection, replace(INTENT, path="b"), 0)
    with begun.begin() as connection:
        journal.forget(connection, 1, "b", 0)
    assert list(read(begun)) == [INTENT.path]


def test_secrets_do_not_reach_the_journal(begun: Database) -> None:
    with begun.begin() as connection:
        journal.write_intent(connection, INTENT, 0)
    with pytest.raises(TypeError, match="secret"), begun.begin() as connection:
        journal.write_result(connection, 1, INTENT.path, state="done", result=[Secret("x")], fence=0, now=LATER)
    with pytest.raises(TypeError, match="secret"), begun.begin() as connection:
        journal.pin(connection, 1, {"site": Secret("x")}, 0)
    assert read(begun)[INTENT.path].state == "started"


def test_any_text_survives(begun: Database) -> None:
    for text in ("\x00", "\ud800", '"\\', "é\u2028", "💥"):
        with begun.begin() as connection:
            journal.write_intent(connection, INTENT, 0)
            journal.write_result(connection, 1, INTENT.path, state="done", result={text: text}, fence=0, now=LATER)
        assert read(begun)[INTENT.path].result == {text: text}


def test_a_packet_without_work_row_cannot_be_taken_over(begun: Database) -> None:
    with pytest.raises(LookupError), begun.begin() as connection:
        journal.bump_fence(connection, 99)
