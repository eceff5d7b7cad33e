"""The pages of the documentation, as `explain` finds them without a network."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from amierules.engine.key_topics import Topic
from amierules.shipped import ROOT

_COMMENT = re.compile(r"<!--.*?-->\n*", re.DOTALL)
_TREE = re.compile(r"```\{toctree\}.*?```\n*", re.DOTALL)
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?://)[^)]*\)")
_PREFIX = "page:"
_LISTS = ("index", "kinds")
"""Pages that only list others; `explain` has words of its own for what they list."""


@dataclass(frozen=True)
class Page:
    """One page."""

    name: str
    title: str
    text: str
    """Markdown, without what only a book of pages needs."""

    def topic(self) -> Topic:
        """The page as `explain` shows it."""
        return {"topic": "page", "name": self.name, "description": self.title, "text": self.text}


@cache
def pages() -> dict[str, Page]:
    """All pages by their names: those of their files, without ending, or of the folder that they describe."""
    found = {}
    folder = ROOT / "docs"
    for file in sorted([*folder.glob("*.md"), *folder.glob("how-to/*.md"), *folder.glob("*/README.md")]):
        name = file.parent.name if file.stem == "README" else file.stem
        if name not in _LISTS:
            text = _TREE.sub("", _COMMENT.sub("", file.read_text(encoding="utf-8")))
            title = text.partition("\n")[0].removeprefix("# ")
            found[name] = Page(name, title, _LINK.sub(r"\1", text).strip() + "\n")
    return found


def page_of(word: str) -> Page | None:
    """The page of that name, also written as `page:NAME`."""
    return pages().get(word.removeprefix(_PREFIX))


def index() -> Topic:
    """The topic that lists all pages."""
    listed = [{"name": page.name, "title": page.title} for page in pages().values()]
    return {"topic": "pages", "name": "pages", "description": "The pages of the documentation.", "pages": listed}


def pages_with(word: str) -> Iterator[str]:
    """The names of the pages that speak of a word, those that do so most first."""
    pattern = re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)
    counted = [(len(pattern.findall(page.text)), page.name) for page in pages().values()]
    yield from (name for count, name in sorted(counted, key=lambda one: (-one[0], one[1])) if count)
