"""This host, as actions see it beside its programs: where its files stand, and as whom we work."""

import os
from dataclasses import dataclass, field


def _we_are_root() -> bool:
    return os.geteuid() == 0


@dataclass(frozen=True)
class Host:
    """The host, or a folder that stands for one in a rule test."""

    root: str = ""
    """The folder that stands for `/`; empty for the host itself."""
    superuser: bool = field(default_factory=_we_are_root)
    """Whether we may change accounts without asking."""

    def path(self, path: str) -> str:
        """Where the file really stands that has this absolute path on the host."""
        return f"{self.root}{path}"
