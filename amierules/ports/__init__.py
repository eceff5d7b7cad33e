"""The outside world behind small protocols: processes here and on other nodes, a directory, and the clock."""

from amierules.ports.clock import Clock, FixedClock, SystemClock
from amierules.ports.directory import Directory, DirectoryError, Entry, Modification, NoDirectory, Trouble
from amierules.ports.host import Host
from amierules.ports.nodes import Ending, NodeCompleted, Nodes, NoNodes
from amierules.ports.processes import Completed, Hidden, LocalProcesses, NotStarted, Processes, find_program
from amierules.ports.vigil import watching
from amierules.ports.world import World

__all__ = [
    "Clock",
    "Completed",
    "Directory",
    "DirectoryError",
    "Ending",
    "Entry",
    "FixedClock",
    "Hidden",
    "Host",
    "LocalProcesses",
    "Modification",
    "NoDirectory",
    "NoNodes",
    "NodeCompleted",
    "Nodes",
    "NotStarted",
    "Processes",
    "SystemClock",
    "Trouble",
    "World",
    "find_program",
    "watching",
]
