"""The outside world behind small protocols: processes and the clock."""

from amierules.ports.clock import Clock, FixedClock, SystemClock
from amierules.ports.processes import Completed, Hidden, LocalProcesses, NotStarted, Processes, find_program
from amierules.ports.vigil import watching
from amierules.ports.world import World

__all__ = [
    "Clock",
    "Completed",
    "FixedClock",
    "Hidden",
    "LocalProcesses",
    "NotStarted",
    "Processes",
    "SystemClock",
    "World",
    "find_program",
    "watching",
]
