"""What passes between us and a process while it runs: its input, its output, and the signal that ends it in time."""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from types import TracebackType
from typing import IO, Self

from amierules.ports import vigil

_KILL_AFTER = 5.0
"""Seconds between SIGTERM and SIGKILL."""
_LINGER = 1.0
"""Seconds for which the output of a process that has ended is still read while its descendants hold the pipe."""
_TICK = 0.05
_CHUNK = 65_536


class Conversation:
    """Feeds a process its input and keeps its output, within limits.

    Leaving it early ends the process's group, after `patience` seconds: what is ended midway may leave half of what it
    does. An error meanwhile, such as one more Ctrl-C, ends it at once.
    """

    def __init__(self, process: subprocess.Popen[bytes], given: bytes | None, kept: int, patience: float = 0) -> None:
        self._process = process
        self._patience = patience
        self._unwritten = memoryview(given or b"")
        self._kept = kept
        self._selector = selectors.DefaultSelector()
        self._out = bytearray()
        self._err = bytearray()
        self.timed_out = False
        self.truncated = False
        for pipe, events in (
            (process.stdin, selectors.EVENT_WRITE),
            (process.stdout, selectors.EVENT_READ),
            (process.stderr, selectors.EVENT_READ),
        ):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._selector.register(pipe, events)

    @property
    def stdout(self) -> bytes:
        """The beginning of standard output."""
        return bytes(self._out)

    @property
    def stderr(self) -> bytes:
        """The end of standard error."""
        return bytes(self._err)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._let_end()
        finally:
            if self._process.poll() is None:
                self._end_group()
            self._selector.close()
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    def hold(self, seconds: float) -> None:
        """Talk with the process until it has ended, or until `seconds` have passed and its group has been ended.

        Raises what `vigil.watching` was given raises.
        """
        deadline = time.monotonic() + seconds
        silent_since: float | None = None
        while self._selector.get_map() or self._process.poll() is None:
            vigil.look()
            now = time.monotonic()
            if self._process.poll() is not None:
                silent_since = now if silent_since is None else silent_since
                if now - silent_since > _LINGER:
                    return
            elif now >= deadline:
                self.timed_out = True
                self._end_group()
                silent_since = now - _LINGER
                continue
            self._exchange(min(_TICK, max(0.0, deadline - now)))

    def _let_end(self) -> None:
        """Wait until the process has ended, at most as long as there is patience."""
        deadline = time.monotonic() + self._patience
        while self._process.poll() is None and time.monotonic() < deadline:
            self._exchange(_TICK)

    def _exchange(self, wait: float) -> None:
        if not self._selector.get_map():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(wait)
            return
        for key, _ in self._selector.select(wait):
            pipe = key.fileobj
            assert not isinstance(pipe, int)  # noqa: S101 - only pipes are registered
            if pipe is self._process.stdin:
                self._write(self._process.stdin)
            else:
                self._read(key.fd, self._process.stdout is pipe)

    def _write(self, pipe: IO[bytes]) -> None:
        try:
            self._unwritten = self._unwritten[os.write(pipe.fileno(), self._unwritten[:_CHUNK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._unwritten = memoryview(b"")
        if not self._unwritten:
            self._selector.unregister(pipe)
            pipe.close()

    def _read(self, descriptor: int, is_stdout: bool) -> None:
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return
        if not data:
            self._selector.unregister(descriptor)
        elif is_stdout:
            self._out += data
            self.truncated |= len(self._out) > self._kept
            del self._out[self._kept :]
        else:
            self._err += data
            self.truncated |= len(self._err) > self._kept
            del self._err[: -self._kept]

    def _end_group(self) -> None:
        """End the group: SIGTERM, and SIGKILL to what is left when the process has ended or five seconds have passed.

        A program that became another user's (sudo) may outlive both, which is why nothing here waits for ever.
        """
        for number in (signal.SIGTERM, signal.SIGKILL):
            self._signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_KILL_AFTER)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
