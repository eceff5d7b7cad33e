"""The crash matrix on PostgreSQL, with durable commits."""

from pathlib import Path

import pytest

from tests.support.crash_kinds import KINDS, CrashKind
from tests.support.crash_matrix import Backend, Record, play


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kill_changes_nothing_of_how_it_ends(
    kind: CrashKind, durable: Backend, tmp_path: Path, record_property: Record
) -> None:
    play(kind, durable, tmp_path, record_property)
