"""What the slots of one worker are fed with: batches, limits, and looking again when something has ended."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from amierules.engine.feed import Feed, Place
from amierules.engine.schedule import Task

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Stock:
    """Due packets by id, each with its keys; those that have ended are taken out by the test."""

    due: dict[int, str]
    batch: int = 3
    readings: list[Place | None] = field(default_factory=list)

    def read(self, after: Place | None) -> Sequence[Task]:
        self.readings.append(after)
        listed = [Task(number, EPOCH + timedelta(minutes=number), frozenset(keys)) for number, keys in self.due.items()]
        later = [one for one in sorted(listed, key=lambda one: one.place) if after is None or one.place > after]
        return later[: self.batch]


def finish(stock: Stock, feed: Feed, task: Task, status: str = "done") -> None:
    del stock.due[task.packet_rec_id]
    feed.end(task, status)


def all_of(stock: Stock, feed: Feed) -> list[int]:
    """Every packet that one slot gets, each of them done."""
    seen = []
    while (task := feed.take()) is not None:
        seen.append(task.packet_rec_id)
        finish(stock, feed, task)
    return seen


def test_all_batches_are_read_in_order() -> None:
    stock = Stock(dict.fromkeys(range(1, 11), "a"))
    assert all_of(stock, Feed(stock.read)) == list(range(1, 11))


def test_no_more_than_the_limit_is_given_out_and_what_needed_nothing_does_not_count() -> None:
    stock = Stock({number: f"k{number}" for number in range(1, 11)})
    feed = Feed(stock.read, limit=3)
    first = feed.take()
    assert first is not None
    feed.end(first)
    del stock.due[1]
    assert all_of(stock, feed) == [2, 3, 4]


def test_what_an_ended_packet_let_go_on_is_found_though_it_stands_before_it() -> None:
    stock = Stock({5: "b"})
    feed = Feed(stock.read)
    task = feed.take()
    assert task is not None
    stock.due[1] = "a"
    finish(stock, feed, task)
    assert all_of(stock, feed) == [1]


def test_one_that_is_put_off_again_and_again_is_no_reason_to_go_on() -> None:
    stock = Stock({1: "a"})
    feed = Feed(stock.read)
    tries = 0
    while (task := feed.take()) is not None:
        tries += 1
        assert tries < 10
        feed.end(task, "deferred")
    assert tries == 2


def test_what_another_process_has_is_looked_at_again_when_something_has_ended() -> None:
    stock = Stock({1: "a", 2: "b"})
    feed = Feed(stock.read)
    first = feed.take()
    assert first is not None
    feed.put_aside(first)
    second = feed.take()
    assert second is not None
    assert second.packet_rec_id == 2
    finish(stock, feed, second)
    assert all_of(stock, feed) == [1]


def test_a_slot_waits_for_another_that_may_let_something_go_on() -> None:
    stock = Stock({1: "a", 2: "a"})
    feed = Feed(stock.read)
    first = feed.take()
    assert first is not None
    got: list[int | None] = []

    def other() -> None:
        task = feed.take()
        got.append(task.packet_rec_id if task else None)

    thread = threading.Thread(target=other)
    thread.start()
    assert got == []
    finish(stock, feed, first)
    thread.join(30)
    assert got == [2]


def test_all_slots_end_when_there_is_nothing_more() -> None:
    stock = Stock({number: "ab"[number % 2] for number in range(1, 40)})
    feed, seen, lock = Feed(stock.read), list[int](), threading.Lock()

    def slot() -> None:
        while (task := feed.take()) is not None:
            with lock:
                seen.append(task.packet_rec_id)
                del stock.due[task.packet_rec_id]
            feed.end(task, "done")

    threads = [threading.Thread(target=slot) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(seen) == list(range(1, 40))


def test_a_stopped_feed_gives_nothing_more() -> None:
    stock = Stock({1: "a", 2: "b"})
    feed = Feed(stock.read)
    assert feed.take() is not None
    feed.stop()
    assert feed.take() is None
