"""Usage by project over time as a picture."""

import importlib.util
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from amierules.diagnostics import Finding, Invalid, NotAllowed, printable
from amierules.ports import Processes
from amierules.usage.charging import units

ENDINGS = (".svg", ".png")


def check_path(path: Path) -> None:
    """Whether a picture can be drawn into this file. Raises `NotAllowed`."""
    if path.suffix.lower() not in ENDINGS:
        raise NotAllowed(Finding("usage", f"--plot draws .svg or .png, not '{printable(path.suffix, 20)}'"))
    if importlib.util.find_spec("vl_convert") is None:
        hint = "pip install 'amierules[plot]'"
        raise NotAllowed(Finding("not-installed", "vl-convert-python, which draws, is not installed", hint=hint))


def draw(sums: Iterable[Mapping[str, Any]], path: Path, title: str, processes: Processes) -> None:
    """Draws charges by project and day (rows of `sums` by `project` and `day`). Raises `Invalid`."""
    points = [(one["project"], int(one["day"]), float(units(one["charge"]))) for one in sums]
    asked = json.dumps({"points": points, "title": title, "path": str(path.absolute())})
    done = processes.run([sys.executable, "-m", "amierules.usage.plotting"], stdin=asked)
    if done.rc != 0:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise Invalid(Finding("cannot-write", f"{printable(path)} cannot be drawn: {printable(said, 200)}"))
