"""The exit statuses of every command: one enumeration, documented in the reference."""

from collections.abc import Iterable, Mapping
from enum import IntEnum


class ExitStatus(IntEnum):
    """What a command's exit status means."""

    OK = 0
    INVALID = 1
    USAGE = 2
    NEEDS_PERSON = 3
    UNAVAILABLE = 5
    CHANGES = 10
    INTERNAL = 70
    INTERRUPTED = 130


MEANINGS: Mapping[ExitStatus, str] = {
    ExitStatus.INTERNAL: "an internal error; a log is written, and its path shown",
    ExitStatus.INTERRUPTED: "ended by Ctrl-C",
    ExitStatus.USAGE: "wrong usage, or a transition that a packet's status does not allow",
    ExitStatus.UNAVAILABLE: "the database, the remote side or SQLite's lock is not to be had",
    ExitStatus.INVALID: (
        "invalid rules or configuration, failed tests, a packet that `load` refuses or that has no valid plan, "
        "a file that is missing, cannot be read or cannot be written"
    ),
    ExitStatus.NEEDS_PERSON: (
        "packets need a person: `run`: one that it touched is held, parked or in doubt; `status`: any is"
    ),
    ExitStatus.CHANGES: "changes are pending; only with `--detailed-exitcode`",
    ExitStatus.OK: "fine",
}
"""What each says; where several apply, the first of these is the one."""


def first_that_applies(statuses: Iterable[ExitStatus]) -> ExitStatus:
    """The status to end with where several apply; `OK` where none does."""
    applying = set(statuses)
    return next((status for status in MEANINGS if status in applying), ExitStatus.OK)
