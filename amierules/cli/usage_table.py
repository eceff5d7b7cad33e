"""Tables of text, as wide as their values."""

from collections.abc import Collection, Sequence

from amierules.diagnostics import printable


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """The lines of a table; the columns of these positions stand to the right."""
    shown = [[printable(cell, 80) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in (head, *shown)) for at in range(len(head))]
    return [
        "  ".join(
            f"{cell:>{width}}" if at in right else f"{cell:<{width}}"
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *shown)
    ]
