"""Sites for tests of the engine: over a database in memory, which is fast, or over a real one."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from amierules.database.connection import Database
from amierules.engine.site import Site
from tests.support.sites import MakeSite, make_site


@pytest.fixture
def memory() -> Iterator[Database]:
    """An empty database in memory, with all tables."""
    with Database.open("sqlite://", create=True) as database:
        yield database


@pytest.fixture
def make(memory: Database, tmp_path: Path) -> MakeSite:
    """Makes a site over the database in memory."""

    def made(rules: str | Mapping[str, str] | None, **config: Any) -> Site:
        texts = {"rules.yaml": rules} if isinstance(rules, str) else rules
        return make_site(memory, tmp_path, texts, **config)

    return made
