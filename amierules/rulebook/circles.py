"""Circles among things that need each other by name."""

from collections.abc import Collection, Iterator, Mapping


def circles(needs: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Circles in a graph, each from its first name back to it; at least one through every name that lies on any.

    Names that are needed but not in the graph do not count.
    """
    found: list[list[str]] = []
    finished: set[str] = set()
    for start in needs:
        if start not in finished:
            _search(start, needs, finished, found)
    return found


def _search(start: str, needs: Mapping[str, Collection[str]], finished: set[str], found: list[list[str]]) -> None:
    # With a stack of our own: a chain may be longer than Python's recursion limit.
    way: dict[str, Iterator[str]] = {start: iter(sorted(needs[start]))}
    while way:
        name, rest = next(reversed(way.items()))
        needed = next(rest, None)
        if needed is None:
            finished.add(name)
            del way[name]
        elif needed in way:
            names = list(way)
            found.append([*names[names.index(needed) :], needed])
        elif needed in needs and needed not in finished:
            way[needed] = iter(sorted(needs[needed]))
