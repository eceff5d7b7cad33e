"""All of the outside world that actions may reach, in one value."""

from dataclasses import dataclass, field

from amierules.ports.clock import Clock
from amierules.ports.directory import Directory, NoDirectory
from amierules.ports.host import Host
from amierules.ports.nodes import Nodes, NoNodes
from amierules.ports.processes import Processes


@dataclass(frozen=True)
class World:
    """The outside world."""

    processes: Processes
    clock: Clock
    directory: Directory = field(default_factory=NoDirectory)
    nodes: Nodes = field(default_factory=NoNodes)
    host: Host = field(default_factory=Host)
