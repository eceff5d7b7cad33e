"""The documents say what is so."""

import re
from pathlib import Path

import pytest

from amierules.cli.main import MODULES
from amierules.diagnostics import ExitStatus, first_that_applies
from amierules.diagnostics.exit_status import MEANINGS
from scripts.generate_docs import DOCS, pages
from tests.architecture.source_tree import TOP

MARKDOWN = sorted(
    [*TOP.glob("*.md"), *TOP.glob("docs/**/*.md"), *TOP.glob("benchmarks/*.md"), *TOP.glob("templates/*.md")]
)
LINK = re.compile(r"\]\((?!https?://)([^)#]*)(?:#([^)]*))?\)")
README = (TOP / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("path", "text"), [pytest.param(path, text, id=str(path)) for path, text in pages().items()])
def test_generated_pages_are_up_to_date(path: Path, text: str) -> None:
    assert (DOCS / path).read_text(encoding="utf-8") == text, "run `make docs`"


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(TOP)))
def test_links_lead_somewhere(path: Path) -> None:
    for target, anchor in LINK.findall(path.read_text(encoding="utf-8")):
        file = path.parent / target if target else path
        assert file.exists(), target
        if anchor:
            assert f"## {anchor}\n" in file.read_text(encoding="utf-8"), anchor


def test_the_table_of_exit_statuses_is_the_enumeration_in_order_of_precedence() -> None:
    table = (DOCS / "exit-status.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (\w+) \| (.*) \|$", table, re.MULTILINE)
    statuses = [ExitStatus(int(number)) for number, _, _ in rows]
    assert [status.name.lower() for status in statuses] == [name for _, name, _ in rows]
    assert {status: row[2] for status, row in zip(statuses, rows, strict=True)} == MEANINGS
    assert sorted(statuses) == sorted(ExitStatus)
    assert all(first_that_applies(statuses[position:]) is status for position, status in enumerate(statuses))


@pytest.mark.parametrize("mark", ["run", "test"])
def test_the_readme_has_one_command_line_for_a_fresh_start(mark: str) -> None:
    found = re.findall(rf"<!-- fresh-start: {mark} -->\s*\n+```\w*\n(.*?)\n```", README, re.DOTALL)
    assert len(found) == 1
    assert len(found[0].splitlines()) == 1
    for script in re.findall(r"scripts/[\w-]+", found[0]):
        assert (TOP / script).stat().st_mode & 0o111


def test_the_readme_names_every_command() -> None:
    table = README.split("## Commands")[1].split("## More")[0]
    assert [name for name in MODULES if not re.search(rf"\b{name}\b", table)] == []
