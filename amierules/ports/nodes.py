"""Programs on other nodes: what is asked of them and how it ends on each, whatever carries it there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from amierules.ports.processes import Hidden, NotStarted
from amierules.rulebook.ssh import SshSettings


class Ending(StrEnum):
    """How it ended on one node."""

    ENDED = "ended"
    """The program ended by itself, with an exit status."""
    TIMED_OUT = "timed out"
    """It took too long, and the node says that it was ended."""
    LOST = "lost"
    """It was begun, and the node was heard of no more: it may run on, until its time is over."""
    REFUSED = "refused"
    """The node could not start it: nothing has happened there."""
    UNREACHED = "unreached"
    """The node was never ready to be told what to run: nothing has happened there."""
    LEFT_OUT = "left out"
    """The node was told nothing, because others were not reached: nothing has happened there."""


@dataclass(frozen=True)
class NodeCompleted:
    """What a program left on one node."""

    node: str
    ending: Ending
    rc: int | None = None
    """The exit status, where it `ENDED`; 128 + N where signal N ended the program."""
    stdout: str = ""
    stderr: str = ""
    reason: str = ""
    """Why it did not end by itself, for people."""
    truncated: bool = False
    """Some output was dropped: the end of standard output, or the beginning of standard error."""


class BadNodes(NotStarted):
    """The set of nodes cannot be used: nothing has happened."""


class Nodes(Protocol):
    """Runs programs on other nodes."""

    def under(self, settings: SshSettings) -> "Nodes":
        """The same, with these settings."""

    def expand(self, nodes: str) -> tuple[str, ...]:
        """The names in a set of nodes, in order. Raises `BadNodes`."""

    def fold(self, names: Sequence[str]) -> str:
        """The names as one short text: `login[1-2]`."""

    def run(
        self,
        names: Sequence[str],
        argv: Sequence[str | Hidden],
        *,
        stdin: str | Hidden | None = None,
        env: Mapping[str, str | Hidden] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
    ) -> Mapping[str, NodeCompleted]:
        """Run a program on each node and return what it left there, by node, in the order given.

        It is begun on no node before all that are talked with at the same time are ready. `env` is added to the
        environment that the node gives; `timeout` is in seconds. Raises `NotStarted`.
        """

    def end(self, names: Sequence[str], mark: str) -> Mapping[str, str]:
        """End what runs on the nodes with this mark (see `orphans`); returns where that failed, and why."""

    def lasting(self, count: int, each: float) -> float:
        """Seconds that a program which takes `each` may take on so many nodes, with the time to reach them."""


@dataclass(frozen=True)
class NoNodes:
    """No other node can be reached."""

    def under(self, settings: SshSettings) -> "NoNodes":
        """Itself."""
        return self

    def expand(self, nodes: str) -> tuple[str, ...]:
        """Raises `BadNodes`."""
        raise BadNodes("no other nodes are reached from here")

    def fold(self, names: Sequence[str]) -> str:
        """The names with commas between them."""
        return ",".join(names)

    def run(
        self,
        names: Sequence[str],
        argv: Sequence[str | Hidden],
        *,
        stdin: str | Hidden | None = None,
        env: Mapping[str, str | Hidden] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
    ) -> Mapping[str, NodeCompleted]:
        """Raises `NotStarted`."""
        raise NotStarted("no other nodes are reached from here")

    def end(self, names: Sequence[str], mark: str) -> Mapping[str, str]:
        """Nothing can be ended anywhere."""
        return dict.fromkeys(names, "no other nodes are reached from here")

    def lasting(self, count: int, each: float) -> float:
        """As if it ran here: none is reached."""
        return each
