"""The exit statuses of every command: one enumeration, documented in the reference."""

from collections.abc import Iterable
from enum import IntEnum


class ExitStatus(IntEnum):
    """What a command's exit status means."""

    OK = 0
    INVALID = 1
    """Invalid rules or configuration, failed tests, a packet refused by `load` or without a valid plan."""
    USAGE = 2
    """Wrong usage, or a transition that a packet's status does not allow."""
    NEEDS_PERSON = 3
    """Packets need a person: held, parked or in doubt."""
    UNAVAILABLE = 5
    """Database, remote side or SQLite lock not to be had."""
    CHANGES = 10
    """Changes are pending; only with `--detailed-exitcode`."""
    INTERNAL = 70
    """An internal error; a log is written."""
    INTERRUPTED = 130
    """Ended by Ctrl-C."""


_PRECEDENCE = (
    ExitStatus.INTERNAL,
    ExitStatus.INTERRUPTED,
    ExitStatus.USAGE,
    ExitStatus.UNAVAILABLE,
    ExitStatus.INVALID,
    ExitStatus.NEEDS_PERSON,
    ExitStatus.CHANGES,
    ExitStatus.OK,
)


def first_that_applies(statuses: Iterable[ExitStatus]) -> ExitStatus:
    """The status to end with where several apply; `OK` where none does."""
    applying = set(statuses)
    return next((status for status in _PRECEDENCE if status in applying), ExitStatus.OK)
