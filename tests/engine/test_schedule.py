"""The order in which slots take packets, against what must hold of any schedule."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from amierules.engine.schedule import Schedule, Task

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = st.frozensets(st.sampled_from("abcdef"), min_size=1, max_size=3)


def task(number: int, keys: frozenset[str], minutes: int = 0) -> Task:
    return Task(number, EPOCH + timedelta(minutes=minutes), keys)


def tasks(*keys: str) -> list[Task]:
    """Tasks 1, 2, ... in the order of their time stamps, with these letters as keys."""
    return [task(number, frozenset(each), number) for number, each in enumerate(keys, start=1)]


def given_out(schedule: Schedule) -> list[int]:
    found = []
    while (one := schedule.take()) is not None:
        found.append(one.packet_rec_id)
    return found


def test_what_shares_no_key_is_given_out_at_once_in_the_order_of_arrival() -> None:
    schedule = Schedule()
    schedule.add(reversed(tasks("a", "b", "c")))
    assert given_out(schedule) == [1, 2, 3]
    assert (schedule.waiting, schedule.under_way) == (0, 3)


def test_a_packet_waits_for_the_earlier_ones_that_share_a_key_with_it() -> None:
    schedule = Schedule()
    listed = tasks("ab", "bc", "c", "d")
    schedule.add(listed)
    assert given_out(schedule) == [1, 4]
    schedule.end(listed[0])
    assert given_out(schedule) == [2]
    schedule.end(listed[1])
    assert given_out(schedule) == [3]


def test_time_counts_before_the_id() -> None:
    schedule = Schedule()
    late, early = task(1, frozenset("a"), 5), task(9, frozenset("a"), 1)
    schedule.add([late, early])
    assert schedule.take() == early
    assert schedule.take() is None


def test_keys_that_a_packet_turned_out_to_need_are_its_own_from_then_on() -> None:
    schedule = Schedule()
    one, other = tasks("a", "b")
    schedule.add([one, other])
    assert given_out(schedule) == [1, 2]
    assert schedule.reserve(one, {"a", "x"})
    assert not schedule.reserve(other, {"b", "x"})
    schedule.put_back(other, {"b", "x"})
    assert given_out(schedule) == []
    schedule.end(one)
    again = schedule.take()
    assert again is not None
    assert (again.packet_rec_id, again.keys) == (2, frozenset("bx"))


def test_keys_may_be_shared_with_packets_that_the_same_slot_works_on() -> None:
    schedule = Schedule()
    one, other, third = tasks("a", "b", "c")
    schedule.add([one, other, third])
    assert given_out(schedule) == [1, 2, 3]
    assert schedule.reserve(one, {"x"})
    assert schedule.reserve(other, {"x"}, beside=[1])
    assert not schedule.reserve(third, {"x"}, beside=[1])
    assert schedule.reserve(third, {"x"}, beside=[1, 2])


def test_what_another_process_has_is_put_aside_with_all_that_waits_for_it() -> None:
    schedule = Schedule()
    listed = tasks("a", "ab", "b", "c")
    schedule.add(listed)
    first = schedule.take()
    assert first is not None
    schedule.put_aside(first)
    assert given_out(schedule) == [4]
    schedule.add(tasks("a"))
    assert given_out(schedule) == []
    schedule.look_again()
    schedule.add(listed[:3])
    assert given_out(schedule) == [1]


def test_what_is_in_hand_is_not_taken_in_twice() -> None:
    schedule = Schedule()
    listed = tasks("a", "a")
    schedule.add(listed)
    assert given_out(schedule) == [1]
    schedule.add(listed)
    assert (schedule.waiting, schedule.under_way) == (1, 1)


# ------------------------------------------------------------------ against a model


@dataclass
class Model:
    """What is known of each packet: its keys, and whether it was given out and has ended."""

    all: dict[int, Task] = field(default_factory=dict)
    running: dict[int, Task] = field(default_factory=dict)
    ended: list[int] = field(default_factory=list)
    more_keys: dict[int, frozenset[str]] = field(default_factory=dict)
    aside: bool = False
    """Whether another process may have some of the packets."""

    def keys(self, number: int) -> frozenset[str]:
        return self.all[number].keys | self.more_keys.get(number, frozenset())

    def may_run(self, one: Task) -> bool:
        """No earlier packet that is still to be done shares one of the keys that were known from the beginning."""
        return not any(
            other.place < one.place and not one.keys.isdisjoint(other.keys)
            for number, other in self.all.items()
            if number not in self.ended
        )


class Scheduling(RuleBasedStateMachine):
    """Packets come, are given out, turn out to need more, and end, in any order."""

    @initialize()
    def begin(self) -> None:
        self.schedule, self.model, self.next_id = Schedule(), Model(), 1

    @rule(listed=st.lists(st.tuples(KEYS, st.integers(0, 5)), max_size=6))
    def packets_come(self, listed: list[tuple[frozenset[str], int]]) -> None:
        new = []
        for keys, minutes in listed:
            # What is read later stands later in the order: a cursor reads on, and ids are given out in order.
            new.append(task(self.next_id, keys, 10 * self.next_id + minutes))
            self.next_id += 1
        self.model.all |= {one.packet_rec_id: one for one in new}
        self.schedule.add(new)

    @rule()
    def one_is_taken(self) -> None:
        taken = self.schedule.take()
        if taken is None:
            # Nothing is left out that could be worked on.
            waiting = [one for number, one in self.model.all.items() if not self._is_over(number)]
            assert self.model.aside or not [one for one in waiting if self._is_free(one)]
            return
        number = taken.packet_rec_id
        assert not self._is_over(number)
        assert self.model.may_run(self.model.all[number])
        self.model.running[number] = taken
        self.model.more_keys[number] = taken.keys

    @precondition(lambda self: self.model.running)
    @rule(data=st.data(), more=KEYS)
    def one_needs_more(self, data: st.DataObject, more: frozenset[str]) -> None:
        number = data.draw(st.sampled_from(sorted(self.model.running)))
        taken = self.model.running[number]
        others = [self.model.keys(one) for one in self.model.running if one != number]
        clashes = not (self.model.keys(number) | more).isdisjoint(frozenset().union(*others))
        self.model.more_keys[number] = self.model.more_keys.get(number, frozenset()) | more
        assert self.schedule.reserve(taken, more) is not clashes
        if clashes:
            self.schedule.put_back(taken, more)
            del self.model.running[number]

    @precondition(lambda self: self.model.running)
    @rule(data=st.data())
    def one_ends(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.model.running)))
        self.schedule.end(self.model.running.pop(number))
        self.model.ended.append(number)

    @precondition(lambda self: self.model.running)
    @rule(data=st.data())
    def another_process_has_one(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.model.running)))
        self.schedule.put_aside(self.model.running.pop(number))
        self.model.aside = True

    @rule()
    def all_are_read_again(self) -> None:
        self.schedule.look_again()
        self.schedule.add([one for number, one in self.model.all.items() if number not in self.model.ended])
        self.model.aside = False

    @invariant()
    def no_two_share_a_key(self) -> None:
        running = list(self.model.running)
        for position, one in enumerate(running):
            for other in running[position + 1 :]:
                assert self.model.keys(one).isdisjoint(self.model.keys(other))

    def teardown(self) -> None:
        """Once nothing more happens, all are given out: none starves."""
        self.all_are_read_again()
        for _ in range(10 * self.next_id):
            for number in list(self.model.running):
                self.schedule.end(self.model.running.pop(number))
                self.model.ended.append(number)
            self.one_is_taken()
        assert sorted(self.model.ended) == sorted(self.model.all)

    def _is_over(self, number: int) -> bool:
        return number in self.model.ended or number in self.model.running

    def _is_free(self, one: Task) -> bool:
        """Whether nothing that is under way or earlier shares a key with it."""
        mine = self.model.keys(one.packet_rec_id)
        others = [other for number, other in self.model.all.items() if number not in self.model.ended]
        return not any(
            not mine.isdisjoint(self.model.keys(other.packet_rec_id))
            for other in others
            if other is not one and (other.place < one.place or other.packet_rec_id in self.model.running)
        )


TestScheduling = Scheduling.TestCase
TestScheduling.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@settings(max_examples=100, deadline=None)
@given(listed=st.lists(KEYS, max_size=30), slots=st.integers(1, 8), data=st.data())
def test_each_key_sees_its_packets_in_the_order_of_arrival(
    listed: list[frozenset[str]], slots: int, data: st.DataObject
) -> None:
    schedule = Schedule()
    waiting = [task(number, keys, number) for number, keys in enumerate(listed)]
    schedule.add(waiting)
    began: list[Task] = []
    running: list[Task] = []
    while True:
        while len(running) < slots and (one := schedule.take()) is not None:
            began.append(one)
            running.append(one)
        if not running:
            break
        schedule.end(running.pop(data.draw(st.integers(0, len(running) - 1))))
    assert len(began) == len(listed)
    for key in "abcdef":
        seen = [one.place for one in began if key in one.keys]
        assert seen == sorted(seen)
