"""The kinds of action by the name that a rule uses: those that amierules ships, and those of installed packages."""

from collections.abc import Mapping
from typing import Any

from amierules.actions import (
    account,
    allocation,
    assert_,
    command,
    grid_mapfile,
    group,
    ldap_entry,
    ldap_search,
    person,
    project,
    send_packet,
    slurm_account,
    slurm_association,
    slurm_calls,
    user,
)
from amierules.actions.base import Kind
from amierules.actions.command_nodes import SSH
from amierules.actions.command_nodes import back_ends as of_nodes
from amierules.actions.ldap_names import BACK_END
from amierules.actions.own_kinds import own_kinds
from amierules.actions.own_module import OwnModule

KINDS: Mapping[str, Kind] = {
    "account": account,
    "allocation": allocation,
    "assert": assert_,
    "command": command,
    "grid_mapfile": grid_mapfile,
    "group": group,
    "ldap_entry": ldap_entry,
    "ldap_search": ldap_search,
    "person": person,
    "project": project,
    "send_packet": send_packet,
    "slurm_account": slurm_account,
    "slurm_association": slurm_association,
    "user": user,
}


def all_kinds() -> Mapping[str, Kind]:
    """The shipped kinds, and those that installed packages bring; of the latter nothing is imported yet."""
    return {**KINDS, **{name: OwnModule(own) for name, own in own_kinds().kinds.items()}}


_BACK_ENDS: Mapping[str, str | None] = {
    **dict.fromkeys(("account", "allocation", "assert", "person", "project", "send_packet")),
    "command": "commands",
    "grid_mapfile": "grid_mapfile",
    "group": "accounts",
    "ldap_entry": BACK_END,
    "ldap_search": BACK_END,
    **dict.fromkeys(slurm_calls.KINDS, slurm_calls.BACK_END),
    "user": "accounts",
}

SENDS = "send_packet"
"""The kind whose results are packets that the final commit writes."""

BACK_ENDS = tuple(sorted({SSH, *(name for name in _BACK_ENDS.values() if name)}))
"""What the shipped kinds use, by the names that `pause` takes."""


def back_end(kind: str) -> str | None:
    """What a kind of action uses outside the database; a site's own kind is a back end by itself."""
    return _BACK_ENDS.get(kind, kind)


_PATIENCE = {"group": 60.0, "user": 60.0}
"""They write one file after the other: one that is ended in between leaves half an account."""
_SHORT_PATIENCE = 2.0
_LONGEST_FORCED = 20.0
"""A person waits for it, who has asked twice."""


def patience(kind: str) -> float:
    """Seconds that the processes of an action are given to end by themselves when their engine has died."""
    return _PATIENCE.get(kind, _SHORT_PATIENCE)


def forced_patience(kind: str) -> float:
    """Seconds that the processes of an action are given to end by themselves when their engine must end at once."""
    return min(_PATIENCE.get(kind, 0), _LONGEST_FORCED)


def back_ends(kind: str, params: Mapping[str, Any]) -> tuple[str, ...]:
    """What one step uses outside the database, the most particular one last."""
    nodes = params.get("nodes") if kind == "command" else None
    used = back_end(kind)
    return of_nodes(nodes) if isinstance(nodes, list) else () if used is None else (used,)


COMPOSED = "use"
"""The kind that has no module: it stands for the actions of a block."""
