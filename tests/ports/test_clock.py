"""Clocks tell aware UTC time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from amierules.ports import FixedClock, LocalProcesses, SystemClock, World


def test_the_system_clock_is_aware_and_in_utc() -> None:
    before = datetime.now(UTC)
    told = SystemClock().now()
    assert told.tzinfo is UTC
    assert before <= told <= datetime.now(UTC)


def test_a_fixed_clock_stands_still_until_it_is_set() -> None:
    clock = FixedClock(datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1))))
    assert clock.now() == clock.now() == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert clock.now().tzinfo is UTC
    clock.at += timedelta(days=1)
    assert clock.now() == datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_fixed_clock_refuses_a_time_without_zone() -> None:
    with pytest.raises(ValueError, match="aware"):
        FixedClock(datetime(2026, 3, 1))


def test_a_world_is_a_value() -> None:
    processes, clock = LocalProcesses(), SystemClock()
    assert World(processes, clock) == World(processes, clock)
