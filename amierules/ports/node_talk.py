"""Talking with several nodes at once: each gets ready, all are told what to run, each reports how it ended."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from amierules.ports import vigil
from amierules.ports.nodes import Ending, NodeCompleted
from amierules.ports.remote_script import Transcript

_CONFIRM = 12.0
"""Seconds that a node may take to say that it has ended the program: five until SIGKILL, and the way there and back."""
_LINGER = 2.0
"""Seconds for which a line stays open once the node has reported: its last words may be under way."""


class Line(Protocol):
    """The way to one node, as ClusterShell's workers are."""

    def write(self, buf: bytes) -> None:
        """Send this."""

    def set_write_eof(self) -> None:
        """Close the input, once all of it is sent."""

    def abort(self) -> None:
        """Cut the line."""


@dataclass
class _Shared:
    """One node's part of a line that serves several: ClusterShell's gateways know but one line each.

    All nodes are sent the same, so the first of them sends it. The line is closed, or cut, once each of them wants it.
    """

    name: str
    line: Line
    written: set[bytes]
    open: set[str]
    """The nodes that still want their input open, of all that share the line."""
    alive: set[str]
    """Those that still want the line."""

    def write(self, buf: bytes) -> None:
        """Send this, unless another one has."""
        if buf not in self.written:
            self.written.add(buf)
            self.line.write(buf)

    def set_write_eof(self) -> None:
        """Close the input, if this was the last one that wanted it open."""
        was_open = bool(self.open)
        self.open.discard(self.name)
        if was_open and not self.open and self.alive:
            self.line.set_write_eof()

    def abort(self) -> None:
        """Cut the line, if this was the last one that wanted it."""
        self.gone()
        if not self.alive:
            self.line.abort()

    def gone(self) -> None:
        """The node has ended: the line is for the others."""
        self.alive.discard(self.name)
        self.set_write_eof()


def shared_lines(names: Iterable[str], line: Line) -> dict[str, Line]:
    """A line for each of these nodes, all of which are this one."""
    written: set[bytes] = set()
    open_, alive = set(names), set(names)
    return {name: _Shared(name, line, written, open_, alive) for name in sorted(alive)}


@dataclass
class _Talk:
    """Where the talk with one node stands."""

    transcript: Transcript
    line: Line | None = None
    told_at: float | None = None
    cut_at: float | None = None
    """When the input was closed because the time was over."""
    over_at: float | None = None
    closed: bool = False
    late: bool = False
    """Whether the node did not get ready in time."""
    fell: bool = False
    """Whether the way closed before anything was begun."""
    ssh_status: int | None = None


@dataclass
class Talks:
    """The talks with nodes that are to begin together. The engine that carries them calls what happens."""

    script: bytes
    """The line that starts the program."""
    timeout: float
    patience: float
    """Seconds until all nodes must be ready."""
    transcripts: Mapping[str, Transcript]
    failure: str = ""
    """What ended all talks at once."""
    _talks: dict[str, _Talk] = field(init=False)
    _since: float = field(default_factory=time.monotonic)
    _begun: bool = False
    """Whether it is settled who is told what to run: all, or none."""

    def __post_init__(self) -> None:
        self._talks = {name: _Talk(transcript) for name, transcript in self.transcripts.items()}

    def open(self, name: str, line: Line) -> None:
        """The way to a node is being made."""
        self._talks[name].line = line

    def heard(self, name: str, data: bytes, *, complaint: bool) -> None:
        """Something came on a node's standard output, or on its standard error or from ssh itself."""
        talk = self._talks[name]
        (talk.transcript.hear_complaint if complaint else talk.transcript.hear)(data)
        if talk.transcript.over and talk.over_at is None:
            talk.over_at = time.monotonic()
            _hang_up(talk)
        self._begin()

    def ended(self, name: str, status: int) -> None:
        """ssh ended with this status."""
        self._talks[name].ssh_status = status

    def closed(self, name: str) -> None:
        """The way to a node is no more."""
        talk = self._talks[name]
        if isinstance(talk.line, _Shared):
            talk.line.gone()
        talk.closed, talk.fell = True, talk.fell or not self._begun
        self._begin()

    def tick(self) -> None:
        """Look at the clock, often. Raises what `vigil.watching` was given raises."""
        vigil.look()
        now = time.monotonic()
        for talk in self._talks.values():
            if talk.closed:
                continue
            if talk.over_at is not None or (self._begun and talk.told_at is None):
                if now > (talk.over_at or self._since + self.patience) + _LINGER:
                    _cut(talk)
            elif talk.cut_at is not None:
                if now > talk.cut_at + _CONFIRM:
                    _cut(talk)
            elif talk.told_at is not None:
                if now >= talk.told_at + self.timeout:
                    talk.cut_at = now
                    _hang_up(talk)
            elif not talk.transcript.ready and now > self._since + self.patience:
                talk.late = True
                _cut(talk)
        self._begin()

    def _begin(self) -> None:
        """Once it is known of each node whether it is ready: tell all, or hang up on all."""
        talks = self._talks.values()
        if self._begun or not all(talk.transcript.ready or talk.closed for talk in talks):
            return
        self._begun = True
        together = not any(talk.closed for talk in talks)
        for talk in talks:
            if together and talk.line is not None:
                talk.told_at = time.monotonic()
                talk.line.write(self.script)
            else:
                _hang_up(talk)

    def outcomes(self) -> dict[str, NodeCompleted]:
        """How it ended on each node."""
        return {name: self._outcome(name, talk) for name, talk in self._talks.items()}

    def _outcome(self, name: str, talk: _Talk) -> NodeCompleted:
        transcript = talk.transcript
        if talk.told_at is None:
            if transcript.ready and not talk.fell:
                return NodeCompleted(name, Ending.LEFT_OUT, reason="other nodes were not reached")
            return NodeCompleted(name, Ending.UNREACHED, reason=self._why_unreached(talk))
        stdout, stderr, truncated = transcript.stdout, transcript.stderr, transcript.truncated
        if transcript.refused is not None:
            return NodeCompleted(name, Ending.REFUSED, None, stdout, stderr, transcript.refused, truncated)
        if transcript.rc is None:
            why = "it took too long, and the node did not say that it was ended" if talk.cut_at is not None else ""
            why = why or self.failure or "the connection broke off"
            return NodeCompleted(name, Ending.LOST, None, stdout, stderr, why, truncated)
        ending = Ending.ENDED if talk.cut_at is None else Ending.TIMED_OUT
        why = "" if talk.cut_at is None else "it took too long and was ended"
        return NodeCompleted(name, ending, transcript.rc, stdout, stderr, why, truncated)

    def _why_unreached(self, talk: _Talk) -> str:
        said = [line.strip() for line in talk.transcript.stderr.splitlines() if line.strip()]
        if talk.late:
            return f"it was not ready within {self.patience:g} seconds"
        if said or self.failure:
            return said[-1] if said else self.failure
        return "ssh ended" + (f" with status {talk.ssh_status}" if talk.ssh_status is not None else "")


def _hang_up(talk: _Talk) -> None:
    if talk.line is not None and not talk.closed:
        talk.line.set_write_eof()


def _cut(talk: _Talk) -> None:
    talk.closed = True
    if talk.line is not None:
        talk.line.abort()


def talks_with(names: Iterable[str], script: bytes, nonce: str, kept: int, timeout: float, patience: float) -> Talks:
    """Talks that have not begun, with transcripts that keep so many bytes."""
    return Talks(script, timeout, patience, {name: Transcript(nonce, kept) for name in names})
