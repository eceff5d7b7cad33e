"""Packages that bring kinds: put together for a test, or the one of the documentation, really installed."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from amierules.actions.own_kinds import own_kinds
from amierules.engine.schema_files import schema_files
from tests.architecture.source_tree import TOP

EXAMPLE = TOP / "docs" / "own-kind"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip has installed the example package, from its source and without a network."""
    folder = tmp_path_factory.mktemp("installed")
    alone = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", "-q", *alone, "--target", str(folder), str(EXAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """For tests that install and remove packages in this process: what was found is forgotten, before and after."""
    caches = (own_kinds, schema_files)
    for cache in caches:
        cache.cache_clear()
    before = set(sys.modules)
    yield monkeypatch
    monkeypatch.undo()
    for name in set(sys.modules) - before:
        if name.split(".")[0].startswith(("amierules_", "site_")):
            del sys.modules[name]
    for cache in caches:
        cache.cache_clear()
