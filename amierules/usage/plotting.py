"""The program that draws usage over time (`python -m amierules.usage.plotting`), for `amierules.usage.drawing` alone.

In a process of its own: what it needs takes longer to import than any command of amierules takes.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import matplotlib.dates
from matplotlib.figure import Figure

_EPOCH = date(1970, 1, 1)
_MOST = 10
"""Projects that have a colour of their own; the others are drawn together."""
_OTHERS = "others"


def draw(points: Sequence[tuple[str, int, float]], title: str, path: str) -> None:
    """Draws the units of projects by day (since 1970), one on top of the other. Raises `OSError`."""
    by_project = _ranked(points)
    days = sorted({day for values in by_project.values() for day in values})
    days = list(range(days[0], days[-1] + 1)) if days else []
    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.add_subplot()
    bottom = [0.0] * len(days)
    moments: Any = [_EPOCH + timedelta(days=day) for day in days]
    for name, values in by_project.items():
        heights = [values.get(day, 0.0) for day in days]
        # A name that begins with _ would have no entry in the legend.
        axes.bar(moments, heights, bottom=bottom, width=0.9, label=name.lstrip("_").replace("$", r"\$"))
        bottom = [one + other for one, other in zip(bottom, heights, strict=True)]
    axes.set_title(title.replace("$", r"\$"))
    axes.set_ylabel("units")
    if days:
        formatter: Any = matplotlib.dates.ConciseDateFormatter
        axes.xaxis.set_major_formatter(formatter(axes.xaxis.get_major_locator()))
        axes.legend(loc="upper left", fontsize="small")
    figure.savefig(path)


def _ranked(points: Sequence[tuple[str, int, float]]) -> Mapping[str, Mapping[int, float]]:
    found: defaultdict[str, defaultdict[int, float]] = defaultdict(lambda: defaultdict(float))
    for project, day, amount in points:
        found[project][day] += amount
    ranked = sorted(found, key=lambda name: -sum(found[name].values()))
    for name in ranked[_MOST:]:
        for day, amount in found.pop(name).items():
            found[_OTHERS][day] += amount
    return {name: found[name] for name in (*ranked[:_MOST], *([_OTHERS] if len(ranked) > _MOST else []))}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    try:
        draw(asked["points"], asked["title"], asked["path"])
    except OSError as error:
        sys.exit(error.strerror or str(error))
