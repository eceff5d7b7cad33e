"""The outside world behind small protocols: processes, a directory, and the clock."""

from amierules.ports.clock import Clock, FixedClock, SystemClock
from amierules.ports.directory import Directory, DirectoryError, Entry, Modification, NoDirectory, Trouble
from amierules.ports.processes import Completed, Hidden, LocalProcesses, NotStarted, Processes, find_program
from amierules.ports.vigil import watching
from amierules.ports.world import World

__all__ = [
    "Clock",
    "Completed",
    "Directory",
    "DirectoryError",
    "Entry",
    "FixedClock",
    "Hidden",
    "LocalProcesses",
    "Modification",
    "NoDirectory",
    "NotStarted",
    "Processes",
    "SystemClock",
    "Trouble",
    "World",
    "find_program",
    "watching",
]
