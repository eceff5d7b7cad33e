"""Who may import whom."""

import ast

import pytest

from tests.architecture.source_tree import COMMANDS_BY_NAME, cycles, imports, imports_of, inner_edges, modules

ORDER = (
    "diagnostics",
    "protocol",
    "templating",
    "rulebook",
    "ports",
    "database",
    "actions",
    "engine",
    "exchange",
    "usage",
    "tgcdb",
    "testing",
    "cli",
)
"""The packages; each imports only from those before it."""
FREE = ("amierules", "amierules.shipped")
"""What every package may import, and what imports no package itself."""
TOPMOST = "amierules.__main__"
KINDS_BY_NAME = "amierules.actions.own_module"

STARTS_PROCESSES = {"subprocess", "pty", "multiprocessing", "ClusterShell"}
OS_STARTS_PROCESSES = ("system", "popen", "exec", "spawn", "posix_spawn", "fork", "startfile")


def test_packages_import_only_from_those_before_them() -> None:
    ranks = {name: rank for rank, name in enumerate(ORDER)}

    def rank(module: str) -> int:
        if module in FREE:
            return -1
        return len(ORDER) if module == TOPMOST else ranks[module.split(".")[1]]

    wrong = [str(found) for found in imports() if _is_ours(found.target) and rank(found.target) > rank(found.module)]
    assert wrong == []


def test_every_module_stands_in_a_package_of_the_order() -> None:
    beside = [name for name in modules() if name not in (*FREE, TOPMOST) and name.split(".")[1] not in ORDER]
    assert beside == []


def test_no_module_reaches_itself() -> None:
    assert cycles(inner_edges()) == []


def test_imports_stand_at_the_top_of_a_module() -> None:
    assert [str(found) for found in imports() if found.inside_function] == []


def test_only_commands_and_the_kinds_of_packages_are_imported_by_name() -> None:
    by_name = {
        module
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute) and _last(node) in ("import_module", "__import__")
    }
    assert by_name <= {COMMANDS_BY_NAME, KINDS_BY_NAME}


def test_only_ports_starts_processes() -> None:
    importing = [
        str(found)
        for found in imports()
        if found.target.split(".")[0] in STARTS_PROCESSES and not found.module.startswith("amierules.ports")
    ]
    assert importing == []


def test_nobody_starts_processes_through_os() -> None:
    called = [
        f"{module}:{node.lineno} os.{node.attr}"
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and node.attr.startswith(OS_STARTS_PROCESSES)
    ]
    named = [
        f"{module}:{node.lineno} from os import {alias.name}"
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "os"
        for alias in node.names
        if alias.name.startswith(OS_STARTS_PROCESSES)
    ]
    assert called + named == []


@pytest.mark.parametrize(
    ("source", "targets"),
    [
        ("import p.a", ["p.a"]),
        ("from p import a", ["p.a"]),
        ("from p.a import name", ["p.a"]),
        ("from . import a", ["p.a"]),
        ("from .a import name", ["p.a"]),
        ("def f():\n    from p.a import name", ["p.a"]),
        ("if TYPE_CHECKING:\n    from p import a, b", ["p.a", "p"]),
    ],
)
def test_these_checks_see_every_way_to_import(source: str, targets: list[str]) -> None:
    found = list(imports_of("p.c", ast.parse(source), {"p", "p.a", "p.c"}))
    assert [one.target for one in found] == targets
    assert [one.inside_function for one in found] == ["def" in source] * len(found)


def test_these_checks_see_cycles() -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}}
    assert cycles(edges) == [["b", "c"], ["d"]]


def _is_ours(target: str) -> bool:
    return target.split(".")[0] == "amierules"


def _last(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr
