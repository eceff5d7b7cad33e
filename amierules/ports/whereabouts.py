"""As whom and where an engine starts processes, and whether another one sees them: an intent keeps it for recovery.

The kernel shows a process's environment, by which `orphans` knows it, to its own user and group alone, and of them to
nobody who may do less than it. `CAP_SYS_PTRACE`, as root has it, passes over that, and over a `/proc` that hides the
processes of others.
"""

import os
from pathlib import Path

from amierules.ports.orphans import place

_STATUS = Path("/proc/self/status")
_AS = " as "
_SYS_PTRACE = 1 << 19
"""The capability (capabilities(7)) to look into all processes."""


def whereabouts() -> str | None:
    """Our place, user, group and capabilities; None where no process can be found by its mark."""
    here = place()
    return None if here is None else f"{here}{_AS}{os.geteuid()}:{os.getegid()}:{_capabilities('CapPrm'):x}"


def in_sight(kept: str | None) -> bool:
    """Whether we find here all processes that an engine with these whereabouts has marked.

    Where not, that none is found does not say that none runs. An older engine kept its place alone.
    """
    who = (kept or "").partition(_AS)[2]
    return on_this_host(kept) and (not who or _sees(who))


def on_this_host(kept: str | None) -> bool:
    """Whether an engine with these whereabouts started its processes among those that we, or other users here, see."""
    here = place()
    return here is not None and kept is not None and kept.partition(_AS)[0] == here


def _sees(who: str) -> bool:
    ours = _capabilities("CapEff")
    if ours & _SYS_PTRACE:
        return True
    user, group, theirs = who.split(":")
    return (int(user), int(group)) == (os.geteuid(), os.getegid()) and not int(theirs, 16) & ~ours


def _capabilities(name: str) -> int:
    lines = dict(line.split(":", 1) for line in _STATUS.read_text("ascii", "replace").splitlines() if ":" in line)
    return int(lines.get(name, "0").strip(), 16)
