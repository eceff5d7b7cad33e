"""What conditions have told: which values are none, which are not, and which conditions hold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jinja2 import nodes

from amierules.templating.static import Nothing


@dataclass(frozen=True)
class Facts:
    """Facts at one place of a rule. A value is called by its path: `packet.UserEmail`."""

    empty: frozenset[tuple[str, bool]] = frozenset()
    """Paths, each with whether its value is none."""
    holding: frozenset[str] = frozenset()
    """Conditions that hold, written in one way."""

    def of(self, path: str) -> Nothing | None:
        """Whether the value at a path is none; None where no condition has told."""
        if (path, False) in self.empty:
            return Nothing.NEVER
        return Nothing.ALWAYS if (path, True) in self.empty else None

    def and_also(self, empty: Mapping[str, bool], holding: Iterable[str] = ()) -> "Facts":
        """These facts and more; the new ones win."""
        if not empty and not holding:
            return self
        kept = frozenset(fact for fact in self.empty if fact[0] not in empty)
        return Facts(kept | frozenset(empty.items()), self.holding | frozenset(holding))

    def without(self, names: Iterable[str]) -> "Facts":
        """The facts that say nothing of these names (and conditions that hold no more with them)."""
        gone = frozenset(names)
        return Facts(frozenset(fact for fact in self.empty if fact[0].partition(".")[0] not in gone), self.holding)

    def only(self, names: Iterable[str]) -> "Facts":
        """The facts about these names alone."""
        kept = frozenset(names)
        return Facts(frozenset(fact for fact in self.empty if fact[0].partition(".")[0] in kept))


def path_of(node: nodes.Node) -> str | None:
    """`packet.UserEmail` for such an expression; None for any other."""
    if isinstance(node, nodes.Getattr):
        base = path_of(node.node)
        return f"{base}.{node.attr}" if base else None
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        if isinstance(node.node, nodes.ContextReference):
            return node.arg.value
        base = path_of(node.node)
        return f"{base}.{node.arg.value}" if base else None
    return None


def written(node: nodes.Node) -> str:
    """The expression in one way of writing, however it was spaced."""
    if isinstance(node, nodes.Node):
        path = path_of(node)
        if path is not None:
            return path
        parts = (value for _field, value in node.iter_fields())
        return f"{type(node).__name__}({','.join(_written_part(part) for part in parts)})"
    return repr(node)


def _written_part(part: object) -> str:
    if isinstance(part, nodes.Node):
        return written(part)
    return f"[{','.join(map(_written_part, part))}]" if isinstance(part, list) else repr(part)


def conjuncts(node: nodes.Node) -> list[nodes.Node]:
    """The conditions that must all hold for an expression to hold."""
    if isinstance(node, nodes.And):
        return [*conjuncts(node.left), *conjuncts(node.right)]
    return [node]
