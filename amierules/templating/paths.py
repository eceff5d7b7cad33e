"""Which values an expression looks at: `packet.UserEmail`, `site.approve_accounts`, `project`."""

from collections.abc import Iterator

from jinja2 import nodes

from amierules.templating.parsing import parse_expression
from amierules.templating.sandbox import GLOBALS, Sandbox


def value_paths(sandbox: Sandbox, source: str) -> tuple[str, ...]:
    """The longest paths of names and attributes in a bare expression, in their order, each once.

    Functions and methods do not count, what they are called on and with does. Raises `TemplateSyntaxProblem`.
    """
    found = dict.fromkeys(_paths(parse_expression(sandbox, source)))
    return tuple(path for path in found if path.partition(".")[0] not in GLOBALS)


def _paths(node: nodes.Node) -> Iterator[str]:
    if isinstance(node, nodes.Call):
        called: list[nodes.Node] = [node.node.node] if isinstance(node.node, nodes.Getattr) else []
        for child in (*called, *node.args, *(keyword.value for keyword in node.kwargs)):
            yield from _paths(child)
        return
    path = _path(node)
    if path is not None:
        yield path
        return
    for child in node.iter_child_nodes():
        yield from _paths(child)


def _path(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        base = _path(node.node)
        return f"{base}.{node.attr}" if base else None
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        base = _path(node.node)
        return f"{base}.{node.arg.value}" if base and node.arg.value.isidentifier() else None
    return None
