"""The crash matrix on SQLite."""

from pathlib import Path

import pytest

from tests.support.crash_kinds import KINDS, CrashKind
from tests.support.crash_matrix import Backend, Record, play


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kill_changes_nothing_of_how_it_ends(
    kind: CrashKind, file: Backend, tmp_path: Path, record_property: Record
) -> None:
    play(kind, file, tmp_path, record_property)


def test_the_matrix_is_of_at_least_500_kills() -> None:
    """Each cell is one, on each of both databases."""
    assert 2 * sum(len(kind.cells()) for kind in KINDS) >= 500
