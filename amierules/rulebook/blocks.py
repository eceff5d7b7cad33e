"""Blocks and those that use them: unknown blocks, parameters, circles, and what a broken block breaks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.diagnostics.suggest import did_you_mean, hint_for
from amierules.rulebook.circles import circles
from amierules.rulebook.nodes import MappingNode, Node, ScalarNode
from amierules.rulebook.structure import COMMON_KEYS, mappings_in

_BESIDE = frozenset({*COMMON_KEYS, "use"})


@dataclass(frozen=True)
class BlockUse:
    """One `use` of a block, with the parameters that stand beside it."""

    block: str
    place: Place
    given: Mapping[str, Place]
    astray: bool = False
    """Whether its parameters stand where they cannot be read: what is missing is a mistake that is known already."""


@dataclass(frozen=True)
class BlockHead:
    """What others must know of a block: its parameters (True: required) and the blocks that it uses."""

    path: str
    parameters: Mapping[str, bool] | None
    """None where they cannot be read."""
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
            astray = (given is not None and not keys) or any(key not in _BESIDE for key in action.keys)
            found.append(BlockUse(name.value, name.place, {key: node.place for key, node in keys.items()}, astray))
    return tuple(found)


def parameters_of(root: MappingNode, findings: Iterable[Finding]) -> dict[str, bool] | None:
    """The parameters of a block, and whether each is required; None where one of the findings is about them."""
    params = root.get("params")
    if params is None:
        return {}
    wrong = {finding.place.line for finding in findings if finding.place and finding.severity is Severity.ERROR}
    if not isinstance(params, MappingNode) or any(key.place.line in wrong for key in params.keys.values()):
        return None
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
            name = use.block.rpartition("/")[2].partition(".")[0]
            hint = (
                f"write {name}"
                if name in blocks
                else hint_for(use.block, blocks) or f"make blocks/{printable(use.block, 60)}.yaml"
            )
            findings.append(
                Finding("unknown-block", f"there is no block '{printable(use.block, 60)}'", use.place, hint)
            )
            continue
        if block.parameters is None:
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
        misspelt = {did_you_mean(name, block.parameters) for name in use.given if name not in block.parameters}
        missing = [
            name
            for name, required in block.parameters.items()
            if required and name not in use.given and name not in misspelt and not use.astray
        ]
        if missing:
            message = f"the block '{use.block}' needs {', '.join(repr(name) for name in missing)} under 'with'"
            hint = f"add with: {{{', '.join(f'{name}: …' for name in missing)}}}"
            findings.append(Finding("missing-parameter", printable(message), use.place, printable(hint)))
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
