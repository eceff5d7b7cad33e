"""The kinds of action that amierules ships, by the name that a rule uses."""

from collections.abc import Mapping

from amierules.actions import (
    account,
    allocation,
    assert_,
    command,
    group,
    person,
    project,
    send_packet,
    slurm_account,
    slurm_association,
    slurm_calls,
    user,
)
from amierules.actions.base import Kind

KINDS: Mapping[str, Kind] = {
    "account": account,
    "allocation": allocation,
    "assert": assert_,
    "command": command,
    "group": group,
    "person": person,
    "project": project,
    "send_packet": send_packet,
    "slurm_account": slurm_account,
    "slurm_association": slurm_association,
    "user": user,
}

_BACK_ENDS: Mapping[str, str | None] = {
    **dict.fromkeys(("account", "allocation", "assert", "person", "project", "send_packet")),
    "command": "commands",
    "group": "accounts",
    **dict.fromkeys(slurm_calls.KINDS, slurm_calls.BACK_END),
    "user": "accounts",
}

SENDS = "send_packet"
"""The kind whose results are packets that the final commit writes."""

BACK_ENDS = tuple(sorted({name for name in _BACK_ENDS.values() if name}))
"""What the shipped kinds use, by the names that `pause` takes."""


def back_end(kind: str) -> str | None:
    """What a kind of action uses outside the database; a site's own kind is a back end by itself."""
    return _BACK_ENDS.get(kind, kind)


COMPOSED = "use"
"""The kind that has no module: it stands for the actions of a block."""
