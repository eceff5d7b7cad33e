"""A scripted world for rule tests: what stands for programs, nodes, Unix accounts, a directory and Slurm."""

from amierules.ports.scripted.answers import Answer, Call, Script, ScriptedCommand
from amierules.ports.scripted.memory_directory import MemoryDirectory
from amierules.ports.scripted.nodes import ScriptedNodes
from amierules.ports.scripted.programs import ScriptedProcesses
from amierules.ports.scripted.shadow_tools import ShadowTools
from amierules.ports.scripted.slurm_model import SlurmModel

__all__ = [
    "Answer",
    "Call",
    "MemoryDirectory",
    "Script",
    "ScriptedCommand",
    "ScriptedNodes",
    "ScriptedProcesses",
    "ShadowTools",
    "SlurmModel",
]
