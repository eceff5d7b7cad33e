"""The package's source files as syntax trees, and what they import."""

import ast
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import amierules
from amierules.cli.main import MODULES

PACKAGE = Path(amierules.__file__).parent
TOP = PACKAGE.parent
COMMANDS_BY_NAME = "amierules.cli.main"
"""The one module that imports others by their names, which stand in its table."""


@dataclass(frozen=True)
class Import:
    """One imported module: `module` imports `target` in a line, at its top level or inside a function."""

    module: str
    target: str
    line: int
    inside_function: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


@cache
def modules() -> Mapping[str, ast.Module]:
    """Every module of the package by its full name."""
    return {_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def imports() -> tuple[Import, ...]:
    """Every import statement of the package, those inside functions and for type checkers too."""
    return tuple(found for module, tree in modules().items() for found in imports_of(module, tree, modules().keys()))


def inner_edges() -> dict[str, set[str]]:
    """Which modules of the package each of them imports; the command table's imports by name count."""
    edges: dict[str, set[str]] = {name: set() for name in modules()}
    for found in imports():
        if found.target in edges:
            edges[found.module].add(found.target)
    edges[COMMANDS_BY_NAME] |= set(MODULES.values()) & edges.keys()
    return edges


def imports_of(module: str, tree: ast.Module, known: Container[str]) -> Iterator[Import]:
    """The imports of one module. `from a import b` means the module a.b where that is one of `known`, else a."""
    in_functions = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        for target in _targets(module, node, known):
            yield Import(module, target, getattr(node, "lineno", 0), id(node) in in_functions)


def cycles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of modules that reach each other, each sorted."""
    reach = {name: _reachable(name, edges) for name in edges}
    groups = {tuple(sorted(other for other in reach[name] if name in reach[other])) for name in edges}
    return sorted(list(group) for group in groups if group)


def _reachable(start: str, edges: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(edges[start])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += edges[name]
    return seen


def _targets(module: str, node: ast.AST, known: Container[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(module, node)
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            yield inner if inner in known else base


def _absolute(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    folder = module.split(".")[: -node.level]
    return ".".join([*folder, *([node.module] if node.module else [])])


def _name(path: Path) -> str:
    parts = path.relative_to(TOP).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
