"""The pages together are a book without a warning: each is reached from the first one."""

import subprocess
import sys
from pathlib import Path

from tests.architecture.source_tree import TOP


def test_the_book_is_made_without_a_warning(tmp_path: Path) -> None:
    book = tmp_path / "book"
    words = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--quiet", "-b", "html", str(TOP / "docs"), str(book)]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "From an empty folder" in (book / "index.html").read_text(encoding="utf-8")
