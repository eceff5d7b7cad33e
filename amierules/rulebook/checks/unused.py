"""Names that nothing uses: variables, parameters, results, blocks."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from amierules.diagnostics import Finding, Severity, printable
from amierules.rulebook.checks.view import FileView, Surroundings
from amierules.rulebook.compiled import used_names
from amierules.rulebook.model import Compiled, Defer, Ending, Reply
from amierules.rulebook.nodes import MappingNode


def check_unused(view: FileView, _surroundings: Surroundings) -> Iterator[Finding]:
    """Notes about variables and parameters that no expression of their file uses."""
    used = {name for value in _values(view) for name, _ in used_names(value)}
    for section, what in (("vars", "variable"), ("params", "parameter")):
        given = view.root.get(section)
        for name, key in given.keys.items() if isinstance(given, MappingNode) else ():
            if name not in used:
                message = f"the {what} '{printable(name, 60)}' is used nowhere"
                yield Finding(f"unused-{what}", message, key.place, "remove it", Severity.NOTE)


def _values(view: FileView) -> Iterator[Compiled | None]:
    source = view.file or view.block
    yield from source.variables.values() if source is not None else ()
    for action in view.actions():
        yield from (action.when, action.for_each, action.params, *action.with_.values())
        yield from _further(vars(action).values())
    for parameter in view.block.parameters.values() if view.block is not None else ():
        yield parameter.default
    for rule in view.file.rules if view.file is not None else ():
        yield rule.when
        match rule.outcome:
            case Reply():
                yield rule.outcome.fields
            case Ending():
                yield rule.outcome.text
            case Defer():
                yield from (rule.outcome.reason, rule.outcome.not_before)
        for notice in rule.notify:
            yield from (notice.when, notice.for_each, notice.params)
        yield from _further([*vars(rule).values(), *vars(rule.outcome).values()])


def _further(values: Iterable[object]) -> Iterator[Compiled]:
    """Whatever else of an action, rule or outcome is compiled."""
    for value in values:
        listed = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
        yield from (one for one in listed if hasattr(one, "evaluate") and hasattr(one, "place"))


def unused_blocks(blocks: Iterable[FileView], used: set[str]) -> Iterator[Finding]:
    """Notes about blocks that no rule and no other block uses."""
    for view in blocks:
        # A block whose name is not its file's has an error already, and may well be used by the other name.
        if view.block is not None and view.block.name not in used and Path(view.path).stem == view.block.name:
            message = f"the block '{view.block.name}' is used nowhere"
            yield Finding("unused-block", message, view.root.key_place("block"), "", Severity.NOTE)
