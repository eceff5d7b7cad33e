"""What a check sees: one file, the blocks that it may use, and what is known of the site."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from amierules.diagnostics import Finding
from amierules.protocol.catalogue import PacketType
from amierules.rulebook.configuration import Configuration
from amierules.rulebook.model import Action, Block, RuleFile
from amierules.rulebook.nodes import MappingNode
from amierules.rulebook.structure import mappings_in


@dataclass(frozen=True)
class Surroundings:
    """What rules are checked against beside the catalogue. Without a configuration any setting may be there."""

    kinds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The schema of each kind's parameters."""
    configuration: Configuration | None = None
    whole_site: bool = False
    """Whether all folders of the site are here, so that what is missing is missing for good."""


@dataclass(frozen=True)
class FileView:
    """A rule file or a block, as nodes and compiled."""

    path: str
    text: str
    root: MappingNode
    types: tuple[PacketType, ...] = ()
    """The packet types of a rule file."""
    file: RuleFile | None = None
    block: Block | None = None
    blocks: "Mapping[str, FileView]" = field(default_factory=dict)
    """All blocks by name."""

    def action_nodes(self) -> Iterator[MappingNode]:
        """The nodes of all actions."""
        for rule in mappings_in(self.root.get("rules")):
            yield from mappings_in(rule.get("actions"))
        yield from mappings_in(self.root.get("actions") if self.block is not None else None)

    def actions(self) -> Iterator[Action]:
        """All actions."""
        for rule in self.file.rules if self.file is not None else ():
            yield from rule.actions
        if self.block is not None:
            yield from self.block.actions


Check = Callable[[FileView, Surroundings], Iterable[Finding]]
"""One subject: what is wrong with a file in these surroundings."""
