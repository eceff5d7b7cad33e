"""A problem: what is wrong with a packet's content, as a value."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a packet. `code` is stable; `message` is one line of visible characters."""

    code: str
    message: str
    tag: str | None = None
    parks: bool = True
    """Whether the packet cannot be worked on (or sent) because of it; else it is only worth an event."""
