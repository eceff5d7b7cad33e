"""How long modules and functions may be, and what says what they are for."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source_tree import PACKAGE, TOP, modules

LINES_OF_A_MODULE = 300
LINES_OF_A_FUNCTION = 60

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
MODULES = sorted(PACKAGE.rglob("*.py"))


def test_a_module_has_one_subject() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    long = [f"{_shown(path)}: {lines} lines" for path, lines in lengths.items() if lines > LINES_OF_A_MODULE]
    assert long == []


def test_a_function_fits_on_a_screen() -> None:
    long = [
        f"{module}:{node.lineno} {node.name}: {_lines(node)} lines"
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _lines(node) > LINES_OF_A_FUNCTION
    ]
    assert long == []


@pytest.mark.parametrize("module", modules())
def test_what_is_public_says_what_it_is_for(module: str) -> None:
    tree = modules()[module]
    silent = [f"{module}:{node.lineno} {name}" for name, node in _public(tree.body, "") if not ast.get_docstring(node)]
    assert silent == []
    assert ast.get_docstring(tree)


def _public(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, Definition]]:
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_") and not _says_elsewhere(node):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body, f"{prefix}{node.name}.")


def _says_elsewhere(node: Definition) -> bool:
    # A setter has its getter's text, an overload its implementation's, an override that of the method it replaces;
    # the methods of a visitor are named after the nodes that they visit.
    names = {_decorator(decorator) for decorator in node.decorator_list}
    return bool(names & {"setter", "overload", "override"}) or node.name.startswith("visit_")


def _decorator(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _lines(node: Definition) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _shown(path: Path) -> str:
    return str(path.relative_to(TOP))
