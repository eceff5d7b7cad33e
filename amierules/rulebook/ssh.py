"""The configuration's `ssh`: how commands reach other nodes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amierules.rulebook.durations import duration_seconds


@dataclass(frozen=True)
class SshSettings:
    """How nodes are reached. All paths are absolute."""

    user: str | None = None
    port: int | None = None
    key: Path | None = None
    known_hosts: Path | None = None
    config: Path | None = None
    """A file in place of ssh's own configuration; `none` is the name of none."""
    options: tuple[str, ...] = ()
    """As `ssh -o` takes them: `Name=value`."""
    fanout: int = 64
    """How many nodes are talked with at the same time."""
    connect_timeout: int = 30
    """Seconds until a node must be ready to be told what to run."""
    topology: Path | None = None
    """ClusterShell's file of gateways, for the tree mode."""
    gateway_python: str | None = None
    """The Python on the gateways that has ClusterShell."""


def read_ssh(plain: Mapping[str, Any], base: Path) -> SshSettings:
    """The checked section as values. Relative paths count from `base`."""

    def path(key: str) -> Path | None:
        return base / Path(plain[key]).expanduser() if key in plain else None

    return SshSettings(
        user=plain.get("user"),
        port=plain.get("port"),
        key=path("key"),
        known_hosts=path("known_hosts"),
        config=Path(plain["config"]) if plain.get("config") == "none" else path("config"),
        options=tuple(plain.get("options", ())),
        fanout=plain.get("fanout", SshSettings.fanout),
        connect_timeout=duration_seconds(plain.get("connect_timeout", f"{SshSettings.connect_timeout}s")),
        topology=path("topology"),
        gateway_python=plain.get("gateway_python"),
    )
