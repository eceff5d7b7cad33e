"""The real programs that tests use, and the list of them at the end of a test run."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

_PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
_used: dict[str, str] = {}
_skipped: dict[str, str] = {}


def require(program: str) -> Path:
    """The program's path. Where it is missing the test is skipped, or fails under `AMIERULES_REQUIRE=all`."""
    found = shutil.which(program, path=_PLACES)
    if found is None:
        missing(program, "not installed")
    used(program)
    return Path(found)


def require_root() -> None:
    """Of a test of what only root can do: to others it is missing, like a program."""
    if os.geteuid() != 0:
        missing("root", "the tests run as another user")


def used(name: str, version: str = "") -> None:
    """Notes that a real part took part in the tests."""
    _used[name] = version or _used.get(name, "")


def missing(name: str, reason: str) -> NoReturn:
    """Skips the test for want of a real part, or fails it under `AMIERULES_REQUIRE=all`."""
    _skipped[name] = reason
    if os.environ.get("AMIERULES_REQUIRE") == "all":
        pytest.fail(f"{name}: {reason}", pytrace=False)
    pytest.skip(f"{name}: {reason}")


def noted() -> dict[str, dict[str, str]]:
    """What this process has noted, for the one that gathers what several have."""
    return {"used": _used, "skipped": _skipped}


def gather(theirs: dict[str, dict[str, str]]) -> None:
    """Adds what another process has noted."""
    _used.update(theirs["used"])
    _skipped.update(theirs["skipped"])


def closing_line() -> str:
    """Which real parts were used and which were missing, for the end of a test run."""
    parts = ", ".join(f"{name} {version}".strip() for name, version in sorted(_used.items())) or "none"
    skipped = ", ".join(f"{name} ({reason})" for name, reason in sorted(_skipped.items())) or "nothing"
    return f"real parts: {parts}; skipped: {skipped}"
