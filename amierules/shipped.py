"""Where the shipped schemas, rules and templates stand: in the wheel, or beside the package in a checkout."""

import json
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = _PACKAGE / "shipped_files"

ROOT: Path = _IN_WHEEL if _IN_WHEEL.is_dir() else _PACKAGE.parent
"""The folder that holds `schemas/`, `rules/` and `templates/`."""


@cache
def read_schema(name: str) -> dict[str, Any]:
    """The parsed JSON file `schemas/NAME.json`; NAME may hold folders (`kinds/user.schema`).

    Raises `FileNotFoundError` for a name that is not shipped.
    """
    with (ROOT / "schemas" / f"{name}.json").open(encoding="utf-8") as file:
        data: dict[str, Any] = json.load(file)
    return data
