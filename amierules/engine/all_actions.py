"""All actions of a rule as it is written now, those of its blocks too, by the path of names."""

import re
from collections.abc import Iterator, Mapping, Sequence

from amierules.actions.table import COMPOSED
from amierules.rulebook.model import Action, Block

_POSITION = re.compile(r"\[\d+\]")


def all_actions(
    actions: Sequence[Action], blocks: Mapping[str, Block], prefix: str = ""
) -> Iterator[tuple[str, Action]]:
    """Each action that does something itself, with its path; those of a block stand where it is used."""
    for action in actions:
        path = f"{prefix}/{action.name}" if prefix else action.name
        block = blocks.get(str(action.params.evaluate({}))) if action.kind == COMPOSED else None
        if block is not None:
            yield from all_actions(block.actions, blocks, path)
        else:
            yield path, action


def as_written(path: str) -> str:
    """A step's path as its rule has it: without the positions of items in loops."""
    return _POSITION.sub("", path)
