"""What is built from the checkout, and that nothing in it belongs to one machine."""

import ast
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source_tree import TOP, modules

IN_WHEEL = "amierules/shipped_files"
SHIPPED = ("docs", "examples", "rules", "schemas", "templates")
# What belongs to a checkout; the rest of the folder is made by tools.
FOLDERS = ("amierules", "benchmarks", "docs", "examples", "rules", "schemas", "scripts", "templates", "tests", ".ci")
MACHINE_PATH = re.compile(
    r"/(?:work)/(?:main|shared|\.library)\b|/(?:tmp)/build/|/(?:Users)/\w|\.\./(?:shared|\.library)\b"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel that `pip install` would make, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=TOP, check=True, capture_output=True, timeout=60)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_carries_all_that_amierules_ships(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    expected = {f"{IN_WHEEL}/{path.relative_to(TOP).as_posix()}" for folder in SHIPPED for path in _files(TOP / folder)}
    assert expected - names == set()
    assert {name for name in names if name.startswith(f"{IN_WHEEL}/")} == expected


def test_what_the_package_reads_beside_itself_is_shipped() -> None:
    read = {
        node.right.value
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp) and isinstance(node.left, ast.Name) and node.left.id == "ROOT"
        if isinstance(node.right, ast.Constant)
    }
    assert "schemas" in read
    assert read <= set(SHIPPED)


def test_the_wheel_carries_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    package = {path.relative_to(TOP).as_posix() for path in _files(TOP / "amierules")}
    names = set(wheel.namelist())
    assert package - names == set()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"amierules"}


def test_the_wheel_has_the_command_and_the_licence(wheel: zipfile.ZipFile) -> None:
    files = {name.split(".dist-info/")[1]: name for name in wheel.namelist() if ".dist-info/" in name}
    assert "licenses/LICENSE" in files
    assert "amierules = amierules.cli.main:main" in wheel.read(files["entry_points.txt"]).decode()


def test_no_file_names_a_folder_of_one_machine() -> None:
    # The folder above the checkout is too common a word where it is a top-level one, such as /tmp or /src.
    above = str(TOP.parent) + "/" if len(TOP.parent.parts) > 2 else None
    named = [
        f"{path.relative_to(TOP)}:{number}"
        for path in _project_files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if MACHINE_PATH.search(line) or (above and above in line)
    ]
    assert named == []


@pytest.mark.parametrize(
    "parts", [("", "work", "main"), ("", "tmp", "build", "x"), ("", "Users", "jane"), ("..", "shared")]
)
def test_such_a_folder_is_seen(parts: tuple[str, ...]) -> None:
    assert MACHINE_PATH.search("/".join(parts))


def _project_files() -> Iterator[Path]:
    # A linked checkout has a file there, which names the folder of the first one.
    yield from (path for path in TOP.iterdir() if path.is_file() and path.name != ".git")
    for folder in FOLDERS:
        yield from _files(TOP / folder)


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield path
