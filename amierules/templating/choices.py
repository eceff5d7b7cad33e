"""Values that are one of a few texts, compared with a text that is none of them."""

from collections.abc import Iterator

from jinja2 import nodes

from amierules.diagnostics.suggest import hint_for
from amierules.templating.static import Static


def never_equal(value: Static, other: nodes.Expr) -> Iterator[tuple[nodes.Expr, str, str]]:
    """The texts of an expression, or of a list of them, that the value never has: each with a message and a hint."""
    if not value.choices:
        return
    for item in other.items if isinstance(other, nodes.List | nodes.Tuple) else [other]:
        if isinstance(item, nodes.Const) and isinstance(item.value, str) and item.value not in value.choices:
            yield item, f"the value is never {item.value!r}", hint_for(item.value, value.choices)
