"""Blocks and those that use them: unknown blocks, parameters, circles, and what a broken block breaks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from amierules.diagnostics import Finding, Place, printable
from amierules.diagnostics.suggest import hint_for
from amierules.rulebook.circles import circles
from amierules.rulebook.nodes import MappingNode, Node, ScalarNode
from amierules.rulebook.structure import mappings_in


@dataclass(frozen=True)
class BlockUse:
    """One `use` of a block, with the parameters that stand beside it."""

    block: str
    place: Place
    given: Mapping[str, Place]


@dataclass(frozen=True)
class BlockHead:
    """What others must know of a block: its parameters (True: required) and the blocks that it uses."""

    path: str
    parameters: Mapping[str, bool]
    uses: tuple[BlockUse, ...]
    broken: bool


def uses_in_rules(root: MappingNode) -> tuple[BlockUse, ...]:
    """The blocks that the rules of a file use."""
    return tuple(use for rule in mappings_in(root.get("rules")) for use in uses_in_actions(rule.get("actions")))


def uses_in_actions(actions: Node | None) -> tuple[BlockUse, ...]:
    """The blocks that a list of actions uses."""
    found = []
    for action in mappings_in(actions):
        name, given = action.get("use"), action.get("with")
        if isinstance(name, ScalarNode) and isinstance(name.value, str):
            keys = given.keys if isinstance(given, MappingNode) else {}
            found.append(BlockUse(name.value, name.place, {key: node.place for key, node in keys.items()}))
    return tuple(found)


def parameters_of(root: MappingNode) -> dict[str, bool]:
    """The parameters of a block, and whether each is required."""
    params = root.get("params")
    if not isinstance(params, MappingNode):
        return {}
    return {
        name: not (isinstance(value, MappingNode) and "default" in value.values)
        for name, value in params.values.items()
    }


def check_uses(uses: Iterable[BlockUse], blocks: Mapping[str, BlockHead]) -> list[Finding]:
    """Unknown blocks, and parameters that a block lacks or does not have."""
    findings: list[Finding] = []
    for use in uses:
        block = blocks.get(use.block)
        if block is None:
            hint = hint_for(use.block, blocks) or f"make blocks/{printable(use.block, 60)}.yaml"
            findings.append(
                Finding("unknown-block", f"there is no block '{printable(use.block, 60)}'", use.place, hint)
            )
            continue
        findings += [
            Finding(
                "unknown-parameter",
                f"the block '{use.block}' has no parameter '{printable(name, 60)}'",
                place,
                hint_for(name, block.parameters) or "it takes none",
            )
            for name, place in use.given.items()
            if name not in block.parameters
        ]
        missing = [name for name, required in block.parameters.items() if required and name not in use.given]
        if missing:
            message = f"the block '{use.block}' needs {', '.join(repr(name) for name in missing)} under 'with'"
            findings.append(Finding("missing-parameter", printable(message), use.place))
    return findings


def check_circles(blocks: Mapping[str, BlockHead]) -> list[tuple[str, Finding]]:
    """Blocks that use each other in a circle: for each circle the block where it is found, and the finding."""
    found = []
    for circle in circles({name: {use.block for use in block.uses} for name, block in blocks.items()}):
        place = next(use.place for use in blocks[circle[0]].uses if use.block == circle[1])
        message = printable(f"blocks use each other in a circle: {' -> '.join(circle)}")
        found.append((circle[0], Finding("block-circle", message, place)))
    return found


def broken_blocks(blocks: Mapping[str, BlockHead]) -> dict[str, str]:
    """Each block that cannot be used, with the path of the file that is to blame: its own, or one that it uses."""
    blamed = {name: block.path for name, block in blocks.items() if block.broken}
    waiting = list(blamed)
    users: dict[str, list[str]] = {}
    for name, block in blocks.items():
        for use in block.uses:
            users.setdefault(use.block, []).append(name)
    while waiting:
        broken = waiting.pop()
        for user in users.get(broken, ()):
            if user not in blamed:
                blamed[user] = blamed[broken]
                waiting.append(user)
    return blamed
