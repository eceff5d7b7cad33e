"""The program that draws usage over time (`python -m amierules.usage.plotting`), for `amierules.usage.drawing` alone.

In a process of its own: what draws is a library of many megabytes, which no other command should have to load.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import vl_convert

_EPOCH = date(1970, 1, 1)
_MOST = 10
"""Projects that have a colour of their own; the others are drawn together."""
_OTHERS = "others"


def draw(points: Sequence[tuple[str, int, float]], title: str, path: Path) -> None:
    """Draws the units of projects by day (since 1970), one on top of the other. Raises `OSError`."""
    chart: Any = _chart(points, title)
    if path.suffix.lower() == ".svg":
        path.write_text(vl_convert.vegalite_to_svg(chart), encoding="utf-8")
    else:
        path.write_bytes(vl_convert.vegalite_to_png(chart, scale=2))


def _chart(points: Sequence[tuple[str, int, float]], title: str) -> Mapping[str, Any]:
    """The chart in the language of Vega-Lite."""
    totals: defaultdict[str, float] = defaultdict(float)
    for project, _, amount in points:
        totals[project] += amount
    ranked = sorted(totals, key=lambda name: -totals[name])
    shown = {name: name if place < _MOST else _OTHERS for place, name in enumerate(ranked)}
    values = [
        {"project": shown[project], "day": (_EPOCH + timedelta(days=day)).isoformat(), "units": amount}
        for project, day, amount in points
    ]
    order = list(dict.fromkeys(shown[name] for name in ranked))
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": title,
        "width": 760,
        "height": 320,
        "background": "white",
        "data": {"values": values},
        "mark": "bar",
        "encoding": {
            "x": {"field": "day", "type": "temporal", "timeUnit": "utcyearmonthdate", "title": None},
            "y": {"field": "units", "type": "quantitative", "aggregate": "sum", "title": "units"},
            "color": {"field": "project", "type": "nominal", "sort": order, "scale": {"scheme": "tableau10"}},
        },
    }


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    try:
        draw(asked["points"], asked["title"], Path(asked["path"]))
    except OSError as error:
        sys.exit(error.strerror or str(error))
