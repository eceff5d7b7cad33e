"""A program whose output is read while it runs, however much that is."""

import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from typing import IO

from amierules.ports.processes import NotStarted, encoded, find_program, minimal_environment

_CHUNK = 1 << 18
_KEPT = 4000
"""Bytes of standard error that are kept, from its end."""
_GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""


class StreamFailed(Exception):
    """The program did not end as it should: what it wrote before may not be all."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def stream(argv: Sequence[str], *, env: Mapping[str, str] | None = None, patience: float) -> Generator[bytes]:
    """What a program writes to standard output, piece by piece; `env` is added to a minimal environment.

    It is ended where it writes nothing for `patience` seconds, and where nobody reads on. Raises `NotStarted`, and
    `StreamFailed` at the end where it failed: whoever takes all has all.
    """
    process = _started(argv, env)
    errors = _Tail(process.stderr)
    try:
        with selectors.DefaultSelector() as selector:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                if not selector.select(patience):
                    raise StreamFailed(f"{argv[0]} wrote nothing for {patience:g} s")
                chunk = os.read(process.stdout.fileno(), _CHUNK)
                if not chunk:
                    break
                yield chunk
        status = process.wait(patience)
        if status != 0:
            how = f"signal {-status}" if status < 0 else f"status {status}"
            raise StreamFailed(f"{argv[0]} ended with {how}" + (f": {said}" if (said := errors.text()) else ""))
    except subprocess.TimeoutExpired:
        raise StreamFailed(f"{argv[0]} does not end") from None
    finally:
        _end(process)


class _Tail:
    """Reads a stream to its end, so that the writer never waits, and keeps what came last."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self._stream = stream
        self._kept = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while self._stream is not None and (chunk := self._stream.read(_CHUNK)):
            self._kept = (self._kept + chunk)[-_KEPT:]

    def text(self) -> str:
        """What came last, as one line."""
        self._thread.join(_GRACE)
        return " ".join(self._kept.decode("utf-8", "replace").split())


def _started(argv: Sequence[str], env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    program = argv[0] if "/" in argv[0] else find_program(argv[0])
    if program is None:
        raise NotStarted(f"{argv[0]}: no such program")
    try:
        return subprocess.Popen(
            [encoded(word) for word in (program, *argv[1:])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**minimal_environment(), **(env or {})},
            start_new_session=True,
            bufsize=0,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise NotStarted(f"{argv[0]}: {reason}") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _GRACE
    if process.poll() is None:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGTERM)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
    if process.poll() is None:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
