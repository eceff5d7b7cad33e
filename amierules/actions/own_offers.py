"""The kinds that installed packages offer, read from their metadata.

The format is that of the specification of entry points (packaging.python.org). importlib.metadata reads it too, and its
import takes a tenth of the time of `validate`.
"""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GROUP = "amierules.actions"
"""The group of the entry points: `NAME = "package.module:NAME.schema.json"`."""
_INFO = (".dist-info", ".egg-info")


@dataclass(frozen=True)
class Offer:
    """An entry point of the group."""

    name: str
    value: str
    """What stands behind `=`; '' where nothing does."""
    package: str
    """The package and its version."""


def offers() -> list[Offer]:
    """All that is offered. Of a package that stands in several folders of Python's path, the first one counts."""
    found: dict[str, Path] = {}
    for folder in sys.path:
        for info in _infos(folder or "."):
            found.setdefault(re.sub(r"[-_.]+", "-", info.name.partition("-")[0]).lower(), info)
    return [offer for info in found.values() for offer in _offers_of(info)]


def _infos(folder: str) -> list[Path]:
    """The folders with metadata of what is installed in a folder; none in what is no folder, such as an archive."""
    try:
        return sorted(Path(folder, name) for name in os.listdir(folder) if name.endswith(_INFO))
    except OSError:
        return []


def _offers_of(info: Path) -> Iterator[Offer]:
    try:
        lines = (info / "entry_points.txt").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    group = ""
    name, _, version = info.stem.partition("-")
    for line in (line.strip() for line in lines):
        if line.startswith("["):
            group = line.strip("[] ")
        elif group == GROUP and line and line[0] not in "#;":
            called, _, value = line.partition("=")
            yield Offer(called.strip(), value.strip(), f"{name} {version.partition('-')[0]}".strip())
