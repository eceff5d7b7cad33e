"""Writes the pages of `docs/` that repeat what schemas, `--help` and `validate` say; a test finds stale ones."""

from collections.abc import Callable, Mapping
from pathlib import Path

from amierules.shipped import ROOT
from scripts.codes_page import codes_page
from scripts.commands_page import commands_page
from scripts.kind_pages import kind_pages
from scripts.mistakes_page import mistakes_page
from scripts.packet_page import packet_page
from scripts.protocol_rules_page import protocol_rules_page
from scripts.schema_pages import configuration_page, rule_files_page
from scripts.usage_page import usage_page

DOCS = ROOT / "docs"

_PAGES: Mapping[str, Callable[[], str]] = {
    "codes.md": codes_page,
    "commands.md": commands_page,
    "configuration.md": configuration_page,
    "mistakes.md": mistakes_page,
    "packets.md": packet_page,
    "protocol-rules.md": protocol_rules_page,
    "rule-files.md": rule_files_page,
    "usage.md": usage_page,
}


def pages() -> dict[Path, str]:
    """Every generated page: its path below `docs/`, and its text."""
    single = {Path(name): page() for name, page in _PAGES.items()}
    return single | {Path("kinds", name): text for name, text in kind_pages().items()}


def main() -> None:
    """Writes all pages, and removes the pages of kinds that are gone."""
    wanted = pages()
    for path in (DOCS / "kinds").glob("*.md"):
        if path.relative_to(DOCS) not in wanted:
            path.unlink()
    for path, text in wanted.items():
        (DOCS / path).parent.mkdir(parents=True, exist_ok=True)
        (DOCS / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
