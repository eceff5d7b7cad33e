"""The pages together are a book without a warning: each is reached from the first one."""

from pathlib import Path

from sphinx.cmd.build import build_main

from tests.architecture.source_tree import TOP


def test_the_book_is_made_without_a_warning(tmp_path: Path) -> None:
    status = build_main(["--fail-on-warning", "--quiet", "-b", "html", str(TOP / "docs"), str(tmp_path / "book")])
    assert status == 0
    assert "From an empty folder" in (tmp_path / "book" / "index.html").read_text(encoding="utf-8")
