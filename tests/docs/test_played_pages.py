"""Pages whose commands can be typed from top to bottom are typed, in an empty folder, and print what is shown."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source_tree import TOP
from tests.support.doc_blocks import Block, blocks_of, typed_lines

PLAYED = [page for page in sorted(TOP.glob("docs/**/*.md")) if any(block.is_played for block in blocks_of(page))]


class Scene:
    """An empty folder in which somebody types what a page says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._here = folder
        bin_folder = Path(sys.executable).parent
        self._environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if name != "COLUMNS" and not name.startswith("AMIERULES")
            },
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            "PWD_FILE": str(folder.with_suffix(".pwd")),
        }

    def write(self, block: Block) -> None:
        """The block becomes the file that it names."""
        assert block.file is not None
        file = self._here / block.file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text, encoding="utf-8")

    def type(self, line: str) -> tuple[int, str]:
        """The line's exit status, and all that it printed."""
        ended = subprocess.run(
            ["bash", "-c", f'{line}\nstatus=$?; pwd >"$PWD_FILE"; exit $status'],
            cwd=self._here,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        self._here = Path(Path(self._environment["PWD_FILE"]).read_text(encoding="utf-8").strip())
        return ended.returncode, ended.stdout


@pytest.mark.parametrize("page", PLAYED, ids=lambda page: page.name)
def test_what_a_page_says_can_be_typed(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "scene"
    folder.mkdir()
    scene = Scene(folder)
    for block in blocks_of(page):
        if block.file is not None:
            scene.write(block)
        elif block.is_played:
            play(scene, block)


def play(scene: Scene, block: Block) -> None:
    """Types the block's lines. One that shows no output must end well, and one that does print what is shown."""
    for line, shown in typed_lines(block):
        status, printed = scene.type(line)
        assert status == 0 or shown, f"{block}: {line}\n{printed}"
        missing = first_not_printed(shown, printed)
        assert missing is None, f"{block}: {line}\nlacks: {missing}\n{printed}"


def first_not_printed(shown: list[str], printed: str) -> str | None:
    """The first line of what a page shows that was not printed after those before it; blanks count as one."""
    rest = [" ".join(line.split()) for line in printed.splitlines()]
    for line in shown:
        wanted = " ".join(line.split())
        if wanted in ("", "..."):
            continue
        if wanted not in rest:
            return line
        rest = rest[rest.index(wanted) + 1 :]
    return None
