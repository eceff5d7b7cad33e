"""Processes whose engine has died: how they are known, found and ended.

An engine marks what it starts: the mark stands in the environment of our direct child alone (`timeout`, which leads the
process group), where whoever runs as the same user on the same host finds it. The program itself does not see it.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

MARK = "AMIERULES_STEP"
"""The name of the variable that marks a child."""
LEAVE = 20.0
"""Seconds that a process may outlive its time: `timeout` ends it somewhat later than its engine would have."""

_PROC = Path("/proc")
_TERM, _KILL = 5.0, 2.0
"""Seconds for which an ended group is waited for."""
_AGAIN = 0.1
"""Seconds between two looks: a child that was just being started has no mark yet."""

_mark: ContextVar[str | None] = ContextVar("mark", default=None)
_patience: ContextVar[float] = ContextVar("patience", default=0)


@contextlib.contextmanager
def marked(mark: str, patience: float = 0) -> Iterator[None]:
    """Within it, this thread's processes carry the mark, and get `patience` seconds to end when we must end at once."""
    mark_before, patience_before = _mark.set(mark), _patience.set(patience)
    try:
        yield
    finally:
        _mark.reset(mark_before)
        _patience.reset(patience_before)


def current_mark() -> str | None:
    """The mark that processes started now must carry."""
    return _mark.get()


def current_patience() -> float:
    """Seconds for which processes started now are let go on where we may wait for them no longer."""
    return _patience.get()


def place() -> str | None:
    """Where marks that are set here can be found: this run of this kernel, and its process numbers.

    None where no marks can be found, as on systems without `/proc`.
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {os.readlink(_PROC / 'self/ns/pid')}"
    except OSError:
        return None


def end_orphans(mark: str, patience: float = 0) -> list[int]:
    """End the groups of all processes with this mark; returns those that go on in spite of that.

    They get `patience` seconds to end by themselves: what is ended midway may leave half of what it does. A program
    that has become another user's cannot be ended by us.
    """
    until = time.monotonic() + patience
    while _find(mark) and time.monotonic() < until:
        time.sleep(_AGAIN)
    looks = 0
    while looks < 2:
        found = _find(mark)
        looks = 0 if found else looks + 1
        if found and (left := _end(found)):
            return left
        time.sleep(_AGAIN)
    return []


def _find(mark: str) -> list[int]:
    """The numbers of the processes with this mark."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in _PROC.iterdir():
        # Others' processes cannot be read, and others end while we look.
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def _end(leaders: list[int]) -> list[int]:
    """End the groups that these lead: SIGTERM, and SIGKILL to what is left; returns the leaders of what goes on."""
    for number, seconds in ((signal.SIGTERM, _TERM), (signal.SIGKILL, _KILL)):
        for leader in leaders:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(leader, number)
        until = time.monotonic() + seconds
        while (left := [leader for leader in leaders if _lives(leader)]) and time.monotonic() < until:
            time.sleep(_AGAIN)
        if not left:
            return []
    return left


def _lives(group: int) -> bool:
    """Whether a process of the group still runs; one that has ended and whose end nobody has taken note of does not."""
    return any(_group_and_state(entry) == (group, False) for entry in _PROC.iterdir() if entry.name.isdigit())


def _group_and_state(entry: Path) -> tuple[int, bool] | None:
    """The process group, and whether the process has ended; None where it is gone."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        # The name, in parentheses, may hold anything.
        state, _, group = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[:3]
        return int(group), state in ("Z", "X")
    return None
