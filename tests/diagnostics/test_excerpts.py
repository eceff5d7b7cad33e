"""Source lines in findings: cut so that the place is seen, and broken at words."""

import pytest

from amierules.cli.console import source_line
from amierules.diagnostics import Finding, Place
from amierules.diagnostics.render import as_text


@pytest.mark.parametrize("column", [1, 40, 77, 200, 990])
def test_a_long_line_is_cut_around_its_place(column: int) -> None:
    source = "a" * (column - 1) + "X" + "b" * (1000 - column)
    shown = as_text([Finding("c", "m", Place("f", 1, column))], lambda *_: source, width=80)
    _, line, carets = shown.splitlines()
    assert len(line) <= 80
    assert line[carets.index("^")] == "X"


def test_a_message_is_broken_at_words() -> None:
    finding = Finding("code", "some words " * 30, Place("f", 1), "a hint " * 30)
    shown = as_text([finding], lambda *_: None, width=80)
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert " ".join(shown.split()).count("some words") == 30
    assert len(as_text([finding], lambda *_: None).splitlines()) == 2


def test_no_line_of_a_binary_file_is_shown(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("a") / "x.yaml"
    file.write_bytes(b"\x7fELF\0\x01\nmore\n")
    assert source_line(str(file), 2) is None
