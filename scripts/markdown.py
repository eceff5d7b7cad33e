"""Pieces of Markdown that the generated pages share."""

from collections.abc import Iterable, Sequence

GENERATED = "<!-- generated from schemas/ by `make docs`; edits here are lost -->"


def page(*parts: str) -> str:
    """A generated page: its parts with an empty line between them; empty parts are left out."""
    return "\n\n".join((GENERATED, *(part.strip() for part in parts if part.strip()))) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, or an empty text where there are no rows."""
    lines = [_row(cells) for cells in rows]
    return "\n".join([_row(head), _row(["---"] * len(head)), *lines]) if lines else ""


def code(text: object) -> str:
    """A word as code."""
    return f"`{text}`"


def codes(words: Iterable[object]) -> str:
    """Words as code, with commas between them."""
    return ", ".join(code(word) for word in words)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
