"""A scratch root, the kind `user` in it, and an account that it made."""

from pathlib import Path
from typing import Any

import pytest

from amierules.actions import user
from tests.support.shadow import Runner, ScratchRoot


@pytest.fixture
def root(tmp_path: Path) -> ScratchRoot:
    return ScratchRoot.make(tmp_path / "root")


@pytest.fixture
def runner(root: ScratchRoot) -> Runner:
    return Runner(user, "user", root.path)


@pytest.fixture
def alice(runner: Runner) -> dict[str, Any]:
    """An account with all that can be given; the parameters it was made with."""
    given = {
        "name": "alice",
        "uid": 20001,
        "comment": "Alice Ümlaut",
        "group": "proj1",
        "groups": ["proj2"],
        "home": "/home/alice",
        "shell": "/bin/bash",
    }
    runner.run(**given)
    return given
